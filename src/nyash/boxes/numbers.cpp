#include "nyash/boxes/numbers.h"

#include <charconv>
#include <cmath>

#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n\f\v";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// from_chars takes no '+'.
std::string_view without_plus(std::string_view text) {
    const bool digit_follows = text.size() > 1 && text[1] >= '0' && text[1] <= '9';
    return text.starts_with('+') && digit_follows ? text.substr(1) : text;
}

}  // namespace

Result to_integer(double number, Rounding rounding) {
    double whole = number;
    switch (rounding) {
        case Rounding::Truncate:
            whole = std::trunc(number);
            break;
        case Rounding::Floor:
            whole = std::floor(number);
            break;
        case Rounding::Ceil:
            whole = std::ceil(number);
            break;
        case Rounding::Nearest:
            whole = std::round(number);
            break;
    }
    // Both limits are exact as doubles; NaN fails the comparison.
    if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0)) {
        return fail(error_kind::kOperation, float_text(number) + " does not fit an Integer");
    }
    return Value::integer(static_cast<std::int64_t>(whole));
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    text = without_plus(trimmed(text));
    std::int64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<double> parse_number(std::string_view text) {
    text = without_plus(trimmed(text));
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace nyash
