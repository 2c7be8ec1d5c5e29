// String: an immutable UTF-8 text, and the table of names.
//
// Indices count code points. Almost all texts are ASCII, where a code point is a byte, so a String
// remembers its length in code points once asked; equal to its size means plain indexing works. In other
// texts it remembers the place last asked for, so that going through one by index does not start from
// the front each time.
// Names (of variables, methods, fields, map keys in source) are interned: one String per spelling,
// so comparing names is comparing pointers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "nyash/runtime/object.h"
#include "nyash/runtime/value.h"

namespace nyash {

// Hash of a text as String::hash() gives it; never 0.
std::uint64_t hash_text(std::string_view text) noexcept;

class String final : public Object {
public:
    // Moving a short std::string costs as much as copying it, so each has a constructor of its own.
    String(const BoxType& type, std::string&& text) noexcept : Object(type), text_(std::move(text)) {}
    String(const BoxType& type, std::string_view text) : Object(type), text_(text) {}

    const std::string& text() const noexcept { return text_; }
    std::size_t length() const noexcept;  // code points
    bool is_ascii() const noexcept { return length() == text_.size(); }
    // Byte offset of code point `index`, or the size when there are fewer.
    std::size_t offset_of(std::size_t index) const noexcept;
    std::uint64_t hash() const noexcept {
        if (hash_ == 0) hash_ = hash_text(text_);
        return hash_;
    }
    bool is_interned() const noexcept { return is_interned_; }
    bool equals(const String& other) const noexcept {
        if (this == &other) return true;
        if (is_interned_ && other.is_interned_) return false;
        return text_ == other.text_;
    }
    void write(TextWriter& out) const override;
    bool is_true() const noexcept override { return !text_.empty(); }

    // Adds to the end in place. Only when nobody else can see this String (use_count 1, not interned).
    void append(std::string_view more);

private:
    friend class Names;
    std::string text_;
    mutable std::size_t length_ = static_cast<std::size_t>(-1);
    mutable std::uint64_t hash_ = 0;  // 0: not computed yet
    bool is_interned_ = false;
    mutable std::uint32_t known_index_ = 0;  // a code point and the byte it starts at
    mutable std::uint32_t known_offset_ = 0;
};

class Names {
public:
    explicit Names(const BoxType& string_type) : type_(string_type) {}
    Name intern(std::string_view text);
    // The name if it was ever interned, else null.
    Name find(std::string_view text) const;

private:
    const BoxType& type_;
    struct Hash {
        std::size_t operator()(std::string_view text) const noexcept { return hash_text(text); }
    };
    std::unordered_map<std::string_view, Ref<String>, Hash> names_;
};

inline Value::Value(const String* text) noexcept : object_(const_cast<String*>(text)), tag_(Tag::String) {
    text->retain();
}
inline Value::Value(const Ref<String>& text) noexcept : Value(static_cast<const String*>(text.get())) {}
inline Value::Value(Ref<String>&& text) noexcept : object_(text.take()), tag_(Tag::String) {}
inline const String& Value::as_string() const noexcept {
    return static_cast<const String&>(*object_);
}

}  // namespace nyash
