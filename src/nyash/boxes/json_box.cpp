#include "nyash/boxes/json_box.h"

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/json_conversion.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

// A document of its own, as `new JSONBox(text)` makes.
class OwnDocument final : public JsonDocument {
public:
    OwnDocument(const BoxType& type, nya::Json json) : JsonDocument(type), json_(std::move(json)) {}
    const nya::Json& read() const override { return json_; }
    nya::Json& change() override { return json_; }

private:
    nya::Json json_;
};

const BoxType& json_type(Runtime& runtime) {
    return runtime.types().named("JSONBox");
}

bool is_container(const nya::Json& json) {
    return json.is_object() || json.is_array();
}

Result parse(NativeCall& call) {
    const String& text = *NYA_TRY(call.string(0));
    auto json = nya::Json::parse(text.text());
    if (!json) {
        const auto& error = json.error();
        return fail(error_kind::kOperation,
                    "Invalid JSON at line " + std::to_string(error.line) + ", column " + std::to_string(error.column) +
                        ": " + error.message,
                    "JSON wants double quotes around keys, and no comma before '}' or ']'");
    }
    const BoxType& type = json_type(call.runtime);
    const Ref<JsonDocument> document = make<OwnDocument>(type, std::move(*json));
    return Value(make<JsonBox>(type, document));
}

Result make_json(NativeCall& call) {
    if (call.has(0)) return parse(call);
    const BoxType& type = json_type(call.runtime);
    return Value(make<JsonBox>(type, Ref<JsonDocument>(make<OwnDocument>(type, nya::Json::object()))));
}

JsonBox& self(NativeCall& call) {
    return call.object<JsonBox>();
}

Result stringify(NativeCall& call) {
    return call.text(self(call).json().dump());
}

Result get(NativeCall& call) {
    return self(call).get_index(call.vm, call[0]);
}

Result set(NativeCall& call) {
    NYA_TRY(self(call).set_index(call.vm, call[0], call[1]));
    return call.self;
}

Result has(NativeCall& call) {
    // The key first: a script's toString may change the document.
    const auto key = NYA_TRY(call.vm.to_string(call[0]));
    const auto& json = self(call).json();
    if (json.is_array() && call[0].is_integer()) {
        return Value::boolean(call[0].as_integer() >= 0 &&
                              static_cast<std::uint64_t>(call[0].as_integer()) < json.size());
    }
    return Value::boolean(json.is_object() && json.as_object().contains(key->text()));
}

Result keys(NativeCall& call) {
    auto list = call.runtime.array();
    const auto& json = self(call).json();
    if (json.is_object()) {
        for (const auto& member : json.as_object()) list->items.emplace_back(call.runtime.string(member.key));
    }
    return Value(list);
}

Result size(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).json().size()));
}

// function(key, value) for an object, function(element) for an array.
Result for_each(NativeCall& call) {
    const Value function = NYA_TRY(call.callable(0));
    const auto& json = self(call).json();
    if (json.is_array()) {
        for (std::size_t i = 0; i < self(call).json().size(); ++i) {
            const Value element = self(call).child(call.runtime, i);
            NYA_TRY(call.vm.call(function, {&element, 1}));
        }
        return call.self;
    }
    std::vector<std::string> names;
    if (json.is_object()) {
        for (const auto& member : json.as_object()) names.push_back(member.key);
    }
    for (const auto& name : names) {
        const Value arguments[] = {Value(call.runtime.string(name)), self(call).child(call.runtime, name)};
        NYA_TRY(call.vm.call(function, arguments));
    }
    return call.self;
}

Result to_map(NativeCall& call) {
    if (!self(call).json().is_object()) return fail(error_kind::kType, "toMap needs a JSON object");
    return value_from(call.runtime, self(call).json());
}

Result to_array(NativeCall& call) {
    if (!self(call).json().is_array()) return fail(error_kind::kType, "toArray needs a JSON array");
    return value_from(call.runtime, self(call).json());
}

Result copy(NativeCall& call) {
    const BoxType& type = json_type(call.runtime);
    return Value(make<JsonBox>(type, Ref<JsonDocument>(make<OwnDocument>(type, self(call).json()))));
}

// Any index as a step: an Integer counts elements of an array, all else is a key.
std::expected<JsonBox::Step, ScriptError> step_for(Vm& vm, const nya::Json& json, const Value& index) {
    if (json.is_array()) {
        if (!index.is_integer())
            return fail(error_kind::kType, "A JSON array's index is an Integer, not " + vm.type_name(index));
        // A negative index becomes one that no array has.
        return JsonBox::Step(index.as_integer() < 0 ? SIZE_MAX : static_cast<std::size_t>(index.as_integer()));
    }
    return JsonBox::Step(NYA_TRY(vm.to_text(index)));
}

const nya::Json& at(const nya::Json& json, const JsonBox::Step& step) {
    if (const auto* key = std::get_if<std::string>(&step)) return json[std::string_view(*key)];
    return json[std::get<std::size_t>(step)];
}

}  // namespace

const nya::Json& JsonBox::json() const {
    const nya::Json* json = &document_->read();
    for (const auto& step : path_) json = &at(*json, step);
    return *json;
}

nya::Json* JsonBox::json_to_change() {
    nya::Json* json = &document_->change();
    for (const auto& step : path_) {
        if (const auto* key = std::get_if<std::string>(&step)) {
            json = json->is_object() ? json->as_object().find(*key) : nullptr;
        } else {
            const std::size_t index = std::get<std::size_t>(step);
            json = json->is_array() && index < json->size() ? &json->as_array()[index] : nullptr;
        }
        if (!json) return nullptr;
    }
    return json;
}

Value JsonBox::child(Runtime& runtime, Step step) const {
    const nya::Json& found = at(json(), step);
    if (!is_container(found)) return value_from(runtime, found);
    auto path = path_;
    path.push_back(std::move(step));
    return Value(make<JsonBox>(type(), document_, std::move(path)));
}

Value json_value(Runtime& runtime, const Ref<JsonDocument>& document) {
    if (!is_container(document->read())) return value_from(runtime, document->read());
    return Value(make<JsonBox>(json_type(runtime), document));
}

void JsonBox::write(TextWriter& out) const {
    out.text(json().dump());
}

Result JsonBox::get_field(Vm& vm, Name name) {
    return child(vm.runtime(), name->text());
}

Done JsonBox::set_field(Vm& vm, Name name, const Value& value) {
    return set_index(vm, Value(name), value);
}

Result JsonBox::get_index(Vm& vm, const Value& index) {
    return child(vm.runtime(), NYA_TRY(step_for(vm, json(), index)));
}

Done JsonBox::set_index(Vm& vm, const Value& index, const Value& value) {
    // Bounds that Json::parse keeps for what it reads are kept for what scripts build, too.
    auto made = NYA_TRY(json_from(vm, value));
    const auto step = NYA_TRY(step_for(vm, json(), index));
    if (made.depth() + path_.size() + 1 > nya::kMaxJsonDepth) {
        return fail(error_kind::kLimit, "The value is nested too deep for JSON (more than 256 levels)");
    }
    nya::Json* target = json_to_change();
    if (!target) return fail(error_kind::kOperation, "This part of the JSON document is gone");
    const auto* key = std::get_if<std::string>(&step);
    if (target->is_object() && key) {
        target->as_object().set(*key, std::move(made));
        return {};
    }
    // A key whose toString changed the document may find something else there by now.
    if (!target->is_array() || key)
        return fail(error_kind::kOperation, "This part of the JSON document is no object or array any more");
    auto& items = target->as_array();
    const std::size_t i = std::get<std::size_t>(step);
    if (i > items.size()) {
        return fail(error_kind::kOperation, "The index is outside the JSON array of " + std::to_string(items.size()));
    }
    if (i == items.size()) {
        items.push_back(std::move(made));
    } else {
        items[i] = std::move(made);
    }
    return {};
}

void add_json_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("JSONBox")
        .constructor(names, "text?", make_json)
        .method(names, "parse", "text", parse)
        .method(names, "stringify toJSON", "", stringify)
        .method(names, "get", "key", get)
        .method(names, "set", "key value", set)
        .method(names, "has", "key", has)
        .method(names, "keys", "", keys)
        .method(names, "size length", "", size)
        .method(names, "forEach", "function", for_each)
        .method(names, "toMap", "", to_map)
        .method(names, "toArray", "", to_array)
        .method(names, "clone", "", copy);
}

}  // namespace nyash
