// ResultBox: Ok(value) or Err(error). True when Ok.
#pragma once

#include "nyash/runtime/runtime.h"

namespace nyash {

class ResultBox final : public Container {
public:
    ResultBox(Heap& heap, const BoxType& type, bool ok, Value v)
        : Container(heap, type), is_ok(ok), value(std::move(v)) {}

    bool is_ok;
    Value value;  // the error when not ok

    void write(TextWriter& out) const override;
    bool is_true() const noexcept override { return is_ok; }
    void clear() noexcept override { value = Value::null(); }
};

Value make_ok(Runtime& runtime, Value value);
Value make_err(Runtime& runtime, Value error);

}  // namespace nyash
