#include "nyash/runtime/text_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "nyash/runtime/array.h"
#include "nyash/runtime/function.h"
#include "nyash/runtime/future.h"
#include "nyash/runtime/runtime.h"
#include "nyash/runtime/vm.h"

namespace nyash {
namespace {

// Values nested deeper than this print as [...].
constexpr std::size_t kMaxTextDepth = 64;

}  // namespace

std::string float_text(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
    // The shortest digits that read back the same, as d.ddde±x; then the point goes where x says.
    std::array<char, 32> buffer;
    const auto end = std::to_chars(buffer.begin(), buffer.end(), number, std::chars_format::scientific).ptr;
    const std::string_view written(buffer.data(), end);
    const std::size_t e = written.find('e');
    int exponent = 0;
    std::from_chars(written.data() + e + (written[e + 1] == '+' ? 2 : 1), end, exponent);
    std::string digits;
    for (const char c : written.substr(0, e)) {
        if (c >= '0' && c <= '9') digits += c;
    }
    const auto count = static_cast<int>(digits.size());
    std::string text = written.starts_with('-') ? "-" : "";
    if (exponent < 0) return text + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    if (exponent >= count - 1) return text + digits + std::string(static_cast<std::size_t>(exponent - count + 1), '0');
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    return text + digits.substr(0, whole) + "." + digits.substr(whole);
}

void TextWriter::text(std::string_view more) {
    if (error_) return;
    const std::size_t limit = vm_.runtime().limits().max_text_bytes;
    if (out_.size() + more.size() > limit) return stop(vm_.text_too_long());
    out_ += more;
}

void TextWriter::value(const Value& value) {
    // A small value shared many times over makes a long text: Ctrl-C must get through.
    constexpr std::uint32_t kOften = 4096;
    if (++written_ % kOften == 0) {
        if (auto done = vm_.check_limits(); !done) return stop(std::move(done.error()));
    }
    switch (value.tag()) {
        case Value::Tag::Undefined:
        case Value::Tag::Null:
            return text("null");
        case Value::Tag::Void:
            return text("void");
        case Value::Tag::Bool:
            return text(value.as_bool() ? "true" : "false");
        case Value::Tag::Integer: {
            std::array<char, 24> digits;
            return text({digits.data(), std::to_chars(digits.begin(), digits.end(), value.as_integer()).ptr});
        }
        case Value::Tag::Float:
            return text(float_text(value.as_float()));
        case Value::Tag::String:
            return text(value.as_string().text());
        case Value::Tag::Object:
            return value.as_object().write(*this);
    }
}

bool TextWriter::join_texts(std::span<const Value> values, std::string_view separator) {
    std::size_t size = 0;
    for (const Value& value : values) {
        if (!value.is_string()) return false;
        size += value.as_string().text().size() + separator.size();
    }
    if (error_ || values.empty()) return true;
    size -= separator.size();
    if (out_.size() + size > vm_.runtime().limits().max_text_bytes) {
        stop(vm_.text_too_long());
        return true;
    }
    const std::size_t before = out_.size();
    out_.resize_and_overwrite(before + size, [&](char* text, std::size_t) {
        char* to = text + before;
        const auto put = [&](std::string_view more) { to = std::ranges::copy(more, to).out; };
        put(values.front().as_string().text());
        for (const Value& value : values.subspan(1)) {
            put(separator);
            put(value.as_string().text());
        }
        return static_cast<std::size_t>(to - text);  // libstdc++ 12 offers more room than was asked for
    });
    return true;
}

void TextWriter::stop(ScriptError error) {
    if (!error_) error_ = std::move(error);
}

std::expected<std::string, ScriptError> TextWriter::finish() {
    if (error_) return std::unexpected(std::move(*error_));
    return std::move(out_);
}

TextWriter::Inside::Inside(TextWriter& writer, const Object& object) : writer_(writer) {
    auto& open = writer.inside_;
    entered_ = open.size() < kMaxTextDepth && std::ranges::find(open, &object) == open.end();
    if (entered_) open.push_back(&object);
}

TextWriter::Inside::~Inside() {
    if (entered_) writer_.inside_.pop_back();
}

// ---- the texts of the runtime's own objects ----

void Object::write(TextWriter& out) const {
    out.text(type().name() + "()");
}

void String::write(TextWriter& out) const {
    out.text(text_);
}

void Array::write(TextWriter& out) const {
    const TextWriter::Inside inside(out, *this);
    if (!inside.entered()) return out.text("[...]");
    out.text("[");
    for (std::size_t i = 0; i < items.size() && !out.is_stopped(); ++i) {
        if (i > 0) out.text(", ");
        out.value(Value(items[i]));  // a copy: a script's toString may change the array
    }
    out.text("]");
}

void Function::write(TextWriter& out) const {
    out.text("<function>");
}

void NativeFunctionBox::write(TextWriter& out) const {
    out.text("<function>");
}

void Future::write(TextWriter& out) const {
    const TextWriter::Inside inside(out, *this);
    if (!inside.entered()) return out.text("[...]");
    if (!is_settled()) return out.text("Future(pending)");
    out.text(has_failed() ? "Future(failed: " : "Future(ready: ");
    out.value(value());
    out.text(")");
}

void BoundMethod::write(TextWriter& out) const {
    out.text("<function>");
}

}  // namespace nyash
