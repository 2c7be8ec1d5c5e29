// FunctionBox and MethodBox: code as a value. call and invoke are what f(…) is; here for whoever calls
// them from native code, the VM itself takes a shorter way.
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result invoke(NativeCall& call) {
    return call.vm.call(call.self, call.arguments);
}

Result arity(NativeCall& call) {
    if (const auto* function = call.self.as<Function>()) return Value::integer(function->proto.parameters);
    return Value::integer(static_cast<std::int64_t>(call.self.as<NativeFunctionBox>()->function.most));
}

Result make_method(NativeCall& call) {
    const String& name = *NYA_TRY(call.string(1));
    const Name interned = call.runtime.names().intern(name.text());
    const BoxType& type = call.runtime.type_of(call[0]);
    if (!call.vm.has_method(call[0], interned)) {
        return fail(error_kind::kUndefined, "Method '" + name.text() + "' not found in " + type.name(),
                    did_you_mean(name.text(), type.method_names()));
    }
    return Value(make<BoundMethod>(call.runtime.heap(), call.runtime.core().method_type, call[0], interned));
}

}  // namespace

void add_function_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core().function_type.call_method(names, "call invoke", invoke).method(names, "arity", "", arity);
    runtime.core().method_type.constructor(names, "object name", make_method).call_method(names, "call invoke", invoke);
}

}  // namespace nyash
