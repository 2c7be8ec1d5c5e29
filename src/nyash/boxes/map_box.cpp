// MapBox: keys to values, in the order they were added. Keys are strings; others become strings.
#include "nyash/boxes/boxes.h"
#include "nyash/boxes/json_conversion.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

Map& self(NativeCall& call) {
    return call.object<Map>();
}

Result make_map(NativeCall& call) {
    return Value(call.runtime.map());
}

Result set(NativeCall& call) {
    NYA_TRY(self(call).set_index(call.vm, call[0], call[1]));
    return call.self;
}

Result get(NativeCall& call) {
    return self(call).get_index(call.vm, call[0]);
}

Result has(NativeCall& call) {
    const auto key = NYA_TRY(call.vm.to_string(call[0]));
    return Value::boolean(self(call).find(*key) != nullptr);
}

Result erase(NativeCall& call) {
    const auto key = NYA_TRY(call.vm.to_string(call[0]));
    return Value::boolean(self(call).erase(*key));
}

Result keys(NativeCall& call) {
    auto list = call.runtime.array();
    self(call).for_each([&](const String& key, const Value&) { list->items.emplace_back(&key); });
    return Value(list);
}

Result values(NativeCall& call) {
    auto list = call.runtime.array();
    self(call).for_each([&](const String&, const Value& value) { list->items.push_back(value); });
    return Value(list);
}

Result size(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).size()));
}

Result is_empty(NativeCall& call) {
    return Value::boolean(self(call).size() == 0);
}

Result clear(NativeCall& call) {
    self(call).erase_all();
    return call.self;
}

Result contains_value(NativeCall& call) {
    bool found = false;
    self(call).for_each([&](const String&, const Value& value) { found = found || Vm::equals(value, call[0]); });
    return Value::boolean(found);
}

// Over the entries there are at the start; the function may change the map.
Result for_each(NativeCall& call) {
    const Value function = NYA_TRY(call.callable(0));
    std::vector<Map::Entry> entries;
    self(call).for_each([&](const String& key, const Value& value) {
        entries.push_back({Ref<String>(const_cast<String*>(&key)), value});
    });
    for (const auto& entry : entries) {
        const Value arguments[] = {Value(entry.key), entry.value};
        NYA_TRY(call.vm.call(function, arguments));
    }
    return call.self;
}

Result to_json(NativeCall& call) {
    return call.text(NYA_TRY(json_from(call.vm, call.self)).dump());
}

}  // namespace

void add_map_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .map_type.constructor(names, "", make_map)
        .method(names, "set", "key value", set)
        .method(names, "get", "key", get)
        .method(names, "has containsKey", "key", has)
        .method(names, "delete remove", "key", erase)
        .method(names, "keys", "", keys)
        .method(names, "values", "", values)
        .method(names, "size length", "", size)
        .method(names, "isEmpty", "", is_empty)
        .method(names, "clear", "", clear)
        .method(names, "containsValue", "value", contains_value)
        .method(names, "forEach", "function", for_each)
        .method(names, "toJSON", "", to_json);
}

}  // namespace nyash
