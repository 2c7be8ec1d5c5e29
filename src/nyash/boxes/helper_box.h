// HelperBox: a box without state, such as ConsoleBox or MathBox: only its type matters.
#pragma once

#include "nyash/runtime/native.h"

namespace nyash {

class HelperBox final : public Object {
public:
    explicit HelperBox(const BoxType& type) : Object(type) {}
};

// The constructor all of them share: the function is named after its type.
inline Result make_helper(NativeCall& call) {
    return Value(make<HelperBox>(call.runtime.types().named(call.function.name)));
}

}  // namespace nyash
