// How a portion is read. Frames that lie whole in it are unmasked where they are and handed on: that is the hot path,
// and nothing on it allocates. What is not whole goes one of two ways, both kept in `Partial`:
//
//   a header, or a control frame (at most 139 bytes): its bytes are collected as they came, then treated as whole
//   a data frame's payload: unmasked and checked in the portion, then appended to the message
//
// Partial goes as soon as nothing is unfinished. Every call to the handler is the last thing its function does,
// because the handler may destroy the reader; whatever it is shown is held by read()'s caller or on the stack.
#include "net/websocket_codec.h"

#include "base/assert.h"
#include "net/utf8_checker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace nyamesh::net {

namespace {

constexpr std::size_t kMaxHeadSize = 14;       // 5.2
constexpr std::size_t kMaxControlBytes = 125;  // 5.5

// 7.4.1 for the codes; the words go to the peer as the reason, so they stay below 123 bytes.
constexpr CodecError kReservedBit{1002, "a frame has a reserved bit set, but no extension was agreed on"};
constexpr CodecError kReservedOpcode{1002, "a frame has a reserved opcode"};
constexpr CodecError kFragmentedControl{1002, "a control frame is fragmented"};
constexpr CodecError kLongControl{1002, "a control frame is longer than 125 bytes"};
constexpr CodecError kNotMasked{1002, "a client's frame is not masked"};
constexpr CodecError kMasked{1002, "a server's frame is masked"};
constexpr CodecError kNotMinimal{1002, "a frame's length is not in its shortest form"};
constexpr CodecError kNegative{1002, "a frame's length has its highest bit set"};
constexpr CodecError kNothingToContinue{1002, "a continuation frame continues nothing"};
constexpr CodecError kInterrupted{1002, "a message begins before the one before it has ended"};
constexpr CodecError kOddClose{1002, "a close frame has a payload of one byte"};
constexpr CodecError kCloseCode{1002, "a close frame has a code that must not be sent"};
constexpr CodecError kTextNotUtf8{1007, "a text message is not UTF-8"};
constexpr CodecError kReasonNotUtf8{1007, "the reason of a close frame is not UTF-8"};
constexpr CodecError kTooBig{1009, "a message is longer than allowed here"};

bool is_control(Opcode opcode) noexcept {
    return static_cast<std::uint8_t>(opcode) >= 8;
}

// 5.3: `to` becomes `from` XOR the mask, 32 bytes at a time (one of our own words: -O2 does not vectorise loops by
// itself). They may be the same place.
void apply_mask(char* to, const char* from, std::size_t size, std::uint32_t mask) noexcept {
    using Block [[gnu::vector_size(32)]] = std::uint64_t;
    const std::uint64_t wide = mask | std::uint64_t{mask} << 32;
    const Block wider{wide, wide, wide, wide};
    auto step = [&to, &from, &size]<class Word>(const Word& key) {
        Word word;
        std::memcpy(&word, from, sizeof word);
        word ^= key;
        std::memcpy(to, &word, sizeof word);
        to += sizeof word;
        from += sizeof word;
        size -= sizeof word;
    };
    while (size >= sizeof wider) step.template operator()<Block>(wider);
    while (size >= sizeof wide) step.template operator()<std::uint64_t>(wide);
    if (size >= sizeof mask) step.template operator()<std::uint32_t>(mask);
    char key[sizeof mask];
    std::memcpy(key, &mask, sizeof mask);
    for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<char>(from[i] ^ key[i]);
}

// The mask as it is after `size` bytes.
std::uint32_t turn_mask(std::uint32_t mask, std::size_t size) noexcept {
    const int bits = static_cast<int>(size % 4 * 8);
    return std::endian::native == std::endian::little ? std::rotr(mask, bits) : std::rotl(mask, bits);
}

bool is_utf8(std::string_view text) noexcept {
    Utf8Checker checker;
    return checker.take(text.data(), text.size()) && checker.is_between_characters();
}

std::uint64_t big_endian(const char* bytes, std::size_t size) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
    return value;
}

}  // namespace

struct FrameReader::Head {
    Opcode opcode = Opcode::Continuation;
    bool is_final = false;
    std::uint32_t mask = 0;
    std::uint64_t length = 0;  // of the payload
};

struct FrameReader::Portion {
    char* at;
    char* end;
    bool reader_is_gone = false;
    std::size_t size() const noexcept { return static_cast<std::size_t>(end - at); }
};

struct FrameReader::Partial {
    // The start of a frame, as it came.
    std::array<char, kMaxHeadSize + kMaxControlBytes> start{};
    std::size_t start_size = 0;

    // The message under way, and the frame of it whose payload is being read.
    bool has_message = false;
    bool has_frame = false;
    bool is_last_frame = false;
    Opcode opcode = Opcode::Text;
    Utf8Checker utf8;
    std::uint32_t mask = 0;
    std::uint64_t missing = 0;  // bytes of the frame
    std::string message;

    // What a handler left, from rest_begin on.
    std::string rest;
    std::size_t rest_begin = 0;

    bool is_idle() const noexcept { return start_size == 0 && !has_message && rest_begin == rest.size(); }
};

FrameReader::FrameReader(Role reads_as, std::size_t max_message_bytes)
    : max_message_bytes_(max_message_bytes), role_(reads_as) {}

FrameReader::~FrameReader() {
    if (is_gone_ != nullptr) *is_gone_ = true;
}

FrameReader::Partial& FrameReader::partial() {
    if (!partial_) partial_ = std::make_unique<Partial>();
    return *partial_;
}

bool FrameReader::has_rest() const noexcept {
    return partial_ && partial_->rest_begin < partial_->rest.size();
}

void FrameReader::keep(std::string_view bytes) {
    if (!bytes.empty() && !has_ended_) partial().rest += bytes;
}

const CodecError* FrameReader::read(std::span<char> bytes, FrameHandler& handler) {
    NYA_ASSERT(is_gone_ == nullptr);  // not from inside a callback
    if (has_ended_) return error_;
    std::string kept;
    if (has_rest()) {
        kept = std::move(partial_->rest);
        std::size_t begin = std::exchange(partial_->rest_begin, 0);
        partial_->rest.clear();
        if (!bytes.empty()) {
            kept.erase(0, std::exchange(begin, 0));
            kept.append(bytes.data(), bytes.size());
        }
        bytes = std::span(kept).subspan(begin);
    }

    Portion portion{bytes.data(), bytes.data() + bytes.size()};
    is_gone_ = &portion.reader_is_gone;
    while (portion.size() > 0 && take_next(portion, handler) == Outcome::GoOn && !portion.reader_is_gone) {
    }
    if (portion.reader_is_gone) return nullptr;
    is_gone_ = nullptr;

    if (has_ended_) {
        partial_.reset();
    } else if (portion.size() == 0) {
        if (partial_ && partial_->is_idle()) partial_.reset();
    } else if (kept.empty()) {
        partial().rest.assign(portion.at, portion.size());
    } else {
        partial().rest_begin = kept.size() - portion.size();
        partial().rest = std::move(kept);
    }
    return error_;
}

FrameReader::Outcome FrameReader::fail(const CodecError& error) {
    error_ = &error;
    has_ended_ = true;
    return Outcome::Stop;
}

// 5.2: the header at the start of `bytes`. Returns how many bytes it has, which may be more than there are yet; or 0
// after an error. What is wrong is found in the order of the bytes, so that the portions make no difference.
std::size_t FrameReader::read_head(const char* bytes, std::size_t size, Head& head) {
    const auto first = static_cast<std::uint8_t>(bytes[0]);
    head.opcode = static_cast<Opcode>(first & 0x0F);
    head.is_final = (first & 0x80) != 0;
    if (const auto* error = check_first_byte(head, first)) return fail(*error), 0;
    if (size < 2) return 2;

    const auto second = static_cast<std::uint8_t>(bytes[1]);
    const bool is_masked = (second & 0x80) != 0;
    if (is_masked != (role_ == Role::Server)) return fail(is_masked ? kMasked : kNotMasked), 0;  // 5.1
    head.length = second & 0x7F;
    if (is_control(head.opcode) && head.length > kMaxControlBytes) return fail(kLongControl), 0;  // 5.5
    const std::size_t length_bytes = head.length < 126 ? 0 : head.length == 126 ? 2 : 8;
    const std::size_t head_size = 2 + length_bytes + (is_masked ? 4 : 0);
    if (size < 2 + length_bytes) return head_size;

    if (length_bytes > 0) {
        head.length = big_endian(bytes + 2, length_bytes);
        if (length_bytes == 8 && head.length >> 63 != 0) return fail(kNegative), 0;
        if (head.length <= (length_bytes == 2 ? 125u : 0xFFFFu)) return fail(kNotMinimal), 0;
    }
    if (const auto* error = check_length(head)) return fail(*error), 0;
    if (is_masked && size >= head_size) std::memcpy(&head.mask, bytes + 2 + length_bytes, sizeof head.mask);
    return head_size;
}

const CodecError* FrameReader::check_first_byte(const Head& head, std::uint8_t byte) const {
    if ((byte & 0x70) != 0) return &kReservedBit;
    const bool is_within_message = partial_ && partial_->has_message;
    switch (head.opcode) {
        case Opcode::Continuation:  // 5.4
            return is_within_message ? nullptr : &kNothingToContinue;
        case Opcode::Text:
        case Opcode::Binary:
            return is_within_message ? &kInterrupted : nullptr;
        case Opcode::Close:
        case Opcode::Ping:
        case Opcode::Pong:
            return head.is_final ? nullptr : &kFragmentedControl;
    }
    return &kReservedOpcode;
}

// 10.4: judged before a byte of the payload is kept.
const CodecError* FrameReader::check_length(const Head& head) const {
    if (is_control(head.opcode)) return nullptr;
    const std::size_t before = partial_ ? partial_->message.size() : 0;
    const std::size_t room = max_message_bytes_ - std::min(before, max_message_bytes_);
    return head.length > room ? &kTooBig : nullptr;
}

FrameReader::Outcome FrameReader::take_next(Portion& portion, FrameHandler& handler) {
    if (partial_) {
        if (partial_->has_frame) {
            char* const bytes = portion.at;
            const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(portion.size(), partial_->missing));
            portion.at += size;
            return take_payload(bytes, size, handler);
        }
        if (partial_->start_size > 0) return complete_start(portion, handler);
    }
    Head head;
    const std::size_t head_size = read_head(portion.at, portion.size(), head);
    if (head_size == 0) return Outcome::Stop;
    if (head_size <= portion.size()) {
        char* const payload = portion.at + head_size;
        const std::size_t there = portion.size() - head_size;
        if (head.length <= there) {
            portion.at = payload + head.length;
            return take_whole(head, payload, handler);
        }
        if (!is_control(head.opcode)) {
            portion.at = portion.end;
            start_frame(head);
            return take_payload(payload, there, handler);
        }
    }
    Partial& kept = partial();
    std::memcpy(kept.start.data(), portion.at, portion.size());
    kept.start_size = portion.size();
    portion.at = portion.end;
    return Outcome::GoOn;
}

// Collects what is missing of a header, and of the payload if it is a control frame's.
FrameReader::Outcome FrameReader::complete_start(Portion& portion, FrameHandler& handler) {
    Partial& kept = *partial_;
    while (true) {
        Head head;
        const std::size_t head_size = read_head(kept.start.data(), kept.start_size, head);
        if (head_size == 0) return Outcome::Stop;
        std::size_t wanted = head_size;
        if (kept.start_size >= head_size) {
            if (!is_control(head.opcode)) {
                kept.start_size = 0;
                start_frame(head);
                return take_payload(portion.at, 0, handler);  // an empty frame has ended
            }
            wanted += static_cast<std::size_t>(head.length);
            if (kept.start_size == wanted) {
                auto frame = kept.start;  // the handler may destroy us
                kept.start_size = 0;
                return take_whole(head, frame.data() + head_size, handler);
            }
        }
        const std::size_t size = std::min(wanted - kept.start_size, portion.size());
        if (size == 0) return Outcome::GoOn;
        std::memcpy(kept.start.data() + kept.start_size, portion.at, size);
        kept.start_size += size;
        portion.at += size;
    }
}

FrameReader::Outcome FrameReader::take_whole(const Head& head, char* payload, FrameHandler& handler) {
    if (is_control(head.opcode)) return take_control(head, payload, handler);
    const auto size = static_cast<std::size_t>(head.length);
    if (!head.is_final || head.opcode == Opcode::Continuation) {
        start_frame(head);
        return take_payload(payload, size, handler);
    }
    if (role_ == Role::Server) apply_mask(payload, payload, size, head.mask);
    const std::string_view message(payload, size);
    if (head.opcode == Opcode::Text && !is_utf8(message)) return fail(kTextNotUtf8);
    return handler.on_message(head.opcode, message) ? Outcome::GoOn : Outcome::Stop;
}

FrameReader::Outcome FrameReader::take_control(const Head& head, char* payload, FrameHandler& handler) {
    const auto size = static_cast<std::size_t>(head.length);
    if (role_ == Role::Server) apply_mask(payload, payload, size, head.mask);
    const std::string_view bytes(payload, size);
    if (head.opcode == Opcode::Close) return take_close(bytes, handler);
    const bool goes_on = head.opcode == Opcode::Ping ? handler.on_ping(bytes) : handler.on_pong(bytes);
    return goes_on ? Outcome::GoOn : Outcome::Stop;
}

// 5.5.1
FrameReader::Outcome FrameReader::take_close(std::string_view payload, FrameHandler& handler) {
    if (payload.size() == 1) return fail(kOddClose);
    std::uint16_t code = 1005;  // 7.1.5
    if (!payload.empty()) {
        code = static_cast<std::uint16_t>(big_endian(payload.data(), 2));
        payload.remove_prefix(2);
        if (!is_valid_close_code(code)) return fail(kCloseCode);
        if (!is_utf8(payload)) return fail(kReasonNotUtf8);
    }
    has_ended_ = true;
    handler.on_close(code, payload);
    return Outcome::Stop;
}

void FrameReader::start_frame(const Head& head) {
    Partial& kept = partial();
    if (!kept.has_message) {
        kept.has_message = true;
        kept.opcode = head.opcode;
        kept.utf8 = {};
    }
    kept.has_frame = true;
    kept.is_last_frame = head.is_final;
    kept.mask = head.mask;
    kept.missing = head.length;
}

// The next bytes of a data frame; with the last ones of the message it is handed on.
FrameReader::Outcome FrameReader::take_payload(char* bytes, std::size_t size, FrameHandler& handler) {
    Partial& kept = *partial_;
    if (role_ == Role::Server) {
        apply_mask(bytes, bytes, size, kept.mask);
        kept.mask = turn_mask(kept.mask, size);
    }
    if (kept.opcode == Opcode::Text && !kept.utf8.take(bytes, size)) return fail(kTextNotUtf8);
    kept.message.append(bytes, size);
    kept.missing -= size;
    if (kept.missing > 0) return Outcome::GoOn;
    kept.has_frame = false;
    if (!kept.is_last_frame) return Outcome::GoOn;

    if (kept.opcode == Opcode::Text && !kept.utf8.is_between_characters()) return fail(kTextNotUtf8);
    kept.has_message = false;
    const std::string message = std::exchange(kept.message, {});  // the handler may destroy us
    return handler.on_message(kept.opcode, message) ? Outcome::GoOn : Outcome::Stop;
}

namespace {

// 5.2: appends the header, and room for the payload behind it, which is returned.
char* write_head(OutBuffer& out, Opcode opcode, std::size_t length, const std::uint32_t* mask) {
    const std::size_t length_bytes = length < 126 ? 0 : length <= 0xFFFF ? 2 : 8;
    const std::size_t mask_bytes = mask != nullptr ? sizeof *mask : 0;
    char* at = out.grow(2 + length_bytes + mask_bytes + length);
    *at++ = static_cast<char>(0x80 | static_cast<std::uint8_t>(opcode));
    const std::size_t short_length = length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127;
    *at++ = static_cast<char>(short_length | (mask != nullptr ? 0x80 : 0));
    for (std::size_t i = length_bytes; i-- > 0;) *at++ = static_cast<char>(std::uint64_t{length} >> (8 * i));
    if (mask != nullptr) std::memcpy(at, mask, mask_bytes);
    return at + mask_bytes;
}

}  // namespace

void write_frame(OutBuffer& out, Opcode opcode, std::string_view payload) {
    char* const place = write_head(out, opcode, payload.size(), nullptr);
    if (!payload.empty()) std::memcpy(place, payload.data(), payload.size());
}

void write_masked_frame(OutBuffer& out, Opcode opcode, std::string_view payload, std::uint32_t mask) {
    apply_mask(write_head(out, opcode, payload.size(), &mask), payload.data(), payload.size(), mask);
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
    if (code == 1005) return {};  // 7.4.1: said by saying nothing
    std::size_t size = std::min(reason.size(), kMaxControlBytes - 2);
    if (size < reason.size()) {
        while (size > 0 && (static_cast<std::uint8_t>(reason[size]) & 0xC0) == 0x80) --size;
    }
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
    return payload.append(reason.substr(0, size));
}

// 7.4, and what IANA has registered since: 1012 to 1014.
bool is_valid_close_code(std::uint16_t code) noexcept {
    if (code < 1000 || code > 4999) return false;
    return code >= 3000 || (code <= 1014 && code != 1004 && code != 1005 && code != 1006);
}

}  // namespace nyamesh::net
