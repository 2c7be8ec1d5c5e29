#include "nyash/syntax/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace nyash::unicode {
namespace {

bool continues(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

struct Range {
    char32_t first;
    char32_t last;
};

// The blocks beyond ASCII that hold no letters: punctuation, symbols, spaces, controls, private use.
// A handful of letters live in these blocks (such as U+00AA); they are listed out again by the gaps.
constexpr auto kNotLetters = std::to_array<Range>({
    {0x0080, 0x00A9},   {0x00AB, 0x00B4},    {0x00B6, 0x00B9}, {0x00BB, 0x00BF}, {0x00D7, 0x00D7}, {0x00F7, 0x00F7},
    {0x0300, 0x036F},   {0x037E, 0x037E},    {0x0387, 0x0387}, {0x055A, 0x055F}, {0x0589, 0x058F}, {0x05BE, 0x05BE},
    {0x0600, 0x060F},   {0x061B, 0x061F},    {0x066A, 0x066D}, {0x06D4, 0x06D4}, {0x0964, 0x0965}, {0x0E3F, 0x0E3F},
    {0x1680, 0x1680},   {0x180E, 0x180E},    {0x2000, 0x2070}, {0x2074, 0x207E}, {0x2080, 0x208E}, {0x20A0, 0x20FF},
    {0x2190, 0x2BFF},   {0x2E00, 0x2FFF},    {0x3000, 0x3004}, {0x3008, 0x3020}, {0x3030, 0x3030}, {0x303D, 0x303F},
    {0x309B, 0x309C},   {0x30A0, 0x30A0},    {0x30FB, 0x30FB}, {0x3200, 0x33FF}, {0x4DC0, 0x4DFF}, {0xD800, 0xF8FF},
    {0xFD3E, 0xFD3F},   {0xFDFC, 0xFE6F},    {0xFEFF, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF},
    {0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF},
});

constexpr auto kWide = std::to_array<Range>({
    {0x1100, 0x115F}, {0x231A, 0x231B}, {0x23E9, 0x23EC},   {0x25FD, 0x25FE},   {0x2614, 0x2615},   {0x26AA, 0x26AB},
    {0x2705, 0x2705}, {0x2728, 0x2728}, {0x274C, 0x274C},   {0x2B50, 0x2B50},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
    {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD},
});

constexpr auto kZeroWidth = std::to_array<Range>({
    {0x0300, 0x036F},
    {0x0591, 0x05BD},
    {0x064B, 0x065F},
    {0x200B, 0x200F},
    {0x20D0, 0x20FF},
    {0x3099, 0x309A},
    {0xFE00, 0xFE0F},
    {0xFE20, 0xFE2F},
    {0xFEFF, 0xFEFF},
});

bool contains(const auto& ranges, char32_t c) {
    auto after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                  [](char32_t value, const Range& range) { return value < range.first; });
    return after != std::begin(ranges) && c <= std::prev(after)->last;
}

}  // namespace

Decoded decode(std::string_view text) {
    if (text.empty()) return {};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return {first, 1};
    std::size_t size = 0;
    char32_t c = 0;
    char32_t least = 0;
    if ((first & 0xE0U) == 0xC0U) {
        size = 2, c = first & 0x1FU, least = 0x80;
    } else if ((first & 0xF0U) == 0xE0U) {
        size = 3, c = first & 0x0FU, least = 0x800;
    } else if ((first & 0xF8U) == 0xF0U) {
        size = 4, c = first & 0x07U, least = 0x10000;
    } else {
        return {};
    }
    if (text.size() < size) return {};
    for (std::size_t i = 1; i < size; ++i) {
        if (!continues(text[i])) return {};
        c = (c << 6U) | (byte(i) & 0x3FU);
    }
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    if (c < least || c > 0x10FFFF || surrogate) return {};
    return {c, size};
}

void append(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0U | (c >> 6U));
        out += static_cast<char>(0x80U | (c & 0x3FU));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0U | (c >> 12U));
        out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (c & 0x3FU));
    } else {
        out += static_cast<char>(0xF0U | (c >> 18U));
        out += static_cast<char>(0x80U | ((c >> 12U) & 0x3FU));
        out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (c & 0x3FU));
    }
}

std::optional<std::size_t> first_invalid(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto decoded = decode(text.substr(i));
        if (decoded.bytes == 0) return i;
        i += decoded.bytes;
    }
    return std::nullopt;
}

std::size_t count(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::size_t offset_of(std::string_view text, std::size_t index) {
    std::size_t offset = 0;
    for (; offset < text.size(); ++offset) {
        if (continues(text[offset])) continue;
        if (index == 0) return offset;
        --index;
    }
    return text.size();
}

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_letter(char32_t c) {
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return !contains(kNotLetters, c);
}

int width(char32_t c) {
    if (contains(kZeroWidth, c)) return 0;
    return contains(kWide, c) ? 2 : 1;
}

}  // namespace nyash::unicode
