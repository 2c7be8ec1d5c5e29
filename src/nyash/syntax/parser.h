// Parser: tokens to AST, by recursive descent; binary operators by precedence climbing.
//
// Nyash ends statements at line ends, so the one delicate question is which line ends count
// (LANGUAGE, 2.1). Inside ( ), [ ] and object literals none do: the parser then skips Newline tokens
// whenever it looks ahead. A lambda's body inside them brings line ends back. Elsewhere the few places
// that allow a break (after a comma or an operator, before `{`, `else` or a leading `.`) say so.
//
// Nesting is bounded, so that no text can exhaust the stack of this or of a later pass.
#pragma once

#include <expected>

#include "nyash/syntax/ast.h"
#include "nyash/syntax/diagnostic.h"

namespace nyash {

inline constexpr int kMaxNesting = 200;       // brackets, blocks and prefix operators inside each other
inline constexpr int kMaxChainLength = 1000;  // a + b + c…, a.b.c…
inline constexpr std::size_t kMaxParameters = 200;
inline constexpr std::size_t kMaxArguments = 200;

std::expected<Program, Diagnostic> parse(std::shared_ptr<const Source> source);

}  // namespace nyash
