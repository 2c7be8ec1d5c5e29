#include "base/json_explanation.h"

#include "base/utf8.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace nya {

namespace {

class Explanation {
public:
    Explanation(std::string_view text, const JsonStop& stop) : text_(text), why_(stop.why) {
        if (why_ == JsonStop::Why::NumberTooLarge) {
            fail(stop.offset, "the number " + shown_word(stop.offset) + " is too large: the largest is about 1.8e308");
        } else {
            walk_to(std::min(stop.offset, text.size()));
        }
    }

    JsonError take() { return std::move(error_); }

private:
    enum class Before { Nothing, Opening, Key, Colon, Comma, Value };

    static bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
    static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    static bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20; }
    static bool is_structural(char c) noexcept { return std::string_view("[]{},:\"").contains(c); }
    static bool ends_word(char c) noexcept { return is_space(c) || is_structural(c) || is_control(c); }

    // Everything before `stop` is well-formed, except that the word or string that holds `stop` began earlier.
    void walk_to(std::size_t stop) {
        std::size_t i = 0;
        while (i < stop || (i < text_.size() && is_space(text_[i]))) {
            const char c = text_[i];
            if (is_space(c)) {
                ++i;
            } else if (c == '"') {
                const std::size_t begin = i++;
                while (i < stop && text_[i] != '"') i += text_[i] == '\\' ? 2 : 1;
                if (i >= stop) return explain_string(begin);
                ++i;
                before_ = in_object() && before_ != Before::Colon ? Before::Key : Before::Value;
            } else if (is_structural(c)) {
                pass_structural(c);
                ++i;
            } else {
                const std::size_t begin = i;
                i = word_end(begin);
                if (!is_token(text_.substr(begin, i - begin)) || why_ == JsonStop::Why::ExponentTooLarge) {
                    return explain_word(begin);
                }
                before_ = Before::Value;
            }
        }
        if (why_ == JsonStop::Why::TooDeep) {
            fail(i, "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
        } else if (word_end(i) > i) {
            explain_word(i);
        } else {
            fail_expected(i);
        }
    }

    void pass_structural(char c) {
        if (c == '[' || c == '{') {
            open_.push_back(c);
            before_ = Before::Opening;
        } else if (c == ']' || c == '}') {
            if (!open_.empty()) open_.pop_back();
            before_ = Before::Value;
        } else {
            before_ = c == ',' ? Before::Comma : Before::Colon;
        }
    }

    bool in_object() const noexcept { return !open_.empty() && open_.back() == '{'; }

    bool expects_value() const noexcept {
        return before_ == Before::Nothing || before_ == Before::Colon ||
               (!in_object() && (before_ == Before::Opening || before_ == Before::Comma));
    }

    const char* expected() const noexcept {
        switch (before_) {
            case Before::Value:
                return open_.empty() ? "nothing after the value" : in_object() ? "',' or '}'" : "',' or ']'";
            case Before::Key:
                return "':' after the key";
            case Before::Opening:
                return in_object() ? "a key in double quotes or '}'" : "a value or ']'";
            case Before::Comma:
                return in_object() ? "a key in double quotes" : "a value";
            default:
                return "a value";
        }
    }

    std::string found(std::size_t i) const {
        if (i >= text_.size()) return "the end of the text";
        const std::string_view rest = text_.substr(i);
        if (rest.starts_with("\xEF\xBB\xBF")) return "a byte order mark";
        if (rest[0] == '"') return "a string";
        if (is_structural(rest[0])) return quoted(rest.substr(0, 1));
        if (is_control(rest[0]) || utf8_sequence(rest) == 0) return byte_name(rest[0]);
        return quoted(shown_word(i));
    }

    std::string found_character(std::size_t i) const {
        if (i >= text_.size()) return "the end of the text";
        const std::size_t length = is_control(text_[i]) ? 0 : utf8_sequence(text_.substr(i));
        return length == 0 ? byte_name(text_[i]) : quoted(text_.substr(i, length));
    }

    static std::string quoted(std::string_view text) {
        std::string out = "'";
        out += text;
        out += '\'';
        return out;
    }

    static std::string byte_name(char c) {
        constexpr std::string_view kHex = "0123456789ABCDEF";
        const auto byte = static_cast<unsigned char>(c);
        return std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 0xF];
    }

    std::size_t word_end(std::size_t begin) const noexcept {
        while (begin < text_.size() && !ends_word(text_[begin])) ++begin;
        return begin;
    }

    // The word at `begin`, cut to a length people read.
    std::string shown_word(std::size_t begin) const {
        constexpr std::size_t kMostShown = 32;
        std::size_t end = begin;
        for (const std::size_t last = word_end(begin); end < last;) {
            const std::size_t length = utf8_sequence(text_.substr(end));
            if (length == 0) break;
            if (end + length > begin + kMostShown) return std::string(text_.substr(begin, end - begin)) + "...";
            end += length;
        }
        return std::string(text_.substr(begin, end - begin));
    }

    // RFC 8259, sections 3 and 6.
    static bool is_token(std::string_view word) noexcept {
        if (word == "null" || word == "true" || word == "false") return true;
        auto digits = [&word] {
            const std::size_t n = std::min(word.find_first_not_of("0123456789"), word.size());
            word.remove_prefix(n);
            return n;
        };
        if (word.starts_with('-')) word.remove_prefix(1);
        const bool zero = word.starts_with('0');
        if (const std::size_t n = digits(); n == 0 || (zero && n > 1)) return false;
        if (word.starts_with('.')) {
            word.remove_prefix(1);
            if (digits() == 0) return false;
        }
        if (word.starts_with('e') || word.starts_with('E')) {
            word.remove_prefix(1);
            if (word.starts_with('+') || word.starts_with('-')) word.remove_prefix(1);
            if (digits() == 0) return false;
        }
        return word.empty();
    }

    // The word at `begin` is none, or stands where something else should.
    void explain_word(std::size_t begin) {
        if (!expects_value()) return fail_expected(begin);
        const std::string_view word = text_.substr(begin, word_end(begin) - begin);
        const std::string shown = shown_word(begin);
        const std::string_view digits = word.substr(word[0] == '-' ? 1 : 0);
        if (word[0] == '/') return fail_expected(begin, " (JSON has no comments)");
        if (word[0] == '\'') return fail_expected(begin, " (strings take double quotes)");
        if (word[0] != '-' && !is_digit(word[0])) return fail_expected(begin);
        if (is_token(word)) return fail(begin, "the exponent of " + shown + " is too large");
        const bool zero_first = digits.size() > 1 && digits[0] == '0' && is_digit(digits[1]);
        fail(begin, quoted(shown) + " is not a number" + (zero_first ? ": it must not begin with 0" : ""));
    }

    // The string that begins at `begin` is wrong somewhere (RFC 8259, section 7).
    void explain_string(std::size_t begin) {
        for (std::size_t i = begin + 1; i < text_.size();) {
            if (text_[i] == '\\') {
                const std::size_t length = escape_length(i);
                if (length == 0) return;
                i += length;
            } else if (is_control(text_[i])) {
                return fail(i, "a string cannot contain " + byte_name(text_[i]) +
                                   " as it is: write it as an escape, such as \\n");
            } else if (const std::size_t length = utf8_sequence(text_.substr(i)); length > 0) {
                i += length;
            } else {
                return fail(i, "a string cannot contain " + byte_name(text_[i]) + " here: it is not UTF-8");
            }
        }
        fail_unclosed(begin);
    }

    void fail_unclosed(std::size_t begin) {
        const auto [line, column] = position(begin);
        fail(text_.size(), "the string that begins at line " + std::to_string(line) + ", column " +
                               std::to_string(column) + " is not closed");
    }

    // Length of the escape at `i`, or 0 after failing.
    std::size_t escape_length(std::size_t i) {
        if (i + 1 >= text_.size()) return 2;  // the text ends here: not closed
        if (text_[i + 1] != 'u') {
            if (std::string_view("\"\\/bfnrt").contains(text_[i + 1])) return 2;
            fail(i, "unknown escape: \\ followed by " + found_character(i + 1));
            return 0;
        }
        const auto first = hexadecimal(i + 2);
        if (!first) return 0;
        if (*first < 0xD800 || *first > 0xDFFF) return 6;
        if (*first <= 0xDBFF && text_.substr(i + 6, 2) == "\\u") {
            const auto second = hexadecimal(i + 8);
            if (!second) return 0;
            if (*second >= 0xDC00 && *second <= 0xDFFF) return 12;
        }
        fail(i, quoted(text_.substr(i, 6)) +
                    " is half a surrogate pair: \\uD800 to \\uDBFF must be followed by \\uDC00 to \\uDFFF");
        return 0;
    }

    std::optional<unsigned> hexadecimal(std::size_t i) {
        unsigned value = 0;
        for (std::size_t end = i + 4; i < end; ++i) {
            const char c = i < text_.size() ? text_[i] : '\0';
            const char lower = static_cast<char>(c | 0x20);
            if (is_digit(c)) {
                value = value * 16 + static_cast<unsigned>(c - '0');
            } else if (lower >= 'a' && lower <= 'f') {
                value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
            } else {
                fail(i, "expected four hexadecimal digits after \\u, found " + found_character(i));
                return std::nullopt;
            }
        }
        return value;
    }

    std::pair<std::size_t, std::size_t> position(std::size_t offset) const {
        const std::string_view before = text_.substr(0, offset);
        const auto line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
        const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
        return {line, offset - line_begin + 1};
    }

    void fail_expected(std::size_t offset, const char* hint = "") {
        fail(offset, std::string("expected ") + expected() + ", found " + found(offset) + hint);
    }

    void fail(std::size_t offset, std::string message) {
        const auto [line, column] = position(offset);
        error_ = {offset, line, column, std::move(message)};
    }

    std::string_view text_;
    JsonStop::Why why_;
    std::string open_;  // the brackets around the place we are at
    Before before_ = Before::Nothing;
    JsonError error_;
};

}  // namespace

JsonError explain(std::string_view text, const JsonStop& stop) {
    return Explanation(text, stop).take();
}

}  // namespace nya
