// The strict road: any JSON object (RFC 8259) whose known members have the right types, in any order.
//
// What it refuses, it explains: the member and the offset. A member given twice is refused even if unknown, because
// readers disagree on which of two counts. Unknown members are skipped, so that later versions can add some.
#include "base/utf8.h"
#include "intent/quote.h"
#include "wire/head_reader.h"
#include "wire/hex.h"
#include "wire/members.h"

#include <nya/expected.h>
#include <nyamesh/names.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <limits>
#include <optional>

namespace nyamesh::wire::detail {

namespace {

// Reads from left to right. Its functions return false once `error` is set.
class StrictReader {
public:
    StrictReader(std::string_view line, Scratch& scratch) : line_(line), texts_(scratch.texts) {
        if (texts_.size() < kMemberNames.size()) texts_.resize(kMemberNames.size());
    }

    std::expected<void, DecodeError> read(Head& out) {
        if (!object(out) || !check_name_member(out)) return std::unexpected(std::move(error_));
        return {};
    }

    bool frame_type(FrameType& out) { return word(kFrameTypes, out, "a type of frame"); }
    bool kind(MessageKind& out) { return word(kMessageKinds, out, "\"q\" or \"r\""); }
    bool state(std::optional<PeerState>& out) {
        out.emplace();
        return word(kPeerStates, *out, "a peer's state");
    }

    bool name(std::string_view& out) {
        const std::size_t start = at_;
        if (!text(out)) return false;
        if (member_ == Member::Name) {  // may mean several things: checked at the end
            name_offset_ = start;
            return true;
        }
        return checked(out, check_node_id, start);
    }

    bool text(std::string_view& out) { return string(texts_[static_cast<std::size_t>(member_)], out); }

    bool session(SessionId& out) {
        constexpr auto kWhat = R"(a session, such as "4f2a9c01b2d3e4f5.1")";
        const std::size_t start = at_;
        std::string_view value;
        if (!text(value)) return false;
        const bool is_long_enough = value.size() > 17 && value[16] == '.' && read_hex16(value.data(), out.instance);
        const auto number = is_long_enough ? natural(value.substr(17)) : std::nullopt;
        if (!number || *number == 0 || *number > std::numeric_limits<std::uint32_t>::max()) {
            return fail_member(start, std::string("is not ") + kWhat);
        }
        out.number = static_cast<std::uint32_t>(*number);
        return true;
    }

    bool instance(std::uint64_t& out) {
        const std::size_t start = at_;
        std::string_view value;
        if (!text(value)) return false;
        if (value.size() == 16 && read_hex16(value.data(), out)) return true;
        return fail_member(start, "is not 16 lower-case hex digits");
    }

    bool integer(std::uint64_t& out) {
        const std::size_t start = at_;
        std::size_t end = at_;
        while (end < line_.size() && is_number_part(line_[end])) ++end;
        const auto value = natural(line_.substr(start, end - start));
        if (!value) return fail_member(start, "is not an integer from 0 to 9223372036854775807");
        at_ = end;
        out = *value;
        return true;
    }

    bool flag(bool& out, bool = false) {
        out = take("true");
        return out || take("false") || fail_member(at_, "is neither true nor false");
    }

    // [[3,17]]
    bool lost(std::vector<LostSession>& out) {
        return array("is not a list of sessions", [&] {
            LostSession lost;
            std::size_t place = 0;
            const bool is_read = array("has a session that is not a list", [&] {
                std::uint64_t number = 0;
                if (place > 1) return fail_member(at_, "has a session of more than two parts");
                if (place++ == 1) return integer(lost.last);
                const std::size_t start = at_;
                if (!integer(number)) return false;
                lost.number = static_cast<std::uint32_t>(number);
                return number <= std::numeric_limits<std::uint32_t>::max() ||
                       fail_member(start, "has a session's number above 4294967295");
            });
            if (!is_read) return false;
            if (place < 2) return fail_member(at_, "has a session without number and sequence");
            if (out.size() == kMaxLostSessions) return fail_member(at_, "has too many sessions");
            out.push_back(lost);
            return true;
        });
    }

    // [[17,"no_handler"],[18,"handler_failed","out of tea"]]
    bool exceptions(std::vector<Exception>& out) {
        return array("is not a list of exceptions", [&] {
            Exception exception;
            std::size_t place = 0;
            const bool is_read = array("has an exception that is not a list", [&] {
                std::string room;
                std::string_view value;
                switch (place++) {
                    case 0:
                        return integer(exception.sequence);
                    case 1:
                    case 2:
                        if (!string(room, value)) return false;
                        (place == 2 ? exception.reason : exception.message) = value;
                        return true;
                    default:
                        return fail_member(at_, "has an exception of more than three parts");
                }
            });
            if (!is_read) return false;
            if (place < 2) return fail_member(at_, "has an exception without sequence and reason");
            out.push_back(std::move(exception));
            return true;
        });
    }

private:
    bool object(Head& out) {
        if (!line_.starts_with('{')) return fail(0, "a head begins with '{'");
        at_ = 1;
        skip_space();
        if (!take("}")) {
            do {
                skip_space();
                if (!member(out)) return false;
                skip_space();
            } while (take(","));
            if (!take("}")) return fail(at_, "expected ',' or '}' " + here());
        }
        if (at_ != line_.size()) return fail(at_, "expected the end of the head " + here());
        if (!seen_.test(0)) return fail(0, R"(the member "t" is missing)");
        return true;
    }

    bool member(Head& out) {
        const std::size_t start = at_;
        if (++members_ > kMaxMembers)
            return fail(start, "the head has more than " + std::to_string(kMaxMembers) + " members");
        std::string room;
        std::string_view key;
        where_ = "a member's name ";
        if (!string(room, key)) return false;
        where_ = quote(key);
        skip_space();
        if (!take(":")) return fail(at_, "expected ':' after the member's name " + where_ + " " + here());
        skip_space();
        where_ = "the member " + where_ + " ";
        const auto known = find_member(key);
        if (!known) return is_new(key, start) && skip_value(0);
        member_ = *known;
        if (seen_.test(static_cast<std::size_t>(*known))) return fail_twice(start);
        seen_.set(static_cast<std::size_t>(*known));
        return visit(out, *known, *this);
    }

    bool is_new(std::string_view key, std::size_t start) {
        if (std::ranges::find(unknown_, key) != unknown_.end()) return fail_twice(start);
        unknown_.emplace_back(key);
        return true;
    }
    bool fail_twice(std::size_t start) { return fail_member(start, "is given twice"); }

    // "n" is checked once the type is known. Empty means absent.
    bool check_name_member(const Head& head) {
        member_ = Member::Name;
        where_ = R"(the member "n" )";
        const bool is_intent = head.type == FrameType::Message;
        return checked(head.name, is_intent ? check_intent_name : check_node_id, name_offset_);
    }

    template <class Check>
    bool checked(std::string_view value, Check check, std::size_t start) {
        if (value.empty()) return true;
        const auto result = check(value);
        return result.has_value() || fail_member(start, "is no name: " + result.error().message);
    }

    template <class Enum, std::size_t N>
    bool word(const std::array<std::string_view, N>& words, Enum& out, std::string_view what) {
        const std::size_t start = at_;
        std::string_view value;
        if (!text(value)) return false;
        const auto found = value.empty() ? std::nullopt : find_word<Enum>(words, value);
        if (!found) return fail_member(start, "is " + quote(value) + ", which is not " + std::string(what));
        out = *found;
        return true;
    }

    template <class Element>
    bool array(std::string_view problem, Element element) {
        if (!take("[")) return fail_member(at_, std::string(problem));
        skip_space();
        if (take("]")) return true;
        do {
            skip_space();
            if (!element()) return false;
            skip_space();
        } while (take(","));
        return take("]") || fail_member(at_, "lacks a ',' or ']'");
    }

    // ---- JSON ----

    static bool is_number_part(char c) noexcept {
        return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
    }

    // Digits, without a leading zero, up to 2^63-1.
    static std::optional<std::uint64_t> natural(std::string_view digits) noexcept {
        if (digits.empty() || digits.size() > 19 || (digits[0] == '0' && digits.size() > 1)) return std::nullopt;
        std::uint64_t value = 0;
        for (const char c : digits) {
            if (c < '0' || c > '9') return std::nullopt;
            value = value * 10 + static_cast<unsigned char>(c - '0');
        }
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
        return value;
    }

    // RFC 8259, 2: a line feed would end the head, and a carriage return has no place in a line that one ends.
    void skip_space() noexcept {
        while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t')) ++at_;
    }

    bool take(std::string_view literal) noexcept {
        if (!line_.substr(at_).starts_with(literal)) return false;
        at_ += literal.size();
        return true;
    }

    // RFC 8259, 7. The text is a part of the line or, if it has escapes, in `room`.
    bool string(std::string& room, std::string_view& out) {
        if (!take("\"")) return fail(at_, where_ + "is not a string");
        const std::size_t start = at_;
        bool has_escapes = false;
        for (;;) {
            if (at_ == line_.size()) return fail(start - 1, where_ + "is not closed with '\"'");
            const auto byte = static_cast<unsigned char>(line_[at_]);
            if (byte == '"') break;
            if (byte < 0x20) return fail(at_, where_ + "has a control character that is not escaped");
            if (byte == '\\') {
                if (!has_escapes) room.assign(line_.substr(start, at_ - start));
                has_escapes = true;
                if (!escape(room)) return false;
                continue;
            }
            const std::size_t size = nya::utf8_sequence(line_.substr(at_));
            if (size == 0) return fail(at_, where_ + "is not UTF-8");
            if (has_escapes) room.append(line_, at_, size);
            at_ += size;
        }
        out = has_escapes ? std::string_view(room) : line_.substr(start, at_ - start);
        ++at_;
        return true;
    }

    bool escape(std::string& out) {
        constexpr std::string_view kLetters = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        const std::size_t start = at_++;
        const char letter = at_ < line_.size() ? line_[at_++] : '\0';
        if (letter == 'u') return unicode_escape(out, start);
        const auto i = kLetters.find(letter);
        if (i == std::string_view::npos) return fail(start, where_ + "has an escape that JSON does not know");
        out += kMeanings[i];
        return true;
    }

    bool unicode_escape(std::string& out, std::size_t start) {
        std::uint32_t code = 0;
        std::uint32_t low = 0;
        bool is_good = hex4(code) && (code < 0xDC00 || code > 0xDFFF);
        if (is_good && code >= 0xD800 && code <= 0xDBFF) {
            is_good = take("\\u") && hex4(low) && low >= 0xDC00 && low <= 0xDFFF;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        if (!is_good) return fail(start, where_ + "has a \\u escape that is no character");
        append_utf8(code, out);
        return true;
    }

    bool hex4(std::uint32_t& out) noexcept {
        if (line_.size() - at_ < 4) return false;
        out = 0;
        for (int i = 0; i < 4; ++i) {
            const char c = line_[at_++];
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) return false;
            out = out << 4 | static_cast<std::uint32_t>(digit);
        }
        return true;
    }

    // RFC 3629, 3
    static void append_utf8(std::uint32_t code, std::string& out) {
        const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
        if (code < 0x80) {
            out += static_cast<char>(code);
        } else if (code < 0x800) {
            out += static_cast<char>(0xC0 | code >> 6);
            tail(0);
        } else if (code < 0x10000) {
            out += static_cast<char>(0xE0 | code >> 12);
            tail(6);
            tail(0);
        } else {
            out += static_cast<char>(0xF0 | code >> 18);
            tail(12);
            tail(6);
            tail(0);
        }
    }

    bool skip_value(std::size_t depth) {
        const char first = at_ < line_.size() ? line_[at_] : '\0';
        if (first == '"') {
            std::string room;
            std::string_view value;
            return string(room, value);
        }
        if (first == '{' || first == '[') return skip_container(first, depth);
        if (take("true") || take("false") || take("null")) return true;
        return skip_number() || fail(at_, where_ + "has no JSON value " + here());
    }

    bool skip_container(char first, std::size_t depth) {
        if (depth == kMaxSkippedDepth) {
            return fail(at_, where_ + "is nested more than " + std::to_string(kMaxSkippedDepth) + " deep");
        }
        ++at_;
        skip_space();
        const std::string_view last = first == '{' ? "}" : "]";
        if (take(last)) return true;
        do {
            skip_space();
            if (first == '{' && !skip_key()) return false;
            if (!skip_value(depth + 1)) return false;
            skip_space();
        } while (take(","));
        return take(last) || fail(at_, where_ + "lacks a ',' or '" + std::string(last) + "'");
    }

    bool skip_key() {
        std::string room;
        std::string_view key;
        if (!string(room, key)) return false;
        skip_space();
        if (!take(":")) return fail(at_, where_ + "lacks a ':'");
        skip_space();
        return true;
    }

    // RFC 8259, 6
    bool skip_number() noexcept {
        const std::size_t start = at_;
        const auto digits = [this] {
            const std::size_t first = at_;
            while (at_ < line_.size() && line_[at_] >= '0' && line_[at_] <= '9') ++at_;
            return at_ - first;
        };
        take("-");
        const bool has_leading_zero = take("0");
        bool is_good = has_leading_zero || digits() > 0;
        if (is_good && take(".")) is_good = digits() > 0;
        if (is_good && (take("e") || take("E"))) {
            if (!take("+")) take("-");
            is_good = digits() > 0;
        }
        if (!is_good) at_ = start;
        return is_good;
    }

    // ---- Errors ----

    std::string here() const {
        if (at_ >= line_.size()) return "at the end of the head";
        return "instead of " + quote(line_.substr(at_, 1));
    }
    bool fail(std::size_t offset, std::string message) {
        error_ = {offset, std::move(message)};
        return false;
    }
    bool fail_member(std::size_t offset, const std::string& problem) { return fail(offset, where_ + problem); }

    const std::string_view line_;
    std::vector<std::string>& texts_;  // one for each member, so that none moves while it is viewed
    std::size_t at_ = 0;
    Member member_ = Member::Type;
    std::string where_;  // for errors: "the member "q" "
    std::bitset<kMemberNames.size()> seen_;
    std::vector<std::string> unknown_;
    std::size_t members_ = 0;
    std::size_t name_offset_ = 0;
    DecodeError error_;
};

}  // namespace

std::expected<void, DecodeError> read_strict_head(std::string_view line, Scratch& scratch, Head& out) {
    return StrictReader(line, scratch).read(out);
}

}  // namespace nyamesh::wire::detail
