#include "nyash/bindings/embedding.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <nya/expected.h>

#include "nyash/boxes/json_conversion.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/script_box.h"

namespace nyash {

// A reference from C++ to an object of a script.
class Handle final : public detail::ScriptObject {
public:
    Handle(EmbeddedRuntime& runtime, Value value) : runtime_(&runtime), value_(std::move(value)) {
        runtime.handles_.insert(this);
    }
    ~Handle() override {
        if (runtime_) runtime_->handles_.erase(this);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    // The interpreter ends.
    void clear() {
        runtime_ = nullptr;
        const Value gone = std::move(value_);
    }

    EmbeddedRuntime* runtime() const { return runtime_; }
    const Value& value() const { return value_; }

    std::string type_name() const override { return runtime_ ? runtime_->vm().type_name(value_) : "NullBox"; }
    std::string text() const override {
        if (!runtime_) return "null";
        auto text = runtime_->vm().to_text(value_);
        if (!text) throw ScriptTypeError(text.error()->message);
        return std::move(*text);
    }
    nya::Json json() const override;
    std::expected<ScriptValue, Outcome> call(std::span<const ScriptValue> arguments) override {
        return runtime_ ? runtime_->call(value_, arguments) : std::unexpected(gone());
    }
    std::expected<ScriptValue, Outcome> invoke(std::string_view method,
                                               std::span<const ScriptValue> arguments) override {
        return runtime_ ? runtime_->invoke(value_, method, arguments) : std::unexpected(gone());
    }
    std::expected<ScriptValue, Outcome> get(std::string_view field) override {
        if (!runtime_) return std::unexpected(gone());
        const Ref<String> name(const_cast<String*>(runtime_->names().intern(field)));
        auto value = runtime_->vm().get_field(value_, name.get());
        if (!value) return std::unexpected(runtime_->outcome_of(value.error()));
        return runtime_->to_cpp(*value);
    }
    void* native(const std::type_info& type) override;

private:
    static Outcome gone() {
        const std::string message = "The interpreter of this value is gone";
        return {1, "error: " + message + "\n", message};
    }

    EmbeddedRuntime* runtime_;
    Value value_;
};

namespace {

// An instance of a C++ class.
class CppObject final : public Object {
public:
    CppObject(const BoxType& type, std::type_index cpp_type, std::shared_ptr<void> instance)
        : Object(type), cpp_type_(cpp_type), instance_(std::move(instance)) {}
    std::type_index cpp_type() const { return cpp_type_; }
    void* instance() const { return instance_.get(); }

private:
    std::type_index cpp_type_;
    std::shared_ptr<void> instance_;
};

ScriptError error_of(const NativeCall& call, const detail::NativeFailure& failure) {
    if (failure.argument != detail::NativeFailure::kNoArgument) return call.wrong_type(failure.argument, failure.text);
    return {error_kind::kThrown, failure.text};
}

}  // namespace

nya::Json Handle::json() const {
    if (!runtime_) return {};
    auto json = json_from(runtime_->vm(), value_);
    if (!json) throw ScriptTypeError(json.error()->message);
    return std::move(*json);
}

void* Handle::native(const std::type_info& type) {
    const auto* object = value_.as<CppObject>();
    // A box of the script's own, made `from` that box.
    if (const auto* instance = value_.as<Instance>(); instance && !object) object = instance->part_as<CppObject>();
    return object && object->cpp_type() == type ? object->instance() : nullptr;
}

EmbeddedRuntime::~EmbeddedRuntime() {
    // Letting go of one object may free another that holds handles itself.
    while (!handles_.empty()) {
        Handle* handle = *handles_.begin();
        handles_.erase(handles_.begin());
        handle->clear();
    }
}

// ---- values ----

ScriptValue EmbeddedRuntime::to_cpp(const Value& value) {
    switch (value.tag()) {
        case Value::Tag::Undefined:
        case Value::Tag::Null:
            return {};
        case Value::Tag::Void:
            return ScriptValue::nothing();
        case Value::Tag::Bool:
            return value.as_bool();
        case Value::Tag::Integer:
            return value.as_integer();
        case Value::Tag::Float:
            return value.as_float();
        case Value::Tag::String:
            return value.as_string().text();
        case Value::Tag::Object:
            return ScriptValue(ScriptValue::Object(std::make_shared<Handle>(*this, value)));
    }
    return {};
}

Value EmbeddedRuntime::from_cpp(const ScriptValue& value) {
    switch (value.kind()) {
        case ScriptValue::Kind::Null:
            return Value::null();
        case ScriptValue::Kind::Void:
            return Value::nothing();
        case ScriptValue::Kind::Bool:
            return Value::boolean(value.as_bool());
        case ScriptValue::Kind::Integer:
            return Value::integer(value.as_integer());
        case ScriptValue::Kind::Float:
            return Value::number(value.as_number());
        case ScriptValue::Kind::String:
            return Value(string(value.as_string()));
        case ScriptValue::Kind::Object:
            break;
    }
    if (const auto* json = value.json()) return value_from(*this, *json);
    const auto* handle = dynamic_cast<const Handle*>(value.object()->get());
    if (!handle || !handle->runtime()) return Value::null();  // its interpreter is gone
    if (handle->runtime() != this) throw std::invalid_argument("This value belongs to another nyash::Interpreter");
    return handle->value();
}

std::vector<Value> EmbeddedRuntime::values_of(std::span<const ScriptValue> arguments) {
    std::vector<Value> values;
    values.reserve(arguments.size());
    for (const auto& argument : arguments) values.push_back(from_cpp(argument));
    return values;
}

// ---- C++ calls the script ----

Outcome EmbeddedRuntime::outcome_of(const ScriptError& error) {
    const int code = error->is_fatal && vm().is_interrupted() ? kInterrupted : 1;
    return {code, describe(error), message_of(error)};
}

std::expected<ScriptValue, Outcome> EmbeddedRuntime::call(const Value& function,
                                                          std::span<const ScriptValue> arguments) {
    const auto values = values_of(arguments);
    auto result = vm().call(function, values);
    if (!result) return std::unexpected(outcome_of(result.error()));
    return to_cpp(*result);
}

std::expected<ScriptValue, Outcome> EmbeddedRuntime::invoke(const Value& object, std::string_view method,
                                                            std::span<const ScriptValue> arguments) {
    const auto values = values_of(arguments);
    auto result = vm().invoke(object, names().intern(method), values);
    if (!result) return std::unexpected(outcome_of(result.error()));
    return to_cpp(*result);
}

// ---- the script calls C++ ----

const EmbeddedRuntime::Code& EmbeddedRuntime::code_of(const NativeCall& call) const {
    return codes_.at(&call.function);
}

std::vector<ScriptValue> EmbeddedRuntime::arguments_of(const NativeCall& call) {
    std::vector<ScriptValue> arguments;
    arguments.reserve(call.arguments.size());
    for (const Value& argument : call.arguments) arguments.push_back(to_cpp(argument));
    return arguments;
}

// The runtimes of scripts that can call C++ are all of this class.
Result EmbeddedRuntime::run_function(NativeCall& call) {
    auto& runtime = static_cast<EmbeddedRuntime&>(call.runtime);
    const Code& code = runtime.code_of(call);
    auto result = code.code(nullptr, runtime.arguments_of(call));
    if (!result) return std::unexpected(error_of(call, result.error()));
    return runtime.from_cpp(*result);
}

Result EmbeddedRuntime::run_method(NativeCall& call) {
    auto& runtime = static_cast<EmbeddedRuntime&>(call.runtime);
    const Code& code = runtime.code_of(call);
    const Value self = call.self;  // stays alive, whatever the C++ code makes the script do
    auto result = code.code(static_cast<CppObject&>(self.as_object()).instance(), runtime.arguments_of(call));
    if (!result) return std::unexpected(error_of(call, result.error()));
    return runtime.from_cpp(*result);
}

Result EmbeddedRuntime::run_constructor(NativeCall& call) {
    auto& runtime = static_cast<EmbeddedRuntime&>(call.runtime);
    const Code& code = runtime.code_of(call);
    auto made = code.make(runtime.arguments_of(call));
    if (!made) return std::unexpected(error_of(call, made.error()));
    return Value(make<CppObject>(*code.type, code.cpp_type, std::move(*made)));
}

void EmbeddedRuntime::define_code(std::string_view name, const std::string& parameters, detail::NativeCode code) {
    define_function(name, parameters, run_function);
    const Value& declared = globals()[globals().index(names().intern(name))].declared;
    codes_.insert_or_assign(&declared.as<NativeFunctionBox>()->function, Code{std::move(code), {}});
}

class EmbeddedRuntime::Table final : public detail::BoxTable {
public:
    Table(EmbeddedRuntime& runtime, BoxType& type, const std::type_info& cpp_type)
        : runtime_(runtime), type_(type), cpp_type_(cpp_type) {}

    void constructor(const std::string& parameters, detail::NativeMaker make) override {
        type_.constructor(runtime_.names(), parameters, run_constructor);
        runtime_.codes_.insert_or_assign(type_.constructor(), Code{{}, std::move(make), &type_, cpp_type_});
    }
    void method(std::string_view name, const std::string& parameters, detail::NativeCode code) override {
        type_.method(runtime_.names(), name, parameters, run_method);
        const auto* native = type_.find_method(runtime_.names().intern(name)).native;
        runtime_.codes_.insert_or_assign(native, Code{std::move(code), {}, &type_, cpp_type_});
    }
    void property(std::string_view name, detail::NativeCode code) override {
        type_.property(runtime_.names(), name, run_method);
        const auto* native = type_.find_property(runtime_.names().intern(name));
        runtime_.codes_.insert_or_assign(native, Code{std::move(code), {}, &type_, cpp_type_});
    }

private:
    EmbeddedRuntime& runtime_;
    BoxType& type_;
    std::type_index cpp_type_;
};

std::unique_ptr<detail::BoxTable> EmbeddedRuntime::add_box(std::string_view name, const std::type_info& type) {
    if (types().find(names().intern(name)))
        throw std::invalid_argument("There is a box named '" + std::string(name) + "' already");
    return std::make_unique<Table>(*this, types().add(std::string(name)), type);
}

}  // namespace nyash
