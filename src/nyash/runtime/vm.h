// Vm: runs bytecode.
//
// One loop, one stack of Values. A call from script to script pushes a Frame and goes on in the same
// loop, so the C++ stack does not grow; a frame's registers are a window on the stack that begins at
// the call's arguments. Only native code that calls back (forEach, a message handler) nests a loop.
//
// Registers hold references, so a returning frame empties its window: values are released when the
// function that held them ends, or earlier, when the compiler emits Clear at the end of a statement.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nyash/runtime/box_type.h"
#include "nyash/runtime/bytecode.h"
#include "nyash/runtime/script_box.h"
#include "nyash/runtime/script_error.h"
#include "nyash/runtime/value.h"

namespace nyash {

class CaughtError;
class Runtime;
struct Diagnostic;

enum class Comparison : std::uint8_t { Less, LessEqual, Greater, GreaterEqual };

class Vm {
public:
    explicit Vm(Runtime& runtime);
    ~Vm();
    Vm(const Vm&) = delete;
    Vm& operator=(const Vm&) = delete;

    Runtime& runtime() noexcept { return runtime_; }

    // Runs a program's top level; the value of its last statement.
    Result run_main(const Proto& main);

    // Calls a function value from native code. The count of arguments must match; surplus ones are
    // dropped for a lambda when `drop_surplus` is set, as for handlers.
    Result call(const Value& callee, std::span<const Value> arguments, bool drop_surplus = false);
    Result invoke(const Value& receiver, Name name, std::span<const Value> arguments);
    bool has_method(const Value& receiver, Name name) const;
    // Whether the last call() ended with a `return` of a value, rather than by running off its end.
    bool returned_explicitly() const noexcept { return returned_explicitly_; }
    // The singleton of a static box, made on first use.
    Result static_instance(ScriptBox& box);
    static bool is_callable(const Value& value);
    // `await`: runs the event loop until the future is settled; its value, or its error raised again. Anything
    // but a Future is its own value.
    Result await(const Value& future);
    // What `catch` receives for an error, and the error that `throw` makes of a value.
    Value thrown_value(ScriptError& error);
    ScriptError error_of(const Value& thrown);

    // What operators do, for native code.
    static bool is_true(const Value& value) noexcept;
    static bool equals(const Value& a, const Value& b);
    // Two numbers or two strings, or TypeError.
    std::expected<bool, ScriptError> compare(Comparison how, const Value& a, const Value& b) const;
    std::expected<std::string, ScriptError> to_text(const Value& value);
    std::expected<Ref<String>, ScriptError> to_string(const Value& value);
    // A string value, or LimitExceeded.
    Result make_string(std::string text);
    ScriptError text_too_long() const;
    std::string type_name(const Value& value) const;

    // Fields and elements, as `.` and `[ ]` read them.
    Result get_field(const Value& object, Name name);
    Result get_index(const Value& object, const Value& index);
    // A field that is a property of the value's type, or UndefinedName.
    Result get_property(const Value& object, Name name);
    ScriptError field_not_found(const BoxType& type, Name name) const;
    // The built-in part of an instance, made now if it can be made from nothing.
    Result ensure_part(Instance& instance, const ScriptBox::Part& part);
    // Fields of an instance, for code that stands in the body of `home` (null: outside any box).
    Result get_instance_field(Instance& instance, Name name, const ScriptBox* home, const CallSite* site = nullptr);
    Done set_instance_field(Instance& instance, Name name, const Value& value, const ScriptBox* home,
                            const CallSite* site = nullptr);
    ScriptError finalized(const BoxType& type) const;

    // Makes the running script fail at its next step. Any thread; safe in a signal handler. (A wait
    // of the event loop has to be ended with EventLoop::wake().)
    void interrupt() noexcept { interrupted_.store(true, std::memory_order_relaxed); }
    bool is_interrupted() const noexcept { return interrupted_.load(std::memory_order_relaxed); }
    // Forgets an interruption and gives the script its steps anew.
    void resume() noexcept;
    // The error that ends the script once it was interrupted or ran out of steps. For native code that
    // calls script and lives on when that fails.
    Done check_limits() const;

private:
    struct Frame {
        const Function* function;
        const Proto* proto;
        const Instruction* pc;
        Value* base;
        Value* result;  // where the caller wants the value
        Value* top;     // top_ as it was before
    };

    Result run(std::size_t stop_depth);
    Done push_frame(const Function& function, Value* window, std::size_t arguments, Value* result);
    [[gnu::always_inline]] void pop_frame() noexcept;  // in vm.cpp
    // Ends calls until one has a handler for the error, which goes on there; false when none above `stop_depth` has.
    bool recover(ScriptError& error, std::size_t stop_depth);

    // Runs `enter` on a window of its own above all frames, and what it started to its end.
    template <class Enter>
    Result nested(const Value& self, std::span<const Value> arguments, Enter&& enter);
    Result run_method(const Function& function, const Value& self, std::span<const Value> arguments = {});

    // A call that did not take the fast way: native functions, bound methods, errors.
    Done call_value(Value* window, std::size_t arguments, const CallSite* site, Value* result);
    Done invoke_method(Value* window, std::size_t arguments, const CallSite& site, Value* result);
    Done invoke_instance(Value* window, std::size_t arguments, const CallSite& site, Value* result);
    Done invoke_part(const ScriptBox::Part& part, const NativeFunction& native, NativeCode code, Value* window,
                     std::size_t arguments, const CallSite& site, Value* result);
    // `from Parent.name()`; with `is_future`, in its asynchronous form if it has one.
    Done invoke_parent(Value* window, std::size_t arguments, const CallSite& site, Value* result,
                       bool* is_future = nullptr);
    Done invoke_async(Value* window, std::size_t arguments, const CallSite& site, Value* result, bool& is_future);
    Done construct(Value* window, std::size_t arguments, const CallSite& site, Value* result);
    Done construct_instance(ScriptBox& box, Value* window, std::size_t arguments, const CallSite& site, Value* result);
    Done run_initializers(Instance& instance);
    Done check_type_arguments(const BoxType& type, const CallSite& site) const;
    Done finalize(Instance& instance);
    bool is_constructor_name(Name name, const BoxType& parent) const;
    // The box in whose body the running code is written.
    const ScriptBox* home() const noexcept { return frames_.empty() ? nullptr : frames_.back().function->home; }
    Result call_native(const NativeFunction& function, const Value& self, std::span<Value> arguments,
                       std::span<const Name> labels) {
        return call_native(function, function.code, self, arguments, labels);
    }
    Result call_native(const NativeFunction& function, NativeCode code, const Value& self, std::span<Value> arguments,
                       std::span<const Name> labels);
    Result get_field(const Value& object, const CallSite& site, const ScriptBox* home);
    Done set_field(const Value& object, const CallSite& site, const Value& value, const ScriptBox* home);
    // A global that has no value yet: a static box before its first use, or an error.
    Result missing_global(std::size_t index, const Proto& proto);
    Done declare_box(const BoxProto& proto);
    Done declare_interface(const InterfaceProto& proto);
    ScriptError raise(const Value& thrown);
    bool is_caught_by(const CaughtError& caught, Name type) const;

    ScriptError method_not_found(const BoxType& type, Name name) const;
    ScriptError undefined_variable(Name name, const Proto& proto) const;
    ScriptError declaration_error(const Source& source, const Diagnostic& diagnostic) const;
    ScriptError labels_refused() const;
    ScriptError not_callable_field(Name name, const Value& value) const;
    // What to say of a use of null or void; empty for other types.
    std::string help_for_nothing(const BoxType& type) const;
    static ScriptError wrong_count(std::string_view function, std::string expected, std::size_t got);
    static ScriptError wrong_count(const Proto& proto, std::size_t got);
    static ScriptError wrong_count(const NativeFunction& function, std::size_t got);
    ScriptError stack_overflow() const;

    Result arithmetic(Op op, Value& left, const Value& right, bool may_reuse_left);
    Result negate(const Value& operand) const;
    bool let_go(const Frame& frame, const Instruction& next, std::uint16_t result, const Value& left,
                const Value& right);
    Done step();
    Done print(std::span<const Value> values);

    Runtime& runtime_;
    struct FreeStack {
        void operator()(Value* stack) const noexcept;
    };
    std::unique_ptr<Value, FreeStack> stack_;
    Value* stack_end_;
    Value* top_;  // the first register no frame uses
    std::vector<Frame> frames_;
    std::uint64_t steps_left_;
    bool is_out_of_steps_ = false;
    int native_depth_ = 0;
    int bound_depth_ = 0;
    bool returned_explicitly_ = false;
    Value discarded_;  // where a result goes that nobody wants
    Name fini_name_;
    std::vector<Name> constructor_names_;
    std::vector<const ScriptBox*> initializing_;  // static boxes being made, inside each other
    int waits_ = 0;                               // awaits going on, inside each other
    std::atomic<bool> interrupted_{false};
};

}  // namespace nyash
