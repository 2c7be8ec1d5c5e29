// FutureBox: a value on its way, which `nowait` makes. (The class is in runtime/future.h.)
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result get(NativeCall& call) {
    return call.vm.await(call.self);
}

Result is_ready(NativeCall& call) {
    return Value::boolean(call.object<Future>().is_settled());
}

}  // namespace

void add_future_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core().future_type.method(names, "get", "", get).method(names, "ready isReady", "", is_ready);
}

}  // namespace nyash
