// Value: anything a Nyash variable can hold, in 16 bytes.
//
// A tag and eight bytes. Null, Void, Bool, Integer and Float live in the value itself; everything else
// is a counted pointer to an Object. Strings have a tag of their own because so much code asks. The
// tag Undefined never reaches a script: it marks a variable that does not exist (yet) and an argument
// that was left out. All-zero memory is Undefined.
#pragma once

#include <cstdint>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "nyash/runtime/object.h"

namespace nyash {

class String;

class Value {
public:
    enum class Tag : std::uint8_t { Undefined, Null, Void, Bool, Integer, Float, String, Object };
    static constexpr std::size_t kTags = 8;

    Value() noexcept : integer_(0), tag_(Tag::Undefined) {}
    static Value null() noexcept { return Value(Tag::Null, 0); }
    static Value nothing() noexcept { return Value(Tag::Void, 0); }
    static Value boolean(bool b) noexcept { return Value(Tag::Bool, b ? 1 : 0); }
    static Value integer(std::int64_t i) noexcept { return Value(Tag::Integer, i); }
    static Value number(double d) noexcept {
        Value value(Tag::Float, 0);
        value.number_ = d;
        return value;
    }
    Value(const String* text) noexcept;
    Value(nyash::Object* object) noexcept : object_(object), tag_(Tag::Object) { object->retain(); }
    Value(const Ref<String>& text) noexcept;
    template <class T>
    Value(const Ref<T>& object) noexcept : Value(static_cast<nyash::Object*>(object.get())) {}
    // Takes the reference over, without counting.
    Value(Ref<String>&& text) noexcept;
    template <class T>
    Value(Ref<T>&& object) noexcept : object_(object.take()), tag_(Tag::Object) {}

    Value(const Value& other) noexcept : integer_(other.integer_), tag_(other.tag_) {
        if (is_counted()) object_->retain();
    }
    Value(Value&& other) noexcept : integer_(other.integer_), tag_(std::exchange(other.tag_, Tag::Undefined)) {}
    // Inlined always: these are what the VM's loop is made of.
    [[gnu::always_inline]] Value& operator=(const Value& other) noexcept {
        if (other.is_counted()) other.object_->retain();
        replace(other.tag_, other.integer_);
        return *this;
    }
    [[gnu::always_inline]] Value& operator=(Value&& other) noexcept {
        if (this != &other) replace(std::exchange(other.tag_, Tag::Undefined), other.integer_);
        return *this;
    }
    ~Value() {
        if (is_counted()) object_->release();
    }

    // Becomes Undefined.
    void reset() noexcept {
        const bool was_counted = is_counted();
        tag_ = Tag::Undefined;
        if (was_counted) object_->release();
    }
    void set_integer(std::int64_t i) noexcept { replace(Tag::Integer, i); }
    void set_boolean(bool b) noexcept { replace(Tag::Bool, b ? 1 : 0); }

    Tag tag() const noexcept { return tag_; }
    bool is_undefined() const noexcept { return tag_ == Tag::Undefined; }
    bool is_null() const noexcept { return tag_ == Tag::Null; }
    bool is_void() const noexcept { return tag_ == Tag::Void; }
    bool is_absent() const noexcept { return tag_ <= Tag::Void; }  // null, void, or nothing at all
    bool is_bool() const noexcept { return tag_ == Tag::Bool; }
    bool is_integer() const noexcept { return tag_ == Tag::Integer; }
    bool is_float() const noexcept { return tag_ == Tag::Float; }
    bool is_number() const noexcept { return is_integer() || is_float(); }
    bool is_string() const noexcept { return tag_ == Tag::String; }
    bool is_object() const noexcept { return tag_ == Tag::Object; }  // a String is none

    bool as_bool() const noexcept { return integer_ != 0; }
    std::int64_t as_integer() const noexcept { return integer_; }
    double as_float() const noexcept { return number_; }
    double as_number() const noexcept { return is_integer() ? static_cast<double>(integer_) : number_; }
    const String& as_string() const noexcept;
    nyash::Object& as_object() const noexcept { return *object_; }
    // The object as a T, or null when it is none.
    template <class T>
    T* as() const noexcept {
        if (!is_object()) return nullptr;
        // A final class has no children, so comparing types will do: dynamic_cast is ten times as slow.
        if constexpr (std::is_final_v<T>) {
            return typeid(*object_) == typeid(T) ? static_cast<T*>(object_) : nullptr;
        } else {
            return dynamic_cast<T*>(object_);
        }
    }

private:
    Value(Tag tag, std::int64_t bits) noexcept : integer_(bits), tag_(tag) {}
    bool is_counted() const noexcept { return tag_ >= Tag::String; }
    [[gnu::always_inline]] void replace(Tag tag, std::int64_t bits) noexcept {
        if (!is_counted()) {
            tag_ = tag;
            integer_ = bits;
            return;
        }
        nyash::Object* old = object_;
        tag_ = tag;
        integer_ = bits;
        old->release();  // last: freeing may run code that looks at this value
    }

    union {
        std::int64_t integer_;
        double number_;
        nyash::Object* object_;
    };
    Tag tag_;
};

static_assert(sizeof(Value) == 16);

}  // namespace nyash
