// What Nyash needs to know of Unicode: UTF-8 in and out, which characters may be in a name, and how
// wide a character is on a terminal (so that a caret stands under what it points at).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nyash::unicode {

struct Decoded {
    char32_t code_point = 0;
    std::size_t bytes = 0;  // 0: not valid UTF-8 here
};

// The code point at the start of `text`. Strict: no surrogates, no overlong forms.
Decoded decode(std::string_view text);
void append(std::string& out, char32_t code_point);

// Offset of the first byte that is not UTF-8.
std::optional<std::size_t> first_invalid(std::string_view text);

// Code points in valid UTF-8 (bytes that do not continue one).
std::size_t count(std::string_view text);
// Byte offset of code point `index`, or text.size() when there are fewer.
std::size_t offset_of(std::string_view text, std::size_t index);
bool is_ascii(std::string_view text);

// A letter, in the sense of a name: ASCII letters and `_`, and any character beyond ASCII that is
// not punctuation, a symbol, a space, a control or private use.
bool is_letter(char32_t c);

// Terminal columns: 0 for combining marks, 2 for East Asian wide characters and emoji, else 1.
int width(char32_t c);

}  // namespace nyash::unicode
