// TimerBox: a stopwatch, and functions called later.
//
// A timer is a task on the event loop, so its function runs while the script waits or after its end. The
// TimerBox owns the functions of its timers: they go when it goes, so a script keeps the box as long as it
// wants them called. A repeated timer sets itself anew when its function has returned; a slow function
// is therefore called less often, but never again inside itself.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/waiting.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

using std::chrono::milliseconds;

class TimerBox final : public Container {
public:
    TimerBox(Runtime& runtime, const BoxType& type)
        : Container(runtime.heap(), type), runtime_(runtime), started_(runtime.clock().now()) {}
    ~TimerBox() override { drop_timers(); }

    std::int64_t elapsed_ms() const {
        return std::chrono::duration_cast<milliseconds>(runtime_.clock().now() - started_).count();
    }
    void reset() { started_ = runtime_.clock().now(); }

    std::int64_t add(Value function, milliseconds delay, bool repeats);
    bool remove(std::int64_t id);
    void clear() noexcept override { drop_timers(); }

private:
    struct Timer {
        TimerBox* box;
        std::int64_t id;
        Value function;
        milliseconds delay;
        bool repeats;
        nya::Clock::time_point when;
        EventLoop::TimerId on_loop = 0;
    };

    void schedule(const std::shared_ptr<Timer>& timer);
    static void fire(const std::shared_ptr<Timer>& timer);
    void drop_timers() noexcept;

    Runtime& runtime_;
    nya::Clock::time_point started_;
    std::map<std::int64_t, std::shared_ptr<Timer>> timers_;
    std::int64_t last_id_ = 0;
};

std::int64_t TimerBox::add(Value function, milliseconds delay, bool repeats) {
    const std::int64_t id = ++last_id_;
    auto timer =
        std::make_shared<Timer>(Timer{this, id, std::move(function), delay, repeats, runtime_.clock().now() + delay});
    timers_.emplace(id, timer);
    schedule(timer);
    return id;
}

void TimerBox::schedule(const std::shared_ptr<Timer>& timer) {
    timer->on_loop = runtime_.loop()->call_at(timer->when, [timer] { fire(timer); });
}

void TimerBox::fire(const std::shared_ptr<Timer>& timer) {
    const Ref<TimerBox> self(timer->box);  // the function may drop the last reference to the box
    Runtime& runtime = self->runtime_;
    if (!timer->repeats) self->timers_.erase(timer->id);
    // A script that is being ended has said so; whoever runs the loop sees it, too.
    if (!runtime.vm().check_limits()) return;
    const Value function = timer->function;
    if (auto result = runtime.vm().call(function, {}); !result) {
        if (!runtime.vm().check_limits()) return;
        const std::string delay = std::to_string(timer->delay.count()) + " ms";
        runtime.report(result.error(),
                       timer->repeats ? "in a timer repeated every " + delay : "in a timer of " + delay);
    }
    if (!self->timers_.contains(timer->id)) return;
    // On the beat, but a beat that was missed is not made up for.
    timer->when = std::max(timer->when + timer->delay, runtime.clock().now() + milliseconds(1));
    self->schedule(timer);
}

bool TimerBox::remove(std::int64_t id) {
    auto found = timers_.extract(id);
    if (found.empty()) return false;
    runtime_.loop()->cancel(found.mapped()->on_loop);
    return true;
}

void TimerBox::drop_timers() noexcept {
    const auto timers = std::move(timers_);  // their functions go last: that may run code
    timers_.clear();
    for (const auto& [id, timer] : timers) runtime_.loop()->cancel(timer->on_loop);
}

TimerBox& self(NativeCall& call) {
    return call.object<TimerBox>();
}

Result make_timer(NativeCall& call) {
    return Value(make<TimerBox>(call.runtime, call.runtime.types().named("TimerBox")));
}

Result elapsed(NativeCall& call) {
    return Value::integer(self(call).elapsed_ms());
}

Result reset(NativeCall& call) {
    self(call).reset();
    return Value::nothing();
}

Result set_timeout(NativeCall& call) {
    Value function = NYA_TRY(call.callable(0));
    const milliseconds delay = NYA_TRY(delay_argument(call, 1, 0));
    NYA_TRY(room_for_a_timer(call.runtime));
    return Value::integer(self(call).add(std::move(function), delay, false));
}

Result set_interval(NativeCall& call) {
    Value function = NYA_TRY(call.callable(0));
    const milliseconds delay = NYA_TRY(delay_argument(call, 1, 1));
    NYA_TRY(room_for_a_timer(call.runtime));
    return Value::integer(self(call).add(std::move(function), delay, true));
}

// Whether there was such a timer.
Result clear(NativeCall& call) {
    return Value::boolean(self(call).remove(NYA_TRY(call.integer(0))));
}

// Ends all its timers.
Result fini(NativeCall& call) {
    self(call).clear();
    return Value::nothing();
}

}  // namespace

void add_timer_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("TimerBox")
        .constructor(names, "", make_timer)
        .method(names, "elapsed", "", elapsed)
        .method(names, "reset", "", reset)
        .method(names, "setTimeout", "function ms", set_timeout)
        .method(names, "setInterval", "function ms", set_interval)
        .method(names, "clear", "id", clear)
        .method(names, "fini", "", fini);
}

}  // namespace nyash
