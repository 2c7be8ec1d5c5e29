// FloatBox: double-precision numbers.
#include <cmath>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/numbers.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result make_float(NativeCall& call) {
    const Value& from = call[0];
    if (from.is_number()) return Value::number(from.as_number());
    if (from.is_bool()) return Value::number(static_cast<double>(from.as_integer()));
    if (!from.is_string()) return std::unexpected(call.wrong_type(0, "a number or a String"));
    if (const auto parsed = parse_number(from.as_string().text())) return Value::number(*parsed);
    return fail(error_kind::kType, "\"" + from.as_string().text() + "\" is not a Float");
}

// A method that is a function of the double itself.
template <double (*function)(double)>
Result apply(NativeCall& call) {
    return Value::number(function(call.self.as_float()));
}

template <Rounding rounding>
Result rounded(NativeCall& call) {
    return to_integer(call.self.as_float(), rounding);
}

Result max(NativeCall& call) {
    return call.self.as_float() >= NYA_TRY(call.number(0)) ? call.self : call[0];
}

Result min(NativeCall& call) {
    return call.self.as_float() <= NYA_TRY(call.number(0)) ? call.self : call[0];
}

Result pow(NativeCall& call) {
    return Value::number(std::pow(call.self.as_float(), NYA_TRY(call.number(0))));
}

Result is_nan(NativeCall& call) {
    return Value::boolean(std::isnan(call.self.as_float()));
}

Result is_infinite(NativeCall& call) {
    return Value::boolean(std::isinf(call.self.as_float()));
}

Result itself(NativeCall& call) {
    return call.self;
}

}  // namespace

void add_float_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .float_type.constructor(names, "value", make_float)
        .method(names, "abs", "", apply<std::fabs>)
        .method(names, "sqrt", "", apply<std::sqrt>)
        .method(names, "sin", "", apply<std::sin>)
        .method(names, "cos", "", apply<std::cos>)
        .method(names, "tan", "", apply<std::tan>)
        .method(names, "log", "", apply<std::log>)
        .method(names, "log10", "", apply<std::log10>)
        .method(names, "exp", "", apply<std::exp>)
        .method(names, "max", "other", max)
        .method(names, "min", "other", min)
        .method(names, "pow", "exponent", pow)
        .method(names, "toInteger", "", rounded<Rounding::Truncate>)
        .method(names, "floor", "", rounded<Rounding::Floor>)
        .method(names, "ceil", "", rounded<Rounding::Ceil>)
        .method(names, "round", "", rounded<Rounding::Nearest>)
        .method(names, "toFloat", "", itself)
        .method(names, "isNaN", "", is_nan)
        .method(names, "isInfinite", "", is_infinite)
        .property(names, "value", itself);
}

}  // namespace nyash
