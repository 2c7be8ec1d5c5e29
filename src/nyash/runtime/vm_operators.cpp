// What the operators do (LANGUAGE, 3.1). The VM's loop does two Integers or two Floats by itself and
// comes here for everything else.
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include <nya/expected.h>

#include "nyash/runtime/runtime.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/runtime/vm.h"
#include "nyash/runtime/wrapping.h"

namespace nyash {
namespace {

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

std::string help_for_operands(const Value& a, const Value& b) {
    if ((a.is_string() && b.is_number()) || (a.is_number() && b.is_string()))
        return "turn the text into a number with toInteger() or toFloat()";
    if (a.is_null() || b.is_null()) return "one side is null: nothing was assigned, found or returned";
    if (a.is_void() || b.is_void()) return "one side is void: the call before it returned nothing";
    return {};
}

// `==`, with the pairs of arrays it is inside of: a pair met again (a cycle, or the same pair on
// another way) is taken as equal, which is right if nothing else differs.
class Equality {
public:
    bool operator()(const Value& a, const Value& b) {
        using Tag = Value::Tag;
        if (a.tag() != b.tag()) {
            if (a.is_object() || b.is_object()) return plain(a, b);
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

    // An instance that stands for a plain value, against a plain value.
    bool plain(const Value& a, const Value& b) {
        const auto* instance = a.is_object() ? a.as<Instance>() : b.as<Instance>();
        if (!instance) return false;
        const Value part = instance->plain_part();
        return !part.is_undefined() && (*this)(part, a.is_object() ? b : a);
    }

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
    if (a.is_integer() && b.is_integer()) return a.as_integer() == b.as_integer();
    if (a.is_string() && b.is_string()) return a.as_string().equals(b.as_string());
    if (a.is_absent() || b.is_absent()) return a.is_absent() && b.is_absent();
    return Equality()(a, b);
}

std::expected<std::string, ScriptError> Vm::to_text(const Value& value) {
    const Value held = value;  // a script's toString may empty whatever it came from
    TextWriter writer(*this);
    writer.value(held);
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
    if (const auto* instance = operand.as<Instance>()) {
        if (const Value part = instance->plain_part(); !part.is_undefined()) return negate(part);
    }
    if (operand.is_integer()) return Value::integer(wrap(0 - bits(operand.as_integer())));
    if (operand.is_float()) return Value::number(-operand.as_float());
    return fail(error_kind::kType, "Cannot negate " + type_name(operand));
}

// `text = text + more`, where text is a global, a captured variable or a field: the next instruction will replace what
// holds the old text, so that may let go of it now, and the text grows in place. Without this, building a text of
// n pieces copies n times. Nothing may come between: `right` is plain, and the result is known to fit.
bool Vm::let_go(const Frame& frame, const Instruction& next, std::uint16_t result, const Value& left,
                const Value& right) {
    if (!left.is_string() || left.as_string().use_count() != 2 || !(right.is_string() || right.is_number()))
        return false;
    constexpr std::size_t kLongestNumber = 400;
    const std::size_t more = right.is_string() ? right.as_string().text().size() : kLongestNumber;
    if (left.as_string().text().size() + more > runtime_.limits().max_text_bytes) return false;

    Value* const r = frame.base;
    Value* holder = nullptr;
    switch (next.op) {
        case Op::SetGlobal:
        case Op::SetExistingGlobal:
            if (next.a == result) holder = &runtime_.globals()[next.b].variable;
            break;
        case Op::SetCell:
        case Op::SetCreatedCell:
            if (next.a == result) holder = &static_cast<Cell&>(r[next.b].as_object()).value;
            break;
        case Op::SetCapture:
        case Op::SetCreatedCapture:
            if (next.a == result) holder = &frame.function->captures[next.b]->value;
            break;
        case Op::SetCreated:
            if (next.a == result) holder = &r[next.b];
            break;
        case Op::SetField: {
            const CallSite& site = frame.proto->sites[next.c];
            auto* instance = r[next.a].as<Instance>();
            if (next.b == result && instance && &instance->type() == site.cached_type &&
                site.slot < instance->capacity())
                holder = instance->fields() + site.slot;
            break;
        }
        default:
            break;
    }
    // A created variable may turn out to be a global.
    const bool is_created =
        next.op == Op::SetCreated || next.op == Op::SetCreatedCell || next.op == Op::SetCreatedCapture;
    if (holder && is_created && holder->is_undefined()) holder = &runtime_.globals()[next.c].variable;
    if (!holder || !holder->is_string() || &holder->as_string() != &left.as_string()) return false;
    *holder = Value::null();  // not Undefined: the variable goes on existing
    return true;
}

// The general case of + - * / %; the VM's loop does two Integers by itself. With may_reuse_left the
// result replaces left, so a string nobody else sees may grow in place.
Result Vm::arithmetic(Op op, Value& left, const Value& right, bool may_reuse_left) {
    // An instance made from String, Integer, Float or Bool is its inner value here.
    if (left.is_object() || right.is_object()) {
        const auto inner = [](const Value& v) {
            const auto* instance = v.as<Instance>();
            return instance ? instance->plain_part() : Value();
        };
        Value plain_left = inner(left);
        Value plain_right = inner(right);
        if (!plain_left.is_undefined() || !plain_right.is_undefined()) {
            if (plain_left.is_undefined()) plain_left = left;
            return arithmetic(op, plain_left, plain_right.is_undefined() ? right : plain_right, false);
        }
    }
    const auto number_of = [](const Value& v, bool& is_number) {
        if (v.is_bool()) return static_cast<double>(v.as_integer());
        is_number = is_number && v.is_number();
        return v.is_number() ? v.as_number() : 0.0;
    };
    if (op == Op::Add && (left.is_string() || right.is_string())) {
        // The text of an operand: a view of a String, digits written here, or what the object says.
        struct Operand {
            std::array<char, 24> digits;
            std::string made;
            std::string_view text;
        };
        const auto read = [&](const Value& value, Operand& operand) -> Done {
            if (value.is_string()) {
                operand.text = value.as_string().text();
            } else if (value.is_integer()) {
                auto& digits = operand.digits;
                operand.text = {digits.data(), std::to_chars(digits.begin(), digits.end(), value.as_integer()).ptr};
            } else {
                operand.made = NYA_TRY(to_text(value));
                operand.text = operand.made;
            }
            return {};
        };
        const std::size_t limit = runtime_.limits().max_text_bytes;
        Operand more;
        NYA_TRY(read(right, more));
        if (left.is_string() && may_reuse_left && left.as_string().use_count() == 1 &&
            !left.as_string().is_interned()) {
            auto& text = const_cast<String&>(left.as_string());
            if (text.text().size() + more.text.size() > limit) return std::unexpected(text_too_long());
            text.append(more.text);
            return std::move(left);
        }
        Operand first;
        NYA_TRY(read(left, first));
        const std::size_t size = first.text.size() + more.text.size();
        if (size > limit) return std::unexpected(text_too_long());
        std::string joined;
        // A text put together from more than two pieces grows again at once: room for that spares a second copy.
        joined.reserve(size + (size >= 64 ? size / 8 : 0));
        joined += first.text;
        joined += more.text;
        return Value(runtime_.string(std::move(joined)));
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
                "Cannot apply '" + std::string(symbol) + "' to " + type_name(left) + " and " + type_name(right),
                help_for_operands(left, right));
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
    if (a.is_object() || b.is_object()) {
        const auto* left = a.as<Instance>();
        const auto* right = b.as<Instance>();
        const Value plain_left = left ? left->plain_part() : Value();
        const Value plain_right = right ? right->plain_part() : Value();
        if (!plain_left.is_undefined() || !plain_right.is_undefined())
            return compare(how, plain_left.is_undefined() ? a : plain_left,
                           plain_right.is_undefined() ? b : plain_right);
    }
    return fail(
        error_kind::kType,
        "Cannot compare " + type_name(a) + " and " + type_name(b) + " with '" + std::string(spelling(how)) + "'",
        help_for_operands(a, b));
}

}  // namespace nyash
