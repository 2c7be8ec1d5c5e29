// Sixteen lower-case hex digits, eight at a time.
#pragma once

#include "base/hash.h"

#include <bit>
#include <cstdint>

namespace nyamesh::wire::detail {

static_assert(std::endian::native == std::endian::little, "the first digit is taken from the lowest byte");

// Each byte a digit; false if one is not. Digits are taken apart and put together again: what does not come out
// the same was none.
inline bool read_hex8(const char* digits, std::uint64_t& out) noexcept {
    constexpr std::uint64_t kEach = 0x0101010101010101;
    const std::uint64_t text = nya::detail::load8(digits);
    std::uint64_t values = (text & kEach * 0x0F) + ((text >> 6) & kEach) * 9;  // 'a' is 0x61: 1 + 9
    if ((values & kEach * 0xF0) != 0) return false;
    const std::uint64_t letters = ((values + kEach * 6) >> 4) & kEach;  // those above 9
    if (values + kEach * '0' + letters * ('a' - '0' - 10) != text) return false;
    values = __builtin_bswap64(values);
    values = (values | values >> 4) & 0x00FF00FF00FF00FF;
    values = (values | values >> 8) & 0x0000FFFF0000FFFF;
    out = (values | values >> 16) & 0xFFFFFFFF;
    return true;
}

inline bool read_hex16(const char* digits, std::uint64_t& out) noexcept {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    if (!read_hex8(digits, high) || !read_hex8(digits + 8, low)) return false;
    out = high << 32 | low;
    return true;
}

inline void write_hex16(std::uint64_t value, char* out) noexcept {
    for (int i = 15; i >= 0; --i, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

}  // namespace nyamesh::wire::detail
