// quote: foreign text made safe to show in an error message.
#pragma once

#include <string>
#include <string_view>

namespace nyamesh {

// In double quotes, with what a terminal should not see as \xNN, and shortened to `max_bytes`.
inline std::string quote(std::string_view text, std::size_t max_bytes = 60) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = "\"";
    const bool is_cut = text.size() > max_bytes;
    if (is_cut) {
        text = text.substr(0, max_bytes);
        while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.remove_suffix(1);
        if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.remove_suffix(1);
    }
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F || byte == '"' || byte == '\\') {
            out += '\\';
            if (byte == '"' || byte == '\\') {
                out += c;
            } else {
                out += 'x';
                out += kHex[byte >> 4];
                out += kHex[byte & 15];
            }
        } else {
            out += c;
        }
    }
    out += is_cut ? "…\"" : "\"";
    return out;
}

}  // namespace nyamesh
