#include <nyamesh/names.h>

#include "intent/quote.h"

#include <optional>
#include <string>

namespace nyamesh {

namespace {

bool is_continuation(unsigned char byte) noexcept { return (byte & 0xC0) == 0x80; }

// The length of the well-formed UTF-8 sequence at `p`, 0 if there is none (RFC 3629, section 4: no
// overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_sequence(const unsigned char* p, std::size_t left) noexcept {
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2) return 0;
    if (p[0] < 0xE0) return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (p[0] < 0xF0) {
        if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2])) return 0;
        if (p[0] == 0xE0 && p[1] < 0xA0) return 0;
        if (p[0] == 0xED && p[1] > 0x9F) return 0;
        return 3;
    }
    if (p[0] > 0xF4 || left < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) || !is_continuation(p[3])) return 0;
    if (p[0] == 0xF0 && p[1] < 0x90) return 0;
    if (p[0] == 0xF4 && p[1] > 0x8F) return 0;
    return 4;
}

bool is_control(const unsigned char* p, std::size_t size) noexcept {
    return p[0] < 0x20 || p[0] == 0x7F || (size == 2 && p[0] == 0xC2 && p[1] < 0xA0);
}

SendError invalid(std::string_view what, std::string problem) {
    return {SendError::Reason::InvalidName, std::string(what) + " " + std::move(problem),
            "Use 1 to 255 bytes of printable UTF-8, such as \"alice\" or \"chat.message\""};
}

std::expected<void, SendError> check_name(std::string_view what, std::string_view name) {
    if (name.empty()) return std::unexpected(invalid(what, "is empty"));
    if (name.size() > kMaxNameBytes) {
        return std::unexpected(invalid(what, quote(name) + " is " + std::to_string(name.size()) +
                                                 " bytes long; the limit is " + std::to_string(kMaxNameBytes)));
    }
    const auto* p = reinterpret_cast<const unsigned char*>(name.data());
    for (std::size_t i = 0; i < name.size();) {
        const std::size_t size = utf8_sequence(p + i, name.size() - i);
        if (size == 0) {
            return std::unexpected(
                invalid(what, quote(name) + " is not UTF-8: bad sequence at byte " + std::to_string(i)));
        }
        if (is_control(p + i, size)) {
            return std::unexpected(
                invalid(what, quote(name) + " has a control character at byte " + std::to_string(i)));
        }
        i += size;
    }
    return {};
}

bool is_name_start(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) noexcept { return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == '-'; }

}  // namespace

std::expected<void, SendError> check_node_id(std::string_view id) { return check_name("node id", id); }

std::expected<void, SendError> check_intent_name(std::string_view name) { return check_name("intent name", name); }

Sugar split_sugar(std::string_view text) noexcept {
    const Sugar plain{"message", text};
    const std::size_t colon = text.find(':');
    // A prefix longer than a name may be is ordinary text, too.
    if (colon == std::string_view::npos || colon == 0 || colon > kMaxNameBytes) return plain;
    if (!is_name_start(text[0])) return plain;
    for (const char c : text.substr(1, colon - 1)) {
        if (!is_name_part(c)) return plain;
    }
    if (colon + 1 < text.size() && (text[colon + 1] == ' ' || text[colon + 1] == '/')) return plain;
    return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace nyamesh
