// StringBox: texts. Immutable; every index counts code points.
#include <algorithm>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/letter_case.h"
#include "nyash/boxes/numbers.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

const String& self(NativeCall& call) {
    return call.self.as_string();
}

// Code point index of a byte offset.
std::int64_t index_of_byte(const String& text, std::size_t offset) {
    if (text.is_ascii()) return static_cast<std::int64_t>(offset);
    return static_cast<std::int64_t>(unicode::count(std::string_view(text.text()).substr(0, offset)));
}

// A part of a text: within the limits as the whole is.
Value part_of(NativeCall& call, std::string_view part) {
    return make<String>(call.runtime.core().string_type, part);
}

Result make_string(NativeCall& call) {
    if (!call.has(0)) return call.text("");
    return Value(NYA_TRY(call.vm.to_string(call[0])));
}

Result length(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).length()));
}

Result is_empty(NativeCall& call) {
    return Value::boolean(self(call).text().empty());
}

Result get(NativeCall& call) {
    const std::int64_t i = NYA_TRY(call.integer(0));
    const String& text = self(call);
    if (i < 0 || static_cast<std::uint64_t>(i) >= text.length()) return Value::null();
    const std::size_t from = text.offset_of(static_cast<std::size_t>(i));
    const std::string_view rest = std::string_view(text.text()).substr(from);
    return part_of(call, rest.substr(0, std::max<std::size_t>(unicode::decode(rest).bytes, 1)));
}

// Both ends are clamped to the text; an end before the start gives nothing.
Result substring(NativeCall& call) {
    const String& text = self(call);
    const auto length = static_cast<std::int64_t>(text.length());
    const std::int64_t from = std::clamp<std::int64_t>(NYA_TRY(call.integer(0)), 0, length);
    const std::int64_t to = call.has(1) ? std::clamp<std::int64_t>(NYA_TRY(call.integer(1)), 0, length) : length;
    if (to <= from) return call.text("");
    const std::size_t first = text.offset_of(static_cast<std::size_t>(from));
    const std::size_t last = text.offset_of(static_cast<std::size_t>(to));
    return part_of(call, std::string_view(text.text()).substr(first, last - first));
}

Result find(NativeCall& call) {
    const std::size_t at = self(call).text().find(NYA_TRY(call.string(0))->text());
    return Value::integer(at == std::string::npos ? -1 : index_of_byte(self(call), at));
}

Result contains(NativeCall& call) {
    return Value::boolean(self(call).text().find(NYA_TRY(call.string(0))->text()) != std::string::npos);
}

Result starts_with(NativeCall& call) {
    return Value::boolean(self(call).text().starts_with(NYA_TRY(call.string(0))->text()));
}

Result ends_with(NativeCall& call) {
    return Value::boolean(self(call).text().ends_with(NYA_TRY(call.string(0))->text()));
}

Result replace(NativeCall& call) {
    const std::string& text = self(call).text();
    const std::string& what = NYA_TRY(call.string(0))->text();
    const std::string& with = NYA_TRY(call.string(1))->text();
    if (what.empty()) return call.self;
    TextWriter out(call.vm);
    std::size_t done = 0;
    for (std::size_t at = text.find(what); at != std::string::npos && !out.is_stopped(); at = text.find(what, done)) {
        out.text(std::string_view(text).substr(done, at - done));
        out.text(with);
        done = at + what.size();
    }
    out.text(std::string_view(text).substr(done));
    return call.text(NYA_TRY(out.finish()));
}

Result split(NativeCall& call) {
    const std::string_view text = self(call).text();
    const std::string_view separator = NYA_TRY(call.string(0))->text();
    auto parts = call.runtime.array();
    if (separator.empty()) {  // into characters
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t bytes = std::max<std::size_t>(unicode::decode(text.substr(at)).bytes, 1);
            NYA_TRY(parts->push(part_of(call, text.substr(at, bytes))));
            at += bytes;
        }
        return Value(std::move(parts));
    }
    if (separator.size() == 1) {
        const auto separators = static_cast<std::size_t>(std::ranges::count(text, separator.front()));
        parts->items.reserve(std::min(separators + 1, kMaxElements));
    }
    std::size_t from = 0;
    for (std::size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator, from)) {
        NYA_TRY(parts->push(part_of(call, text.substr(from, at - from))));
        from = at + separator.size();
    }
    NYA_TRY(parts->push(part_of(call, text.substr(from))));
    return Value(std::move(parts));
}

// The text stands between the elements of the array.
Result join(NativeCall& call) {
    Array& array = *NYA_TRY(call.array(0));
    TextWriter out(call.vm);
    if (out.join_texts(array.items, self(call).text())) return call.text(NYA_TRY(out.finish()));
    for (std::size_t i = 0; i < array.items.size() && !out.is_stopped(); ++i) {
        if (i > 0) out.text(self(call).text());
        out.value(Value(array.items[i]));
    }
    return call.text(NYA_TRY(out.finish()));
}

Result trim(NativeCall& call) {
    constexpr std::string_view kSpace = " \t\r\n\f\v";
    const std::string_view text = self(call).text();
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string::npos) return call.text("");
    return part_of(call, text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

template <char32_t (*change)(char32_t)>
Result in_case(NativeCall& call) {
    const std::string_view text = self(call).text();
    std::string changed;
    changed.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto next = unicode::decode(text.substr(at));
        unicode::append(changed, change(next.code_point));
        at += std::max<std::size_t>(next.bytes, 1);
    }
    return call.text(std::move(changed));
}

Result to_integer_or_zero(NativeCall& call) {
    const std::string& text = self(call).text();
    if (const auto parsed = parse_integer(text)) return Value::integer(*parsed);
    if (const auto parsed = parse_number(text)) {
        if (auto integer = to_integer(*parsed, Rounding::Truncate)) return integer;
    }
    return Value::integer(0);
}

Result to_float_or_zero(NativeCall& call) {
    return Value::number(parse_number(self(call).text()).value_or(0));
}

Result concat(NativeCall& call) {
    TextWriter out(call.vm);
    out.text(self(call).text());
    out.value(call[0]);
    return call.text(NYA_TRY(out.finish()));
}

Result itself(NativeCall& call) {
    return call.self;
}

}  // namespace

void add_string_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core()
        .string_type.constructor(names, "value?", make_string)
        .method(names, "length", "", length)
        .method(names, "isEmpty", "", is_empty)
        .method(names, "get charAt", "index", get)
        .method(names, "substring", "start end?", substring)
        .method(names, "find indexOf", "text", find)
        .method(names, "contains", "text", contains)
        .method(names, "startsWith", "text", starts_with)
        .method(names, "endsWith", "text", ends_with)
        .method(names, "replace", "what with", replace)
        .method(names, "split", "separator", split)
        .method(names, "join", "array", join)
        .method(names, "trim", "", trim)
        .method(names, "toUpper toUpperCase", "", in_case<to_upper>)
        .method(names, "toLower toLowerCase", "", in_case<to_lower>)
        .method(names, "toInteger", "", to_integer_or_zero)
        .method(names, "toFloat", "", to_float_or_zero)
        .method(names, "concat", "other", concat)
        .property(names, "value", itself);
}

}  // namespace nyash
