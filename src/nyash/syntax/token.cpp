#include "nyash/syntax/token.h"

namespace nyash {

std::string_view describe(TokenKind kind) {
    switch (kind) {
        case TokenKind::EndOfFile: return "the end of the file";
        case TokenKind::Newline: return "the end of the line";
        case TokenKind::Identifier: return "a name";
        case TokenKind::Integer:
        case TokenKind::Float: return "a number";
        case TokenKind::String: return "a string";
        case TokenKind::ShiftRight: return "'>>'";
        case TokenKind::EqualEqual: return "'=='";
        case TokenKind::NotEqual: return "'!='";
        case TokenKind::LessEqual: return "'<='";
        case TokenKind::GreaterEqual: return "'>='";
        case TokenKind::AndAnd: return "'and'";
        case TokenKind::OrOr: return "'or'";
        case TokenKind::Less: return "'<'";
        case TokenKind::Greater: return "'>'";
        case TokenKind::Equal: return "'='";
        case TokenKind::Plus: return "'+'";
        case TokenKind::Minus: return "'-'";
        case TokenKind::Star: return "'*'";
        case TokenKind::Slash: return "'/'";
        case TokenKind::Percent: return "'%'";
        case TokenKind::Dot: return "'.'";
        case TokenKind::LeftParen: return "'('";
        case TokenKind::RightParen: return "')'";
        case TokenKind::LeftBrace: return "'{'";
        case TokenKind::RightBrace: return "'}'";
        case TokenKind::Comma: return "','";
        case TokenKind::Colon: return "':'";
        case TokenKind::LeftBracket: return "'['";
        case TokenKind::RightBracket: return "']'";
        case TokenKind::Bang: return "'!'";
        case TokenKind::Question: return "'?'";
        case TokenKind::PlusEqual: return "'+='";
        case TokenKind::MinusEqual: return "'-='";
        case TokenKind::StarEqual: return "'*='";
        case TokenKind::SlashEqual: return "'/='";
        case TokenKind::FatArrow: return "'=>'";
        case TokenKind::PercentBrace: return "'%{'";
        case TokenKind::Box: return "'box'";
        case TokenKind::Global: return "'global'";
        case TokenKind::Singleton: return "'singleton'";
        case TokenKind::New: return "'new'";
        case TokenKind::If: return "'if'";
        case TokenKind::Else: return "'else'";
        case TokenKind::Loop: return "'loop'";
        case TokenKind::Break: return "'break'";
        case TokenKind::Return: return "'return'";
        case TokenKind::Function: return "'function'";
        case TokenKind::Print: return "'print'";
        case TokenKind::Me: return "'me'";
        case TokenKind::Init: return "'init'";
        case TokenKind::Pack: return "'pack'";
        case TokenKind::Birth: return "'birth'";
        case TokenKind::Nowait: return "'nowait'";
        case TokenKind::Await: return "'await'";
        case TokenKind::Interface: return "'interface'";
        case TokenKind::Include: return "'include'";
        case TokenKind::Try: return "'try'";
        case TokenKind::Catch: return "'catch'";
        case TokenKind::Finally: return "'finally'";
        case TokenKind::Throw: return "'throw'";
        case TokenKind::Local: return "'local'";
        case TokenKind::Static: return "'static'";
        case TokenKind::Outbox: return "'outbox'";
        case TokenKind::Not: return "'not'";
        case TokenKind::Override: return "'override'";
        case TokenKind::From: return "'from'";
        case TokenKind::Weak: return "'weak'";
        case TokenKind::Using: return "'using'";
        case TokenKind::True: return "'true'";
        case TokenKind::False: return "'false'";
        case TokenKind::Null: return "'null'";
    }
    return "?";
}

}  // namespace nyash
