// Declaring a box: all that LANGUAGE, section 6, wants checked before any instance exists.
#pragma once

#include <expected>

#include "nyash/runtime/declarations.h"
#include "nyash/syntax/diagnostic.h"

namespace nyash {

class Runtime;

// Checks the box against what is declared by now and makes it known under its name. What is wrong is a
// declaration error: no script can catch it. Declaring the same code again changes nothing.
std::expected<ScriptBox*, Diagnostic> declare_box(Runtime& runtime, const BoxProto& proto);
std::expected<void, Diagnostic> declare_interface(Runtime& runtime, const InterfaceProto& proto);

}  // namespace nyash
