#include "nyash/runtime/vm.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include <nya/expected.h>

#include "nyash/runtime/box_declaration.h"
#include "nyash/runtime/caught_error.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/runtime.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/runtime/wrapping.h"

namespace nyash {
namespace {

// Registers of all frames together: 16 MiB of address space, touched as calls go deep.
constexpr std::size_t kStackValues = 1U << 20U;
// Native functions that call back into script, inside each other.
constexpr int kMaxNativeDepth = 150;
constexpr std::size_t kMaxTrace = 64;

constexpr std::size_t kOperations = 0
#define NYASH_OPERATION(name, operands, meaning) +1
    NYASH_OPERATIONS(NYASH_OPERATION)
#undef NYASH_OPERATION
    ;

}  // namespace

// The other end of push_frame(). Every return runs it, so it is part of the loop.
inline void Vm::pop_frame() noexcept {
    const Frame& frame = frames_.back();
    const Function* const function = frame.function;
    Value* v = frame.base;
    for (Value* const end = v + frame.proto->registers; v < end; ++v) v->reset();
    top_ = frame.top;
    frames_.pop_back();
    function->release();
}

void Vm::FreeStack::operator()(Value* stack) const noexcept {
    std::free(stack);
}

Vm::Vm(Runtime& runtime)
    // All-zero memory is Undefined values, and calloc gives it without touching it.
    : runtime_(runtime), stack_(static_cast<Value*>(std::calloc(kStackValues, sizeof(Value)))) {
    if (!stack_) throw std::bad_alloc();
    stack_end_ = stack_.get() + kStackValues;
    top_ = stack_.get();
    steps_left_ = runtime.limits().max_steps;
    Names& names = runtime.names();
    fini_name_ = names.intern("fini");
    for (const char* name : {"birth", "init", "pack", "constructor"}) constructor_names_.push_back(names.intern(name));
    frames_.reserve(runtime.limits().max_call_depth + 1);
}

Vm::~Vm() = default;

// ---- calls from native code ----

Result Vm::run_main(const Proto& main) {
    auto function = make<Function>(runtime_.heap(), runtime_.core().function_type, main);
    return call(Value(function), {});
}

bool Vm::is_callable(const Value& value) {
    return value.as<Function>() || value.as<NativeFunctionBox>() || value.as<BoundMethod>();
}

template <class Enter>
Result Vm::nested(const Value& self, std::span<const Value> arguments, Enter&& enter) {
    Value* window = top_;
    if (window + arguments.size() + 1 >= stack_end_ || native_depth_ >= kMaxNativeDepth) {
        return std::unexpected(stack_overflow());
    }
    NYA_TRY(step());
    window[0] = self;
    std::ranges::copy(arguments, window + 1);
    top_ = window + 1 + arguments.size();
    ++native_depth_;
    returned_explicitly_ = false;
    const std::size_t depth = frames_.size();
    Value value;
    Done done = enter(window, &value);
    Result result = !done                    ? Result(std::unexpected(std::move(done.error())))
                    : frames_.size() > depth ? run(depth)
                                             : Result(std::move(value));
    --native_depth_;
    for (Value* v = window; v < window + 1 + arguments.size(); ++v) v->reset();
    top_ = window;
    return result;
}

Result Vm::call(const Value& callee, std::span<const Value> arguments, bool drop_surplus) {
    const auto* function = callee.as<Function>();
    if (drop_surplus && function && arguments.size() > function->proto.parameters)
        arguments = arguments.first(function->proto.parameters);
    auto result = nested(callee, arguments, [&](Value* window, Value* value) {
        return call_value(window, arguments.size(), nullptr, value);
    });
    // Refused before it began (a wrong number of arguments): then the function itself is the place.
    if (!result && function && result.error()->trace.empty() && result.error()->kind == error_kind::kArguments)
        result.error()->trace.push_back({&function->proto, function->proto.head});
    return result;
}

Result Vm::invoke(const Value& receiver, Name name, std::span<const Value> arguments) {
    CallSite site;
    site.name = name;
    return nested(receiver, arguments,
                  [&](Value* window, Value* value) { return invoke_method(window, arguments.size(), site, value); });
}

Result Vm::run_method(const Function& function, const Value& self, std::span<const Value> arguments) {
    return nested(self, arguments,
                  [&](Value* window, Value* value) { return push_frame(function, window, arguments.size(), value); });
}

Result Vm::await(const Value& value) {
    constexpr int kMaxWaits = 64;
    auto* future = value.as<Future>();
    if (!future) return value;
    const Ref<Future> held(future);
    EventLoop& loop = *runtime_.loop();
    if (!held->is_settled() && waits_ >= kMaxWaits) {
        return fail(error_kind::kLimit, "More than 64 waits inside each other",
                    "a handler that waits lets other handlers run; let them finish before waiting again");
    }
    ++waits_;
    Done done;
    while (done && !held->is_settled()) {
        if (loop.run_ready(1) > 0) {
            done = check_limits();
        } else if (!loop.has_work()) {
            done = fail(error_kind::kOperation, "The future will never be ready",
                        "nothing is under way that could settle it: no timer, no request, no message");
        } else {
            loop.run_one_until(nya::Clock::time_point::max());
            done = step();
        }
    }
    --waits_;
    NYA_TRY(std::move(done));
    if (held->has_failed()) return std::unexpected(error_of(held->value()));
    return held->value();
}

// ---- errors as values ----

Value Vm::thrown_value(ScriptError& error) {
    if (error->thrown.is_undefined()) {
        auto made = runtime_.error(error->kind, error->message);
        made->hint = error->help;
        error->thrown = Value(made);
    }
    auto* box = error->thrown.as<ErrorBox>();
    if (const auto* instance = error->thrown.as<Instance>()) box = instance->part_as<ErrorBox>();
    if (box && box->line == 0 && !error->trace.empty()) {
        const TraceEntry& place = error->trace.front();
        box->line = place.proto->source->line_of(place.span.offset);
    }
    return error->thrown;
}

ScriptError Vm::error_of(const Value& thrown) {
    const auto* box = thrown.as<ErrorBox>();
    if (const auto* instance = thrown.as<Instance>()) box = instance->part_as<ErrorBox>();
    ScriptError error(box ? box->kind : error_kind::kThrown, box ? box->message : "Uncaught " + type_name(thrown));
    if (box) error->help = box->hint;
    error->thrown = thrown;
    return error;
}

// `throw`: an ErrorBox or an instance as it is, all else as the text of an ErrorBox.
ScriptError Vm::raise(const Value& thrown) {
    if (thrown.as<ErrorBox>() || thrown.as<Instance>()) return error_of(thrown);
    auto text = to_text(thrown);
    if (!text) return std::move(text.error());
    return {error_kind::kThrown, std::move(*text)};
}

bool Vm::is_caught_by(const CaughtError& caught, Name type) const {
    const std::string& name = type->text();
    if (name == "Error" || name == "ErrorBox" || name == "Exception") return true;
    const auto* instance = caught.error->thrown.as<Instance>();
    return instance && instance->box.is_a(name);
}

// ---- declarations that come while running ----

Result Vm::missing_global(std::size_t index, const Proto& proto) {
    const auto& slot = runtime_.globals()[index];
    if (slot.static_box) return static_instance(*slot.static_box);
    return std::unexpected(undefined_variable(slot.name, proto));
}

Done Vm::declare_box(const BoxProto& proto) {
    auto declared = nyash::declare_box(runtime_, proto);
    if (!declared) return std::unexpected(declaration_error(*proto.source, declared.error()));
    return {};
}

Done Vm::declare_interface(const InterfaceProto& proto) {
    auto declared = nyash::declare_interface(runtime_, proto);
    if (!declared) return std::unexpected(declaration_error(*proto.source, declared.error()));
    return {};
}

Done Vm::step() {
    if (steps_left_ == 0) {
        is_out_of_steps_ = true;
    } else {
        --steps_left_;
    }
    return check_limits();
}

void Vm::resume() noexcept {
    interrupted_.store(false, std::memory_order_relaxed);
    is_out_of_steps_ = false;
    steps_left_ = runtime_.limits().max_steps;
}

Done Vm::check_limits() const {
    if (!is_out_of_steps_ && !interrupted_.load(std::memory_order_relaxed)) return {};
    ScriptError error(error_kind::kLimit, "Interrupted");
    if (is_out_of_steps_) {
        error = {error_kind::kLimit,
                 "The script took more than " + std::to_string(runtime_.limits().max_steps) + " steps",
                 "a step is a call or a turn of a loop; is there a loop that never ends?"};
    }
    error->is_fatal = true;
    return std::unexpected(std::move(error));
}

Done Vm::print(std::span<const Value> values) {
    TextWriter writer(*this);
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) writer.text(" ");
        writer.value(Value(values[i]));
    }
    writer.text("\n");
    runtime_.channels().out(NYA_TRY(writer.finish()));
    return {};
}

// ---- unwinding ----

bool Vm::recover(ScriptError& error, std::size_t stop_depth) {
    for (; frames_.size() > stop_depth; pop_frame()) {
        Frame& frame = frames_.back();
        const Proto& proto = *frame.proto;
        const auto after = static_cast<std::size_t>(frame.pc - proto.code.data());
        const std::size_t at = after > 0 ? after - 1 : 0;
        if (error->is_raised_again) {
            error->is_raised_again = false;
        } else if (error->trace.size() < kMaxTrace) {
            error->trace.push_back({&proto, proto.spans[at]});
        }
        if (error->is_fatal) continue;
        const auto covers = [&](const Proto::Handler& handler) { return at >= handler.start && at < handler.end; };
        const auto handler = std::ranges::find_if(proto.handlers, covers);
        if (handler == proto.handlers.end()) continue;
        for (Value* v = frame.base + handler->floor; v < frame.base + proto.registers; ++v) v->reset();
        frame.base[handler->error] = Value(make<CaughtError>(runtime_.core().caught_type, std::move(error)));
        frame.pc = proto.code.data() + handler->target;
        return true;
    }
    return false;
}

// ---- the loop ----

// Leaves the current operation with the error of an expected that failed.
#define NYASH_CHECK(expression)                           \
    if (auto&& done = (expression); !done) [[unlikely]] { \
        error = std::move(done.error());                  \
        goto failed;                                      \
    }
#define NYASH_STEP()                                                                                \
    if (--steps_left_ == UINT64_MAX || interrupted_.load(std::memory_order_relaxed)) [[unlikely]] { \
        ++steps_left_;                                                                              \
        NYASH_CHECK(step())                                                                         \
    }
// + - *: two Integers here, all else in arithmetic().
#define NYASH_ARITHMETIC(symbol)                                                               \
    {                                                                                          \
        Value& left = const_cast<Value&>(rk(i.b));                                             \
        const Value& right = rk(i.c);                                                          \
        if (left.is_integer() && right.is_integer()) [[likely]] {                              \
            r[i.a].set_integer(wrap(bits(left.as_integer()) symbol bits(right.as_integer()))); \
        } else if (left.is_float() && right.is_float()) {                                      \
            r[i.a] = Value::number(left.as_float() symbol right.as_float());                   \
        } else {                                                                               \
            goto general_arithmetic;                                                           \
        }                                                                                      \
        break;                                                                                 \
    }
#define NYASH_COMPARE(how, symbol)                                \
    {                                                             \
        const Value& left = rk(i.b);                              \
        const Value& right = rk(i.c);                             \
        if (left.is_integer() && right.is_integer()) [[likely]] { \
            truth = left.as_integer() symbol right.as_integer();  \
        } else {                                                  \
            frame->pc = pc;                                       \
            auto compared = compare(how, left, right);            \
            NYASH_CHECK(compared)                                 \
            truth = *compared;                                    \
        }                                                         \
    }

Result Vm::run(std::size_t stop_depth) {
    Frame* frame = nullptr;
    const Instruction* pc = nullptr;
    Value* r = nullptr;
    const Value* k = nullptr;
    Globals& globals = runtime_.globals();
    ScriptError error = ScriptError::none();

    const auto load_frame = [&]() __attribute__((always_inline)) {
        frame = &frames_.back();
        pc = frame->pc;
        r = frame->base;
        k = frame->proto->constants.data();
    };
    const auto rk = [&](std::uint16_t operand) __attribute__((always_inline)) -> const Value& {
        const Value* base = r;
        if (operand & kConstantBit) base = k;
        return base[operand & ~kConstantBit];
    };
    const auto holds_true = [](const Value& value) __attribute__((always_inline)) {
        return value.is_bool() ? value.as_bool() : is_true(value);
    };
    load_frame();
    const Frame* const stop = frames_.data() + stop_depth;  // the frames never move: their room is reserved

    while (true) {
        const Instruction i = *pc++;
        bool truth = false;
        if (static_cast<std::size_t>(i.op) >= kOperations) std::unreachable();  // spares the switch its bounds check
        switch (i.op) {
            case Op::LoadConstant:
                r[i.a] = k[i.wide()];
                break;
            case Op::LoadInteger:
                r[i.a].set_integer(i.wide());
                break;
            case Op::LoadNull:
                r[i.a] = Value::null();
                break;
            case Op::LoadVoid:
                r[i.a] = Value::nothing();
                break;
            case Op::LoadTrue:
                r[i.a].set_boolean(true);
                break;
            case Op::LoadFalse:
                r[i.a].set_boolean(false);
                break;
            case Op::LoadMe:
                r[i.a] = r[-1];
                break;
            case Op::Move:
                r[i.a] = r[i.b];
                break;
            case Op::Clear:
                for (Value* v = r + i.a; v < r + i.a + i.b; ++v) v->reset();
                break;

            case Op::GetGlobal: {
                const Value& value = globals[i.b].read();
                if (value.is_undefined()) [[unlikely]] {
                    frame->pc = pc;
                    auto result = missing_global(i.b, *frame->proto);
                    NYASH_CHECK(result)
                    r[i.a] = std::move(*result);
                    break;
                }
                r[i.a] = value;
                break;
            }
            case Op::SetExistingGlobal:
                if (globals[i.b].variable.is_undefined()) {
                    error = undefined_variable(globals[i.b].name, *frame->proto);
                    error->help = "with --strict-vars a variable is declared first:  local " +
                                  globals[i.b].name->text() + " = …  or  global " + globals[i.b].name->text() + " = …";
                    goto failed;
                }
                globals[i.b].variable = r[i.a];
                break;
            case Op::SetGlobal:
                globals[i.b].variable = r[i.a];
                break;
            case Op::GetCapture:
                r[i.a] = frame->function->captures[i.b]->value;
                break;
            case Op::SetCapture:
                frame->function->captures[i.b]->value = r[i.a];
                break;
            case Op::NewCell:
                r[i.a] = Value(make<Cell>(runtime_.heap(), runtime_.core().cell_type, std::move(r[i.a])));
                break;
            case Op::GetCell:
                r[i.a] = static_cast<Cell&>(r[i.b].as_object()).value;
                break;
            case Op::SetCell:
                static_cast<Cell&>(r[i.b].as_object()).value = r[i.a];
                break;

            case Op::GetCreated:
            case Op::GetCreatedCell:
            case Op::GetCreatedCapture: {
                const Value* value = i.op == Op::GetCreated       ? &r[i.b]
                                     : i.op == Op::GetCreatedCell ? &static_cast<Cell&>(r[i.b].as_object()).value
                                                                  : &frame->function->captures[i.b]->value;
                if (value->is_undefined()) value = &globals[i.c].read();
                if (value->is_undefined()) [[unlikely]] {
                    frame->pc = pc;
                    auto result = missing_global(i.c, *frame->proto);
                    NYASH_CHECK(result)
                    r[i.a] = std::move(*result);
                    break;
                }
                r[i.a] = *value;
                break;
            }
            case Op::SetCreated:
            case Op::SetCreatedCell:
            case Op::SetCreatedCapture: {
                Value* place = i.op == Op::SetCreated       ? &r[i.b]
                               : i.op == Op::SetCreatedCell ? &static_cast<Cell&>(r[i.b].as_object()).value
                                                            : &frame->function->captures[i.b]->value;
                if (place->is_undefined() && !globals[i.c].variable.is_undefined()) place = &globals[i.c].variable;
                *place = r[i.a];
                break;
            }

            case Op::Add:
                NYASH_ARITHMETIC(+)
            case Op::Subtract:
                NYASH_ARITHMETIC(-)
            case Op::Multiply:
                NYASH_ARITHMETIC(*)
            case Op::Modulo: {
                const Value& left = rk(i.b);
                const Value& right = rk(i.c);
                if (left.is_integer() && right.is_integer() && right.as_integer() > 0) [[likely]] {
                    r[i.a].set_integer(left.as_integer() % right.as_integer());
                    break;
                }
                goto general_arithmetic;
            }
            case Op::Divide: {
                const Value& left = rk(i.b);
                const Value& right = rk(i.c);
                if (left.is_integer() && right.is_integer() && right.as_integer() > 0) [[likely]] {
                    r[i.a].set_integer(left.as_integer() / right.as_integer());
                    break;
                }
                goto general_arithmetic;
            }
            general_arithmetic: {
                frame->pc = pc;
                bool in_place = i.a == i.b;
                if (i.op == Op::Add && i.n != 0 && let_go(*frame, *pc, i.a, rk(i.b), rk(i.c))) in_place = true;
                auto result = arithmetic(i.op, const_cast<Value&>(rk(i.b)), rk(i.c), in_place);
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::Negate: {
                auto result = negate(rk(i.b));
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::Not:
                r[i.a].set_boolean(!is_true(rk(i.b)));
                break;
            case Op::Equal:
                truth = equals(rk(i.b), rk(i.c));
                r[i.a].set_boolean(truth);
                break;
            case Op::NotEqual:
                truth = !equals(rk(i.b), rk(i.c));
                r[i.a].set_boolean(truth);
                break;
            case Op::Less:
                NYASH_COMPARE(Comparison::Less, <) r[i.a].set_boolean(truth);
                break;
            case Op::LessEqual:
                NYASH_COMPARE(Comparison::LessEqual, <=) r[i.a].set_boolean(truth);
                break;
            case Op::Greater:
                NYASH_COMPARE(Comparison::Greater, >) r[i.a].set_boolean(truth);
                break;
            case Op::GreaterEqual:
                NYASH_COMPARE(Comparison::GreaterEqual, >=) r[i.a].set_boolean(truth);
                break;

            case Op::Jump:
                pc += i.wide();
                break;
            case Op::JumpBack:
                NYASH_STEP()
                pc += i.wide();
                break;
            case Op::JumpIfTrue:
                if (holds_true(r[i.a])) pc += i.wide();
                break;
            case Op::JumpIfFalse:
                if (!holds_true(r[i.a])) pc += i.wide();
                break;
            case Op::TestEqual:
                if (equals(rk(i.b), rk(i.c)) != (i.n != 0)) ++pc;
                break;
            case Op::TestLess:
                NYASH_COMPARE(Comparison::Less, <) if (truth != (i.n != 0))++ pc;
                break;
            case Op::TestLessEqual:
                NYASH_COMPARE(Comparison::LessEqual, <=) if (truth != (i.n != 0))++ pc;
                break;
            case Op::TestGreater:
                NYASH_COMPARE(Comparison::Greater, >) if (truth != (i.n != 0))++ pc;
                break;
            case Op::TestGreaterEqual:
                NYASH_COMPARE(Comparison::GreaterEqual, >=) if (truth != (i.n != 0))++ pc;
                break;

            case Op::NewFunction: {
                const Proto& proto = *frame->proto->lambdas[i.b];
                auto function =
                    make<Function>(runtime_.heap(), runtime_.core().function_type, proto, frame->function->home);
                function->captures.reserve(proto.captures.size());
                for (const auto& from : proto.captures) {
                    function->captures.push_back(from.from_register
                                                     ? Ref<Cell>(static_cast<Cell*>(&r[from.index].as_object()))
                                                     : frame->function->captures[from.index]);
                }
                r[i.a] = Value(function);
                break;
            }
            case Op::DeclareFunction:
                if (globals[i.b].static_box) break;  // hides the function
                globals[i.b].declared =
                    Value(make<Function>(runtime_.heap(), runtime_.core().function_type, *frame->proto->lambdas[i.a]));
                break;
            case Op::DeclareStatic: {
                const CallSite& site = frame->proto->sites[i.b];
                runtime_.declare_static(site.parent, site.name, *frame->proto->lambdas[i.a], nullptr);
                break;
            }
            case Op::DeclareBox:
                NYASH_CHECK(declare_box(*frame->proto->boxes[i.a]))
                break;
            case Op::DeclareInterface:
                NYASH_CHECK(declare_interface(*frame->proto->interfaces[i.a]))
                break;
            case Op::Include:
                frame->pc = pc;
                NYASH_CHECK(runtime_.include(*frame->proto->source, frame->proto->references[i.a]))
                break;
            case Op::Using:
                frame->pc = pc;
                NYASH_CHECK(runtime_.use(frame->proto->references[i.a]))
                break;
            case Op::NewArray: {
                auto array = runtime_.array();
                array->items.reserve(static_cast<std::size_t>(i.wide()));
                r[i.a] = Value(array);
                break;
            }
            case Op::Append: {
                auto& items = static_cast<Array&>(r[i.a].as_object()).items;
                for (Value* v = r + i.b; v < r + i.b + i.n; ++v) items.push_back(std::move(*v));
                break;
            }
            case Op::NewMap:
                r[i.a] = Value(runtime_.map());
                break;
            case Op::PutEntry:
                static_cast<Map&>(r[i.a].as_object()).set(rk(i.b).as_string(), rk(i.c));
                break;

            case Op::GetField: {
                const CallSite& site = frame->proto->sites[i.c];
                const Value& object = r[i.b];
                if (object.is_object() && &object.as_object().type() == site.cached_type) {
                    const Value& value = static_cast<Instance&>(object.as_object()).field(site.slot);
                    if (!value.is_undefined()) [[likely]] {
                        r[i.a] = value;
                        break;
                    }
                }
                frame->pc = pc;
                auto result = get_field(object, site, frame->function->home);
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::SetField: {
                const CallSite& site = frame->proto->sites[i.c];
                const Value& object = r[i.a];
                if (object.is_object() && &object.as_object().type() == site.cached_type) {
                    auto& instance = static_cast<Instance&>(object.as_object());
                    if (site.slot < instance.capacity()) [[likely]] {
                        instance.fields()[site.slot] = rk(i.b);
                        break;
                    }
                }
                frame->pc = pc;
                NYASH_CHECK(set_field(object, site, rk(i.b), frame->function->home))
                break;
            }
            case Op::GetIndex: {
                const Value& index = rk(i.c);
                if (const auto* array = r[i.b].as<Array>(); array && index.is_integer()) [[likely]] {
                    if (const auto at = bits(index.as_integer()); at < array->items.size()) [[likely]] {
                        r[i.a] = array->items[at];
                        break;
                    }
                }
                frame->pc = pc;
                auto result = get_index(r[i.b], rk(i.c));
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::SetIndex: {
                const Value& index = rk(i.b);
                if (auto* array = r[i.a].as<Array>(); array && index.is_integer()) [[likely]] {
                    if (const auto at = bits(index.as_integer()); at < array->items.size()) [[likely]] {
                        array->items[at] = rk(i.c);
                        break;
                    }
                }
                frame->pc = pc;
                const Value object = r[i.a];
                if (!object.is_object()) {
                    error = {error_kind::kType, "Cannot assign to an element of " + type_name(object)};
                    goto failed;
                }
                NYASH_CHECK(object.as_object().set_index(*this, rk(i.b), rk(i.c)))
                break;
            }

            case Op::Call: {
                frame->pc = pc;
                NYASH_STEP()
                const CallSite& site = frame->proto->sites[i.c];
                if (const auto* function = r[i.b].as<Function>(); function && site.labels.empty()) [[likely]] {
                    NYASH_CHECK(push_frame(*function, r + i.b, i.n, r + i.a))
                    load_frame();
                    break;
                }
                const std::size_t depth = frames_.size();
                NYASH_CHECK(call_value(r + i.b, i.n, &site, r + i.a))
                if (frames_.size() != depth) load_frame();
                break;
            }
            case Op::Invoke: {
                frame->pc = pc;
                NYASH_STEP()
                const CallSite& site = frame->proto->sites[i.c];
                const std::size_t depth = frames_.size();
                Value* window = r + i.b;
                if (site.cached_type == &runtime_.type_of(*window)) {
                    if (!site.native) {
                        NYASH_CHECK(push_frame(*site.function, window, i.n, r + i.a))
                        load_frame();
                        break;
                    }
                    const Value self = *window;
                    auto result = call_native(*site.native, self, {window + 1, i.n}, site.labels);
                    NYASH_CHECK(result)
                    r[i.a] = std::move(*result);
                    break;
                }
                NYASH_CHECK(invoke_method(window, i.n, site, r + i.a))
                if (frames_.size() != depth) load_frame();
                break;
            }
            case Op::New: {
                frame->pc = pc;
                NYASH_STEP()
                const std::size_t depth = frames_.size();
                NYASH_CHECK(construct(r + i.b, i.n, frame->proto->sites[i.c], r + i.a))
                if (frames_.size() != depth) load_frame();
                break;
            }
            case Op::InvokeParent: {
                frame->pc = pc;
                NYASH_STEP()
                const std::size_t depth = frames_.size();
                NYASH_CHECK(invoke_parent(r + i.b, i.n, frame->proto->sites[i.c], r + i.a))
                if (frames_.size() != depth) load_frame();
                break;
            }
            case Op::InvokeAsync:
            case Op::InvokeParentAsync: {
                frame->pc = pc;
                NYASH_STEP()
                const std::size_t depth = frames_.size();
                const CallSite& site = frame->proto->sites[i.c];
                bool is_future = false;
                NYASH_CHECK(i.op == Op::InvokeAsync ? invoke_async(r + i.b, i.n, site, r + i.a, is_future)
                                                    : invoke_parent(r + i.b, i.n, site, r + i.a, &is_future))
                if (is_future) ++pc;
                if (frames_.size() != depth) load_frame();
                break;
            }
            case Op::CheckStrong: {
                const auto* instance = r[i.a].as<Instance>();
                const Name name = frame->proto->sites[i.b].name;
                const std::uint32_t slot = instance ? instance->box.find_slot(name) : ScriptBox::kNoSlot;
                if (slot != ScriptBox::kNoSlot && instance->box.slots[slot].is_weak) {
                    error = {error_kind::kOperation, "Cannot call fini on the weak field '" + name->text() + "'",
                             "a weak field does not own what it refers to: its owner finalizes it"};
                    goto failed;
                }
                break;
            }
            case Op::Print:
                frame->pc = pc;
                NYASH_CHECK(print({r + i.a, i.n}))
                break;
            case Op::Return: {
                // A register of this frame is not needed any more: its reference moves.
                Value value = (i.a & kConstantBit) ? k[i.a & ~kConstantBit] : std::move(r[i.a]);
                Value* result = frame->result;
                pop_frame();
                if (frames_.data() + frames_.size() == stop) {
                    returned_explicitly_ = i.n != 0 && !value.is_void();
                    return value;
                }
                *result = std::move(value);
                load_frame();
                break;
            }
            case Op::ReturnMe: {
                Value value = r[-1];
                Value* result = frame->result;
                pop_frame();
                if (frames_.data() + frames_.size() == stop) return value;
                if (result != &discarded_) *result = std::move(value);
                load_frame();
                break;
            }

            case Op::Throw:
                frame->pc = pc;
                error = raise(Value(rk(i.a)));
                goto failed;
            case Op::Rethrow:
                error = std::move(static_cast<CaughtError&>(r[i.a].as_object()).error);
                error->is_raised_again = true;
                goto failed;
            case Op::CaughtValue:
                r[i.a] = thrown_value(static_cast<CaughtError&>(r[i.b].as_object()).error);
                break;
            case Op::TestCaught:
                if (is_caught_by(static_cast<CaughtError&>(r[i.a].as_object()), frame->proto->sites[i.b].name)) ++pc;
                break;

            case Op::Await: {
                frame->pc = pc;
                auto result = await(Value(rk(i.b)));
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::NewFuture: {
                auto future = runtime_.future();
                future->resolve(r[i.b]);
                r[i.a] = Value(future);
                break;
            }
            case Op::FailedFuture: {
                auto future = runtime_.future();
                future->reject(thrown_value(static_cast<CaughtError&>(r[i.b].as_object()).error));
                r[i.a] = Value(future);
                break;
            }
        }
        continue;

    failed:
        frame->pc = pc;
        if (!recover(error, stop_depth)) return std::unexpected(std::move(error));
        load_frame();
    }
}

#undef NYASH_CHECK
#undef NYASH_STEP
#undef NYASH_ARITHMETIC
#undef NYASH_COMPARE

}  // namespace nyash
