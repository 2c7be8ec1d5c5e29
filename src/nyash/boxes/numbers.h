// Conversions between numbers and texts that several boxes share.
#pragma once

#include <optional>
#include <string_view>

#include <nya/random.h>

#include "nyash/runtime/script_error.h"
#include "nyash/runtime/value.h"

namespace nyash {

enum class Rounding { Truncate, Floor, Ceil, Nearest };
// An Integer, or InvalidOperation for NaN and what does not fit.
Result to_integer(double number, Rounding rounding);

// Surrounding space is ignored, a sign allowed; the whole text must be the number.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

// At least 0 and below 1: 53 random bits.
inline double random_fraction(nya::Random& random) {
    return static_cast<double>(random.next() >> 11U) * 0x1.0p-53;
}

}  // namespace nyash
