// DateTimeBox: a moment, as people write it down.
//
// Kept as milliseconds since 1970 (UTC), shown in the local time of the machine, for the years 1 to 9999.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "nyash/runtime/runtime.h"

namespace nyash {

class DateTimeBox final : public Object {
public:
    DateTimeBox(const BoxType& type, std::int64_t ms) : Object(type), ms_(ms) {}
    std::int64_t ms() const noexcept { return ms_; }
    void write(TextWriter& out) const override;  // YYYY-MM-DD HH:MM:SS

private:
    std::int64_t ms_;
};

// InvalidOperation when the moment is outside the years 1 to 9999.
Result make_date_time(Runtime& runtime, std::int64_t ms);
std::expected<std::int64_t, ScriptError> ms_from_seconds(double seconds);

// A pattern with a % is read as strftime does (%Y-%m-%d); in one without, YYYY MM DD HH mm ss are replaced.
std::expected<std::string, ScriptError> format_date_time(std::int64_t ms, std::string_view pattern);
// "YYYY-MM-DD", with " HH:MM" or " HH:MM:SS" (or T between), and then ".mmm", "Z" or "+HH:MM".
std::expected<std::int64_t, ScriptError> parse_date_time(std::string_view text);

}  // namespace nyash
