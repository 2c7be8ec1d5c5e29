// TextWriter: turns values into text, as print, `+` and join do (LANGUAGE, section 3).
//
// It knows which objects it is inside of, so that a cycle prints as [...], and stops at the limit on
// the length of a text; what goes wrong (that limit, an error in a script's own toString) is kept
// until finish().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nyash/runtime/script_error.h"
#include "nyash/runtime/value.h"

namespace nyash {

class Vm;

class TextWriter {
public:
    explicit TextWriter(Vm& vm) : vm_(vm) {}

    void text(std::string_view more);
    void value(const Value& value);
    // Writes the values with the separator between them, quickly, if all of them are strings. False, and nothing
    // written, if one is not.
    bool join_texts(std::span<const Value> values, std::string_view separator);

    // While alive, the object counts as being written. `entered` is false when it already was, or when
    // the nesting is too deep: write "[...]" then.
    class Inside {
    public:
        Inside(TextWriter& writer, const Object& object);
        ~Inside();
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        bool entered() const { return entered_; }

    private:
        TextWriter& writer_;
        bool entered_;
    };

    // True once there is no point in writing more.
    bool is_stopped() const { return error_.has_value(); }
    void stop(ScriptError error);
    Vm& vm() { return vm_; }
    std::expected<std::string, ScriptError> finish();

private:
    Vm& vm_;
    std::string out_;
    std::uint32_t written_ = 0;  // values so far
    std::vector<const Object*> inside_;
    std::optional<ScriptError> error_;
};

// The shortest decimal that reads back the same, never with an exponent.
std::string float_text(double number);

}  // namespace nyash
