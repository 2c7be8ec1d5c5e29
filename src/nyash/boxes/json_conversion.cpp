#include "nyash/boxes/json_conversion.h"

#include <algorithm>
#include <cmath>

#include <nya/expected.h>

#include "nyash/boxes/json_box.h"

namespace nyash {
namespace {

// A value shared many times over is copied as often; this bounds what a small script can blow up to.
constexpr std::size_t kMaxJsonNodes = 10'000'000;

class Converter {
public:
    explicit Converter(Vm& vm) : vm_(vm) {}

    std::expected<nya::Json, ScriptError> operator()(const Value& value) {
        if (++nodes_ > kMaxJsonNodes) return too_large();
        switch (value.tag()) {
            case Value::Tag::Undefined:
            case Value::Tag::Null:
            case Value::Tag::Void:
                return nya::Json(nullptr);
            case Value::Tag::Bool:
                return nya::Json(value.as_bool());
            case Value::Tag::Integer:
                return nya::Json(value.as_integer());
            case Value::Tag::Float:
                if (!std::isfinite(value.as_float()))
                    return fail(error_kind::kType, "JSON has no number for NaN or infinity");
                return nya::Json(value.as_float());
            case Value::Tag::String:
                return nya::Json(value.as_string().text());
            case Value::Tag::Object:
                return object(value);
        }
        return nya::Json();
    }

private:
    static std::unexpected<ScriptError> too_large() {
        return fail(error_kind::kLimit, "The value is too large for JSON (more than 10,000,000 parts)");
    }

    // The parts of a document that is about to be copied. Its depth is bounded.
    void count(const nya::Json& json) {
        ++nodes_;
        if (json.is_array()) {
            for (const auto& item : json.as_array()) count(item);
        } else if (json.is_object()) {
            for (const auto& member : json.as_object()) count(member.value);
        }
    }

    std::expected<nya::Json, ScriptError> object(const Value& value) {
        if (auto* view = value.as<JsonBox>()) {
            count(view->json());
            if (nodes_ > kMaxJsonNodes) return too_large();
            return view->json();
        }
        auto* array = value.as<Array>();
        auto* map = value.as<Map>();
        if (!array && !map) return fail(error_kind::kType, vm_.type_name(value) + " cannot be turned into JSON");
        const Object* self = &value.as_object();
        if (std::ranges::find(inside_, self) != inside_.end()) {
            return fail(error_kind::kType, "A value inside itself cannot be turned into JSON");
        }
        if (inside_.size() >= nya::kMaxJsonDepth) {
            return fail(error_kind::kLimit, "The value is nested too deep for JSON (more than 256 levels)");
        }
        inside_.push_back(self);
        auto json = array ? items(*array) : entries(*map);
        inside_.pop_back();
        return json;
    }

    std::expected<nya::Json, ScriptError> items(const Array& array) {
        nya::Json::Array list;
        list.reserve(array.items.size());
        for (const Value& item : array.items) list.push_back(NYA_TRY((*this)(item)));
        return nya::Json(std::move(list));
    }

    std::expected<nya::Json, ScriptError> entries(const Map& map) {
        nya::Json::Object members;
        members.reserve(map.size());
        for (std::size_t i = 0; i < map.positions(); ++i) {
            const auto& entry = map.entry(i);
            if (entry.key) members.append_new(entry.key->text(), NYA_TRY((*this)(entry.value)));
        }
        return nya::Json(std::move(members));
    }

    Vm& vm_;
    std::vector<const Object*> inside_;
    std::size_t nodes_ = 0;
};

}  // namespace

std::expected<nya::Json, ScriptError> json_from(Vm& vm, const Value& value) {
    return Converter(vm)(value);
}

Value value_from(Runtime& runtime, const nya::Json& json) {
    switch (json.kind()) {
        case nya::Json::Kind::Null:
            return Value::null();
        case nya::Json::Kind::Bool:
            return Value::boolean(json.as_bool());
        case nya::Json::Kind::Integer:
            return Value::integer(json.as_integer());
        case nya::Json::Kind::Float: {
            // 2.0 and 1e3 are integral; above 2^53 a double does not say which Integer was meant.
            const double number = json.as_number();
            constexpr double kExact = 9007199254740992.0;
            if (std::fabs(number) <= kExact && std::trunc(number) == number)
                return Value::integer(static_cast<std::int64_t>(number));
            return Value::number(number);
        }
        case nya::Json::Kind::String:
            return Value(runtime.string(json.as_string()));
        case nya::Json::Kind::Array: {
            auto array = runtime.array();
            array->items.reserve(json.size());
            for (const auto& item : json.as_array()) array->items.push_back(value_from(runtime, item));
            return Value(array);
        }
        case nya::Json::Kind::Object: {
            auto map = runtime.map();
            for (const auto& member : json.as_object())
                map->set(*runtime.string(member.key), value_from(runtime, member.value));
            return Value(map);
        }
    }
    return Value::null();
}

}  // namespace nyash
