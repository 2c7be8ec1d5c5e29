// IntentBox: a message, as the guide has it: a name ("chat.message") and a JSON payload.
//
//     auto hello = IntentBox::create("chat.message", {{"text", "Hello P2P!"}, {"timestamp", 12345}});
//     hello->name()                           // "chat.message"
//     hello->payload()["text"].as_string()    // "Hello P2P!"
//
// Immutable once built: copies share what is large and cost no allocation, and any thread may read
// any copy. How it gets there:
//   - A small message (name and JSON text together at most kInlineBytes) lives inside the object, so
//     building, copying and queueing it allocates nothing; that is what crosses threads fast.
//   - Anything else lives in one shared, reference-counted block.
//   - A payload is a value, a text, or both: given as a value, its text is made when first asked for;
//     given as a text (which is checked at once), its value is. Either happens once per block.
#pragma once

#include <nya/json.h>
#include <nyamesh/send_error.h>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace nyamesh {

class IntentBox {
public:
    static constexpr std::size_t kInlineBytes = 69;

    // Errors: SerializationError(invalid_name) for the name (see names.h);
    // SerializationError(malformed) for a value nested deeper than nya::kMaxJsonDepth.
    static std::expected<IntentBox, SendError> create(std::string_view name, nya::Json payload = nya::Json::object());

    // From JSON text that came from elsewhere: kept as the bytes it is, checked at once.
    // Errors: as above, and SerializationError(malformed) with line, column and offset.
    static std::expected<IntentBox, SendError> from_json(std::string_view name, std::string_view payload_text);

    // The same, for names and values known to be good (literals, numbers): what create() refuses
    // throws std::invalid_argument here.
    IntentBox(std::string_view name, nya::Json payload);
    IntentBox(std::string_view name, const std::convertible_to<std::string_view> auto& text)
        : IntentBox(TextPayload{}, name, text) {}
    IntentBox(std::string_view name, std::integral auto number)
        requires(!std::same_as<decltype(number), bool>)
        : IntentBox(IntegerPayload{}, name, static_cast<std::int64_t>(number)) {}

    IntentBox(const IntentBox& other) noexcept;
    IntentBox(IntentBox&& other) noexcept;
    IntentBox& operator=(const IntentBox& other) noexcept;
    IntentBox& operator=(IntentBox&& other) noexcept;
    ~IntentBox();

    // Valid while this object lives and is not assigned to.
    std::string_view name() const noexcept {
        return name_size_ != 0 ? std::string_view(bytes_, name_size_) : name_in_block();
    }
    // The payload as a value, built at first use. Valid while this object lives and is not assigned to.
    const nya::Json& payload() const;
    // The payload as compact JSON text. Valid likewise.
    std::string_view payload_text() const;

    // A hash of the name; equal names have equal hashes in one process.
    std::uint64_t name_hash() const noexcept { return name_hash_; }

private:
    struct Block;
    struct TextPayload {};
    struct IntegerPayload {};

    IntentBox() noexcept = default;
    IntentBox(TextPayload, std::string_view name, std::string_view text);
    IntentBox(IntegerPayload, std::string_view name, std::int64_t number);
    // The following expect a name that has been checked.
    void hold_text(std::string_view name, std::string_view payload_text);  // valid JSON
    void hold_value(std::string_view name, nya::Json payload);
    bool is_inline() const noexcept { return payload_size_ != kPayloadInBlock; }
    bool try_inline(std::string_view name, std::size_t payload_size) noexcept;
    Block& make_block(std::string_view name);
    std::string_view name_in_block() const noexcept;
    Block& publish_block(Block* made) const noexcept;

    static constexpr std::uint16_t kPayloadInBlock = 0xFFFF;

    std::uint64_t name_hash_ = 0;
    // Of an inline message: null until payload() is first called. Otherwise where the payload is.
    mutable std::atomic<Block*> block_{nullptr};
    std::uint16_t payload_size_ = kPayloadInBlock;
    std::uint8_t name_size_ = 0;  // 0: the name did not fit and is in the block, too
    char bytes_[kInlineBytes];    // the name, then the payload's text if that is inline
};

}  // namespace nyamesh
