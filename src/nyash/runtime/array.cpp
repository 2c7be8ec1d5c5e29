#include "nyash/runtime/array.h"

#include <utility>

#include "nyash/runtime/vm.h"

namespace nyash {

Result Array::get_index(Vm& vm, const Value& index) {
    if (!index.is_integer())
        return fail(error_kind::kType, "An ArrayBox index is an Integer, not " + vm.type_name(index));
    const std::int64_t i = index.as_integer();
    if (i < 0 || static_cast<std::uint64_t>(i) >= items.size()) return Value::null();
    return items[static_cast<std::size_t>(i)];
}

Done Array::set_index(Vm& vm, const Value& index, const Value& value) {
    if (!index.is_integer())
        return fail(error_kind::kType, "An ArrayBox index is an Integer, not " + vm.type_name(index));
    return set(index.as_integer(), value);
}

Done Array::set(std::int64_t index, const Value& value) {
    if (index < 0 || static_cast<std::uint64_t>(index) > items.size()) {
        return fail(error_kind::kOperation,
                    "Index " + std::to_string(index) + " is outside the array of " + std::to_string(items.size()),
                    "an array grows by push, or by assigning at index " + std::to_string(items.size()));
    }
    if (static_cast<std::size_t>(index) < items.size()) {
        items[static_cast<std::size_t>(index)] = value;
        return {};
    }
    return push(value);
}

Done Array::push(Value value) {
    if (items.size() >= kMaxElements) return fail(error_kind::kLimit, "The array is full (100,000,000 elements)");
    items.push_back(std::move(value));
    return {};
}

void Array::clear() noexcept {
    const auto old = std::move(items);  // freed after the array is empty: that may run code
    items.clear();
}

}  // namespace nyash
