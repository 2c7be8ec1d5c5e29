// ArrayBox: a growing list. Methods that change it return it, except pop and remove.
//
// A callback may change the array it is called from: loops here go by index and look at the size again.
#include <algorithm>
#include <cmath>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/json_conversion.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

std::vector<Value>& items(NativeCall& call) {
    return call.object<Array>().items;
}

Done room_for_one(NativeCall& call) {
    if (items(call).size() >= kMaxElements) return fail(error_kind::kLimit, "The array is full (100,000,000 elements)");
    return {};
}

Result make_array(NativeCall& call) {
    return Value(call.runtime.array());
}

Result push(NativeCall& call) {
    NYA_TRY(room_for_one(call));
    items(call).push_back(call[0]);
    return call.self;
}

Result pop(NativeCall& call) {
    auto& list = items(call);
    if (list.empty()) return Value::null();
    Value last = std::move(list.back());
    list.pop_back();
    return last;
}

Result get(NativeCall& call) {
    return call.object<Array>().get_index(call.vm, Value::integer(NYA_TRY(call.integer(0))));
}

Result set(NativeCall& call) {
    NYA_TRY(call.object<Array>().set(NYA_TRY(call.integer(0)), call[1]));
    return call.self;
}

Result insert(NativeCall& call) {
    auto& list = items(call);
    const std::int64_t i = NYA_TRY(call.integer(0));
    NYA_TRY(room_for_one(call));
    if (i < 0 || static_cast<std::uint64_t>(i) > list.size()) {
        return fail(error_kind::kOperation,
                    "Index " + std::to_string(i) + " is outside the array of " + std::to_string(list.size()));
    }
    list.insert(list.begin() + i, call[1]);
    return call.self;
}

Result remove(NativeCall& call) {
    auto& list = items(call);
    const std::int64_t i = NYA_TRY(call.integer(0));
    if (i < 0 || static_cast<std::uint64_t>(i) >= list.size()) return Value::null();
    Value removed = std::move(list[static_cast<std::size_t>(i)]);
    list.erase(list.begin() + i);
    return removed;
}

Result length(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(items(call).size()));
}

Result is_empty(NativeCall& call) {
    return Value::boolean(items(call).empty());
}

std::int64_t position_of(NativeCall& call, const Value& wanted) {
    const auto& list = items(call);
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (Vm::equals(list[i], wanted)) return static_cast<std::int64_t>(i);
    }
    return -1;
}

Result index_of(NativeCall& call) {
    return Value::integer(position_of(call, call[0]));
}

Result contains(NativeCall& call) {
    return Value::boolean(position_of(call, call[0]) >= 0);
}

Result clear(NativeCall& call) {
    call.object<Array>().clear();
    return call.self;
}

Result join(NativeCall& call) {
    const String& separator = *NYA_TRY(call.string(0));
    TextWriter out(call.vm);
    if (out.join_texts(items(call), separator.text())) return call.text(NYA_TRY(out.finish()));
    for (std::size_t i = 0; i < items(call).size() && !out.is_stopped(); ++i) {
        if (i > 0) out.text(separator.text());
        out.value(Value(items(call)[i]));
    }
    return call.text(NYA_TRY(out.finish()));
}

// Arrays of one kind, which are most arrays, are sorted without looking at each value's tag again: three times as
// fast. False if the array is none of that kind. Equal Integers and equal texts cannot be told apart, so their order
// need not be kept.
bool sort_integers(std::vector<Value>& list) {
    if (!std::ranges::all_of(list, &Value::is_integer)) return false;
    std::vector<std::int64_t> numbers(list.size());
    std::ranges::transform(list, numbers.begin(), &Value::as_integer);
    std::ranges::sort(numbers);
    for (std::size_t i = 0; i < list.size(); ++i) list[i].set_integer(numbers[i]);
    return true;
}

// 0.0 and -0.0 are equal but print differently: the sort is stable. NaN has no place in an order.
bool sort_floats(std::vector<Value>& list) {
    const auto has_order = [](const Value& v) { return v.is_float() && !std::isnan(v.as_float()); };
    if (!std::ranges::all_of(list, has_order)) return false;
    struct Number {
        double value;
        std::size_t position;
    };
    std::vector<Number> numbers;
    numbers.reserve(list.size());
    for (const Value& value : list) numbers.push_back({value.as_float(), numbers.size()});
    std::ranges::sort(numbers, [](const Number& a, const Number& b) {
        return a.value < b.value || (a.value == b.value && a.position < b.position);
    });
    for (std::size_t i = 0; i < list.size(); ++i) list[i] = Value::number(numbers[i].value);
    return true;
}

bool sort_texts(std::vector<Value>& list) {
    if (!std::ranges::all_of(list, &Value::is_string)) return false;
    // The first eight bytes as a number, the first of them the highest, decide most comparisons.
    struct Text {
        std::uint64_t beginning;
        const String* text;
    };
    std::vector<Text> texts;
    texts.reserve(list.size());
    for (const Value& value : list) {
        const std::string& text = value.as_string().text();
        std::uint64_t beginning = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            beginning = beginning << 8U | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
        }
        texts.push_back({beginning, &value.as_string()});
    }
    std::ranges::sort(texts, [](const Text& a, const Text& b) {
        if (a.beginning != b.beginning) return a.beginning < b.beginning;
        return a.text->text() < b.text->text();
    });
    std::vector<Value> sorted;
    sorted.reserve(list.size());
    for (const Text& text : texts) sorted.emplace_back(text.text);
    list = std::move(sorted);
    return true;
}

// Numbers before strings before the rest, which keeps its order.
Result sort(NativeCall& call) {
    auto& all = items(call);
    if (sort_integers(all) || sort_floats(all) || sort_texts(all)) return call.self;
    const auto rank = [](const Value& v) { return v.is_number() ? 0 : v.is_string() ? 1 : 2; };
    const auto before = [&](const Value& a, const Value& b) {
        if (rank(a) != rank(b)) return rank(a) < rank(b);
        if (a.is_string()) return a.as_string().text() < b.as_string().text();
        if (!a.is_number()) return false;
        // NaN goes last, so that this stays an order.
        const auto is_nan = [](const Value& v) { return v.is_float() && std::isnan(v.as_float()); };
        if (is_nan(a) || is_nan(b)) return is_nan(b) && !is_nan(a);
        return *call.vm.compare(Comparison::Less, a, b);
    };
    // Stable: equal elements keep the order of their positions.
    struct Placed {
        Value value;
        std::size_t position;
    };
    auto& list = items(call);
    std::vector<Placed> placed;
    placed.reserve(list.size());
    for (Value& item : list) placed.push_back({std::move(item), placed.size()});
    std::ranges::sort(placed, [&](const Placed& a, const Placed& b) {
        if (before(a.value, b.value)) return true;
        return !before(b.value, a.value) && a.position < b.position;
    });
    for (std::size_t i = 0; i < placed.size(); ++i) list[i] = std::move(placed[i].value);
    return call.self;
}

Result reverse(NativeCall& call) {
    std::ranges::reverse(items(call));
    return call.self;
}

// From a up to before b; b < 0 means the end.
Result slice(NativeCall& call) {
    const auto& list = items(call);
    const auto size = static_cast<std::int64_t>(list.size());
    const std::int64_t from = std::clamp<std::int64_t>(NYA_TRY(call.integer(0)), 0, size);
    const std::int64_t asked = call.has(1) ? NYA_TRY(call.integer(1)) : -1;
    const std::int64_t to = asked < 0 ? size : std::min(asked, size);
    auto part = call.runtime.array();
    if (from < to) part->items.assign(list.begin() + from, list.begin() + to);
    return Value(part);
}

Result for_each(NativeCall& call) {
    const Value function = NYA_TRY(call.callable(0));
    for (std::size_t i = 0; i < items(call).size(); ++i) {
        const Value argument = items(call)[i];
        NYA_TRY(call.vm.call(function, {&argument, 1}));
    }
    return call.self;
}

Result map(NativeCall& call) {
    const Value function = NYA_TRY(call.callable(0));
    auto mapped = call.runtime.array();
    mapped->items.reserve(items(call).size());
    for (std::size_t i = 0; i < items(call).size(); ++i) {
        const Value argument = items(call)[i];
        Value result = NYA_TRY(call.vm.call(function, {&argument, 1}));
        NYA_TRY(mapped->push(std::move(result)));
    }
    return Value(mapped);
}

Result filter(NativeCall& call) {
    const Value function = NYA_TRY(call.callable(0));
    auto kept = call.runtime.array();
    for (std::size_t i = 0; i < items(call).size(); ++i) {
        const Value argument = items(call)[i];
        const Value keep = NYA_TRY(call.vm.call(function, {&argument, 1}));
        if (Vm::is_true(keep)) NYA_TRY(kept->push(argument));
    }
    return Value(kept);
}

Result to_json(NativeCall& call) {
    return call.text(NYA_TRY(json_from(call.vm, call.self)).dump());
}

}  // namespace

void add_array_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .array_type.constructor(names, "", make_array)
        .method(names, "push", "value", push)
        .method(names, "pop", "", pop)
        .method(names, "get", "index", get)
        .method(names, "set", "index value", set)
        .method(names, "insert", "index value", insert)
        .method(names, "remove", "index", remove)
        .method(names, "length size", "", length)
        .method(names, "isEmpty", "", is_empty)
        .method(names, "indexOf", "value", index_of)
        .method(names, "contains", "value", contains)
        .method(names, "clear", "", clear)
        .method(names, "join", "separator", join)
        .method(names, "sort", "", sort)
        .method(names, "reverse", "", reverse)
        .method(names, "slice", "start end?", slice)
        .method(names, "forEach", "function", for_each)
        .method(names, "map", "function", map)
        .method(names, "filter", "function", filter)
        .method(names, "toJSON", "", to_json);
}

}  // namespace nyash
