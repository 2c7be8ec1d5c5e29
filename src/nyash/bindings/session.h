// What a console session asks of the language: is this text finished, what could come next, and names
// that stay from one input to the next.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nyash/runtime/runtime.h"
#include "nyash/syntax/ast.h"

namespace nyash {

// Whether `text` fails to parse only because it ends too early.
bool is_incomplete_program(std::string text);

// Turns the top level's `local` and `outbox` variables into globals, so that the next input sees them.
void keep_locals(Program& program);

// Whether the program's last statement is an expression, whose value a session shows.
bool ends_in_expression(const Program& program);

// Each candidate can replace the name that `line` ends in.
std::vector<std::string> completions_of(Runtime& runtime, std::string_view line);

}  // namespace nyash
