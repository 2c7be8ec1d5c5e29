// The AST as indented text, one node a line: what `nyash --dump-ast` prints.
#pragma once

#include <string>

#include "nyash/syntax/ast.h"

namespace nyash {

std::string dump_ast(const Program& program);

}  // namespace nyash
