#include <nyamesh/names.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "intent/quote.h"

#include <optional>
#include <string>

namespace nyamesh {

namespace {

// C0, DEL and C1.
bool is_control(std::string_view character) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    return byte(0) < 0x20 || byte(0) == 0x7F || (character.size() == 2 && byte(0) == 0xC2 && byte(1) < 0xA0);
}

SendError invalid(std::string_view what, std::string problem) {
    return {SendError::Reason::InvalidName, std::string(what) + " " + std::move(problem),
            "Use 1 to 255 bytes of printable UTF-8, such as \"alice\" or \"chat.message\""};
}

std::expected<void, SendError> check_unusual_name(std::string_view what, std::string_view name) {
    if (name.empty()) return std::unexpected(invalid(what, "is empty"));
    if (name.size() > kMaxNameBytes) {
        return std::unexpected(invalid(what, quote(name) + " is " + std::to_string(name.size()) +
                                                 " bytes long; the limit is " + std::to_string(kMaxNameBytes)));
    }
    for (std::size_t i = 0; i < name.size();) {
        const std::size_t size = nya::utf8_sequence(name.substr(i));
        if (size == 0) {
            return std::unexpected(
                invalid(what, quote(name) + " is not UTF-8: bad sequence at byte " + std::to_string(i)));
        }
        if (is_control(name.substr(i, size))) {
            return std::unexpected(
                invalid(what, quote(name) + " has a control character at byte " + std::to_string(i)));
        }
        i += size;
    }
    return {};
}

// Most names need no closer look.
std::expected<void, SendError> check_name(std::string_view what, std::string_view name) {
    if (name.size() - 1 < kMaxNameBytes && nya::is_printable_ascii(name)) [[likely]]
        return {};
    return check_unusual_name(what, name);
}

bool is_name_start(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_part(char c) noexcept {
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

}  // namespace

std::expected<void, SendError> check_node_id(std::string_view id) {
    return check_name("node id", id);
}

std::expected<void, SendError> check_intent_name(std::string_view name) {
    return check_name("intent name", name);
}

std::expected<void, SendError> check_room_name(std::string_view name) {
    return check_name("room name", name);
}

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
