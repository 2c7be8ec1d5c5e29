// The errors the VM raises by itself, worded for the person who reads them.
#include "nyash/runtime/runtime.h"
#include "nyash/runtime/vm.h"

namespace nyash {

ScriptError Vm::wrong_count(std::string_view function, std::string expected, std::size_t got) {
    return {error_kind::kArguments,
            "Function " + std::string(function) + " expects " + expected + ", got " + std::to_string(got)};
}

ScriptError Vm::wrong_count(const Proto& proto, std::size_t got) {
    const std::string count = std::to_string(proto.parameters) + (proto.parameters == 1 ? " argument" : " arguments");
    if (proto.role == Proto::Role::Constructor) {
        return {error_kind::kArguments, "new " + proto.name.substr(0, proto.name.find('.')) + " expects " + count +
                                            ", got " + std::to_string(got)};
    }
    return wrong_count(proto.name.empty() ? "(lambda)" : proto.name, count, got);
}

ScriptError Vm::labels_refused() const {
    return {error_kind::kArguments, "Named arguments are only for built-in boxes", "pass them by position"};
}

ScriptError Vm::stack_overflow() const {
    return {error_kind::kOverflow, "Stack overflow",
            "calls may be nested " + std::to_string(runtime_.limits().max_call_depth) + " deep"};
}

ScriptError Vm::undefined_variable(Name name, const Proto& proto) const {
    std::vector<std::string_view> candidates = runtime_.globals().defined_names();
    candidates.insert(candidates.end(), proto.variables.begin(), proto.variables.end());
    std::string help = did_you_mean(name->text(), candidates);
    const std::string& text = name->text();
    if (runtime_.types().find(name)) help = "'" + text + "' is a box: make one with  new " + text + "(…)";
    if (text == "fn" || text == "function") help = "a function is declared with  function name(…) { … }";
    return {error_kind::kUndefined, "Undefined variable '" + text + "'", std::move(help)};
}

ScriptError Vm::method_not_found(const BoxType& type, Name name) const {
    const std::string& text = name->text();
    std::string help = did_you_mean(text, type.method_names());
    const bool is_field = type.is_script() && static_cast<const ScriptBox&>(type).find_slot(name) != ScriptBox::kNoSlot;
    if (is_field || type.find_property(name)) help = "'" + text + "' is a field: leave out the parentheses";
    if (is_constructor_name(name, type)) help = "a constructor runs by itself:  new " + type.name() + "(…)";
    return {error_kind::kUndefined, "Method '" + text + "' not found in " + type.name(), std::move(help)};
}

ScriptError Vm::field_not_found(const BoxType& type, Name name) const {
    auto candidates = type.property_names();
    const ScriptBox* box = type.is_script() ? static_cast<const ScriptBox*>(&type) : nullptr;
    if (box) {
        const auto fields = box->field_names();
        candidates.insert(candidates.end(), fields.begin(), fields.end());
    }
    std::string help = did_you_mean(name->text(), candidates);
    const NativeFunction* native = nullptr;
    if (type.find_method(name) || (box && box->find_part_with_method(name, native)))
        help = "'" + name->text() + "' is a method: write " + name->text() + "(…)";
    return {error_kind::kUndefined, "Field '" + name->text() + "' not found in " + type.name(), std::move(help)};
}

ScriptError Vm::finalized(const BoxType& type) const {
    return {error_kind::kFinalized, "Instance of " + type.name() + " was finalized",
            "after fini() only fini, toString and type may be called"};
}

// Such an error was found while the script ran, but is none that a script may catch.
ScriptError Vm::declaration_error(const Source& source, const Diagnostic& diagnostic) const {
    ScriptError error(error_kind::kDeclaration, diagnostic.message, diagnostic.help);
    error->is_fatal = true;
    error->report = render(source, diagnostic);
    return error;
}

}  // namespace nyash
