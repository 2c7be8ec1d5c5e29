// Fast looks at text that is nearly always plain ASCII: eight bytes at a time.
#pragma once

#include "base/hash.h"

#include <cstdint>
#include <string_view>

namespace nya {

namespace detail {

inline constexpr std::uint64_t kEachByte = 0x0101010101010101;
inline constexpr std::uint64_t kHighBits = kEachByte * 0x80;

// Not zero if a byte of `word` is zero.
inline std::uint64_t zero_bytes(std::uint64_t word) noexcept {
    return (word - kEachByte) & ~word & kHighBits;
}

// Not zero if a byte is outside 0x20-0x7E or one of Excluded. (A borrow may flag a byte wrongly, but only above one
// that is flagged rightly.)
template <char... Excluded>
[[gnu::always_inline]] inline std::uint64_t odd_bytes(std::uint64_t word) noexcept {
    const std::uint64_t below_space = (word - kEachByte * 0x20) & ~word & kHighBits;
    return (word & kHighBits) | below_space | zero_bytes(word ^ kEachByte * 0x7F) |
           (std::uint64_t{0} | ... | zero_bytes(word ^ kEachByte * static_cast<unsigned char>(Excluded)));
}

}  // namespace detail

// Whether every byte is printable ASCII (0x20 to 0x7E) and none of Excluded.
template <char... Excluded>
inline bool is_printable_ascii(std::string_view text) noexcept {
    const char* p = text.data();
    std::size_t n = text.size();
    if (n < 8) {
        char padded[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
        for (std::size_t i = 0; i < n; ++i) padded[i] = p[i];
        return detail::odd_bytes<Excluded...>(detail::load8(padded)) == 0;
    }
    std::uint64_t odd = detail::odd_bytes<Excluded...>(detail::load8(p + n - 8));
    for (std::size_t i = 0; i + 8 < n; i += 8) odd |= detail::odd_bytes<Excluded...>(detail::load8(p + i));
    return odd == 0;
}

}  // namespace nya
