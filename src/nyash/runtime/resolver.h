// Resolver: which variable does each name mean? (LANGUAGE, section 4)
//
// One walk per function, in source order, with a chain of the declarations visible so far. A name that
// no declaration explains is put aside until the function has been read to its end, because assigning a
// name anywhere creates it for the whole body. Lambdas wait until then too: they see what was declared
// before them and what their function creates anywhere.
//
// What is left unexplained is a global (its `variable` stays null). A variable that assignment creates
// may turn out, when the program runs, to be an existing global instead: the compiler handles that.
#pragma once

#include <expected>

#include "nyash/syntax/ast.h"
#include "nyash/syntax/diagnostic.h"

namespace nyash {

// With `strict`, assigning creates nothing: names that nobody declared are globals that must exist.
std::expected<void, Diagnostic> resolve(Program& program, bool strict = false);

}  // namespace nyash
