// Array: what `[1, 2]` and `new ArrayBox()` make. Its methods are in boxes/array_box.cpp.
#pragma once

#include <vector>

#include "nyash/runtime/object.h"
#include "nyash/runtime/value.h"

namespace nyash {

inline constexpr std::size_t kMaxElements = 100'000'000;  // of an array or a map

class Array final : public Container {
public:
    Array(Heap& heap, const BoxType& type) : Container(heap, type) {}

    std::vector<Value> items;

    void write(TextWriter& out) const override;
    // A place outside the array reads as null; writing may append but leave no hole.
    Result get_index(Vm& vm, const Value& index) override;
    Done set_index(Vm& vm, const Value& index, const Value& value) override;
    Done set(std::int64_t index, const Value& value);
    Done push(Value value);  // LimitExceeded when the array is full
    void clear() noexcept override;
};

}  // namespace nyash
