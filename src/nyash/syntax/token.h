// Token: the words of Nyash (LANGUAGE, section 1).
//
// A token keeps no copy of its text: it is a kind and a Span. Literals carry their value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "nyash/syntax/source.h"

namespace nyash {

enum class TokenKind : std::uint8_t {
    EndOfFile,
    Newline,
    Identifier,
    Integer,
    Float,
    String,
    // operators and punctuation
    ShiftRight,
    EqualEqual,
    NotEqual,
    LessEqual,
    GreaterEqual,
    AndAnd,
    OrOr,
    Less,
    Greater,
    Equal,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Dot,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    Comma,
    Colon,
    LeftBracket,
    RightBracket,
    Bang,
    Question,
    PlusEqual,
    MinusEqual,
    StarEqual,
    SlashEqual,
    FatArrow,
    PercentBrace,
    // keywords; `fn` is Function, `this` is Me, `and or not` are AndAnd, OrOr, Not
    Box,
    Global,
    Singleton,
    New,
    If,
    Else,
    Loop,
    Break,
    Return,
    Function,
    Print,
    Me,
    Init,
    Pack,
    Birth,
    Nowait,
    Await,
    Interface,
    Include,
    Try,
    Catch,
    Finally,
    Throw,
    Local,
    Static,
    Outbox,
    Not,
    Override,
    From,
    Weak,
    Using,
    True,
    False,
    Null,
};

struct Token {
    TokenKind kind = TokenKind::EndOfFile;
    bool newline_before = false;  // first token of its line
    bool is_word = false;         // spelled like an identifier: an identifier or a keyword
    Span span;
    std::int64_t integer = 0;
    double number = 0;
    std::string text;  // of a String: its value; of a word: its spelling
};

// How an error message calls it: "'{'", "end of line", "a name".
std::string_view describe(TokenKind kind);

}  // namespace nyash
