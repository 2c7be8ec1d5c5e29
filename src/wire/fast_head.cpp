// The fast road: heads as encode_head() writes them, with their members in order and no escapes.
//
// It never explains: whatever it does not expect is left to the strict road, which reads it or says what is wrong.
// That members must come in order is also what makes it safe: none can be there twice. Lists ("p", "x") are rare
// and allocate in any case, so they go the strict road as well.
#include "base/ascii.h"
#include "base/utf8.h"
#include "wire/head_reader.h"
#include "wire/hex.h"
#include "wire/members.h"

#include <nyamesh/names.h>

#include <bit>
#include <cstring>
#include <limits>

namespace nyamesh::wire::detail {

const char* skip_plain_text(const char* at, const char* end) noexcept {
    while (end - at >= 8) {
        const std::uint64_t odd = nya::detail::odd_bytes<'"', '\\'>(nya::detail::load8(at));
        if (odd != 0) return at + std::countr_zero(odd) / 8;
        at += 8;
    }
    while (at != end && *at >= 0x20 && *at < 0x7F && *at != '"' && *at != '\\') ++at;
    return at;
}

namespace {

class FastReader {
public:
    explicit FastReader(std::string_view line) noexcept : at_(line.data()), end_(at_ + line.size()) {}

    bool read(Head& out) {
        if (!take(R"({"t":)") || !frame_type(out.type)) return false;
        auto last = Member::Type;
        for (;;) {
            if (at_ == end_) return false;
            if (*at_ == '}') return at_ + 1 == end_;
            const auto member = next_member();
            if (!member || *member <= last || !visit(out, *member, *this)) return false;
            last = *member;
        }
    }

    bool frame_type(FrameType& out) noexcept { return word(kFrameTypes, out); }
    bool kind(MessageKind& out) noexcept { return word(kMessageKinds, out); }
    bool state(std::optional<PeerState>& out) noexcept {
        out.emplace();
        return word(kPeerStates, *out);
    }

    bool name(std::string_view& out) {
        bool is_ascii = false;
        if (!string(out, is_ascii)) return false;
        return is_ascii ? out.size() <= kMaxNameBytes : check_node_id(out).has_value();
    }

    bool text(std::string_view& out) {
        bool is_ascii = false;
        return string(out, is_ascii);
    }

    bool session(SessionId& out) noexcept {
        if (!quoted_hex(out.instance, '.')) return false;
        std::uint64_t number = 0;
        if (!integer(number) || number == 0 || number > std::numeric_limits<std::uint32_t>::max()) return false;
        out.number = static_cast<std::uint32_t>(number);
        return take("\"");
    }

    bool instance(std::uint64_t& out) noexcept { return quoted_hex(out, '"'); }

    bool integer(std::uint64_t& out) noexcept {
        constexpr std::ptrdiff_t kMostDigits = 19;
        const char* const first = at_;
        std::uint64_t value = 0;
        while (at_ != end_ && *at_ >= '0' && *at_ <= '9') value = value * 10 + static_cast<unsigned char>(*at_++ - '0');
        const auto digits = at_ - first;
        if (digits == 0 || digits > kMostDigits || (*first == '0' && digits > 1)) return false;
        out = value;
        return value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    }

    bool flag(bool& out, bool = false) noexcept {
        out = take("true");
        return out || take("false");
    }

    bool lost(std::vector<LostSession>&) noexcept { return false; }
    bool exceptions(std::vector<Exception>&) noexcept { return false; }

private:
    bool take(std::string_view literal) noexcept {
        if (static_cast<std::size_t>(end_ - at_) < literal.size()) return false;
        if (std::memcmp(at_, literal.data(), literal.size()) != 0) return false;
        at_ += literal.size();
        return true;
    }

    // `,"name":`
    std::optional<Member> next_member() noexcept {
        if (end_ - at_ < 5 || at_[0] != ',' || at_[1] != '"') return std::nullopt;
        const char* const name = at_ + 2;
        const char* name_end = name + 1;
        while (name_end != end_ && *name_end != '"') ++name_end;
        if (end_ - name_end < 2 || name_end[1] != ':') return std::nullopt;
        at_ = name_end + 2;
        return find_member({name, name_end});
    }

    bool string(std::string_view& out, bool& is_ascii) noexcept {
        if (!take("\"")) return false;
        const char* const first = at_;
        at_ = skip_plain_text(at_, end_);
        is_ascii = at_ != end_ && *at_ == '"';
        if (!is_ascii && !skip_any_text()) return false;
        out = {first, at_++};
        return true;
    }

    // Up to the closing quote, over UTF-8.
    bool skip_any_text() noexcept {
        while (at_ != end_ && *at_ != '"') {
            if (*at_ == '\\' || static_cast<unsigned char>(*at_) < 0x20) return false;
            const std::size_t size = nya::utf8_sequence({at_, end_});
            if (size == 0) return false;
            at_ += size;
        }
        return at_ != end_;
    }

    template <class Enum, std::size_t N>
    bool word(const std::array<std::string_view, N>& words, Enum& out) noexcept {
        std::string_view text;
        bool is_ascii = false;
        if (!string(text, is_ascii) || text.empty()) return false;
        const auto found = find_word<Enum>(words, text);
        if (found) out = *found;
        return found.has_value();
    }

    // `"4f2a9c01b2d3e4f5` and `after`.
    bool quoted_hex(std::uint64_t& out, char after) noexcept {
        if (end_ - at_ < 18 || at_[0] != '"' || at_[17] != after || !read_hex16(at_ + 1, out)) return false;
        at_ += 18;
        return true;
    }

    const char* at_;
    const char* const end_;
};

}  // namespace

bool read_fast_head(std::string_view line, Head& out) {
    return FastReader(line).read(out);
}

}  // namespace nyamesh::wire::detail
