#include "nyash/boxes/namespaces.h"

#include <array>
#include <string>

#include "nyash/boxes/helper_box.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

// `new BOX(…)` as a function.
Result construct(NativeCall& call, std::string_view box) {
    return call.runtime.types().named(box).constructor()->code(call);
}

Result create_string(NativeCall& call) {
    return construct(call, "StringBox");
}

Result create_integer(NativeCall& call) {
    return construct(call, "IntegerBox");
}

Result create_bool(NativeCall& call) {
    return construct(call, "BoolBox");
}

Result create_array(NativeCall& call) {
    auto array = call.runtime.array();
    array->items.assign(call.arguments.begin(), call.arguments.end());
    return Value(array);
}

// A method of another box as a function: its first argument is what it is called on.
Result upper(NativeCall& call) {
    const Value text(NYA_TRY(call.string(0)));
    return call.vm.invoke(text, call.runtime.names().intern("toUpper"), {});
}

Result log(NativeCall& call) {
    const Method method = call.runtime.types().named("ConsoleBox").find_method(call.runtime.names().intern("log"));
    return method.native->code(call);
}

constexpr auto kNames = std::to_array<std::string_view>({"string", "integer", "bool", "array", "console"});

// The box type behind a name.
std::string type_of(std::string_view name) {
    return "nyashstd." + std::string(name);
}

}  // namespace

void add_namespaces(Runtime& runtime) {
    auto& names = runtime.names();
    auto& types = runtime.types();
    types.add(type_of("string")).method(names, "create", "value?", create_string).method(names, "upper", "text", upper);
    types.add(type_of("integer")).method(names, "create", "value", create_integer);
    types.add(type_of("bool")).method(names, "create", "value", create_bool);
    types.add(type_of("array")).method(names, "create", "values...", create_array);
    types.add(type_of("console")).method(names, "log", "values...", log);
    runtime.on_using(enable_namespace);
}

std::expected<void, ScriptError> enable_namespace(Runtime& runtime, std::string_view name) {
    if (name != "nyashstd") {
        constexpr std::array<std::string_view, 1> kKnown = {"nyashstd"};
        std::string help = did_you_mean(name, kKnown);
        if (help.empty()) help = "the only namespace is nyashstd";
        return fail(error_kind::kUndefined, "Unknown namespace '" + std::string(name) + "'", std::move(help));
    }
    for (const auto each : kNames) {
        auto& slot = runtime.globals()[runtime.globals().index(runtime.names().intern(each))];
        if (slot.declared.is_undefined()) slot.declared = Value(make<HelperBox>(runtime.types().named(type_of(each))));
    }
    return {};
}

}  // namespace nyash
