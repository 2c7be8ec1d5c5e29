// RangeBox: the Integers from a up to before b, or down, in steps. Nothing is stored but the three numbers.
#include <string>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

class RangeBox final : public Object {
public:
    RangeBox(const BoxType& type, std::int64_t first, std::int64_t end, std::int64_t step, std::int64_t length)
        : Object(type), first_(first), end_(end), step_(step), length_(length) {}

    std::int64_t length() const noexcept { return length_; }
    // The number at a place from 0 to length() - 1. Unsigned, because a product on the way may be too large.
    std::int64_t at(std::int64_t i) const noexcept {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(first_) +
                                         static_cast<std::uint64_t>(step_) * static_cast<std::uint64_t>(i));
    }
    bool contains(std::int64_t n) const noexcept {
        const bool is_between = step_ > 0 ? n >= first_ && n < end_ : n <= first_ && n > end_;
        if (!is_between) return false;
        const auto distance = static_cast<std::uint64_t>(n) - static_cast<std::uint64_t>(first_);
        return step_ > 0 ? distance % static_cast<std::uint64_t>(step_) == 0
                         : (0 - distance) % (0 - static_cast<std::uint64_t>(step_)) == 0;
    }

    Result get_index(Vm& vm, const Value& index) override {
        if (!index.is_integer())
            return fail(error_kind::kType, "A RangeBox index is an Integer, not " + vm.type_name(index));
        const std::int64_t i = index.as_integer();
        return i >= 0 && i < length_ ? Value::integer(at(i)) : Value::null();
    }
    void write(TextWriter& out) const override {
        out.text("RangeBox(" + std::to_string(first_) + ", " + std::to_string(end_) +
                 (step_ == 1 ? "" : ", " + std::to_string(step_)) + ")");
    }

private:
    std::int64_t first_;
    std::int64_t end_;
    std::int64_t step_;
    std::int64_t length_;
};

RangeBox& self(NativeCall& call) {
    return call.object<RangeBox>();
}

Result make_range(NativeCall& call) {
    const std::int64_t first = NYA_TRY(call.integer(0));
    const std::int64_t end = NYA_TRY(call.integer(1));
    const std::int64_t step = call.has(2) ? NYA_TRY(call.integer(2)) : 1;
    if (step == 0) return fail(error_kind::kOperation, "The step of a RangeBox is not 0");
    std::uint64_t length = 0;
    if (step > 0 ? first < end : first > end) {
        const auto from = static_cast<std::uint64_t>(first);
        const auto to = static_cast<std::uint64_t>(end);
        const std::uint64_t distance = step > 0 ? to - from : from - to;
        const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
        length = (distance - 1) / stride + 1;
    }
    if (length > static_cast<std::uint64_t>(INT64_MAX))
        return fail(error_kind::kLimit, "The RangeBox is longer than an Integer can say");
    return Value(
        make<RangeBox>(call.runtime.types().named("RangeBox"), first, end, step, static_cast<std::int64_t>(length)));
}

Result to_array(NativeCall& call) {
    const std::int64_t length = self(call).length();
    if (length > static_cast<std::int64_t>(kMaxElements))
        return fail(error_kind::kLimit, "The range is too long for an array (100,000,000 elements)");
    auto array = call.runtime.array();
    array->items.reserve(static_cast<std::size_t>(length));
    for (std::int64_t i = 0; i < length; ++i) array->items.push_back(Value::integer(self(call).at(i)));
    return Value(array);
}

Result for_each(NativeCall& call) {
    const Value function = NYA_TRY(call.callable(0));
    for (std::int64_t i = 0; i < self(call).length(); ++i) {
        const Value argument = Value::integer(self(call).at(i));
        NYA_TRY(call.vm.call(function, {&argument, 1}));
    }
    return call.self;
}

Result length(NativeCall& call) {
    return Value::integer(self(call).length());
}

Result contains(NativeCall& call) {
    return Value::boolean(call[0].is_integer() && self(call).contains(call[0].as_integer()));
}

Result get(NativeCall& call) {
    return self(call).get_index(call.vm, Value::integer(NYA_TRY(call.integer(0))));
}

}  // namespace

void add_range_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("RangeBox")
        .constructor(names, "start end step?", make_range)
        .method(names, "toArray", "", to_array)
        .method(names, "forEach", "function", for_each)
        .method(names, "length size", "", length)
        .method(names, "contains", "n", contains)
        .method(names, "get", "index", get);
}

}  // namespace nyash
