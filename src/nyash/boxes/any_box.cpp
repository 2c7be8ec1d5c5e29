// What every value answers (LANGUAGE, section 3), and the globals isType and asType.
#include "nyash/boxes/boxes.h"
#include "nyash/boxes/cloning.h"
#include "nyash/boxes/numbers.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result to_string(NativeCall& call) {
    return Value(NYA_TRY(call.vm.to_string(call.self)));
}

Result equals(NativeCall& call) {
    return Value::boolean(Vm::equals(call.self, call[0]));
}

Result type(NativeCall& call) {
    return call.text(call.vm.type_name(call.self));
}

Result is(NativeCall& call) {
    const String& asked = *NYA_TRY(call.string(0));
    return Value::boolean(call.runtime.type_of(call.self).is_a(asked.text()));
}

Result clone(NativeCall& call) {
    return clone_value(call.runtime, call.self);
}

Result is_null(NativeCall& call) {
    return Value::boolean(call.self.is_absent());
}

Result is_not_null(NativeCall& call) {
    return Value::boolean(!call.self.is_absent());
}

Result get_or_default(NativeCall& call) {
    return call.self.is_absent() ? call[0] : call.self;
}

Result is_type(NativeCall& call) {
    const String& asked = *NYA_TRY(call.string(1));
    return Value::boolean(call.runtime.type_of(call[0]).is_a(asked.text()));
}

Result as_type(NativeCall& call) {
    const String& asked = *NYA_TRY(call.string(1));
    const auto& core = call.runtime.core();
    if (call[0].is_integer() && core.float_type.is_a(asked.text())) return Value::number(call[0].as_number());
    if (call[0].is_float() && core.integer_type.is_a(asked.text()))
        return to_integer(call[0].as_float(), Rounding::Truncate);
    return call[0];
}

}  // namespace

void add_any_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .any()
        .method(names, "toString", "", to_string)
        .method(names, "equals", "other", equals)
        .method(names, "type getType type_name", "", type)
        .method(names, "is", "type", is)
        .method(names, "clone", "", clone)
        .method(names, "isNull is_null", "", is_null)
        .method(names, "is_not_null isNotNull", "", is_not_null)
        .method(names, "get_or_default getOrDefault", "default", get_or_default);
    runtime.define_function("isType", "value type", is_type);
    runtime.define_function("asType", "value type", as_type);
}

}  // namespace nyash
