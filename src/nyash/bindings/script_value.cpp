#include <nyash/script_value.h>

#include <cmath>
#include <utility>

#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

template <class... F>
struct Cases : F... {
    using F::operator()...;
};

Outcome no_object(std::string_view wanted, const std::string& found) {
    const std::string message = "Expected " + std::string(wanted) + ", found " + found;
    return {1, "error: " + message + "\n", message};
}

}  // namespace

ScriptValue::ScriptValue(const nya::Json& json) {
    switch (json.kind()) {
        case nya::Json::Kind::Null:
            break;
        case nya::Json::Kind::Bool:
            value_ = json.as_bool();
            break;
        case nya::Json::Kind::Integer:
            value_ = json.as_integer();
            break;
        case nya::Json::Kind::Float:
            value_ = json.as_number();
            break;
        case nya::Json::Kind::String:
            value_ = json.as_string();
            break;
        case nya::Json::Kind::Array:
        case nya::Json::Kind::Object:
            value_ = json;
            break;
    }
}

ScriptValue ScriptValue::nothing() noexcept {
    ScriptValue value;
    value.value_ = Void{};
    return value;
}

ScriptValue::Kind ScriptValue::kind() const noexcept {
    constexpr Kind kKinds[] = {Kind::Null,  Kind::Void,   Kind::Bool,   Kind::Integer,
                               Kind::Float, Kind::String, Kind::Object, Kind::Object};
    return kKinds[value_.index()];
}

std::string ScriptValue::type_name() const {
    constexpr const char* kNames[] = {"NullBox", "VoidBox", "BoolBox", "IntegerBox", "FloatBox", "StringBox"};
    if (const auto* held = json()) return held->kind() == nya::Json::Kind::Array ? "ArrayBox" : "MapBox";
    if (const auto* held = object()) return (*held)->type_name();
    return kNames[value_.index()];
}

bool ScriptValue::as_bool() const {
    if (const auto* held = std::get_if<bool>(&value_)) return *held;
    throw ScriptTypeError("expected a Bool, found " + type_name());
}

std::int64_t ScriptValue::as_integer() const {
    if (const auto* held = std::get_if<std::int64_t>(&value_)) return *held;
    throw ScriptTypeError("expected an Integer, found " + type_name());
}

double ScriptValue::as_number() const {
    if (const auto* held = std::get_if<double>(&value_)) return *held;
    if (const auto* held = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*held);
    throw ScriptTypeError("expected a number, found " + type_name());
}

const std::string& ScriptValue::as_string() const {
    if (const auto* held = std::get_if<std::string>(&value_)) return *held;
    throw ScriptTypeError("expected a String, found " + type_name());
}

nya::Json ScriptValue::as_json() const {
    return std::visit(Cases{
                          [](std::nullptr_t) { return nya::Json(); },
                          [](Void) { return nya::Json(); },
                          [](double number) {
                              if (!std::isfinite(number))
                                  throw ScriptTypeError("JSON has no number for NaN or infinity");
                              return nya::Json(number);
                          },
                          [](const Object& held) { return held->json(); },
                          [](const auto& held) { return nya::Json(held); },
                      },
                      value_);
}

std::string ScriptValue::to_string() const {
    return std::visit(Cases{
                          [](std::nullptr_t) { return std::string("null"); },
                          [](Void) { return std::string("void"); },
                          [](bool held) { return std::string(held ? "true" : "false"); },
                          [](std::int64_t held) { return std::to_string(held); },
                          [](double held) { return float_text(held); },
                          [](const std::string& held) { return held; },
                          [](const nya::Json& held) { return held.dump(); },
                          [](const Object& held) { return held->text(); },
                      },
                      value_);
}

std::expected<ScriptValue, Outcome> ScriptValue::get(std::string_view field) const {
    if (const auto* held = object()) return (*held)->get(field);
    return std::unexpected(no_object("an object with fields", type_name()));
}

std::expected<ScriptValue, Outcome> ScriptValue::call_with(std::span<const ScriptValue> arguments) const {
    if (const auto* held = object()) return (*held)->call(arguments);
    return std::unexpected(no_object("a function", type_name()));
}

std::expected<ScriptValue, Outcome> ScriptValue::invoke_with(std::string_view method,
                                                             std::span<const ScriptValue> arguments) const {
    if (const auto* held = object()) return (*held)->invoke(method, arguments);
    return std::unexpected(no_object("an object with methods", type_name()));
}

void* ScriptValue::native_of(const std::type_info& type) const {
    const auto* held = object();
    return held ? (*held)->native(type) : nullptr;
}

}  // namespace nyash
