// ErrorBox: what went wrong, as a value. (The class is in runtime/runtime.h: the runtime makes them too.)
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

// (message) or (kind, message)
Result make_error(NativeCall& call) {
    const String& first = *NYA_TRY(call.string(0));
    if (!call.has(1)) return Value(call.runtime.error(std::string(error_kind::kThrown), first.text()));
    return Value(call.runtime.error(first.text(), NYA_TRY(call.string(1))->text()));
}

Result message(NativeCall& call) {
    return call.text(call.object<ErrorBox>().message);
}

Result kind(NativeCall& call) {
    return call.text(call.object<ErrorBox>().kind);
}

Result reason(NativeCall& call) {
    return call.text(call.object<ErrorBox>().reason);
}

Result hint(NativeCall& call) {
    return call.text(call.object<ErrorBox>().hint);
}

Result retryable(NativeCall& call) {
    return Value::boolean(call.object<ErrorBox>().is_retryable);
}

Result line(NativeCall& call) {
    return Value::integer(call.object<ErrorBox>().line);
}

}  // namespace

void add_error_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .error_type.constructor(names, "message second?", make_error)
        .method(names, "getMessage", "", message)
        .property(names, "message", message)
        .property(names, "kind", kind)
        .property(names, "reason", reason)
        .property(names, "hint", hint)
        .property(names, "retryable", retryable)
        .property(names, "line", line);
}

}  // namespace nyash
