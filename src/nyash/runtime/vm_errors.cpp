// The errors the VM raises by itself, worded for the person who reads them.
#include "nyash/runtime/native.h"
#include "nyash/runtime/runtime.h"
#include "nyash/runtime/vm.h"
#include "nyash/syntax/foreign_words.h"

namespace nyash {

ScriptError Vm::wrong_count(std::string_view function, std::string expected, std::size_t got) {
    return {error_kind::kArguments,
            "Function " + std::string(function) + " expects " + expected + ", got " + std::to_string(got)};
}

ScriptError Vm::wrong_count(const Proto& proto, std::size_t got) {
    const std::string count = std::to_string(proto.parameters) + (proto.parameters == 1 ? " argument" : " arguments");
    // Its parameters are the first variables of a function.
    std::string head = proto.name.empty() ? "function" : proto.name.substr(proto.name.rfind('.') + 1);
    head += "(";
    for (std::size_t i = 0; i < proto.parameters; ++i) head += (i > 0 ? ", " : "") + proto.variables[i];
    const Position at = proto.source->position(proto.head.offset);
    std::string help = "it is declared as  " + head + ")  at " + proto.source->name() + ":" + std::to_string(at.line) +
                       ":" + std::to_string(at.column);
    ScriptError error = wrong_count(proto.name.empty() ? "(lambda)" : proto.name, count, got);
    if (proto.role == Proto::Role::Constructor)
        error->message =
            "new " + proto.name.substr(0, proto.name.find('.')) + " expects " + count + ", got " + std::to_string(got);
    error->help = std::move(help);
    return error;
}

ScriptError Vm::wrong_count(const NativeFunction& function, std::size_t got) {
    ScriptError error = wrong_count(function.name, function.expected_arguments(), got);
    error->help = "it is called as  " + function.usage();
    return error;
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
    for (const char* keyword : {"print", "true", "false", "null", "function", "return", "loop", "local", "throw"})
        candidates.emplace_back(keyword);
    const std::string& text = name->text();
    std::string help = did_you_mean(text, candidates);
    if (const auto foreign = help_for_foreign_word(text); !foreign.empty()) help = foreign;
    if (runtime_.types().find(name)) help = "'" + text + "' is a box: make one with  new " + text + "(…)";
    if (const ScriptBox* box = home()) {
        if (box->find_slot(name) != ScriptBox::kNoSlot) help = "a field is reached through me:  me." + text;
        if (box->find_own_method(name)) help = "a method is called through me:  me." + text + "(…)";
    }
    return {error_kind::kUndefined, "Undefined variable '" + text + "'", std::move(help)};
}

std::string Vm::help_for_nothing(const BoxType& type) const {
    if (&type == &runtime_.core().null_type) return "the value is null: nothing was assigned, found or returned";
    if (&type == &runtime_.core().void_type) return "the value is void: the call before it returned nothing";
    return {};
}

ScriptError Vm::not_callable_field(Name name, const Value& value) const {
    return {error_kind::kType, "'" + name->text() + "' holds " + type_name(value) + ", which cannot be called",
            "'" + name->text() + "' is a field: leave out the parentheses"};
}

ScriptError Vm::method_not_found(const BoxType& type, Name name) const {
    const std::string& text = name->text();
    std::string help = did_you_mean(text, type.method_names());
    const bool is_field = type.is_script() && static_cast<const ScriptBox&>(type).find_slot(name) != ScriptBox::kNoSlot;
    if (is_field || type.find_property(name)) help = "'" + text + "' is a field: leave out the parentheses";
    if (const std::string nothing = help_for_nothing(type); !nothing.empty() && help.empty()) help = nothing;
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
    if (const std::string nothing = help_for_nothing(type); !nothing.empty()) help = nothing;
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
