// Between Nyash values and JSON.
#pragma once

#include <nya/json.h>

#include "nyash/runtime/runtime.h"

namespace nyash {

// A copy of the value as JSON. Arrays, maps and JSONBoxes by content; a function, a node, a number
// that is not finite, or a value inside itself is no JSON: TypeError.
std::expected<nya::Json, ScriptError> json_from(Vm& vm, const Value& value);

// A copy of JSON as plain values, arrays and maps.
Value value_from(Runtime& runtime, const nya::Json& json);

}  // namespace nyash
