// Integers as bits, for arithmetic that wraps instead of being undefined (LANGUAGE, 3.1).
#pragma once

#include <cstdint>

namespace nyash {

inline std::int64_t wrap(std::uint64_t bits) noexcept {
    return static_cast<std::int64_t>(bits);
}
inline std::uint64_t bits(std::int64_t i) noexcept {
    return static_cast<std::uint64_t>(i);
}

}  // namespace nyash
