// MathBox: functions of numbers.
#include <cmath>
#include <numbers>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/helper_box.h"
#include "nyash/boxes/numbers.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

template <double (*function)(double)>
Result apply(NativeCall& call) {
    return Value::number(function(NYA_TRY(call.number(0))));
}

template <Rounding rounding>
Result rounded(NativeCall& call) {
    if (call[0].is_integer()) return call[0];
    return to_integer(NYA_TRY(call.number(0)), rounding);
}

// An Integer stays one.
Result abs(NativeCall& call) {
    if (!call[0].is_integer()) return Value::number(std::fabs(NYA_TRY(call.number(0))));
    const std::int64_t i = call[0].as_integer();
    return Value::integer(i < 0 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(i)) : i);
}

Result max(NativeCall& call) {
    const double a = NYA_TRY(call.number(0));
    const double b = NYA_TRY(call.number(1));
    if (call[0].is_integer() && call[1].is_integer())
        return call[0].as_integer() >= call[1].as_integer() ? call[0] : call[1];
    return a >= b ? call[0] : call[1];
}

Result min(NativeCall& call) {
    const double a = NYA_TRY(call.number(0));
    const double b = NYA_TRY(call.number(1));
    if (call[0].is_integer() && call[1].is_integer())
        return call[0].as_integer() <= call[1].as_integer() ? call[0] : call[1];
    return a <= b ? call[0] : call[1];
}

Result pow(NativeCall& call) {
    const double base = NYA_TRY(call.number(0));
    return Value::number(std::pow(base, NYA_TRY(call.number(1))));
}

Result pi(NativeCall&) {
    return Value::number(std::numbers::pi);
}

Result e(NativeCall&) {
    return Value::number(std::numbers::e);
}

Result random(NativeCall& call) {
    return Value::number(random_fraction(call.runtime.random()));
}

}  // namespace

void add_math_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("MathBox")
        .constructor(names, "", make_helper)
        .method(names, "abs", "x", abs)
        .method(names, "max", "a b", max)
        .method(names, "min", "a b", min)
        .method(names, "pow", "base exponent", pow)
        .method(names, "sqrt", "x", apply<std::sqrt>)
        .method(names, "sin", "x", apply<std::sin>)
        .method(names, "cos", "x", apply<std::cos>)
        .method(names, "tan", "x", apply<std::tan>)
        .method(names, "log", "x", apply<std::log>)
        .method(names, "log10", "x", apply<std::log10>)
        .method(names, "exp", "x", apply<std::exp>)
        .method(names, "floor", "x", rounded<Rounding::Floor>)
        .method(names, "ceil", "x", rounded<Rounding::Ceil>)
        .method(names, "round", "x", rounded<Rounding::Nearest>)
        .method(names, "getPi", "", pi)
        .method(names, "getE", "", e)
        .method(names, "random", "", random);
}

}  // namespace nyash
