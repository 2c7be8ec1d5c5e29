#include "nyash/syntax/lexer.h"

#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

const std::unordered_map<std::string_view, TokenKind>& keywords() {
    using enum TokenKind;
    static const std::unordered_map<std::string_view, TokenKind> table{
        {"box", Box},
        {"global", Global},
        {"singleton", Singleton},
        {"new", New},
        {"if", If},
        {"else", Else},
        {"loop", Loop},
        {"break", Break},
        {"return", Return},
        {"function", Function},
        {"fn", Function},
        {"print", Print},
        {"this", Me},
        {"me", Me},
        {"init", Init},
        {"pack", Pack},
        {"birth", Birth},
        {"nowait", Nowait},
        {"await", Await},
        {"interface", Interface},
        {"include", Include},
        {"try", Try},
        {"catch", Catch},
        {"finally", Finally},
        {"throw", Throw},
        {"local", Local},
        {"static", Static},
        {"outbox", Outbox},
        {"not", Not},
        {"override", Override},
        {"from", From},
        {"weak", Weak},
        {"using", Using},
        {"and", AndAnd},
        {"or", OrOr},
        {"true", True},
        {"false", False},
        {"null", Null},
    };
    return table;
}

struct Operator {
    std::string_view text;
    TokenKind kind;
};

// Longest first, so that the first match is the longest.
constexpr auto kOperators = std::to_array<Operator>({
    {">>", TokenKind::ShiftRight}, {"==", TokenKind::EqualEqual},   {"!=", TokenKind::NotEqual},
    {"<=", TokenKind::LessEqual},  {">=", TokenKind::GreaterEqual}, {"&&", TokenKind::AndAnd},
    {"||", TokenKind::OrOr},       {"+=", TokenKind::PlusEqual},    {"-=", TokenKind::MinusEqual},
    {"*=", TokenKind::StarEqual},  {"/=", TokenKind::SlashEqual},   {"=>", TokenKind::FatArrow},
    {"<", TokenKind::Less},        {">", TokenKind::Greater},       {"=", TokenKind::Equal},
    {"+", TokenKind::Plus},        {"-", TokenKind::Minus},         {"*", TokenKind::Star},
    {"/", TokenKind::Slash},       {"%", TokenKind::Percent},       {".", TokenKind::Dot},
    {"(", TokenKind::LeftParen},   {")", TokenKind::RightParen},    {"{", TokenKind::LeftBrace},
    {"}", TokenKind::RightBrace},  {",", TokenKind::Comma},         {":", TokenKind::Colon},
    {"[", TokenKind::LeftBracket}, {"]", TokenKind::RightBracket},  {";", TokenKind::Newline},
    {"!", TokenKind::Bang},        {"?", TokenKind::Question},
});

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Lexer {
public:
    explicit Lexer(const Source& source) : text_(source.text()) {}

    std::expected<std::vector<Token>, Diagnostic> run() {
        if (text_.size() > kMaxSourceBytes) {
            return std::unexpected(Diagnostic{"The source text is too long", {}, "at most 256 MiB are read", {}});
        }
        if (auto bad = unicode::first_invalid(text_)) {
            return std::unexpected(
                Diagnostic{"The source text is not valid UTF-8", span(*bad, *bad + 1), "save the file as UTF-8", {}});
        }
        if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // byte order mark
        while (!error_ && at_ < text_.size()) next();
        if (error_) return std::unexpected(std::move(*error_));
        push(TokenKind::EndOfFile, text_.size());
        return std::move(tokens_);
    }

private:
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    static Span span(std::size_t from, std::size_t to) {
        return {static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to - from)};
    }

    void fail(std::string message, std::size_t from, std::size_t to, std::string help = {}) {
        error_ = Diagnostic{std::move(message), span(from, to), std::move(help), {}};
    }

    Token& push(TokenKind kind, std::size_t start) {
        const bool first = tokens_.empty() || tokens_.back().kind == TokenKind::Newline;
        auto& token = tokens_.emplace_back();
        token.kind = kind;
        token.newline_before = first;
        token.span = span(start, at_);
        return token;
    }

    void next() {
        const char c = peek();
        if (c == '\n') {
            ++at_;
            push(TokenKind::Newline, at_ - 1);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f') {
            ++at_;
        } else if (c == '#' || (c == '/' && peek(1) == '/')) {
            while (at_ < text_.size() && peek() != '\n') ++at_;
        } else if (c == '/' && peek(1) == '*') {
            block_comment();
        } else if (is_digit(c)) {
            number();
        } else if (c == '"' || c == '\'') {
            string(c);
        } else {
            word_or_operator();
        }
    }

    void block_comment() {
        const std::size_t start = at_;
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) {
            return fail("The comment is never closed", start, start + 2, "end it with */");
        }
        // A comment over several lines still separates the statements around it.
        const bool several_lines = text_.substr(start, end - start).find('\n') != std::string_view::npos;
        at_ = end + 2;
        if (several_lines) push(TokenKind::Newline, start);
    }

    void digits() {
        while (is_digit(peek())) ++at_;
    }

    void number() {
        const std::size_t start = at_;
        digits();
        bool is_float = false;
        if (peek() == '.' && is_digit(peek(1))) {
            is_float = true;
            ++at_;
            digits();
            const bool sign = peek(1) == '+' || peek(1) == '-';
            if ((peek() == 'e' || peek() == 'E') && is_digit(peek(sign ? 2 : 1))) {
                at_ += sign ? 2 : 1;
                digits();
            }
        }
        if (unicode::is_letter(unicode::decode(text_.substr(at_)).code_point)) return number_with_letters(start);
        const char* first = text_.data() + start;
        const char* last = text_.data() + at_;
        auto& token = push(is_float ? TokenKind::Float : TokenKind::Integer, start);
        if (is_float) {
            if (std::from_chars(first, last, token.number).ec != std::errc{}) {
                fail("The number " + std::string(first, last) + " does not fit a Float", start, at_);
            }
        } else if (std::from_chars(first, last, token.integer).ec != std::errc{}) {
            fail("The number " + std::string(first, last) + " does not fit an Integer", start, at_,
                 "integers go from -9223372036854775808 to 9223372036854775807; a float is written 1.0");
        }
    }

    void number_with_letters(std::size_t start) {
        while (at_ < text_.size()) {
            const auto [c, bytes] = unicode::decode(text_.substr(at_));
            if (!unicode::is_letter(c) && !is_digit(peek())) break;
            at_ += bytes;
        }
        fail("Invalid number '" + std::string(text_.substr(start, at_ - start)) + "'", start, at_,
             "numbers look like 42, 3.14 or 1.5e10");
    }

    void string(char quote) {
        const std::size_t start = at_++;
        std::string value;
        while (peek() != quote) {
            if (at_ >= text_.size()) {
                const std::size_t line_end = text_.find('\n', start);
                return fail("The string is never closed", start, std::min(line_end, text_.size()),
                            std::string("end it with ") + quote);
            }
            if (peek() != '\\') {
                value += text_[at_++];
                continue;
            }
            ++at_;
            if (!escape(value)) return;
        }
        ++at_;
        push(TokenKind::String, start).text = std::move(value);
    }

    // After the backslash. An unknown escape keeps both characters.
    bool escape(std::string& value) {
        const char c = peek();
        if (at_ < text_.size()) ++at_;
        switch (c) {
            case 'n':
                value += '\n';
                return true;
            case 't':
                value += '\t';
                return true;
            case 'r':
                value += '\r';
                return true;
            case 'b':
                value += '\b';
                return true;
            case 'f':
                value += '\f';
                return true;
            case '0':
                value += '\0';
                return true;
            case '\\':
            case '"':
            case '\'':
            case '/':
                value += c;
                return true;
            case 'u':
                return unicode_escape(value);
            default:
                value += '\\';
                // At the very end of the text there is no character; the missing quote is reported next.
                if (at_ <= text_.size() && c != '\0') value += c;
                return true;
        }
    }

    std::optional<char32_t> hex4() {
        std::uint32_t c = 0;
        if (at_ + 4 > text_.size()) return std::nullopt;
        const auto result = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, c, 16);
        if (result.ptr != text_.data() + at_ + 4) return std::nullopt;
        at_ += 4;
        return c;
    }

    // After `\u`: four hex digits; a surrogate pair is written as two escapes, as in JSON.
    bool unicode_escape(std::string& value) {
        const std::size_t start = at_ - 2;
        auto c = hex4();
        const bool high = c && *c >= 0xD800 && *c <= 0xDBFF;
        if (high && text_.substr(at_).starts_with("\\u")) {
            at_ += 2;
            const auto low = hex4();
            const bool paired = low && *low >= 0xDC00 && *low <= 0xDFFF;
            c = paired ? std::optional<char32_t>(0x10000 + ((*c - 0xD800) << 10U) + (*low - 0xDC00)) : std::nullopt;
        }
        if (!c || (*c >= 0xD800 && *c <= 0xDFFF)) {
            fail("Invalid \\u escape", start, std::min(start + 6, text_.size()),
                 "write four hex digits, as in \"\\u00e9\"");
            return false;
        }
        unicode::append(value, *c);
        return true;
    }

    void word_or_operator() {
        const std::size_t start = at_;
        const auto first = unicode::decode(text_.substr(at_));
        if (unicode::is_letter(first.code_point)) {
            while (at_ < text_.size()) {
                const auto [c, bytes] = unicode::decode(text_.substr(at_));
                if (!unicode::is_letter(c) && !(c >= '0' && c <= '9')) break;
                at_ += bytes;
            }
            const auto word = text_.substr(start, at_ - start);
            const auto keyword = keywords().find(word);
            auto& token = push(keyword == keywords().end() ? TokenKind::Identifier : keyword->second, start);
            token.is_word = true;
            token.text = word;
            return;
        }
        if (text_.substr(at_).starts_with("%{") && operand_expected()) {
            at_ += 2;
            push(TokenKind::PercentBrace, start);
            return;
        }
        for (const auto& op : kOperators) {
            if (!text_.substr(at_).starts_with(op.text)) continue;
            at_ += op.text.size();
            push(op.kind, start);
            return;
        }
        std::string help;
        if (first.code_point == '&' || first.code_point == '|') help = "write 'and', 'or', '&&' or '||'";
        if (first.code_point == 0x201C || first.code_point == 0x201D) help = "use straight quotes: \"";
        fail("Unexpected character '" + std::string(text_.substr(at_, first.bytes)) + "'", start, start + first.bytes,
             std::move(help));
    }

    // Where a value may begin: not right after one.
    bool operand_expected() const {
        if (tokens_.empty()) return true;
        switch (tokens_.back().kind) {
            using enum TokenKind;
            case Identifier:
            case Integer:
            case Float:
            case String:
            case RightParen:
            case RightBracket:
            case RightBrace:
            case Me:
            case True:
            case False:
            case Null:
                return false;
            default:
                return true;
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<Token> tokens_;
    std::optional<Diagnostic> error_;
};

}  // namespace

std::expected<std::vector<Token>, Diagnostic> tokenize(const Source& source) {
    return Lexer(source).run();
}

}  // namespace nyash
