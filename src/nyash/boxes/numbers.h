// Conversions between numbers and texts that several boxes share.
#pragma once

#include <optional>
#include <string_view>

#include "nyash/runtime/script_error.h"
#include "nyash/runtime/value.h"

namespace nyash {

enum class Rounding { Truncate, Floor, Ceil, Nearest };
// An Integer, or InvalidOperation for NaN and what does not fit.
Result to_integer(double number, Rounding rounding);

// Surrounding space is ignored, a sign allowed; the whole text must be the number.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

}  // namespace nyash
