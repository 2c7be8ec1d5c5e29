#include "nyash/runtime/vm.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <set>

#include <nya/expected.h>

#include "nyash/runtime/native.h"
#include "nyash/runtime/runtime.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

// Registers of all frames together: 16 MiB of address space, touched as calls go deep.
constexpr std::size_t kStackValues = 1U << 20U;
// Native functions that call back into script, inside each other.
constexpr int kMaxNativeDepth = 150;
constexpr std::size_t kMaxTrace = 64;

std::int64_t wrap(std::uint64_t bits) {
    return static_cast<std::int64_t>(bits);
}
std::uint64_t bits(std::int64_t i) {
    return static_cast<std::uint64_t>(i);
}

// Integer against Float, exactly: no Integer is rounded to a double.
// -1, 0, 1; 2 when the Float is NaN.
int compare_exactly(std::int64_t i, double d) {
    if (std::isnan(d)) return 2;
    if (d >= 9223372036854775808.0) return -1;
    if (d < -9223372036854775808.0) return 1;
    const auto whole = static_cast<std::int64_t>(d);
    if (i != whole) return i < whole ? -1 : 1;
    const double fraction = d - static_cast<double>(whole);
    return fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
}

bool holds(Comparison how, int order) {
    if (order == 2) return false;
    switch (how) {
        case Comparison::Less:
            return order < 0;
        case Comparison::LessEqual:
            return order <= 0;
        case Comparison::Greater:
            return order > 0;
        case Comparison::GreaterEqual:
            return order >= 0;
    }
    return false;
}

std::string_view spelling(Comparison how) {
    switch (how) {
        case Comparison::Less:
            return "<";
        case Comparison::LessEqual:
            return "<=";
        case Comparison::Greater:
            return ">";
        case Comparison::GreaterEqual:
            return ">=";
    }
    return "?";
}

// `==`, with the pairs of arrays it is inside of: a pair met again (a cycle, or the same pair on
// another way) is taken as equal, which is right if nothing else differs.
class Equality {
public:
    bool operator()(const Value& a, const Value& b) {
        using Tag = Value::Tag;
        if (a.tag() != b.tag()) {
            if (a.is_absent() && b.is_absent()) return true;
            if (a.is_integer() && b.is_float()) return compare_exactly(a.as_integer(), b.as_float()) == 0;
            if (a.is_float() && b.is_integer()) return compare_exactly(b.as_integer(), a.as_float()) == 0;
            return false;
        }
        switch (a.tag()) {
            case Tag::Undefined:
            case Tag::Null:
            case Tag::Void:
                return true;
            case Tag::Bool:
            case Tag::Integer:
                return a.as_integer() == b.as_integer();
            case Tag::Float:
                return a.as_float() == b.as_float();
            case Tag::String:
                return a.as_string().equals(b.as_string());
            case Tag::Object:
                return objects(a.as_object(), b.as_object());
        }
        return false;
    }

private:
    static constexpr int kMaxDepth = 1000;

    bool objects(const Object& a, const Object& b) {
        if (&a == &b) return true;
        const auto* left = dynamic_cast<const Array*>(&a);
        const auto* right = dynamic_cast<const Array*>(&b);
        if (!left || !right || left->items.size() != right->items.size()) return false;
        if (depth_ >= kMaxDepth) return false;
        if (!seen_.insert({&a, &b}).second) return true;
        ++depth_;
        bool same = true;
        for (std::size_t i = 0; same && i < left->items.size(); ++i) same = (*this)(left->items[i], right->items[i]);
        --depth_;
        return same;
    }

    int depth_ = 0;
    std::set<std::pair<const Object*, const Object*>> seen_;
};

}  // namespace

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

Result Vm::call(const Value& callee, std::span<const Value> arguments, bool drop_surplus) {
    if (drop_surplus) {
        if (const auto* function = callee.as<Function>(); function && arguments.size() > function->proto.parameters) {
            arguments = arguments.first(function->proto.parameters);
        }
    }
    Value* window = top_;
    if (window + arguments.size() + 1 >= stack_end_ || native_depth_ >= kMaxNativeDepth) {
        return std::unexpected(stack_overflow());
    }
    NYA_TRY(step());
    window[0] = callee;
    std::ranges::copy(arguments, window + 1);
    top_ = window + 1 + arguments.size();
    ++native_depth_;
    const std::size_t depth = frames_.size();
    Value value;
    Done done = call_value(window, arguments.size(), nullptr, &value);
    if (done && frames_.size() > depth) {
        auto result = run(depth);
        if (result) {
            value = std::move(*result);
        } else {
            done = std::unexpected(std::move(result.error()));
        }
    }
    --native_depth_;
    for (Value* v = window; v < window + 1 + arguments.size(); ++v) v->reset();
    top_ = window;
    if (!done) {
        // Refused before it began (a wrong number of arguments): then the function itself is the place.
        auto& error = done.error();
        if (const auto* function = callee.as<Function>(); function && error->trace.empty()) {
            error->trace.push_back({function->proto.title(), function->proto.source, function->proto.head});
        }
        return std::unexpected(std::move(error));
    }
    return value;
}

Result Vm::invoke(const Value& receiver, Name name, std::span<const Value> arguments) {
    auto method = make<BoundMethod>(runtime_.heap(), runtime_.core().method_type, receiver, name);
    return call(Value(method), arguments);
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
    while (!held->is_settled() && check_limits()) {
        if (loop.run_ready(1) == 0) loop.run_one_until(nya::Clock::time_point::max());
    }
    --waits_;
    NYA_TRY(check_limits());
    if (held->has_failed()) return std::unexpected(error_of(held->value()));
    return held->value();
}

Value Vm::thrown_value(ScriptError& error) {
    if (!error->thrown.is_undefined()) return error->thrown;
    auto box = runtime_.error(error->kind, error->message);
    box->hint = error->help;
    if (!error->trace.empty()) {
        const TraceEntry& place = error->trace.front();
        box->line = static_cast<std::int64_t>(place.source->position(place.span.offset).line);
    }
    error->thrown = Value(box);
    return error->thrown;
}

ScriptError Vm::error_of(const Value& thrown) {
    const auto* box = thrown.as<ErrorBox>();
    ScriptError error(box ? box->kind : error_kind::kThrown, box ? box->message : type_name(thrown));
    if (box) error->help = box->hint;
    error->thrown = thrown;
    return error;
}

// ---- what operators do ----

bool Vm::is_true(const Value& value) noexcept {
    switch (value.tag()) {
        case Value::Tag::Undefined:
        case Value::Tag::Null:
        case Value::Tag::Void:
            return false;
        case Value::Tag::Bool:
        case Value::Tag::Integer:
            return value.as_integer() != 0;
        case Value::Tag::Float:
            return value.as_float() != 0.0;
        case Value::Tag::String:
        case Value::Tag::Object:
            return value.as_object().is_true();
    }
    return false;
}

bool Vm::equals(const Value& a, const Value& b) {
    return Equality()(a, b);
}

std::expected<std::string, ScriptError> Vm::to_text(const Value& value) {
    TextWriter writer(*this);
    writer.value(value);
    return writer.finish();
}

std::expected<Ref<String>, ScriptError> Vm::to_string(const Value& value) {
    if (value.is_string()) return Ref<String>(const_cast<String*>(&value.as_string()));
    return runtime_.string(NYA_TRY(to_text(value)));
}

Result Vm::make_string(std::string text) {
    if (text.size() > runtime_.limits().max_text_bytes) return std::unexpected(text_too_long());
    return Value(runtime_.string(std::move(text)));
}

ScriptError Vm::text_too_long() const {
    return {error_kind::kLimit,
            "The text is too long (more than " + std::to_string(runtime_.limits().max_text_bytes) + " bytes)"};
}

std::string Vm::type_name(const Value& value) const {
    return runtime_.type_of(value).name();
}

Result Vm::negate(const Value& operand) const {
    if (operand.is_integer()) return Value::integer(wrap(0 - bits(operand.as_integer())));
    if (operand.is_float()) return Value::number(-operand.as_float());
    return fail(error_kind::kType, "Cannot negate " + type_name(operand));
}

// The general case of + - * / %; the VM's loop does two Integers by itself. With may_reuse_left the
// result replaces left, so a string nobody else sees may grow in place.
Result Vm::arithmetic(Op op, Value& left, const Value& right, bool may_reuse_left) {
    const auto number_of = [](const Value& v, bool& is_number) {
        if (v.is_bool()) return static_cast<double>(v.as_integer());
        is_number = is_number && v.is_number();
        return v.is_number() ? v.as_number() : 0.0;
    };
    if (op == Op::Add && (left.is_string() || right.is_string())) {
        auto& runtime = runtime_;
        const auto more = NYA_TRY(to_string(right));
        if (left.is_string() && may_reuse_left && left.as_string().use_count() == 1 &&
            !left.as_string().is_interned()) {
            auto& text = const_cast<String&>(left.as_string());
            if (text.text().size() + more->text().size() > runtime.limits().max_text_bytes)
                return std::unexpected(text_too_long());
            text.append(more->text());
            return left;
        }
        const auto first = NYA_TRY(to_string(left));
        if (first->text().size() + more->text().size() > runtime.limits().max_text_bytes)
            return std::unexpected(text_too_long());
        std::string joined;
        joined.reserve(first->text().size() + more->text().size());
        joined += first->text();
        joined += more->text();
        return Value(runtime.string(std::move(joined)));
    }
    if (op == Op::Add && left.is_bool() && right.is_bool())
        return Value::integer(left.as_integer() + right.as_integer());
    if (op == Op::Multiply && left.is_string() && right.is_integer()) {
        const auto count = right.as_integer();
        const std::string& text = left.as_string().text();
        if (count < 0)
            return fail(error_kind::kOperation, "Cannot repeat a String " + std::to_string(count) + " times");
        if (!text.empty() && bits(count) > runtime_.limits().max_text_bytes / text.size())
            return std::unexpected(text_too_long());
        std::string repeated;
        repeated.reserve(text.size() * static_cast<std::size_t>(text.empty() ? 0 : count));
        if (!text.empty()) {
            for (std::int64_t i = 0; i < count; ++i) repeated += text;
        }
        return Value(runtime_.string(std::move(repeated)));
    }
    if (left.is_integer() && right.is_integer()) {
        const std::int64_t a = left.as_integer();
        const std::int64_t b = right.as_integer();
        switch (op) {
            case Op::Add:
                return Value::integer(wrap(bits(a) + bits(b)));
            case Op::Subtract:
                return Value::integer(wrap(bits(a) - bits(b)));
            case Op::Multiply:
                return Value::integer(wrap(bits(a) * bits(b)));
            case Op::Divide:
                if (b == 0) return fail(error_kind::kDivision, "Division by zero");
                return Value::integer(b == -1 ? wrap(0 - bits(a)) : a / b);
            default:
                if (b == 0) return fail(error_kind::kDivision, "Division by zero");
                return Value::integer(b == -1 ? 0 : a % b);
        }
    }
    bool numbers = left.is_number() && right.is_number();
    const double a = number_of(left, numbers);
    const double b = number_of(right, numbers);
    if (numbers) {
        switch (op) {
            case Op::Add:
                return Value::number(a + b);
            case Op::Subtract:
                return Value::number(a - b);
            case Op::Multiply:
                return Value::number(a * b);
            case Op::Divide:
                if (b == 0) return fail(error_kind::kDivision, "Division by zero");
                return Value::number(a / b);
            default:
                if (b == 0) return fail(error_kind::kDivision, "Division by zero");
                return Value::number(std::fmod(a, b));
        }
    }
    std::string_view symbol = op == Op::Add        ? "+"
                              : op == Op::Subtract ? "-"
                              : op == Op::Multiply ? "*"
                              : op == Op::Divide   ? "/"
                                                   : "%";
    return fail(error_kind::kType,
                "Cannot apply '" + std::string(symbol) + "' to " + type_name(left) + " and " + type_name(right));
}

std::expected<bool, ScriptError> Vm::compare(Comparison how, const Value& a, const Value& b) const {
    if (a.is_number() && b.is_number()) {
        if (a.is_integer() && b.is_integer()) {
            return holds(how, a.as_integer() < b.as_integer() ? -1 : a.as_integer() > b.as_integer() ? 1 : 0);
        }
        if (a.is_integer()) return holds(how, compare_exactly(a.as_integer(), b.as_float()));
        if (b.is_integer()) {
            const int order = compare_exactly(b.as_integer(), a.as_float());
            return holds(how, order == 2 ? 2 : -order);
        }
        const double x = a.as_float();
        const double y = b.as_float();
        return holds(how, std::isnan(x) || std::isnan(y) ? 2 : x < y ? -1 : x > y ? 1 : 0);
    }
    // UTF-8 sorts bytewise as its code points do.
    if (a.is_string() && b.is_string()) {
        const int order = a.as_string().text().compare(b.as_string().text());
        return holds(how, order < 0 ? -1 : order > 0 ? 1 : 0);
    }
    return fail(error_kind::kType, "Cannot compare " + type_name(a) + " and " + type_name(b) + " with '" +
                                       std::string(spelling(how)) + "'");
}

// ---- errors ----

ScriptError Vm::wrong_count(std::string_view function, std::string expected, std::size_t got) {
    return {error_kind::kArguments,
            "Function " + std::string(function) + " expects " + expected + ", got " + std::to_string(got)};
}

ScriptError Vm::stack_overflow() const {
    return {error_kind::kOverflow, "Stack overflow",
            "calls may be nested " + std::to_string(runtime_.limits().max_call_depth) + " deep"};
}

ScriptError Vm::undefined_variable(const Globals& globals, Name name, const Proto& proto) const {
    std::vector<std::string_view> candidates = globals.defined_names();
    candidates.insert(candidates.end(), proto.variables.begin(), proto.variables.end());
    return {error_kind::kUndefined, "Undefined variable '" + name->text() + "'",
            did_you_mean(name->text(), candidates)};
}

ScriptError Vm::method_not_found(const BoxType& type, Name name) const {
    std::string help = did_you_mean(name->text(), type.method_names());
    if (type.find_property(name)) help = "'" + name->text() + "' is a field: leave out the parentheses";
    return {error_kind::kUndefined, "Method '" + name->text() + "' not found in " + type.name(), std::move(help)};
}

ScriptError Vm::field_not_found(const BoxType& type, Name name) const {
    std::string help = did_you_mean(name->text(), type.property_names());
    if (type.find_method(name)) help = "'" + name->text() + "' is a method: write " + name->text() + "(…)";
    return {error_kind::kUndefined, "Field '" + name->text() + "' not found in " + type.name(), std::move(help)};
}

// ---- calls ----

Done Vm::push_frame(const Function& function, Value* window, std::size_t arguments, Value* result) {
    const Proto& proto = function.proto;
    if (arguments != proto.parameters) [[unlikely]] {
        const std::string count =
            std::to_string(proto.parameters) + (proto.parameters == 1 ? " argument" : " arguments");
        return std::unexpected(wrong_count(proto.name.empty() ? "(lambda)" : proto.name, count, arguments));
    }
    Value* base = window + 1;
    if (frames_.size() >= runtime_.limits().max_call_depth || base + proto.registers + 256 >= stack_end_) [[unlikely]] {
        return std::unexpected(stack_overflow());
    }
    function.retain();  // the window's callee register may be overwritten; the frame keeps its function
    frames_.push_back({&function, &proto, proto.code.data(), base, result});
    top_ = base + proto.registers;
    return {};
}

void Vm::pop_frame() noexcept {
    const Frame frame = frames_.back();
    for (Value* v = frame.base; v < frame.base + frame.proto->registers; ++v) v->reset();
    frames_.pop_back();
    top_ = frames_.empty() ? frame.base - 1
                           : std::max(frame.base - 1, frames_.back().base + frames_.back().proto->registers);
    frame.function->release();
}

Done Vm::call_value(Value* window, std::size_t arguments, const CallSite* site, Value* result) {
    const bool labelled = site && !site->labels.empty();
    if (const auto* function = window[0].as<Function>()) {
        if (labelled) {
            return fail(error_kind::kArguments, "Named arguments are only for built-in boxes", "pass them by position");
        }
        return push_frame(*function, window, arguments, result);
    }
    if (const auto* native = window[0].as<NativeFunctionBox>()) {
        *result = NYA_TRY(call_native(native->function, Value::nothing(), {window + 1, arguments},
                                      labelled ? std::span<const Name>(site->labels) : std::span<const Name>{}));
        return {};
    }
    if (const auto* bound = window[0].as<BoundMethod>()) {
        CallSite method;
        const Ref<String> name = bound->name;
        method.name = name.get();
        if (labelled) method.labels = site->labels;
        window[0] = Value(bound->receiver);
        return invoke_method(window, arguments, method, result);
    }
    return fail(error_kind::kType, type_name(window[0]) + " is not a function and cannot be called");
}

Done Vm::invoke_method(Value* window, std::size_t arguments, const CallSite& site, Value* result) {
    const BoxType& type = runtime_.type_of(window[0]);
    const Method method = type.find_method(site.name);
    if (method.script) {
        if (!site.labels.empty()) {
            return fail(error_kind::kArguments, "Named arguments are only for built-in boxes", "pass them by position");
        }
        return push_frame(*method.script, window, arguments, result);
    }
    if (method.native && method.native->calls_self) return call_value(window, arguments, &site, result);
    if (method.native) {
        site.cached_type = &type;
        site.cached = method.native;
        const Value self = window[0];
        *result = NYA_TRY(call_native(*method.native, self, {window + 1, arguments}, site.labels));
        return {};
    }
    if (window[0].is_object()) {
        if (Value field = window[0].as_object().callable_field(site.name); !field.is_undefined()) {
            if (!is_callable(field)) {
                return fail(error_kind::kType,
                            "'" + site.name->text() + "' holds " + type_name(field) + ", which cannot be called");
            }
            window[0] = std::move(field);
            return call_value(window, arguments, &site, result);
        }
    }
    return std::unexpected(method_not_found(type, site.name));
}

Done Vm::construct(Value* window, std::size_t arguments, const CallSite& site, Value* result) {
    const BoxType* type = runtime_.types().find(site.name);
    if (!type || !type->constructor()) {
        return fail(error_kind::kUndefined, "Undefined class '" + site.name->text() + "'",
                    did_you_mean(site.name->text(), runtime_.types().constructible_names()));
    }
    *result = NYA_TRY(call_native(*type->constructor(), Value::nothing(), {window + 1, arguments}, site.labels));
    return {};
}

Result Vm::call_native(const NativeFunction& function, const Value& self, std::span<Value> arguments,
                       std::span<const Name> labels) {
    if (labels.empty()) {
        const std::size_t count = arguments.size();
        if (count < function.least || (count > function.most && !function.takes_any_number)) [[unlikely]] {
            return std::unexpected(wrong_count(function.name, function.expected_arguments(), count));
        }
        NativeCall call(*this, function, self, arguments);
        return function.code(call);
    }
    // Named arguments go to their places; the others fill what is free, from the left.
    std::vector<Value> placed(function.parameters.size());
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::size_t place = 0;
        if (labels[i]) {
            while (place < placed.size() && function.parameters[place] != labels[i]) ++place;
            if (place == placed.size()) {
                std::vector<std::string_view> known;
                for (const Name parameter : function.parameters) known.push_back(parameter->text());
                return fail(error_kind::kArguments,
                            function.name + " has no argument named '" + labels[i]->text() + "'",
                            did_you_mean(labels[i]->text(), known));
            }
            if (!placed[place].is_undefined()) {
                return fail(error_kind::kArguments, "The argument '" + labels[i]->text() + "' is given twice");
            }
        } else {
            while (place < placed.size() && !placed[place].is_undefined()) ++place;
            if (place == placed.size()) {
                return std::unexpected(wrong_count(function.name, function.expected_arguments(), arguments.size()));
            }
        }
        placed[place] = arguments[i];
    }
    for (std::size_t i = 0; i < function.least; ++i) {
        if (placed[i].is_undefined()) {
            return fail(error_kind::kArguments,
                        function.name + " needs the argument '" + function.parameters[i]->text() + "'");
        }
    }
    NativeCall call(*this, function, self, placed);
    return function.code(call);
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

void Vm::trace(ScriptError& error, std::size_t stop_depth) {
    for (std::size_t i = frames_.size(); i-- > stop_depth && error->trace.size() < kMaxTrace;) {
        const Frame& frame = frames_[i];
        const auto at = static_cast<std::size_t>(frame.pc - frame.proto->code.data());
        error->trace.push_back({frame.proto->title(), frame.proto->source, frame.proto->spans[at > 0 ? at - 1 : 0]});
    }
}

void Vm::unwind(std::size_t stop_depth) {
    while (frames_.size() > stop_depth) pop_frame();
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
    ScriptError error(error_kind::kOperation, {});

    const auto load_frame = [&] {
        frame = &frames_.back();
        pc = frame->pc;
        r = frame->base;
        k = frame->proto->constants.data();
    };
    const auto rk = [&](std::uint16_t operand) -> const Value& {
        return (operand & kConstantBit) ? k[operand & ~kConstantBit] : r[operand];
    };
    load_frame();

    while (true) {
        const Instruction i = *pc++;
        bool truth = false;
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
                    error = undefined_variable(globals, globals[i.b].name, *frame->proto);
                    goto failed;
                }
                r[i.a] = value;
                break;
            }
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
                    error = undefined_variable(globals, globals[i.c].name, *frame->proto);
                    goto failed;
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
            case Op::Divide:
            case Op::Modulo:
            general_arithmetic: {
                frame->pc = pc;
                const bool in_place = i.a == i.b;
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
                if (is_true(r[i.a])) pc += i.wide();
                break;
            case Op::JumpIfFalse:
                if (!is_true(r[i.a])) pc += i.wide();
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
                auto function = make<Function>(runtime_.heap(), runtime_.core().function_type, proto);
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
                globals[i.b].declared =
                    Value(make<Function>(runtime_.heap(), runtime_.core().function_type, *frame->proto->lambdas[i.a]));
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
                frame->pc = pc;
                auto result = get_field(r[i.b], frame->proto->sites[i.c].name);
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::SetField: {
                frame->pc = pc;
                const Name name = frame->proto->sites[i.c].name;
                const Value object = r[i.a];
                if (!object.is_object()) {
                    error = field_not_found(runtime_.type_of(object), name);
                    goto failed;
                }
                NYASH_CHECK(object.as_object().set_field(*this, name, rk(i.b)))
                break;
            }
            case Op::GetIndex: {
                frame->pc = pc;
                auto result = get_index(r[i.b], rk(i.c));
                NYASH_CHECK(result)
                r[i.a] = std::move(*result);
                break;
            }
            case Op::SetIndex: {
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
                const std::size_t depth = frames_.size();
                NYASH_CHECK(call_value(r + i.b, i.n, &frame->proto->sites[i.c], r + i.a))
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
                    const Value self = *window;
                    auto result = call_native(*static_cast<const NativeFunction*>(site.cached), self, {window + 1, i.n},
                                              site.labels);
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
            case Op::Print:
                frame->pc = pc;
                NYASH_CHECK(print({r + i.a, i.n}))
                break;
            case Op::Return: {
                Value value = rk(i.a);
                Value* result = frame->result;
                pop_frame();
                if (frames_.size() == stop_depth) return value;
                *result = std::move(value);
                load_frame();
                break;
            }
        }
        continue;

    failed:
        frame->pc = pc;
        trace(error, stop_depth);
        unwind(stop_depth);
        return std::unexpected(std::move(error));
    }
}

#undef NYASH_CHECK
#undef NYASH_STEP
#undef NYASH_ARITHMETIC
#undef NYASH_COMPARE

// ---- fields and elements ----

Result Vm::get_field(const Value& object, Name name) {
    const Value held = object;
    if (held.is_object()) return held.as_object().get_field(*this, name);
    return get_property(held, name);
}

Result Vm::get_property(const Value& object, Name name) {
    const BoxType& type = runtime_.type_of(object);
    if (const auto* getter = type.find_property(name)) return call_native(*getter, object, {}, {});
    return std::unexpected(field_not_found(type, name));
}

Result Vm::get_index(const Value& object, const Value& index) {
    const Value held = object;
    if (held.is_object()) return held.as_object().get_index(*this, index);
    return fail(error_kind::kType, type_name(held) + " has no elements to index");
}

bool Object::is_true() const noexcept {
    return true;
}

Result Object::get_field(Vm& vm, Name name) {
    return vm.get_property(Value(this), name);
}

Done Object::set_field(Vm& vm, Name name, const Value&) {
    if (type().find_property(name)) {
        return fail(error_kind::kOperation, "Field '" + name->text() + "' of " + type().name() + " cannot be changed");
    }
    return std::unexpected(vm.field_not_found(type(), name));
}

Result Object::get_index(Vm&, const Value&) {
    return fail(error_kind::kType, type().name() + " has no elements to index");
}

Done Object::set_index(Vm&, const Value&, const Value&) {
    return fail(error_kind::kType, "Cannot assign to an element of " + type().name());
}

Value Object::callable_field(Name) const {
    return {};
}

}  // namespace nyash
