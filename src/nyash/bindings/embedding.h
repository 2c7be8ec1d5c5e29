// What stands between ScriptValues and the interpreter's own Values: conversions, the C++ functions and
// boxes scripts can use, and the references C++ holds on script objects.
//
// A reference (Handle) keeps its object alive, so it has to let go before the heap is emptied: the runtime
// knows all handles and clears them first.
#pragma once

#include <string>
#include <typeindex>
#include <unordered_map>
#include <unordered_set>

#include <nyash/box_builder.h>
#include <nyash/outcome.h>
#include <nyash/script_value.h>

#include "nyash/runtime/runtime.h"

namespace nyash {

class Handle;

class EmbeddedRuntime : public Runtime {
public:
    explicit EmbeddedRuntime(Options options) : Runtime(std::move(options)) {}
    ~EmbeddedRuntime();

    ScriptValue to_cpp(const Value& value);
    Value from_cpp(const ScriptValue& value);

    Outcome outcome_of(const ScriptError& error);
    std::expected<ScriptValue, Outcome> call(const Value& function, std::span<const ScriptValue> arguments);
    std::expected<ScriptValue, Outcome> invoke(const Value& object, std::string_view method,
                                               std::span<const ScriptValue> arguments);

    void define_code(std::string_view name, const std::string& parameters, detail::NativeCode code);
    std::unique_ptr<detail::BoxTable> add_box(std::string_view name, const std::type_info& type);

private:
    friend class Handle;
    class Table;
    // Of one native function: what it runs in C++.
    struct Code {
        detail::NativeCode code;
        detail::NativeMaker make;
        const BoxType* type = nullptr;  // of the box whose function this is
        std::type_index cpp_type = typeid(void);
    };
    static Result run_function(NativeCall& call);
    static Result run_method(NativeCall& call);
    static Result run_constructor(NativeCall& call);
    const Code& code_of(const NativeCall& call) const;
    std::vector<ScriptValue> arguments_of(const NativeCall& call);
    std::vector<Value> values_of(std::span<const ScriptValue> arguments);

    std::unordered_map<const NativeFunction*, Code> codes_;
    std::unordered_set<Handle*> handles_;
};

}  // namespace nyash
