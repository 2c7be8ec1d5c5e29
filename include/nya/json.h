// Json: a JSON value (RFC 8259) in standard C++ types.
//
//     nya::Json greeting{{"text", "Hello P2P!"}, {"timestamp", 12345}};
//     greeting["text"].as_string()          // "Hello P2P!"
//     greeting.dump()                       // {"text":"Hello P2P!","timestamp":12345}
//
// Objects keep the order in which members were added, because that is what people see when a payload
// is printed. Numbers are int64 where the text is an integer that fits, else double. A value is a
// plain value: copying copies, nothing is shared, and const access from several threads is fine.
// Nesting is limited to kMaxJsonDepth wherever a text is read. Values built by hand may be deeper: copying,
// comparing, printing and destroying them never recurses without limit, so no value can exhaust the stack.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nya {

inline constexpr std::size_t kMaxJsonDepth = 256;

// Why a text is not JSON, and where. Line and column count from 1; the column counts bytes.
struct JsonError {
    std::size_t offset = 0;
    std::size_t line = 1;
    std::size_t column = 1;
    std::string message;  // e.g. "expected a value, found ','"
};

// Thrown by the as_...() accessors when the value is of another kind.
class JsonTypeError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class JsonBuilder;

class Json {
public:
    enum class Kind : std::uint8_t { Null, Bool, Integer, Float, String, Array, Object };

    struct Member;
    using Array = std::vector<Json>;
    class Object;

    Json() noexcept;  // null
    Json(std::nullptr_t) noexcept;
    Json(std::same_as<bool> auto value) noexcept : Json(BoolTag{}, value) {}
    Json(std::integral auto value) noexcept
        requires(!std::same_as<decltype(value), bool>)
        : Json(IntegerTag{}, static_cast<std::int64_t>(value)) {}
    // An unsigned number above INT64_MAX does not fit: pass it as a double or a string.
    Json(std::floating_point auto value) noexcept : Json(FloatTag{}, static_cast<double>(value)) {}
    Json(const char* text);
    Json(std::string_view text);
    Json(std::string text) noexcept;
    Json(Array items) noexcept;
    Json(Object members) noexcept;
    Json(std::initializer_list<Member> members);  // an object; a repeated key keeps the last value
    static Json array(std::initializer_list<Json> items = {});
    static Json object();

    Json(const Json&);
    Json(Json&&) noexcept;
    Json& operator=(const Json&);
    Json& operator=(Json&&) noexcept;
    ~Json();

    Kind kind() const noexcept;
    bool is_null() const noexcept { return kind() == Kind::Null; }
    bool is_bool() const noexcept { return kind() == Kind::Bool; }
    bool is_integer() const noexcept { return kind() == Kind::Integer; }
    bool is_float() const noexcept { return kind() == Kind::Float; }
    bool is_number() const noexcept { return is_integer() || is_float(); }
    bool is_string() const noexcept { return kind() == Kind::String; }
    bool is_array() const noexcept { return kind() == Kind::Array; }
    bool is_object() const noexcept { return kind() == Kind::Object; }

    // The value as the kind named, or JsonTypeError ("expected a string, found null").
    bool as_bool() const;
    std::int64_t as_integer() const;  // integers only
    double as_number() const;         // integers and floats
    const std::string& as_string() const;
    const Array& as_array() const;
    Array& as_array();
    const Object& as_object() const;
    Object& as_object();

    // A member or an element; null (never an error) where there is none or this is no container.
    const Json& operator[](std::string_view key) const noexcept;
    const Json& operator[](const char* key) const noexcept { return (*this)[std::string_view(key)]; }
    const Json& operator[](std::size_t index) const noexcept;
    const Json& operator[](int index) const noexcept;
    std::size_t size() const noexcept;  // members or elements; 0 for anything else

    // Compact text, always valid JSON, members in their order. A double is written in the shortest form that
    // reads back as an equal number, without an exponent where people would not write one (1e-7 up to 1e21, as
    // browsers do) and without ".0": 3.0 is `3`, as scripts print it, and reads back as the integer 3, which
    // equals 3.0. One that is not finite becomes null, since JSON has no such number. Bytes that are not UTF-8
    // become U+FFFD, since text must be.
    std::string dump() const;
    void dump_to(std::string& out) const;

    // Reads exactly one value, white space around it allowed. Strict RFC 8259: UTF-8 is checked,
    // no comments, no trailing commas, at most kMaxJsonDepth deep, no number beyond the range of double.
    // Of equal keys the last value wins, at the place of the first.
    static std::expected<Json, JsonError> parse(std::string_view text);
    // The same checks without building a value: for text that is only passed on.
    static std::expected<void, JsonError> validate(std::string_view text);

    // Levels of nesting: 0 for a scalar, 1 for [] and {}.
    std::size_t depth() const noexcept;

    // Numbers compare by value, exactly, whatever their kind; the order of members does not matter.
    friend bool operator==(const Json& a, const Json& b) noexcept;

private:
    friend class JsonBuilder;  // reading: puts values together in place
    struct BoolTag {};
    struct IntegerTag {};
    struct FloatTag {};
    Json(BoolTag, bool value) noexcept;
    Json(IntegerTag, std::int64_t value) noexcept;
    Json(FloatTag, double value) noexcept;

    std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, std::unique_ptr<Object>> value_;
};

// Members in the order they were first added.
class Json::Object {
public:
    using const_iterator = std::vector<Member>::const_iterator;

    // Adds a member or replaces its value, keeping its place. Linear in the number of members.
    void set(std::string key, Json value);
    // Adds a member whose key the caller knows to be new. Constant time.
    void append_new(std::string key, Json value);
    bool erase(std::string_view key);
    const Json* find(std::string_view key) const noexcept;
    Json* find(std::string_view key) noexcept;
    bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
    std::size_t size() const noexcept;
    bool empty() const noexcept { return size() == 0; }
    void reserve(std::size_t members);
    const_iterator begin() const noexcept;
    const_iterator end() const noexcept;

private:
    friend class Json;
    friend class JsonBuilder;
    std::vector<Member> members_;
};

struct Json::Member {
    std::string key;
    Json value;
};

}  // namespace nya
