// clone(): deep for arrays and maps, the value itself for everything else. An array or map met twice is
// copied once, so cycles and sharing look the same in the copy.
#pragma once

#include "nyash/runtime/runtime.h"

namespace nyash {

Result clone_value(Runtime& runtime, const Value& value);

}  // namespace nyash
