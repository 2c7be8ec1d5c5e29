// `using nyashstd`: the standard functions under the names of their kinds: string.upper("a"), console.log(1).
#pragma once

#include <expected>
#include <string_view>

#include "nyash/runtime/runtime.h"

namespace nyash {

// Declares the boxes behind the names, and tells the runtime what `using` does. Once per runtime.
void add_namespaces(Runtime& runtime);

// What the statement `using NAME` does: from now on the namespace's names are there, below the script's own
// variables and declarations. UndefinedName for a namespace that does not exist.
std::expected<void, ScriptError> enable_namespace(Runtime& runtime, std::string_view name);

}  // namespace nyash
