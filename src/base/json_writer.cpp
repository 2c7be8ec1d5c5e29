// Json::dump: compact text that any strict reader accepts.
#include "base/json_walk.h"
#include "base/utf8.h"

#include <nya/json.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace nya {

namespace {

bool is_plain(unsigned char byte) noexcept {
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// How many bytes from the start may be copied as they are. Eight at a time: a subtraction borrows into the top
// bit of every byte that is below what is subtracted.
std::size_t plain_prefix(std::string_view text) noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kTops = 0x8080808080808080;
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + i, sizeof word);
        const std::uint64_t quote = word ^ (kOnes * '"');
        const std::uint64_t backslash = word ^ (kOnes * '\\');
        if (((word - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes) | word) & kTops) break;
    }
    while (i < text.size() && is_plain(static_cast<unsigned char>(text[i]))) ++i;
    return i;
}

void write_string(std::string_view text, std::string& out) {
    out.push_back('"');
    while (!text.empty()) {
        const std::size_t plain = plain_prefix(text);
        out.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) break;

        const auto byte = static_cast<unsigned char>(text[0]);
        if (byte >= 0x80) {
            const std::size_t length = utf8_sequence(text);
            out.append(length > 0 ? text.substr(0, length) : std::string_view("\xEF\xBF\xBD"));
            text.remove_prefix(std::max<std::size_t>(length, 1));
            continue;
        }
        switch (byte) {
            case '"':
                out.append("\\\"");
                break;
            case '\\':
                out.append("\\\\");
                break;
            case '\b':
                out.append("\\b");
                break;
            case '\f':
                out.append("\\f");
                break;
            case '\n':
                out.append("\\n");
                break;
            case '\r':
                out.append("\\r");
                break;
            case '\t':
                out.append("\\t");
                break;
            default: {
                constexpr std::string_view kHex = "0123456789abcdef";
                out.append("\\u00");
                out.push_back(kHex[byte >> 4]);
                out.push_back(kHex[byte & 0xF]);
            }
        }
        text.remove_prefix(1);
    }
    out.push_back('"');
}

void write_integer(std::int64_t value, std::string& out) {
    std::array<char, 24> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    out.append(text.data(), end);
}

void write_double(double value, std::string& out) {
    if (!std::isfinite(value)) {
        out.append("null");
        return;
    }
    if (value == 0 && std::signbit(value)) {
        out.append("-0.0");  // "-0" would come back as the integer 0, its sign lost
        return;
    }
    const double size = std::abs(value);
    const bool without_exponent = size == 0 || (size >= 1e-7 && size < 1e21);
    std::array<char, 64> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                   without_exponent ? std::chars_format::fixed : std::chars_format::scientific)
                         .ptr;
    out.append(text.data(), end);
}

void write_scalar(const Json& value, std::string& out) {
    switch (value.kind()) {
        case Json::Kind::Bool:
            out.append(value.as_bool() ? "true" : "false");
            break;
        case Json::Kind::Integer:
            write_integer(value.as_integer(), out);
            break;
        case Json::Kind::Float:
            write_double(value.as_number(), out);
            break;
        case Json::Kind::String:
            write_string(value.as_string(), out);
            break;
        default:
            out.append("null");
            break;
    }
}

// A guess, so that small values are written without growing the text again and again: exact enough for
// the top level, a few bytes for anything below.
std::size_t guessed_length(const Json& value) noexcept {
    constexpr std::size_t kOther = 12;
    auto of_child = [](const Json& child) { return child.is_string() ? child.as_string().size() + 3 : kOther; };
    std::size_t length = 2;
    if (value.is_object()) {
        for (const auto& member : value.as_object()) length += member.key.size() + 3 + of_child(member.value);
    } else if (value.is_array()) {
        length += value.size() * kOther;
    } else {
        length += of_child(value);
    }
    return length;
}

}  // namespace

std::string Json::dump() const {
    std::string out;
    out.reserve(guessed_length(*this));
    dump_to(out);
    return out;
}

void Json::dump_to(std::string& out) const {
    if (!is_container(*this)) return write_scalar(*this, out);

    struct Level {
        const Json* container;
        std::size_t next;  // the child to write next
    };
    Worklist<Level> open;
    auto enter = [&](const Json& container) {
        out.push_back(container.is_array() ? '[' : '{');
        open.push({&container, 0});
    };
    enter(*this);
    while (!open.empty()) {
        auto& [container, next] = open.top();
        const Array* items = std::get_if<Array>(&container->value_);
        const Object* object = items ? nullptr : std::get<std::unique_ptr<Object>>(container->value_).get();
        const std::size_t size = items ? items->size() : object->size();

        const Json* inner = nullptr;
        while (next < size && !inner) {
            if (next > 0) out.push_back(',');
            if (object) {
                write_string(object->members_[next].key, out);
                out.push_back(':');
            }
            const Json& child = items ? (*items)[next] : object->members_[next].value;
            ++next;
            if (is_container(child)) {
                inner = &child;
            } else {
                write_scalar(child, out);
            }
        }
        if (inner) {
            enter(*inner);
        } else {
            out.push_back(items ? ']' : '}');
            open.drop_top();
        }
    }
}

}  // namespace nya
