#include <nyamesh/intent_box.h>
#include <nyamesh/names.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/hash.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>

namespace nyamesh {

// Where a payload lives that is not inline (with a name that is not, either), and where the value of an inline one
// lives once somebody asks for it. Shared by copies. text and value are made at most once each: whoever loses the race
// to publish one throws its own away.
struct IntentBox::Block {
    std::atomic<std::uint32_t> references{1};
    std::string name;
    std::atomic<const std::string*> text{nullptr};
    std::atomic<const nya::Json*> value{nullptr};

    ~Block() {
        delete text.load(std::memory_order_relaxed);
        delete value.load(std::memory_order_relaxed);
    }

    static Block* retain(Block* block) noexcept {
        if (block != nullptr) block->references.fetch_add(1, std::memory_order_relaxed);
        return block;
    }
    static void release(Block* block) noexcept {
        if (block != nullptr && block->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete block;
    }
};

namespace {

template <class T>
const T& publish_once(std::atomic<const T*>& place, std::unique_ptr<const T> made) noexcept {
    const T* current = nullptr;
    if (place.compare_exchange_strong(current, made.get(), std::memory_order_acq_rel)) return *made.release();
    return *current;
}

const nya::Json kNull;

// Texts in a block have been checked or written by us.
nya::Json parse_own(std::string_view text) {
    auto value = nya::Json::parse(text);
    NYA_ASSERT(value.has_value());
    return *std::move(value);
}

SendError malformed(std::string_view name, const nya::JsonError& error) {
    return {SendError::Reason::Malformed,
            "the payload of intent \"" + std::string(name) + "\" is not JSON: " + error.message + " at line " +
                std::to_string(error.line) + ", column " + std::to_string(error.column) + " (byte " +
                std::to_string(error.offset) + ")",
            "Correct the text there, or pass a value instead of a text"};
}

SendError too_deep(std::string_view name) {
    return {SendError::Reason::Malformed,
            "the payload of intent \"" + std::string(name) + "\" is nested more than " +
                std::to_string(nya::kMaxJsonDepth) + " deep",
            "Flatten it"};
}

[[noreturn]] void refuse(const SendError& error) {
    throw std::invalid_argument(error.to_string());
}

void require_name(std::string_view name) {
    if (auto checked = check_intent_name(name); !checked) refuse(checked.error());
}

}  // namespace

std::expected<IntentBox, SendError> IntentBox::create(std::string_view name, nya::Json payload) {
    if (auto checked = check_intent_name(name); !checked) return std::unexpected(std::move(checked).error());
    if (payload.depth() > nya::kMaxJsonDepth) return std::unexpected(too_deep(name));
    IntentBox intent;
    intent.hold_value(name, std::move(payload));
    return intent;
}

std::expected<IntentBox, SendError> IntentBox::from_json(std::string_view name, std::string_view payload_text) {
    if (auto checked = check_intent_name(name); !checked) return std::unexpected(std::move(checked).error());
    if (auto checked = nya::Json::validate(payload_text); !checked) {
        return std::unexpected(malformed(name, checked.error()));
    }
    IntentBox intent;
    intent.hold_text(name, payload_text);
    return intent;
}

IntentBox::IntentBox(std::string_view name, nya::Json payload) {
    require_name(name);
    if (payload.depth() > nya::kMaxJsonDepth) refuse(too_deep(name));
    hold_value(name, std::move(payload));
}

IntentBox::IntentBox(TextPayload, std::string_view name, std::string_view text) {
    require_name(name);
    if (nya::is_printable_ascii<'"', '\\'>(text) &&
        try_inline(name, text.size() + 2)) {  // the common small text, without a detour
        name_hash_ = nya::hash_bytes(name);
        char* out = bytes_ + name.size();
        *out = '"';
        std::memcpy(out + 1, text.data(), text.size());
        out[text.size() + 1] = '"';
        return;
    }
    hold_value(name, nya::Json(text));
}

IntentBox::IntentBox(IntegerPayload, std::string_view name, std::int64_t number) {
    require_name(name);
    char digits[std::numeric_limits<std::int64_t>::digits10 + 2];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    hold_text(name, {digits, static_cast<std::size_t>(end - digits)});
}

IntentBox::IntentBox(const IntentBox& other) noexcept
    : name_hash_(other.name_hash_),
      block_(Block::retain(other.block_.load(std::memory_order_acquire))),
      payload_size_(other.payload_size_),
      name_size_(other.name_size_) {
    std::memcpy(bytes_, other.bytes_, kInlineBytes);  // a fixed size is faster than the exact one
}

IntentBox::IntentBox(IntentBox&& other) noexcept
    : name_hash_(other.name_hash_),
      block_(other.block_.exchange(nullptr, std::memory_order_relaxed)),
      payload_size_(other.payload_size_),
      name_size_(other.name_size_) {
    std::memcpy(bytes_, other.bytes_, kInlineBytes);
}

IntentBox& IntentBox::operator=(const IntentBox& other) noexcept {
    if (this != &other) {
        this->~IntentBox();
        new (this) IntentBox(other);
    }
    return *this;
}

IntentBox& IntentBox::operator=(IntentBox&& other) noexcept {
    if (this != &other) {
        this->~IntentBox();
        new (this) IntentBox(std::move(other));
    }
    return *this;
}

IntentBox::~IntentBox() {
    Block::release(block_.load(std::memory_order_acquire));
}

std::string_view IntentBox::name_in_block() const noexcept {
    const Block* block = block_.load(std::memory_order_acquire);
    return block != nullptr ? std::string_view(block->name) : std::string_view();
}

const nya::Json& IntentBox::payload() const {
    Block* block = block_.load(std::memory_order_acquire);
    if (block == nullptr) {
        if (!is_inline()) return kNull;  // moved from
        auto made = std::make_unique<Block>();
        made->value.store(new nya::Json(parse_own(payload_text())), std::memory_order_relaxed);
        block = &publish_block(made.release());
    }
    if (const nya::Json* value = block->value.load(std::memory_order_acquire)) return *value;
    const std::string* text = block->text.load(std::memory_order_acquire);
    return publish_once(block->value, std::make_unique<const nya::Json>(parse_own(*text)));
}

std::string_view IntentBox::payload_text() const {
    if (is_inline()) return {bytes_ + name_size_, payload_size_};
    Block* block = block_.load(std::memory_order_acquire);
    if (block == nullptr) return "null";  // moved from
    if (const std::string* text = block->text.load(std::memory_order_acquire)) return *text;
    const nya::Json* value = block->value.load(std::memory_order_acquire);
    return publish_once(block->text, std::make_unique<const std::string>(value->dump()));
}

IntentBox::Block& IntentBox::publish_block(Block* made) const noexcept {
    Block* current = nullptr;
    if (block_.compare_exchange_strong(current, made, std::memory_order_acq_rel)) return *made;
    Block::release(made);
    return *current;
}

bool IntentBox::try_inline(std::string_view name, std::size_t payload_size) noexcept {
    if (name.size() + payload_size > kInlineBytes) return false;
    std::memcpy(bytes_, name.data(), name.size());
    name_size_ = static_cast<std::uint8_t>(name.size());
    payload_size_ = static_cast<std::uint16_t>(payload_size);
    return true;
}

void IntentBox::hold_text(std::string_view name, std::string_view payload_text) {
    name_hash_ = nya::hash_bytes(name);
    if (try_inline(name, payload_text.size())) {
        std::memcpy(bytes_ + name.size(), payload_text.data(), payload_text.size());
        return;
    }
    make_block(name).text.store(new std::string(payload_text), std::memory_order_relaxed);
}

void IntentBox::hold_value(std::string_view name, nya::Json payload) {
    // A scalar is cheap to write and to read back, so it goes inline where it fits. An object or array
    // would cost its receiver a parse: it is kept as the value it is.
    const bool is_container = payload.is_object() || payload.is_array();
    if (!is_container || payload.size() == 0) {
        const bool may_fit = !payload.is_string() || payload.as_string().size() + 2 + name.size() <= kInlineBytes;
        if (may_fit) return hold_text(name, payload.dump());
    }
    name_hash_ = nya::hash_bytes(name);
    make_block(name).value.store(new nya::Json(std::move(payload)), std::memory_order_relaxed);
}

// For a payload that is not inline. The name still is, if it fits: dispatch compares it.
IntentBox::Block& IntentBox::make_block(std::string_view name) {
    auto block = std::make_unique<Block>();
    if (name.size() <= kInlineBytes) {
        std::memcpy(bytes_, name.data(), name.size());
        name_size_ = static_cast<std::uint8_t>(name.size());
    } else {
        block->name = name;
    }
    block_.store(block.get(), std::memory_order_release);
    return *block.release();
}

}  // namespace nyamesh
