// Future: a value that is still on its way. `nowait f = …` makes one, `await f` waits for it.
//
// Whoever made the future settles it once, on the script's thread, with a value or an error; the first
// settlement counts. Waiting runs the event loop, so what settles it must come from there: a timer, a
// task posted from another thread. Whatever may settle it later should hold an EventLoop::KeepAlive, so
// that the script does not end before.
#pragma once

#include <cstdint>
#include <utility>

#include "nyash/runtime/object.h"
#include "nyash/runtime/script_error.h"
#include "nyash/runtime/value.h"

namespace nyash {

class Future final : public Container {
public:
    Future(Heap& heap, const BoxType& type) : Container(heap, type) {}

    bool is_settled() const noexcept { return state_ != State::Pending; }
    bool has_failed() const noexcept { return state_ == State::Failed; }
    // The value, or what was raised as `catch` would receive it; Undefined while pending.
    const Value& value() const noexcept { return value_; }

    void resolve(Value value) { settle(State::Ready, std::move(value)); }
    // `thrown`: an ErrorBox or an instance, as Vm::thrown_value() makes of a ScriptError.
    void reject(Value thrown) { settle(State::Failed, std::move(thrown)); }

    void write(TextWriter& out) const override;  // Future(pending), Future(ready: v), Future(failed: e)
    void clear() noexcept override { value_ = Value::null(); }

private:
    enum class State : std::uint8_t { Pending, Ready, Failed };
    void settle(State state, Value value) {
        if (is_settled()) return;
        state_ = state;
        value_ = std::move(value);
    }

    State state_ = State::Pending;
    Value value_;
};

}  // namespace nyash
