// hash_bytes: a fast 64-bit hash for short names (node ids, intent names).
//
// Two overlapping 8-byte loads cover any name of up to 16 bytes, so there is no loop for what is
// nearly always hashed; the 128-bit product mixes every input bit into every output bit. Not
// seeded and not for tables that foreign input can fill: whoever compares hashes compares names too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace nya {

namespace detail {

inline std::uint64_t load8(const char* p) noexcept {
    std::uint64_t v;
    std::memcpy(&v, p, 8);
    return v;
}
inline std::uint64_t load4(const char* p) noexcept {
    std::uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
}
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline constexpr std::uint64_t kOdd1 = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
inline constexpr std::uint64_t kOdd2 = 0xd1342543de82ef95;
inline constexpr std::uint64_t kOdd3 = 0xaf251af3b0f025b5;

// The first, last and (of the longer ones) some bytes in between of at most 7 bytes, as one number.
inline std::uint64_t load_short(const char* p, std::size_t n) noexcept {
    if (n >= 4) return load4(p) | load4(p + n - 4) << 32;
    if (n == 0) return 0;
    const auto byte = [p](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])); };
    return byte(0) | byte(n / 2) << 8 | byte(n - 1) << 16;
}

}  // namespace detail

inline std::uint64_t hash_bytes(std::string_view bytes) noexcept {
    using namespace detail;
    const char* p = bytes.data();
    std::size_t n = bytes.size();
    std::uint64_t seed = kOdd1 ^ n;
    while (n > 16) {
        seed = mix(load8(p) ^ seed, load8(p + 8) ^ kOdd2);
        p += 16;
        n -= 16;
    }
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    if (n >= 8) {
        a = load8(p);
        b = load8(p + n - 8);
    } else {
        a = load_short(p, n);
    }
    return mix(mix(a ^ kOdd2, b ^ seed), kOdd1);
}

// Eight bits for a small cache: a third of the time of hash_bytes(), and weak. It looks at the ends and the middle.
inline std::size_t cache_hash(std::string_view bytes) noexcept {
    using namespace detail;
    const char* p = bytes.data();
    const std::size_t n = bytes.size();
    if (n < 8) return static_cast<std::size_t>(((load_short(p, n) ^ n << 40) * kOdd1) >> 56);
    const std::uint64_t ends = (load8(p) * kOdd1) ^ (load8(p + n - 8) * kOdd2);
    return static_cast<std::size_t>((ends ^ ((load8(p + n / 2 - 4) ^ n) * kOdd3)) >> 56);
}

// Equality of two names of the same length `n`, without a call for short ones.
inline bool equal_bytes(const char* x, const char* y, std::size_t n) noexcept {
    using namespace detail;
    if (n > 16) return std::memcmp(x, y, n) == 0;
    if (n >= 8) return ((load8(x) ^ load8(y)) | (load8(x + n - 8) ^ load8(y + n - 8))) == 0;
    if (n >= 4) return ((load4(x) ^ load4(y)) | (load4(x + n - 4) ^ load4(y + n - 4))) == 0;
    if (n == 0) return true;
    return ((x[0] ^ y[0]) | (x[n / 2] ^ y[n / 2]) | (x[n - 1] ^ y[n - 1])) == 0;
}

}  // namespace nya
