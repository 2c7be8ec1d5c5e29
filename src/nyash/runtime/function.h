// Function: code that a script can call, and what it remembers of where it was written.
//
// The compiler turns each function into a Proto, once. Running a `function(…) {…}` expression makes a
// Function: the Proto plus the variables it captured. A captured variable lives in a Cell, shared by
// everybody who uses it; all other variables live in registers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nyash/runtime/box_type.h"
#include "nyash/runtime/bytecode.h"
#include "nyash/runtime/object.h"
#include "nyash/runtime/value.h"

namespace nyash {

class ScriptBox;

class Cell final : public Container {
public:
    Cell(Heap& heap, const BoxType& type, Value initial) : Container(heap, type), value(std::move(initial)) {}
    Value value;
    void clear() noexcept override { value = Value::null(); }
};

class Function final : public Container {
public:
    Function(Heap& heap, const BoxType& type, const Proto& p, ScriptBox* h = nullptr)
        : Container(heap, type), proto(p), home(h) {}

    const Proto& proto;
    ScriptBox* const home;  // the box in whose body it is written; null: none
    std::vector<Ref<Cell>> captures;

    void write(TextWriter& out) const override;
    void clear() noexcept override { captures.clear(); }
};

// A native function as a value: the global functions such as isType.
class NativeFunctionBox final : public Object {
public:
    NativeFunctionBox(const BoxType& type, const NativeFunction& f) : Object(type), function(f) {}
    const NativeFunction& function;
    void write(TextWriter& out) const override;
};

// A method with its object: `new MethodBox(instance, "name")`.
class BoundMethod final : public Container {
public:
    BoundMethod(Heap& heap, const BoxType& type, Value r, Name n)
        : Container(heap, type), receiver(std::move(r)), name(const_cast<String*>(n)) {}
    Value receiver;
    Ref<String> name;
    void write(TextWriter& out) const override;
    void clear() noexcept override { receiver = Value::null(); }
};

}  // namespace nyash
