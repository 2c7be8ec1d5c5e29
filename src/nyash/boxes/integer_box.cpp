// IntegerBox: 64-bit integers. Arithmetic wraps around, like the operators.
#include <cmath>
#include <limits>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/numbers.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Result make_integer(NativeCall& call) {
    const Value& from = call[0];
    if (from.is_integer()) return from;
    if (from.is_bool()) return Value::integer(from.as_integer());
    if (from.is_float()) return to_integer(from.as_float(), Rounding::Truncate);
    if (!from.is_string()) return std::unexpected(call.wrong_type(0, "a number or a String"));
    if (const auto parsed = parse_integer(from.as_string().text())) return Value::integer(*parsed);
    return fail(error_kind::kType, "\"" + from.as_string().text() + "\" is not an Integer");
}

Result abs(NativeCall& call) {
    const std::int64_t i = call.self.as_integer();
    return Value::integer(i < 0 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(i)) : i);
}

// The larger or smaller of self and a number, whichever kind that is.
Result choose(NativeCall& call, Comparison wins) {
    if (!call[0].is_number()) return std::unexpected(call.wrong_type(0, "a number"));
    return NYA_TRY(call.vm.compare(wins, call[0], call.self)) ? call[0] : call.self;
}

Result max(NativeCall& call) {
    return choose(call, Comparison::Greater);
}

Result min(NativeCall& call) {
    return choose(call, Comparison::Less);
}

Result pow(NativeCall& call) {
    return Value::number(std::pow(call.self.as_number(), NYA_TRY(call.number(0))));
}

Result to_float(NativeCall& call) {
    return Value::number(call.self.as_number());
}

Result itself(NativeCall& call) {
    return call.self;
}

}  // namespace

void add_integer_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .integer_type.constructor(names, "value", make_integer)
        .method(names, "abs", "", abs)
        .method(names, "max", "other", max)
        .method(names, "min", "other", min)
        .method(names, "pow", "exponent", pow)
        .method(names, "toFloat", "", to_float)
        .method(names, "toInteger floor ceil round", "", itself)
        .property(names, "value", itself);
}

}  // namespace nyash
