// Json: the value itself. Reading is in json_reader.cpp, writing in json_writer.cpp.
//
// Every walk over a value (copy, compare, depth, destroy; also print) keeps its own worklist instead of
// recursing, because a value built by hand may be nested as deep as memory allows.
#include "base/json_walk.h"

#include <nya/json.h>

#include <algorithm>

namespace nya {

namespace {

const char* with_article(Json::Kind kind) noexcept {
    switch (kind) {
        case Json::Kind::Null:
            return "null";
        case Json::Kind::Bool:
            return "a bool";
        case Json::Kind::Integer:
            return "an integer";
        case Json::Kind::Float:
            return "a float";
        case Json::Kind::String:
            return "a string";
        case Json::Kind::Array:
            return "an array";
        case Json::Kind::Object:
            return "an object";
    }
    return "a value";
}

[[noreturn]] void throw_type_error(const char* expected, Json::Kind found) {
    throw JsonTypeError(std::string("expected ") + expected + ", found " + with_article(found));
}

}  // namespace

// ---- Construction, copy, move, destruction ----

Json::Json() noexcept : value_(nullptr) {}
Json::Json(std::nullptr_t) noexcept : value_(nullptr) {}
Json::Json(BoolTag, bool value) noexcept : value_(value) {}
Json::Json(IntegerTag, std::int64_t value) noexcept : value_(value) {}
Json::Json(FloatTag, double value) noexcept : value_(value) {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(std::string text) noexcept : value_(std::move(text)) {}
Json::Json(Array items) noexcept : value_(std::move(items)) {}
Json::Json(Object members) noexcept : value_(std::make_unique<Object>(std::move(members))) {}

Json::Json(std::initializer_list<Member> members) : value_(std::make_unique<Object>()) {
    Object& object = *std::get<std::unique_ptr<Object>>(value_);
    object.reserve(members.size());
    for (const Member& member : members) object.set(member.key, member.value);
}

Json Json::array(std::initializer_list<Json> items) {
    return Json(Array(items));
}
Json Json::object() {
    return Json(Object());
}

Json::Json(const Json& other) : value_(nullptr) {
    // Copies a scalar at once; a container gets its size and its scalars now, and the containers inside it
    // are left on the list. Pointers into `to` stay good: each container is filled to its final size.
    struct Task {
        const Json* from;
        Json* to;
    };
    auto copy_scalar = [](const Json& from, Json& to) {
        switch (from.kind()) {
            case Kind::Null:
                to.value_ = nullptr;
                break;
            case Kind::Bool:
                to.value_ = std::get<bool>(from.value_);
                break;
            case Kind::Integer:
                to.value_ = std::get<std::int64_t>(from.value_);
                break;
            case Kind::Float:
                to.value_ = std::get<double>(from.value_);
                break;
            default:
                to.value_ = std::get<std::string>(from.value_);
                break;
        }
    };
    if (!is_container(other)) {
        copy_scalar(other, *this);
        return;
    }

    Worklist<Task> open;
    auto copy_child = [&](const Json& from, Json& to) {
        if (is_container(from)) {
            open.push({&from, &to});
        } else {
            copy_scalar(from, to);
        }
    };
    open.push({&other, this});
    while (!open.empty()) {
        auto [from, to] = open.pop();
        if (from->is_array()) {
            const Array& source = std::get<Array>(from->value_);
            Array& items = to->value_.emplace<Array>(source.size());
            for (std::size_t i = 0; i < source.size(); ++i) copy_child(source[i], items[i]);
        } else {
            const Object& source = *std::get<std::unique_ptr<Object>>(from->value_);
            Object& object = *to->value_.emplace<std::unique_ptr<Object>>(std::make_unique<Object>());
            object.members_.reserve(source.size());
            for (const Member& member : source) {
                copy_child(member.value, object.members_.emplace_back(member.key, Json()).value);
            }
        }
    }
}

Json::Json(Json&& other) noexcept : value_(std::move(other.value_)) {
    if (other.is_object()) other.value_ = nullptr;  // its members are gone: never leave an object without
}

Json& Json::operator=(const Json& other) {
    return *this = Json(other);
}

Json& Json::operator=(Json&& other) noexcept {
    // By way of a local, because `other` may live inside the value we are about to drop.
    Json taken = std::move(other);
    value_ = std::move(taken.value_);
    taken.value_ = nullptr;
    return *this;
}

// Destruction recurses as any tree does, but only so far: below kMaxJsonDepth levels the rest is moved to a
// list and taken apart from there. Counting costs a nanosecond; a list for every value would cost an allocation.
Json::~Json() {
    if (!is_container(*this)) return;
    thread_local std::size_t levels = 0;
    if (levels < kMaxJsonDepth) {
        ++levels;
        value_ = nullptr;
        --levels;
        return;
    }
    std::vector<Json> rest;
    auto take_containers_of = [&rest](Json& value) {
        auto take = [&rest](Json& child) {
            if (is_container(child)) rest.push_back(std::move(child));
        };
        if (auto* items = std::get_if<Array>(&value.value_)) {
            for (Json& item : *items) take(item);
        } else if (auto* object = std::get_if<std::unique_ptr<Object>>(&value.value_)) {
            for (Member& member : (*object)->members_) take(member.value);
        }
        value.value_ = nullptr;  // only scalars are left in it
    };
    take_containers_of(*this);
    while (!rest.empty()) {
        Json value = std::move(rest.back());
        rest.pop_back();
        take_containers_of(value);
    }
}

// ---- Access ----

Json::Kind Json::kind() const noexcept {
    return static_cast<Kind>(value_.index());
}

bool Json::as_bool() const {
    if (auto* value = std::get_if<bool>(&value_)) return *value;
    throw_type_error("a bool", kind());
}

std::int64_t Json::as_integer() const {
    if (auto* value = std::get_if<std::int64_t>(&value_)) return *value;
    throw_type_error("an integer", kind());
}

double Json::as_number() const {
    if (auto* value = std::get_if<double>(&value_)) return *value;
    if (auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
    throw_type_error("a number", kind());
}

const std::string& Json::as_string() const {
    if (auto* value = std::get_if<std::string>(&value_)) return *value;
    throw_type_error("a string", kind());
}

const Json::Array& Json::as_array() const {
    if (auto* value = std::get_if<Array>(&value_)) return *value;
    throw_type_error("an array", kind());
}

Json::Array& Json::as_array() {
    return const_cast<Array&>(std::as_const(*this).as_array());
}

const Json::Object& Json::as_object() const {
    if (auto* value = std::get_if<std::unique_ptr<Object>>(&value_)) return **value;
    throw_type_error("an object", kind());
}

Json::Object& Json::as_object() {
    return const_cast<Object&>(std::as_const(*this).as_object());
}

namespace {

// What [] answers where there is nothing. Never destroyed, so that it also serves destructors at exit.
const Json& nothing() noexcept {
    static const Json* const null = new Json;
    return *null;
}

}  // namespace

const Json& Json::operator[](std::string_view key) const noexcept {
    if (auto* object = std::get_if<std::unique_ptr<Object>>(&value_)) {
        if (const Json* value = (*object)->find(key)) return *value;
    }
    return nothing();
}

const Json& Json::operator[](std::size_t index) const noexcept {
    auto* items = std::get_if<Array>(&value_);
    return items && index < items->size() ? (*items)[index] : nothing();
}

const Json& Json::operator[](int index) const noexcept {
    return index < 0 ? nothing() : (*this)[static_cast<std::size_t>(index)];
}

std::size_t Json::size() const noexcept {
    if (auto* items = std::get_if<Array>(&value_)) return items->size();
    if (auto* object = std::get_if<std::unique_ptr<Object>>(&value_)) return (*object)->size();
    return 0;
}

void Json::Object::set(std::string key, Json value) {
    if (Json* old = find(key)) {
        *old = std::move(value);
    } else {
        append_new(std::move(key), std::move(value));
    }
}

void Json::Object::append_new(std::string key, Json value) {
    members_.emplace_back(std::move(key), std::move(value));
}

bool Json::Object::erase(std::string_view key) {
    auto found = std::ranges::find(members_, key, &Member::key);
    if (found == members_.end()) return false;
    members_.erase(found);
    return true;
}

const Json* Json::Object::find(std::string_view key) const noexcept {
    auto found = std::ranges::find(members_, key, &Member::key);
    return found == members_.end() ? nullptr : &found->value;
}

Json* Json::Object::find(std::string_view key) noexcept {
    return const_cast<Json*>(std::as_const(*this).find(key));
}

std::size_t Json::Object::size() const noexcept {
    return members_.size();
}
void Json::Object::reserve(std::size_t members) {
    members_.reserve(members);
}
Json::Object::const_iterator Json::Object::begin() const noexcept {
    return members_.begin();
}
Json::Object::const_iterator Json::Object::end() const noexcept {
    return members_.end();
}

// ---- Comparing, measuring ----

namespace {

// 2^53 + 1 is no double, so the integer must not be converted: the double is, once it is known to be integral.
bool same_number(std::int64_t integer, double number) noexcept {
    constexpr double kTwoTo63 = 9223372036854775808.0;
    return number >= -kTwoTo63 && number < kTwoTo63 &&
           static_cast<double>(static_cast<std::int64_t>(number)) == number &&
           static_cast<std::int64_t>(number) == integer;
}

bool same_scalar(const Json& a, const Json& b) noexcept {
    if (a.kind() != b.kind()) {
        if (a.is_integer() && b.is_float()) return same_number(a.as_integer(), b.as_number());
        if (a.is_float() && b.is_integer()) return same_number(b.as_integer(), a.as_number());
        return false;
    }
    switch (a.kind()) {
        case Json::Kind::Bool:
            return a.as_bool() == b.as_bool();
        case Json::Kind::Integer:
            return a.as_integer() == b.as_integer();
        case Json::Kind::Float:
            return a.as_number() == b.as_number();
        case Json::Kind::String:
            return a.as_string() == b.as_string();
        default:
            return a.is_null();
    }
}

// Finds members of one object by key: in the place where they are expected, else by binary search in an index
// that is built when the first one is out of place (a linear find per member would be quadratic).
class MemberFinder {
public:
    explicit MemberFinder(const Json::Object& object) : object_(object) {}

    const Json* find(std::string_view key, std::size_t expected_place) {
        auto expected = object_.begin() + static_cast<std::ptrdiff_t>(expected_place);
        if (expected_place < object_.size() && expected->key == key) return &expected->value;
        if (object_.size() <= 8) return object_.find(key);
        if (by_key_.empty()) {
            for (const auto& member : object_) by_key_.push_back(&member);
            std::ranges::sort(by_key_, {}, &Json::Member::key);
        }
        auto found =
            std::ranges::lower_bound(by_key_, key, {}, [](auto* member) { return std::string_view(member->key); });
        return found != by_key_.end() && (*found)->key == key ? &(*found)->value : nullptr;
    }

private:
    const Json::Object& object_;
    std::vector<const Json::Member*> by_key_;
};

}  // namespace

bool operator==(const Json& a, const Json& b) noexcept {
    if (!is_container(a) || !is_container(b)) return same_scalar(a, b);

    Worklist<std::pair<const Json*, const Json*>> open;
    auto differ = [&open](const Json& left, const Json& right) {
        if (!is_container(left) || !is_container(right)) return !same_scalar(left, right);
        open.push({&left, &right});
        return false;
    };
    open.push({&a, &b});
    while (!open.empty()) {
        auto [left, right] = open.pop();
        if (left->kind() != right->kind() || left->size() != right->size()) return false;
        if (left->is_array()) {
            for (std::size_t i = 0; i < left->size(); ++i) {
                if (differ((*left)[i], (*right)[i])) return false;
            }
        } else {
            MemberFinder finder(right->as_object());
            std::size_t place = 0;
            for (const auto& [key, value] : left->as_object()) {
                const Json* counterpart = finder.find(key, place++);
                if (!counterpart || differ(value, *counterpart)) return false;
            }
        }
    }
    return true;
}

std::size_t Json::depth() const noexcept {
    struct Level {
        const Json* container;
        std::size_t depth;
    };
    std::size_t deepest = 0;
    Worklist<Level> open;
    if (is_container(*this)) open.push({this, 1});
    while (!open.empty()) {
        auto [container, depth] = open.pop();
        deepest = std::max(deepest, depth);
        auto visit = [&open, depth](const Json& child) {
            if (is_container(child)) open.push({&child, depth + 1});
        };
        if (container->is_array()) {
            for (const Json& item : container->as_array()) visit(item);
        } else {
            for (const auto& member : container->as_object()) visit(member.value);
        }
    }
    return deepest;
}

}  // namespace nya
