#include "nyash/boxes/result_box.h"

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

Value make_result(Runtime& runtime, bool ok, Value value) {
    return Value(make<ResultBox>(runtime.heap(), *runtime.core().result_type, ok, std::move(value)));
}

Result construct(NativeCall& call) {
    return make_ok(call.runtime, call[0]);
}

Result is_ok(NativeCall& call) {
    return Value::boolean(call.object<ResultBox>().is_ok);
}

Result is_err(NativeCall& call) {
    return Value::boolean(!call.object<ResultBox>().is_ok);
}

Result get_value(NativeCall& call) {
    const auto& self = call.object<ResultBox>();
    if (self.is_ok) return self.value;
    return fail(error_kind::kOperation, "getValue on " + NYA_TRY(call.vm.to_text(call.self)), "ask isOk() first");
}

Result get_error(NativeCall& call) {
    const auto& self = call.object<ResultBox>();
    if (!self.is_ok) return self.value;
    return fail(error_kind::kOperation, "getError on " + NYA_TRY(call.vm.to_text(call.self)), "ask isErr() first");
}

}  // namespace

Value make_ok(Runtime& runtime, Value value) {
    return make_result(runtime, true, std::move(value));
}

Value make_err(Runtime& runtime, Value error) {
    return make_result(runtime, false, std::move(error));
}

void ResultBox::write(TextWriter& out) const {
    const TextWriter::Inside inside(out, *this);
    if (!inside.entered()) return out.text("[...]");
    out.text(is_ok ? "Ok(" : "Err(");
    out.value(value);
    out.text(")");
}

void add_result_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core().result_type = &runtime.types()
                                      .add("ResultBox")
                                      .constructor(names, "value", construct)
                                      .method(names, "isOk is_ok", "", is_ok)
                                      .method(names, "isErr is_err", "", is_err)
                                      .method(names, "getValue get_value", "", get_value)
                                      .method(names, "getError get_error", "", get_error);
}

}  // namespace nyash
