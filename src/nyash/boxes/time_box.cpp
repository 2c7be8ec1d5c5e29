// TimeBox: the clock, and waiting. Waiting runs the event loop: messages arrive meanwhile.
#include <chrono>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/helper_box.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result now_ms(NativeCall& call) {
    return Value::integer(call.runtime.wall_clock_ms());
}

Result sleep(NativeCall& call) {
    constexpr std::int64_t kLongest = 1000LL * 60 * 60 * 24 * 365;
    const std::int64_t ms = NYA_TRY(call.integer(0));
    if (ms < 0 || ms > kLongest) return fail(error_kind::kOperation, "sleep takes 0 milliseconds to one year");
    const auto until = call.runtime.clock().now() + std::chrono::milliseconds(ms);
    call.runtime.loop()->run_ready();
    NYA_TRY(call.vm.check_limits());
    while (call.runtime.clock().now() < until) {
        call.runtime.loop()->run_one_until(until);
        NYA_TRY(call.vm.check_limits());
    }
    return Value::nothing();
}

}  // namespace

void add_time_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("TimeBox")
        .constructor(names, "", make_helper)
        .method(names, "nowMs", "", now_ms)
        .method(names, "sleep", "ms", sleep);
}

}  // namespace nyash
