// Utf8Checker: is a text that comes in pieces UTF-8 (RFC 3629, section 4)? It says no at the first byte that cannot be.
//
// Nearly all text is ASCII: that is skipped 32 bytes at a time. A character that a piece ends in the middle of is
// remembered as the range its next byte must lie in, which is also all there is to know about overlong forms,
// surrogates and what lies above U+10FFFF: they are told by the second byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nyamesh::net {

// Bytes at the start that are ASCII; may be a few fewer than there are.
inline std::size_t ascii_prefix(const char* text, std::size_t size) noexcept {
    std::size_t at = 0;
    auto word = [text](std::size_t i) {
        std::uint64_t value;
        std::memcpy(&value, text + i, sizeof value);
        return value;
    };
    constexpr std::uint64_t kHighBits = 0x8080808080808080;
    while (size - at >= 32 && ((word(at) | word(at + 8) | word(at + 16) | word(at + 24)) & kHighBits) == 0) at += 32;
    while (size - at >= 8 && (word(at) & kHighBits) == 0) at += 8;
    return at;
}

class Utf8Checker {
public:
    // False: the text up to here cannot be the start of anything in UTF-8. Then ask no more.
    bool take(const char* text, std::size_t size) noexcept {
        std::size_t at = 0;
        while (at < size) {
            if (missing_ == 0) {
                at += ascii_prefix(text + at, size - at);
                if (at == size) return true;
                if (!begin(static_cast<unsigned char>(text[at]))) return false;
            } else if (!go_on(static_cast<unsigned char>(text[at]))) {
                return false;
            }
            ++at;
        }
        return true;
    }
    // No character has begun that is not whole.
    bool is_between_characters() const noexcept { return missing_ == 0; }

private:
    bool begin(unsigned char first) noexcept {
        if (first < 0x80) return true;
        if (first < 0xC2 || first > 0xF4) return false;
        missing_ = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        lowest_ = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;   // else overlong
        highest_ = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;  // else a surrogate, or above U+10FFFF
        return true;
    }
    bool go_on(unsigned char next) noexcept {
        if (next < lowest_ || next > highest_) return false;
        lowest_ = 0x80;
        highest_ = 0xBF;
        --missing_;
        return true;
    }

    std::uint8_t missing_ = 0;  // bytes of the character that has begun
    std::uint8_t lowest_ = 0x80;
    std::uint8_t highest_ = 0xBF;
};

}  // namespace nyamesh::net
