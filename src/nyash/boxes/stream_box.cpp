// StreamBox: a text in memory that is written at its end and read from a place that moves on.
//
// Places and lengths count code points. They are kept as such, so that seeking is a step and no search.
#include <algorithm>
#include <string>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

class StreamBox final : public Object {
public:
    explicit StreamBox(const BoxType& type) : Object(type) {}

    std::u32string characters;
    std::size_t position = 0;  // of the next character read

    std::size_t left() const { return characters.size() - position; }
    // The next so many characters, as UTF-8; moves on.
    std::string take(std::size_t count) {
        std::string text;
        for (const char32_t c : std::u32string_view(characters).substr(position, count)) unicode::append(text, c);
        position += std::min(count, left());
        return text;
    }
    void write(TextWriter& out) const override {
        out.text("StreamBox(" + std::to_string(position) + " of " + std::to_string(characters.size()) + ")");
    }
};

StreamBox& self(NativeCall& call) {
    return call.object<StreamBox>();
}

Done append(NativeCall& call, StreamBox& stream, std::string_view text) {
    const std::size_t limit = call.runtime.limits().max_text_bytes / sizeof(char32_t);
    if (stream.characters.size() + unicode::count(text) > limit)
        return fail(error_kind::kLimit, "The stream is full (" + std::to_string(limit) + " characters)");
    while (!text.empty()) {
        const auto next = unicode::decode(text);
        stream.characters += next.code_point;
        text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
    }
    return {};
}

Result make_stream(NativeCall& call) {
    auto stream = make<StreamBox>(call.runtime.types().named("StreamBox"));
    if (call.has(0)) NYA_TRY(append(call, *stream, NYA_TRY(call.string(0))->text()));
    return Value(stream);
}

Result write(NativeCall& call) {
    const auto text = NYA_TRY(call.vm.to_string(call[0]));
    NYA_TRY(append(call, self(call), text->text()));
    return call.self;
}

// Up to so many characters; null at the end.
Result read(NativeCall& call) {
    const std::int64_t count = NYA_TRY(call.integer(0));
    if (count < 0) return fail(error_kind::kOperation, "read takes a count of 0 or more, got " + std::to_string(count));
    if (count > 0 && self(call).left() == 0) return Value::null();
    return call.text(self(call).take(static_cast<std::size_t>(count)));
}

// Up to the end of the line, which is left out; null at the end.
Result read_line(NativeCall& call) {
    auto& stream = self(call);
    if (stream.left() == 0) return Value::null();
    const std::size_t end = stream.characters.find(U'\n', stream.position);
    if (end == std::u32string::npos) return call.text(stream.take(stream.left()));
    std::string line = stream.take(end - stream.position);
    ++stream.position;
    if (line.ends_with('\r')) line.pop_back();
    return call.text(std::move(line));
}

Result read_all(NativeCall& call) {
    return call.text(self(call).take(self(call).left()));
}

Result position(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).position));
}

Result seek(NativeCall& call) {
    const std::int64_t to = NYA_TRY(call.integer(0));
    auto& stream = self(call);
    if (to < 0 || static_cast<std::uint64_t>(to) > stream.characters.size()) {
        return fail(error_kind::kOperation, "Place " + std::to_string(to) + " is outside the stream of " +
                                                std::to_string(stream.characters.size()));
    }
    stream.position = static_cast<std::size_t>(to);
    return call.self;
}

Result length(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).characters.size()));
}

// Nothing left to read.
Result is_empty(NativeCall& call) {
    return Value::boolean(self(call).left() == 0);
}

Result copy(NativeCall& call) {
    auto made = make<StreamBox>(self(call).type());
    made->characters = self(call).characters;
    made->position = self(call).position;
    return Value(made);
}

Result clear(NativeCall& call) {
    self(call).characters = {};
    self(call).position = 0;
    return call.self;
}

}  // namespace

void add_stream_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("StreamBox")
        .constructor(names, "text?", make_stream)
        .method(names, "write", "text", write)
        .method(names, "read", "count", read)
        .method(names, "readLine", "", read_line)
        .method(names, "readAll", "", read_all)
        .method(names, "position", "", position)
        .method(names, "seek", "position", seek)
        .method(names, "length size", "", length)
        .method(names, "isEmpty", "", is_empty)
        .method(names, "clone", "", copy)
        .method(names, "clear", "", clear);
}

}  // namespace nyash
