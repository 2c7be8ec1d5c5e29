// Compiler: a resolved AST to bytecode.
//
// Each function gets registers in this order: parameters, `me` if used, variables that assignment
// creates, then, following the nesting of blocks, declared locals, and above them temporaries. An
// expression is compiled into a register the caller names, or as an operand: a local variable or a
// literal is its own operand and costs no instruction. That is safe because an expression in Nyash
// never assigns a variable that lives in a register.
#pragma once

#include <expected>
#include <memory>

#include "nyash/runtime/bytecode.h"
#include "nyash/syntax/ast.h"
#include "nyash/syntax/diagnostic.h"

namespace nyash {

class Runtime;

// The program's top level, its functions among its lambdas.
std::expected<std::unique_ptr<Proto>, Diagnostic> compile(const Program& program, Runtime& runtime);

}  // namespace nyash
