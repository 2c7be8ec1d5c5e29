// BufferBox: bytes in memory. Written at the end, read from the front.
//
// Several boxes may show the same bytes (share_reference): what is written through one is seen through all.
#include <algorithm>
#include <memory>
#include <string>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

// Bytes whose front can be taken off cheaply: what was read is forgotten once it is more than half.
class ByteQueue {
public:
    std::string_view view() const { return std::string_view(bytes_).substr(start_); }
    std::size_t size() const { return bytes_.size() - start_; }
    std::size_t footprint() const { return bytes_.capacity(); }

    void append(std::string_view more) { bytes_ += more; }
    void drop_front(std::size_t count) {
        start_ += count;
        if (start_ <= bytes_.size() / 2) return;
        bytes_.erase(0, start_);
        start_ = 0;
    }
    void clear() {
        bytes_ = {};
        start_ = 0;
    }

private:
    std::string bytes_;
    std::size_t start_ = 0;
};

class BufferBox final : public Object {
public:
    explicit BufferBox(const BoxType& type) : Object(type) {}
    std::shared_ptr<ByteQueue> bytes = std::make_shared<ByteQueue>();
    void write(TextWriter& out) const override {
        out.text("BufferBox(" + std::to_string(bytes->size()) + (bytes->size() == 1 ? " byte)" : " bytes)"));
    }
};

BufferBox& self(NativeCall& call) {
    return call.object<BufferBox>();
}

std::expected<BufferBox*, ScriptError> buffer(NativeCall& call, std::size_t i) {
    if (auto* found = call.as<BufferBox>(i)) return found;
    return std::unexpected(call.wrong_type(i, "a BufferBox"));
}

Ref<BufferBox> new_buffer(NativeCall& call) {
    return make<BufferBox>(call.runtime.types().named("BufferBox"));
}

Result make_buffer(NativeCall& call) {
    return Value(new_buffer(call));
}

// An array of 0…255, or the UTF-8 of a text.
std::expected<std::string, ScriptError> bytes_argument(NativeCall& call, std::size_t i) {
    if (call[i].is_string()) return call[i].as_string().text();
    const auto* array = call.as<Array>(i);
    if (!array) return std::unexpected(call.wrong_type(i, "an Array of bytes or a String"));
    std::string bytes;
    bytes.reserve(array->items.size());
    for (const Value& item : array->items) {
        if (!item.is_integer() || item.as_integer() < 0 || item.as_integer() > 255) {
            return fail(error_kind::kType, "A byte is an Integer from 0 to 255; element " +
                                               std::to_string(bytes.size()) + " is " + NYA_TRY(call.vm.to_text(item)));
        }
        bytes += static_cast<char>(item.as_integer());
    }
    return bytes;
}

// Gives the length after it.
Result add(NativeCall& call, std::string_view bytes) {
    auto& mine = *self(call).bytes;
    if (mine.size() + bytes.size() > call.runtime.limits().max_text_bytes)
        return fail(error_kind::kLimit,
                    "The buffer is full (" + std::to_string(call.runtime.limits().max_text_bytes) + " bytes)");
    mine.append(bytes);
    return Value::integer(static_cast<std::int64_t>(mine.size()));
}

Result array_of(NativeCall& call, std::string_view bytes) {
    if (bytes.size() > kMaxElements)
        return fail(error_kind::kLimit, "The bytes are too many for an array (100,000,000 elements)");
    auto array = call.runtime.array();
    array->items.reserve(bytes.size());
    for (const char c : bytes) array->items.push_back(Value::integer(static_cast<unsigned char>(c)));
    return Value(array);
}

Result write(NativeCall& call) {
    return add(call, NYA_TRY(bytes_argument(call, 0)));
}

Result append(NativeCall& call) {
    return add(call, std::string(NYA_TRY(buffer(call, 0))->bytes->view()));  // a copy: it may be this very buffer
}

// Takes the bytes out.
Result read(NativeCall& call) {
    const std::int64_t count = NYA_TRY(call.integer(0));
    if (count < 0) return fail(error_kind::kOperation, "read takes a count of 0 or more, got " + std::to_string(count));
    auto& mine = *self(call).bytes;
    const std::size_t taken = std::min(static_cast<std::size_t>(count), mine.size());
    Value array = NYA_TRY(array_of(call, mine.view().substr(0, taken)));
    mine.drop_front(taken);
    return array;
}

// Leaves them there.
Result read_all(NativeCall& call) {
    return array_of(call, self(call).bytes->view());
}

Result to_text(NativeCall& call) {
    const std::string_view bytes = self(call).bytes->view();
    if (const auto at = unicode::first_invalid(bytes))
        return fail(error_kind::kOperation, "Byte " + std::to_string(*at) + " of the buffer is not valid UTF-8");
    return call.text(std::string(bytes));
}

Result length(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).bytes->size()));
}

Result is_empty(NativeCall& call) {
    return Value::boolean(self(call).bytes->size() == 0);
}

// A new buffer with the bytes from a up to before b; b < 0 means the end.
Result slice(NativeCall& call) {
    const std::string_view bytes = self(call).bytes->view();
    const auto size = static_cast<std::int64_t>(bytes.size());
    const std::int64_t from = std::clamp<std::int64_t>(NYA_TRY(call.integer(0)), 0, size);
    const std::int64_t asked = call.has(1) ? NYA_TRY(call.integer(1)) : -1;
    const std::int64_t to = asked < 0 ? size : std::min(asked, size);
    auto part = new_buffer(call);
    if (from < to)
        part->bytes->append(bytes.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
    return Value(part);
}

Result copy(NativeCall& call) {
    auto made = new_buffer(call);
    made->bytes->append(self(call).bytes->view());
    return Value(made);
}

Result clear(NativeCall& call) {
    self(call).bytes->clear();
    return call.self;
}

Result share_reference(NativeCall& call) {
    self(call).bytes = NYA_TRY(buffer(call, 0))->bytes;
    return call.self;
}

Result is_shared_with(NativeCall& call) {
    return Value::boolean(self(call).bytes == NYA_TRY(buffer(call, 0))->bytes);
}

Result memory_footprint(NativeCall& call) {
    return Value::integer(static_cast<std::int64_t>(self(call).bytes->footprint()));
}

}  // namespace

void add_buffer_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("BufferBox")
        .constructor(names, "", make_buffer)
        .method(names, "write", "bytes", write)
        .method(names, "append", "buffer", append)
        .method(names, "read", "count", read)
        .method(names, "readAll", "", read_all)
        .method(names, "toText", "", to_text)
        .method(names, "length size", "", length)
        .method(names, "isEmpty", "", is_empty)
        .method(names, "slice", "start end?", slice)
        .method(names, "clone", "", copy)
        .method(names, "clear", "", clear)
        .method(names, "share_reference", "buffer", share_reference)
        .method(names, "is_shared_with", "buffer", is_shared_with)
        .method(names, "memory_footprint", "", memory_footprint);
}

}  // namespace nyash
