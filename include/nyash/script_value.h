// ScriptValue: a value on its way between C++ and a script.
//
//     ScriptValue three = 3;                                    what C++ has becomes what scripts have
//     ScriptValue point = nya::Json{{"x", 1}, {"y", 2}};        arrives as a MapBox
//     auto sum = interpreter.call("add", 1, 2);                 sum->as_integer()
//
// null, void, Bool, Integer, Float and String are plain values and stand on their own. Everything else a
// script has (an ArrayBox, a function, an instance of its boxes) is an object: the ScriptValue is a
// reference to it, keeps it alive, and can call it. Once the interpreter is gone such a reference is empty:
// using it is an error, never a crash.
//
// Use objects only on the thread of their interpreter; plain values anywhere.
#pragma once

#include <nya/json.h>
#include <nyash/outcome.h>

#include <concepts>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

namespace nyash {

class ScriptValue;

// Thrown by the as_...() accessors when the value is of another kind.
class ScriptTypeError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace detail {

// An object of a script, seen from outside.
class ScriptObject {
public:
    virtual ~ScriptObject() = default;
    virtual std::string type_name() const = 0;
    virtual std::string text() const = 0;
    virtual nya::Json json() const = 0;
    virtual std::expected<ScriptValue, Outcome> call(std::span<const ScriptValue> arguments) = 0;
    virtual std::expected<ScriptValue, Outcome> invoke(std::string_view method,
                                                       std::span<const ScriptValue> arguments) = 0;
    virtual std::expected<ScriptValue, Outcome> get(std::string_view field) = 0;
    virtual void* native(const std::type_info& type) = 0;
};

}  // namespace detail

class ScriptValue {
public:
    enum class Kind : std::uint8_t { Null, Void, Bool, Integer, Float, String, Object };

    ScriptValue() noexcept = default;  // null
    ScriptValue(std::nullptr_t) noexcept {}
    ScriptValue(std::same_as<bool> auto value) noexcept : value_(value) {}
    // An unsigned number above INT64_MAX does not fit: pass it as a double or a text.
    ScriptValue(std::integral auto value) noexcept
        requires(!std::same_as<decltype(value), bool>)
        : value_(static_cast<std::int64_t>(value)) {}
    ScriptValue(std::floating_point auto value) noexcept : value_(static_cast<double>(value)) {}
    ScriptValue(const char* text) : value_(std::string(text)) {}
    ScriptValue(std::string_view text) : value_(std::string(text)) {}
    ScriptValue(std::string text) noexcept : value_(std::move(text)) {}
    // By content: scalars as plain values, an array as a new ArrayBox, an object as a new MapBox.
    ScriptValue(const nya::Json& json);
    static ScriptValue nothing() noexcept;  // void: what a function without a value returns

    Kind kind() const noexcept;
    bool is_null() const noexcept { return kind() == Kind::Null || kind() == Kind::Void; }
    bool is_void() const noexcept { return kind() == Kind::Void; }
    bool is_bool() const noexcept { return kind() == Kind::Bool; }
    bool is_integer() const noexcept { return kind() == Kind::Integer; }
    bool is_number() const noexcept { return kind() == Kind::Integer || kind() == Kind::Float; }
    bool is_string() const noexcept { return kind() == Kind::String; }
    bool is_object() const noexcept { return kind() == Kind::Object; }
    std::string type_name() const;  // as the script's type_name(): "IntegerBox", "Account"

    // The value as the kind named, or ScriptTypeError ("expected an Integer, found StringBox").
    bool as_bool() const;
    std::int64_t as_integer() const;
    double as_number() const;  // Integer or Float
    const std::string& as_string() const;
    // A copy of the content, of plain values, arrays, maps and JSONBoxes; ScriptTypeError for what JSON cannot hold.
    nya::Json as_json() const;
    // As print shows it.
    std::string to_string() const;

    // Objects: a function is called, a method invoked, a field read. The error tells what went wrong in the script.
    template <class... Arguments>
    std::expected<ScriptValue, Outcome> call(Arguments&&... arguments) const {
        const std::initializer_list<ScriptValue> list{ScriptValue(std::forward<Arguments>(arguments))...};
        return call_with(list);
    }
    template <class... Arguments>
    std::expected<ScriptValue, Outcome> invoke(std::string_view method, Arguments&&... arguments) const {
        const std::initializer_list<ScriptValue> list{ScriptValue(std::forward<Arguments>(arguments))...};
        return invoke_with(method, list);
    }
    std::expected<ScriptValue, Outcome> get(std::string_view field) const;
    std::expected<ScriptValue, Outcome> call_with(std::span<const ScriptValue> arguments) const;
    std::expected<ScriptValue, Outcome> invoke_with(std::string_view method,
                                                    std::span<const ScriptValue> arguments) const;

    // The C++ object inside a box made with Interpreter::box<T>(); null when this is none. Valid as long as this
    // value is.
    template <class T>
    T* native() const {
        return static_cast<T*>(native_of(typeid(T)));
    }

    // Internal: what the interpreter makes and looks into.
    using Object = std::shared_ptr<detail::ScriptObject>;
    explicit ScriptValue(Object object) noexcept : value_(std::move(object)) {}
    const Object* object() const noexcept { return std::get_if<Object>(&value_); }
    const nya::Json* json() const noexcept { return std::get_if<nya::Json>(&value_); }

private:
    struct Void {};
    void* native_of(const std::type_info& type) const;

    std::variant<std::nullptr_t, Void, bool, std::int64_t, double, std::string, nya::Json, Object> value_;
};

// How a ScriptValue becomes a T, for arguments of C++ functions. Specialise it for types of your own:
// kName is what an error calls it ("a colour"), from() is empty when the value is none.
template <class T>
struct FromScript;

template <>
struct FromScript<ScriptValue> {
    static constexpr std::string_view kName = "a value";
    static std::optional<ScriptValue> from(const ScriptValue& value) { return value; }
};
template <>
struct FromScript<bool> {
    static constexpr std::string_view kName = "a Bool";
    static std::optional<bool> from(const ScriptValue& value) {
        return value.is_bool() ? std::optional(value.as_bool()) : std::nullopt;
    }
};
template <std::integral T>
struct FromScript<T> {
    static constexpr std::string_view kName =
        sizeof(T) == 8 && std::is_signed_v<T> ? "an Integer" : "an Integer of a smaller range";
    static std::optional<T> from(const ScriptValue& value) {
        if (!value.is_integer() || !std::in_range<T>(value.as_integer())) return {};
        return static_cast<T>(value.as_integer());
    }
};
template <std::floating_point T>
struct FromScript<T> {
    static constexpr std::string_view kName = "a number";
    static std::optional<T> from(const ScriptValue& value) {
        return value.is_number() ? std::optional(static_cast<T>(value.as_number())) : std::nullopt;
    }
};
template <>
struct FromScript<std::string> {
    static constexpr std::string_view kName = "a String";
    static std::optional<std::string> from(const ScriptValue& value) {
        return value.is_string() ? std::optional(value.as_string()) : std::nullopt;
    }
};
// Valid during the call.
template <>
struct FromScript<std::string_view> {
    static constexpr std::string_view kName = "a String";
    static std::optional<std::string_view> from(const ScriptValue& value) {
        return value.is_string() ? std::optional(std::string_view(value.as_string())) : std::nullopt;
    }
};
template <>
struct FromScript<nya::Json> {
    static constexpr std::string_view kName = "a value that JSON can hold";
    static std::optional<nya::Json> from(const ScriptValue& value) {
        try {
            return value.as_json();
        } catch (const ScriptTypeError&) {
            return {};
        }
    }
};

}  // namespace nyash
