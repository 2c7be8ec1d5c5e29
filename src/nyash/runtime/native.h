// NativeCall: how a built-in method sees its call.
//
//     Result substring(NativeCall& call) {
//         const String& self = call.self.as_string();
//         const auto start = NYA_TRY(call.integer(0));
//         ...
//     }
//
// The count of arguments has been checked against the signature, and named arguments are in their
// places; an optional argument that was left out is absent.
#pragma once

#include <span>

#include <nya/expected.h>

#include "nyash/runtime/runtime.h"

namespace nyash {

class NativeCall {
public:
    NativeCall(Vm& v, const NativeFunction& f, const Value& s, std::span<Value> a)
        : vm(v), runtime(v.runtime()), function(f), self(s), arguments(a) {}

    Vm& vm;
    Runtime& runtime;
    const NativeFunction& function;
    const Value& self;
    std::span<Value> arguments;

    bool has(std::size_t i) const { return i < arguments.size() && !arguments[i].is_undefined(); }
    const Value& operator[](std::size_t i) const { return arguments[i]; }

    // The object whose method this is. Types are per class, so the cast is known to be right.
    template <class T>
    T& object() const {
        return static_cast<T&>(self.as_object());
    }

    // Argument i as a T, or null when it is none. An instance whose box is made `from` that built-in box counts
    // as one: always use this, not arguments[i].as<T>().
    template <class T>
    T* as(std::size_t i) const {
        if (auto* found = arguments[i].as<T>()) return found;
        const auto* instance = arguments[i].as<Instance>();
        return instance ? instance->part_as<T>() : nullptr;
    }

    // Argument i as the kind named, or TypeError.
    std::expected<std::int64_t, ScriptError> integer(std::size_t i) const;
    std::expected<double, ScriptError> number(std::size_t i) const;  // Integer or Float
    std::expected<const String*, ScriptError> string(std::size_t i) const;
    std::expected<Array*, ScriptError> array(std::size_t i) const;
    std::expected<Value, ScriptError> callable(std::size_t i) const;
    ScriptError wrong_type(std::size_t i, std::string_view wanted) const;

    // Argument i, or the plain value that an instance stands for.
    const Value& plain(std::size_t i) const;

    Result text(std::string text) const { return vm.make_string(std::move(text)); }
};

}  // namespace nyash
