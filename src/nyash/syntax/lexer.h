// Lexer: text to tokens (LANGUAGE, section 1).
//
// One pass, longest match. A line feed is a token of its own because it ends a statement; whether it
// does at a given place is the parser's business (LANGUAGE, 2.1). Comments and other space vanish.
#pragma once

#include <expected>
#include <vector>

#include "nyash/syntax/diagnostic.h"
#include "nyash/syntax/token.h"

namespace nyash {

// All tokens of `source`, the last one EndOfFile; or the first thing that is not Nyash.
std::expected<std::vector<Token>, Diagnostic> tokenize(const Source& source);

}  // namespace nyash
