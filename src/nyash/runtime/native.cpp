#include "nyash/runtime/native.h"

namespace nyash {

ScriptError NativeCall::wrong_type(std::size_t i, std::string_view wanted) const {
    std::string message = function.name + " expects " + std::string(wanted);
    if (i < function.parameters.size()) message += " as '" + function.parameters[i]->text() + "'";
    message += ", got " + vm.type_name(arguments[i]);
    return {error_kind::kType, std::move(message)};
}

const Value& NativeCall::plain(std::size_t i) const {
    if (const auto* instance = arguments[i].as<Instance>()) {
        for (const auto& part : instance->box.parts) {
            const Value& value = instance->field(part.slot);
            if (value.is_string() || value.is_number() || value.is_bool()) return value;
        }
    }
    return arguments[i];
}

std::expected<std::int64_t, ScriptError> NativeCall::integer(std::size_t i) const {
    const Value& value = plain(i);
    if (!value.is_integer()) return std::unexpected(wrong_type(i, "an Integer"));
    return value.as_integer();
}

std::expected<double, ScriptError> NativeCall::number(std::size_t i) const {
    const Value& value = plain(i);
    if (!value.is_number()) return std::unexpected(wrong_type(i, "a number"));
    return value.as_number();
}

std::expected<const String*, ScriptError> NativeCall::string(std::size_t i) const {
    const Value& value = plain(i);
    if (!value.is_string()) return std::unexpected(wrong_type(i, "a String"));
    return &value.as_string();
}

std::expected<Array*, ScriptError> NativeCall::array(std::size_t i) const {
    if (auto* found = as<Array>(i)) return found;
    return std::unexpected(wrong_type(i, "an Array"));
}

std::expected<Value, ScriptError> NativeCall::callable(std::size_t i) const {
    if (!Vm::is_callable(arguments[i])) return std::unexpected(wrong_type(i, "a function"));
    return arguments[i];
}

}  // namespace nyash
