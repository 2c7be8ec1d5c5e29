// NullBox and VoidBox: absence. What they answer (isNull, get_or_default…) every value answers.
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result make_null(NativeCall&) {
    return Value::null();
}

Result make_void(NativeCall&) {
    return Value::nothing();
}

}  // namespace

void add_null_box(Runtime& runtime) {
    runtime.core().null_type.constructor(runtime.names(), "", make_null);
    runtime.core().void_type.constructor(runtime.names(), "", make_void);
}

}  // namespace nyash
