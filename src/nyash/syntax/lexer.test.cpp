#include "nyash/syntax/lexer.h"

#include <doctest/doctest.h>

using nyash::Source;
using nyash::TokenKind;

namespace {

std::vector<nyash::Token> tokens(const std::string& text) {
    auto result = nyash::tokenize(Source("test", text));
    REQUIRE(result.has_value());
    return *result;
}

std::vector<TokenKind> kinds(const std::string& text) {
    std::vector<TokenKind> found;
    for (const auto& token : tokens(text)) found.push_back(token.kind);
    return found;
}

std::string error(const std::string& text) {
    auto result = nyash::tokenize(Source("test", text));
    REQUIRE(!result.has_value());
    return result.error().message;
}

}  // namespace

using enum TokenKind;
using Kinds = std::vector<TokenKind>;

TEST_CASE("the longest operator wins") {
    CHECK(kinds("a>>b>=c>d") ==
          Kinds{Identifier, ShiftRight, Identifier, GreaterEqual, Identifier, Greater, Identifier, EndOfFile});
    CHECK(kinds("a==b=>c=d") ==
          Kinds{Identifier, EqualEqual, Identifier, FatArrow, Identifier, Equal, Identifier, EndOfFile});
    CHECK(kinds("+= -= *= /= && || != !") ==
          Kinds{PlusEqual, MinusEqual, StarEqual, SlashEqual, AndAnd, OrOr, NotEqual, Bang, EndOfFile});
}

TEST_CASE("a line feed is a token, and so is a semicolon; other space is none") {
    CHECK(kinds("a \t\r\n b;c") == Kinds{Identifier, Newline, Identifier, Newline, Identifier, EndOfFile});
    CHECK(tokens("a\nb")[2].newline_before);
    CHECK(!tokens("a b")[1].newline_before);
}

TEST_CASE("comments vanish, one over several lines counts as a line end") {
    CHECK(kinds("a // x\nb # y\nc") == Kinds{Identifier, Newline, Identifier, Newline, Identifier, EndOfFile});
    CHECK(kinds("a /* x */ b") == Kinds{Identifier, Identifier, EndOfFile});
    CHECK(kinds("a /* x\n */ b") == Kinds{Identifier, Newline, Identifier, EndOfFile});
    CHECK(error("/* never") == "The comment is never closed");
}

TEST_CASE("a byte order mark and a #! line are ignored") {
    CHECK(kinds("\xEF\xBB\xBF#!/usr/bin/nyash\na") == Kinds{Newline, Identifier, EndOfFile});
}

TEST_CASE("numbers: no dot at either end, an exponent only after a fraction") {
    CHECK(kinds("3.abs") == Kinds{Integer, Dot, Identifier, EndOfFile});
    CHECK(kinds("3.5.x") == Kinds{Float, Dot, Identifier, EndOfFile});
    CHECK(tokens("1.5e3")[0].number == 1500.0);
    CHECK(tokens("2.5E-1")[0].number == 0.25);
    CHECK(tokens("9223372036854775807")[0].integer == INT64_MAX);
    CHECK(error("9223372036854775808") == "The number 9223372036854775808 does not fit an Integer");
    CHECK(error("12ab") == "Invalid number '12ab'");
    CHECK(error("0x1F") == "Invalid number '0x1F'");
}

TEST_CASE("strings: escapes, either quote, raw line ends") {
    CHECK(tokens(R"("a\n\t\\\"\/\0'")")[0].text == std::string("a\n\t\\\"/\0'", 8));
    CHECK(tokens(R"('x"\'')")[0].text == "x\"'");
    CHECK(tokens("\"\\q\"")[0].text == "\\q");
    CHECK(tokens("\"a\nb\"")[0].text == "a\nb");
    CHECK(tokens(R"("\u00e9\ud83d\ude00")")[0].text == "é😀");
    CHECK(error("\"abc") == "The string is never closed");
    CHECK(error("\"abc\\") == "The string is never closed");
    CHECK(error(R"("\u12")") == "Invalid \\u escape");
    CHECK(error(R"("\ud83d")") == "Invalid \\u escape");
}

TEST_CASE("keywords and their other spellings; names in any alphabet") {
    CHECK(kinds("fn function this me and or not") == Kinds{Function, Function, Me, Me, AndAnd, OrOr, Not, EndOfFile});
    CHECK(kinds("continue fini void 名前 _x1") ==
          Kinds{Identifier, Identifier, Identifier, Identifier, Identifier, EndOfFile});
    CHECK(error("a → b") == "Unexpected character '→'");
}

TEST_CASE("%{ is one token only where a value may begin") {
    CHECK(kinds("x = %{}") == Kinds{Identifier, Equal, PercentBrace, RightBrace, EndOfFile});
    CHECK(kinds("a %{") == Kinds{Identifier, Percent, LeftBrace, EndOfFile});
}

TEST_CASE("a text that is not UTF-8 is refused where it stops being so") {
    auto result = nyash::tokenize(Source("test", "a = 1\nb = \"\xC3(\""));
    REQUIRE(!result);
    CHECK(result.error().message == "The source text is not valid UTF-8");
    CHECK(result.error().span.offset == 11);
}
