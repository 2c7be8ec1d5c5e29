// What the hub reads of every frame: its type, to whom and from whom.
//
// The hub passes bytes on unchanged, and a browser page reads them with JSON.parse, for which the last of two equal
// members counts. So a second "from" behind the one that the hub has compared would forge the sender. The fast
// road therefore looks through the rest of the head, sixteen bytes at a time: without a backslash a member's name
// can only be written as it is, so a head that has none, and in which `"t"`, `"to"` and `"from"` do not stand again, in
// whatever role, says the same to every reader of JSON. Any other head is read strictly. (docs/protocol.md, "Heads")
#include "wire/head_reader.h"
#include "wire/members.h"
#include "wire/protocol.h"

#include <nya/expected.h>
#include <nyamesh/names.h>

#include <algorithm>
#include <cstring>

namespace nyamesh::wire {

namespace {

using Block = unsigned char __attribute__((vector_size(16)));
using BlockHalves = std::uint64_t __attribute__((vector_size(16)));

Block load16(const char* p) noexcept {
    Block block;
    std::memcpy(&block, p, sizeof block);
    return block;
}

// Whether one of the 16 bytes at `p` is a backslash, or a quote before a 't' or an 'f'. Reads 17 bytes.
bool may_repeat_in16(const char* p) noexcept {
    const Block here = load16(p);
    const Block next = load16(p + 1);
    const auto hits = (here == '\\') | ((here == '"') & ((next == 't') | (next == 'f')));
    BlockHalves halves;
    std::memcpy(&halves, &hits, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

bool repeats_at(const char* p, const char* end) noexcept {
    if (*p == '\\') return true;
    if (*p != '"') return false;
    const std::string_view rest(p + 1, end);
    return rest.starts_with("t\"") || rest.starts_with("to\"") || rest.starts_with("from\"");
}

// `rest` is the head behind "from"; at least 17 bytes of the head are before its end.
bool is_unambiguous(std::string_view rest) noexcept {
    constexpr std::size_t kStep = 16;
    const char* at = rest.data();
    const char* const end = at + rest.size();
    while (static_cast<std::size_t>(end - at) > kStep) {
        if (may_repeat_in16(at)) {
            for (std::size_t i = 0; i < kStep; ++i) {
                if (repeats_at(at + i, end)) return false;
            }
        }
        at += kStep;
    }
    // What is left, with some of what has been looked at already.
    if (!may_repeat_in16(end - kStep - 1)) return true;  // the last byte is '}'
    for (; at != end; ++at) {
        if (repeats_at(at, end)) return false;
    }
    return true;
}

// A name without escapes, and its closing quote; empty if there is none.
std::string_view take_name(const char*& at, const char* end) {
    const char* const first = at;
    at = detail::skip_plain_text(at, end);
    const bool is_ascii = at != end && *at == '"';
    if (!is_ascii) {
        at = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
        if (at == nullptr) return {};
    }
    const std::string_view name(first, at++);
    if (is_ascii) return name.size() <= kMaxNameBytes ? name : std::string_view();
    if (name.contains('\\') || !check_node_id(name)) return {};
    return name;
}

bool take(const char*& at, const char* end, std::string_view literal) noexcept {
    if (static_cast<std::size_t>(end - at) < literal.size()) return false;
    if (std::memcmp(at, literal.data(), literal.size()) != 0) return false;
    at += literal.size();
    return true;
}

bool read_fast_route(std::string_view line, Route& out) {
    const char* at = line.data();
    const char* const end = at + line.size();
    if (!take(at, end, R"({"t":"m","to":")")) [[unlikely]] {
        if (!take(at, end, R"({"t":")")) return false;
        const char* const word = at;
        at = detail::skip_plain_text(at, end);
        const auto type = find_word<FrameType>(kFrameTypes, {word, at});
        if (!type || at == end || *at != '"') return false;
        out.type = *type;
        if (!is_relayed(*type)) return true;  // decode() reads it all
        if (!take(at, end, R"(","to":")")) return false;
    }
    out.to = take_name(at, end);
    if (out.to.empty() || !take(at, end, R"(,"from":")")) return false;
    out.from = take_name(at, end);
    if (out.from.empty() || at == end || end[-1] != '}') return false;
    return *at == ',' ? is_unambiguous({at, end}) : at + 1 == end;
}

}  // namespace

std::expected<Route, DecodeError> read_route(std::string_view bytes, Scratch& scratch) {
    const std::size_t looked_at = std::min(bytes.size(), kMaxHeadBytes + 1);
    const auto* const feed =
        static_cast<const char*>(looked_at == 0 ? nullptr : std::memchr(bytes.data(), '\n', looked_at));
    const std::size_t line = feed != nullptr ? static_cast<std::size_t>(feed - bytes.data()) : bytes.size();
    Route route;
    route.is_fast = true;
    if (line <= kMaxHeadBytes && read_fast_route(bytes.substr(0, line), route)) [[likely]]
        return route;

    const Frame frame = NYA_TRY(decode_strictly(bytes, scratch));
    route = {frame.head.type, {}, {}, false};
    if (is_relayed(route.type)) {
        route.to = frame.head.to;
        route.from = frame.head.from;
    }
    return route;
}

}  // namespace nyamesh::wire
