// TimeBox: the clock, and waiting. Waiting runs the event loop: messages arrive meanwhile.
#include <chrono>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/date_time_box.h"
#include "nyash/boxes/helper_box.h"
#include "nyash/boxes/waiting.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result now(NativeCall& call) {
    return make_date_time(call.runtime, call.runtime.wall_clock_ms());
}

Result now_ms(NativeCall& call) {
    return Value::integer(call.runtime.wall_clock_ms());
}

Result sleep(NativeCall& call) {
    const auto until = call.runtime.clock().now() + NYA_TRY(delay_argument(call, 0, 0));
    while (true) {
        const bool is_over = call.runtime.clock().now() >= until;
        call.runtime.loop()->run_ready();  // also once it is over: what was due before has run when sleep returns
        NYA_TRY(call.vm.check_limits());
        if (is_over) return Value::nothing();
        call.runtime.loop()->run_one_until(until);
        NYA_TRY(call.vm.check_limits());
    }
}

// `nowait f = time.sleep(ms)`: the future is ready when the time is over.
Result sleep_async(NativeCall& call) {
    const auto until = call.runtime.clock().now() + NYA_TRY(delay_argument(call, 0, 0));
    NYA_TRY(room_for_a_timer(call.runtime));
    auto future = call.runtime.future();
    call.runtime.loop()->call_at(until, [future] { future->resolve(Value::nothing()); });
    return Value(future);
}

Result format(NativeCall& call) {
    const String& pattern = *NYA_TRY(call.string(0));
    return call.text(NYA_TRY(format_date_time(call.runtime.wall_clock_ms(), pattern.text())));
}

Result parse(NativeCall& call) {
    return make_date_time(call.runtime, NYA_TRY(parse_date_time(NYA_TRY(call.string(0))->text())));
}

Result from_timestamp(NativeCall& call) {
    return make_date_time(call.runtime, NYA_TRY(ms_from_seconds(NYA_TRY(call.number(0)))));
}

}  // namespace

void add_time_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("TimeBox")
        .constructor(names, "", make_helper)
        .method(names, "now", "", now)
        .method(names, "nowMs", "", now_ms)
        .method(names, "sleep", "ms", sleep, sleep_async)
        .method(names, "format", "pattern", format)
        .method(names, "parse", "text", parse)
        .method(names, "fromTimestamp", "seconds", from_timestamp);
}

}  // namespace nyash
