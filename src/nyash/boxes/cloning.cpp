#include "nyash/boxes/cloning.h"

#include <unordered_map>
#include <vector>

namespace nyash {
namespace {

// Works off a list instead of recursing: a chain of a million arrays is fine.
class Cloner {
public:
    explicit Cloner(Runtime& runtime) : runtime_(runtime) {}

    Value operator()(const Value& value) {
        Value copy = copy_of(value);
        while (!unfilled_.empty()) {
            const auto [from, to] = unfilled_.back();
            unfilled_.pop_back();
            if (auto* array = from.as<Array>()) {
                auto& items = to.as<Array>()->items;
                items.reserve(array->items.size());
                for (const Value& item : array->items) items.push_back(copy_of(item));
            } else {
                auto& map = *to.as<Map>();
                from.as<Map>()->for_each([&](const String& key, const Value& entry) { map.set(key, copy_of(entry)); });
            }
        }
        return copy;
    }

private:
    // The copy, filled in later when it is a container.
    Value copy_of(const Value& value) {
        const bool is_array = value.as<Array>() != nullptr;
        if (!is_array && !value.as<Map>()) return value;
        auto [entry, added] = copies_.try_emplace(&value.as_object());
        if (added) {
            entry->second = is_array ? Value(runtime_.array()) : Value(runtime_.map());
            unfilled_.emplace_back(value, entry->second);
        }
        return entry->second;
    }

    Runtime& runtime_;
    std::unordered_map<const Object*, Value> copies_;
    std::vector<std::pair<Value, Value>> unfilled_;
};

}  // namespace

Result clone_value(Runtime& runtime, const Value& value) {
    // Of an instance the fields are copied as they are: what they refer to is shared.
    if (const auto* instance = value.as<Instance>()) return Value(runtime.copy(*instance));
    return Cloner(runtime)(value);
}

}  // namespace nyash
