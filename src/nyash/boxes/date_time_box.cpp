#include "nyash/boxes/date_time_box.h"

#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <optional>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

using namespace std::chrono;

constexpr std::int64_t ms_of(year_month_day day) {
    return duration_cast<milliseconds>(sys_days(day).time_since_epoch()).count();
}

// A day of room at both ends, so that no time zone leads out of the years 1 to 9999.
constexpr std::int64_t kFirstMs = ms_of(year(1) / 1 / 2);
constexpr std::int64_t kLastMs = ms_of(year(9999) / 12 / 31) - 1;

std::unexpected<ScriptError> outside() {
    return fail(error_kind::kOperation, "A DateTimeBox holds the years 1 to 9999");
}

// Seconds and the milliseconds left over, which are never negative.
std::time_t seconds_of(std::int64_t ms) {
    return static_cast<std::time_t>(floor<seconds>(milliseconds(ms)).count());
}

int left_over(std::int64_t ms) {
    return static_cast<int>(ms - static_cast<std::int64_t>(seconds_of(ms)) * 1000);
}

// What a calendar and a clock on the wall show.
std::tm local(std::int64_t ms) {
    const std::time_t at = seconds_of(ms);
    std::tm fields{};
    localtime_r(&at, &fields);
    return fields;
}

// Fields beyond their ranges carry over: the 32nd of May is the first of June.
std::expected<std::int64_t, ScriptError> from_local(std::tm fields, int ms) {
    fields.tm_isdst = -1;  // whatever holds on that day
    fields.tm_wday = -1;   // set when the moment could be found
    const std::time_t at = std::mktime(&fields);
    if (fields.tm_wday == -1) return outside();
    return static_cast<std::int64_t>(at) * 1000 + ms;
}

std::string padded(std::int64_t number, int digits, char with = '0') {
    std::string text = std::to_string(number);
    const auto width = static_cast<std::size_t>(digits);
    return text.size() >= width ? text : std::string(width - text.size(), with) + text;
}

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

// One letter after a % sign; nothing when it means nothing. Names are English whatever the locale.
std::optional<std::string> directive(char letter, const std::tm& t, std::int64_t ms) {
    const auto day = kDays[static_cast<std::size_t>(t.tm_wday)];
    const auto month = kMonths[static_cast<std::size_t>(t.tm_mon)];
    switch (letter) {
        case 'Y':
            return padded(t.tm_year + 1900, 4);
        case 'y':
            return padded((t.tm_year + 1900) % 100, 2);
        case 'm':
            return padded(t.tm_mon + 1, 2);
        case 'd':
            return padded(t.tm_mday, 2);
        case 'e':
            return padded(t.tm_mday, 2, ' ');
        case 'H':
            return padded(t.tm_hour, 2);
        case 'I':
            return padded(t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12, 2);
        case 'M':
            return padded(t.tm_min, 2);
        case 'S':
            return padded(t.tm_sec, 2);
        case 'L':
            return padded(left_over(ms), 3);
        case 'p':
            return t.tm_hour < 12 ? "AM" : "PM";
        case 'j':
            return padded(t.tm_yday + 1, 3);
        case 'a':
            return std::string(day.substr(0, 3));
        case 'A':
            return std::string(day);
        case 'b':
            return std::string(month.substr(0, 3));
        case 'B':
            return std::string(month);
        case 'F':
            return *directive('Y', t, ms) + "-" + *directive('m', t, ms) + "-" + *directive('d', t, ms);
        case 'T':
            return *directive('R', t, ms) + ":" + *directive('S', t, ms);
        case 'R':
            return *directive('H', t, ms) + ":" + *directive('M', t, ms);
        case 'z': {
            const long minutes_east = t.tm_gmtoff / 60;
            const long distance = std::labs(minutes_east);
            return (minutes_east < 0 ? "-" : "+") + padded(distance / 60, 2) + padded(distance % 60, 2);
        }
        case 'Z':
            return t.tm_zone ? t.tm_zone : "";
        case 's':
            return std::to_string(seconds_of(ms));
        case '%':
            return "%";
        default:
            return std::nullopt;
    }
}

struct Word {
    std::string_view text;
    char letter;  // the directive that means the same
};
constexpr auto kWords = std::to_array<Word>(
    {{"YYYY", 'Y'}, {"YY", 'y'}, {"MM", 'm'}, {"DD", 'd'}, {"HH", 'H'}, {"mm", 'M'}, {"SSS", 'L'}, {"ss", 'S'}});

std::string format_words(const std::tm& fields, std::int64_t ms, std::string_view pattern) {
    std::string out;
    while (!pattern.empty()) {
        const Word* found = nullptr;
        for (const Word& word : kWords) {
            if (!found && pattern.starts_with(word.text)) found = &word;
        }
        out += found ? *directive(found->letter, fields, ms) : std::string(1, pattern.front());
        pattern.remove_prefix(found ? found->text.size() : 1);
    }
    return out;
}

// Reads a date from the front of a text.
class DateReader {
public:
    explicit DateReader(std::string_view text) : rest_(text) {}

    bool take(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    // Exactly so many digits.
    std::optional<int> number(std::size_t digits) {
        if (rest_.size() < digits) return std::nullopt;
        int value = 0;
        for (const char c : rest_.substr(0, digits)) {
            if (c < '0' || c > '9') return std::nullopt;
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(digits);
        return value;
    }
    bool at_end() const { return rest_.empty(); }
    bool at_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }

private:
    std::string_view rest_;
};

struct WrittenDate {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
    std::optional<int> minutes_east;  // of Greenwich; local time when absent
};

bool is_real(const WrittenDate& d) {
    const year_month_day date{year(d.year), month(static_cast<unsigned>(d.month)), day(static_cast<unsigned>(d.day))};
    return d.year >= 1 && date.ok() && d.hour <= 23 && d.minute <= 59 && d.second <= 59;
}

std::optional<WrittenDate> read_date(std::string_view text) {
    DateReader in(text);
    WrittenDate date;
    // Each part into its field, or we give up.
    const auto into = [&](int& field, std::size_t digits) {
        const auto value = in.number(digits);
        field = value.value_or(0);
        return value.has_value();
    };
    if (!into(date.year, 4) || !in.take('-') || !into(date.month, 2) || !in.take('-') || !into(date.day, 2))
        return std::nullopt;
    if (in.at_end()) return date;
    if (!in.take(' ') && !in.take('T')) return std::nullopt;
    if (!into(date.hour, 2) || !in.take(':') || !into(date.minute, 2)) return std::nullopt;
    if (in.take(':')) {
        if (!into(date.second, 2)) return std::nullopt;
        if (in.take('.')) {
            int digits = 0;
            for (; in.at_digit(); ++digits) {
                const int digit = *in.number(1);
                if (digits < 3) date.ms = date.ms * 10 + digit;
            }
            if (digits == 0) return std::nullopt;
            for (; digits < 3; ++digits) date.ms *= 10;
        }
    }
    if (in.take('Z')) {
        date.minutes_east = 0;
    } else if (const bool west = in.take('-'); west || in.take('+')) {
        int hours = 0;
        int minutes = 0;
        if (!into(hours, 2)) return std::nullopt;
        in.take(':');
        if (!into(minutes, 2) || hours > 23 || minutes > 59) return std::nullopt;
        date.minutes_east = (west ? -1 : 1) * (hours * 60 + minutes);
    }
    if (!in.at_end()) return std::nullopt;
    return date;
}

std::expected<std::int64_t, ScriptError> ms_of(const WrittenDate& d) {
    if (d.minutes_east) {
        const year_month_day day{year(d.year), month(static_cast<unsigned>(d.month)),
                                 std::chrono::day(static_cast<unsigned>(d.day))};
        const int minutes = d.hour * 60 + d.minute - *d.minutes_east;
        return ms_of(day) + (static_cast<std::int64_t>(minutes) * 60 + d.second) * 1000 + d.ms;
    }
    std::tm fields{};
    fields.tm_year = d.year - 1900;
    fields.tm_mon = d.month - 1;
    fields.tm_mday = d.day;
    fields.tm_hour = d.hour;
    fields.tm_min = d.minute;
    fields.tm_sec = d.second;
    return from_local(fields, d.ms);
}

// ---- what scripts call ----

std::int64_t self(NativeCall& call) {
    return call.object<DateTimeBox>().ms();
}

// () is now; (year, month, day[, hour[, minute[, second]]]) is local time.
Result construct(NativeCall& call) {
    if (!call.has(0) && !call.has(1) && !call.has(2)) return make_date_time(call.runtime, call.runtime.wall_clock_ms());
    WrittenDate date;
    int* const fields[] = {&date.year, &date.month, &date.day, &date.hour, &date.minute, &date.second};
    for (std::size_t i = 0; i < std::size(fields); ++i) {
        if (!call.has(i)) {
            if (i >= 3) continue;
            return fail(error_kind::kArguments, "DateTimeBox needs year, month and day, or nothing for now");
        }
        const std::int64_t given = NYA_TRY(call.integer(i));
        *fields[i] = given >= 0 && given <= 9999 ? static_cast<int>(given) : 10'000;
    }
    if (!is_real(date)) return fail(error_kind::kOperation, "There is no such date or time");
    return make_date_time(call.runtime, NYA_TRY(ms_of(date)));
}

template <int std::tm::* field, int offset>
Result part(NativeCall& call) {
    return Value::integer(local(self(call)).*field + offset);
}

Result timestamp(NativeCall& call) {
    return Value::integer(seconds_of(self(call)));
}

// In UTC, as 2025-03-01T12:00:00.000Z.
Result to_iso_string(NativeCall& call) {
    const std::time_t at = seconds_of(self(call));
    std::tm utc{};
    gmtime_r(&at, &utc);
    return call.text(*directive('F', utc, 0) + "T" + *directive('T', utc, 0) + "." + padded(left_over(self(call)), 3) +
                     "Z");
}

Result format(NativeCall& call) {
    return call.text(NYA_TRY(format_date_time(self(call), NYA_TRY(call.string(0))->text())));
}

// More than this leads out of the years 1 to 9999 from anywhere.
constexpr std::int64_t kMostDays = 366LL * 10'000;

// The same time of day, also when clocks were changed between.
Result add_days(NativeCall& call) {
    const std::int64_t days = NYA_TRY(call.integer(0));
    if (days < -kMostDays || days > kMostDays) return outside();
    std::tm fields = local(self(call));
    fields.tm_mday += static_cast<int>(days);
    return make_date_time(call.runtime, NYA_TRY(from_local(fields, left_over(self(call)))));
}

Result add_hours(NativeCall& call) {
    const std::int64_t hours = NYA_TRY(call.integer(0));
    if (hours < -kMostDays * 24 || hours > kMostDays * 24) return outside();
    return make_date_time(call.runtime, self(call) + hours * 3'600'000);
}

Result equals(NativeCall& call) {
    const auto* other = call.as<DateTimeBox>(0);
    return Value::boolean(other && other->ms() == self(call));
}

}  // namespace

void DateTimeBox::write(TextWriter& out) const {
    out.text(format_words(local(ms_), ms_, "YYYY-MM-DD HH:mm:ss"));
}

Result make_date_time(Runtime& runtime, std::int64_t ms) {
    if (ms < kFirstMs || ms > kLastMs) return outside();
    return Value(make<DateTimeBox>(runtime.types().named("DateTimeBox"), ms));
}

std::expected<std::int64_t, ScriptError> ms_from_seconds(double seconds) {
    constexpr double kMost = 1e12;  // beyond the year 9999, and far from overflow
    if (!(std::fabs(seconds) < kMost)) return outside();
    return static_cast<std::int64_t>(std::llround(seconds * 1000));
}

std::expected<std::string, ScriptError> format_date_time(std::int64_t ms, std::string_view pattern) {
    const std::tm fields = local(ms);
    if (pattern.find('%') == std::string_view::npos) return format_words(fields, ms, pattern);
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            out += pattern[i];
            continue;
        }
        const auto replaced = ++i < pattern.size() ? directive(pattern[i], fields, ms) : std::nullopt;
        if (!replaced) {
            const auto shown = pattern.substr(i - 1, 2);
            return fail(error_kind::kOperation, "format does not know '" + std::string(shown) + "'",
                        "it knows %Y %y %m %d %e %H %I %M %S %L %p %j %a %A %b %B %F %T %R %z %Z %s and %%");
        }
        out += *replaced;
    }
    return out;
}

std::expected<std::int64_t, ScriptError> parse_date_time(std::string_view text) {
    const auto date = read_date(text);
    if (date && is_real(*date)) return ms_of(*date);
    constexpr std::size_t kShown = 60;
    const std::string shown = text.size() > kShown ? "This text" : "\"" + std::string(text) + "\"";
    return fail(error_kind::kOperation, shown + " is not a date",
                "write 2025-03-01, 2025-03-01 09:30, 2025-03-01 09:30:00 or 2025-03-01T09:30:00Z");
}

void add_date_time_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("DateTimeBox")
        .constructor(names, "year? month? day? hour? minute? second?", construct)
        .method(names, "year", "", part<&std::tm::tm_year, 1900>)
        .method(names, "month", "", part<&std::tm::tm_mon, 1>)
        .method(names, "day", "", part<&std::tm::tm_mday, 0>)
        .method(names, "hour", "", part<&std::tm::tm_hour, 0>)
        .method(names, "minute", "", part<&std::tm::tm_min, 0>)
        .method(names, "second", "", part<&std::tm::tm_sec, 0>)
        .method(names, "timestamp", "", timestamp)
        .method(names, "toISOString", "", to_iso_string)
        .method(names, "format", "pattern", format)
        .method(names, "addDays", "days", add_days)
        .method(names, "addHours", "hours", add_hours)
        .method(names, "equals", "other", equals);
}

}  // namespace nyash
