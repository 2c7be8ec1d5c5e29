// BoolBox: true and false.
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result make_bool(NativeCall& call) {
    const Value& from = call[0];
    if (!from.is_string()) return Value::boolean(Vm::is_true(from));
    const std::string& text = from.as_string().text();
    if (text == "true") return Value::boolean(true);
    if (text == "false") return Value::boolean(false);
    return fail(error_kind::kType, "\"" + text + "\" is neither true nor false");
}

Result negation(NativeCall& call) {
    return Value::boolean(!call.self.as_bool());
}

Result conjunction(NativeCall& call) {
    return Value::boolean(call.self.as_bool() && Vm::is_true(call[0]));
}

Result disjunction(NativeCall& call) {
    return Value::boolean(call.self.as_bool() || Vm::is_true(call[0]));
}

Result itself(NativeCall& call) {
    return call.self;
}

}  // namespace

void add_bool_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .bool_type.constructor(names, "value", make_bool)
        .method(names, "not", "", negation)
        .method(names, "and", "other", conjunction)
        .method(names, "or", "other", disjunction)
        .property(names, "value", itself);
}

}  // namespace nyash
