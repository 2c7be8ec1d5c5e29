// Heads to bytes: the one form that the fast road reads.
//
// Whatever a text holds, the head is valid JSON in valid UTF-8 on one line: what an exception's what() says comes from
// anybody, and one bad byte would cost the connection (RFC 6455, 8.1). Escapes are those of JSON.stringify, so that
// a client in a browser writes the same bytes.
#include "base/utf8.h"
#include "wire/frame_codec.h"
#include "wire/head_reader.h"
#include "wire/hex.h"
#include "wire/members.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace nyamesh::wire {

namespace {

class HeadWriter {
public:
    HeadWriter(std::string& out, bool has_counters) noexcept : out_(out), has_counters_(has_counters) {}

    void begin(Member member) noexcept { member_ = member; }

    bool frame_type(FrameType type) {
        out_ += R"({"t":")";
        out_ += to_string(type);
        out_ += '"';
        return true;
    }
    bool kind(MessageKind kind) { return kind == MessageKind::Intent || word(kMessageKinds[std::to_underlying(kind)]); }
    bool state(const std::optional<PeerState>& state) { return !state || word(to_string(*state)); }
    bool name(std::string_view value) { return text(value); }
    bool text(std::string_view value) {
        if (value.empty()) return true;
        key();
        quoted(value);
        return true;
    }
    bool session(const SessionId& id) {
        if (id.number == 0) return true;
        key();
        hex(id.instance, '.');
        digits(id.number);
        out_ += '"';
        return true;
    }
    bool instance(std::uint64_t value) {
        if (value == 0) return true;
        key();
        hex(value, '"');
        return true;
    }
    bool integer(std::uint64_t value) {
        if (value == 0 || (is_counter() && !has_counters_)) return true;
        key();
        digits(value);
        return true;
    }
    bool flag(bool value, bool usual = false) {
        if (value == usual) return true;
        key();
        out_ += value ? "true" : "false";
        return true;
    }
    bool lost(const std::vector<LostSession>& all) {
        if (all.empty()) return true;
        key();
        char before = '[';
        for (const LostSession& lost : all) {
            out_ += std::exchange(before, ',');
            out_ += '[';
            digits(lost.number);
            out_ += ',';
            digits(lost.last);
            out_ += ']';
        }
        out_ += ']';
        return true;
    }
    bool exceptions(const std::vector<Exception>& all) {
        if (all.empty() || !has_counters_) return true;
        key();
        char before = '[';
        for (const Exception& exception : all) {
            out_ += std::exchange(before, ',');
            out_ += '[';
            digits(exception.sequence);
            out_ += ',';
            quoted(exception.reason);
            if (!exception.message.empty()) {
                out_ += ',';
                quoted(exception.message);
            }
            out_ += ']';
        }
        out_ += ']';
        return true;
    }

private:
    bool is_counter() const noexcept {
        return member_ == Member::Received || member_ == Member::Handled || member_ == Member::Credit;
    }

    void key() {
        const auto& start = kMemberStarts[static_cast<std::size_t>(member_)];
        out_.append(start.bytes.data(), start.size);
    }
    bool word(std::string_view word) {
        key();
        out_ += '"';
        out_ += word;
        out_ += '"';
        return true;
    }
    void digits(std::uint64_t value) {
        char text[20];
        out_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
    }
    // In quotes, the closing one replaced by `after`.
    void hex(std::uint64_t value, char after) {
        char text[18];
        text[0] = '"';
        detail::write_hex16(value, text + 1);
        text[17] = after;
        out_.append(text, sizeof text);
    }

    void quoted(std::string_view value) {
        out_ += '"';
        const char* at = value.data();
        const char* const end = at + value.size();
        for (;;) {
            const char* const odd = detail::skip_plain_text(at, end);
            out_.append(at, odd);
            if (odd == end) break;
            at = odd + unusual({odd, end});
        }
        out_ += '"';
    }

    // The character at the start of `rest`, which is not plain; how many bytes it has.
    std::size_t unusual(std::string_view rest) {
        const auto byte = static_cast<unsigned char>(rest[0]);
        if (byte == '"' || byte == '\\') {
            out_ += '\\';
            out_ += rest[0];
            return 1;
        }
        if (byte < 0x20) {
            control(byte);
            return 1;
        }
        const std::size_t size = nya::utf8_sequence(rest);
        out_ += size == 0 ? "\uFFFD" : rest.substr(0, size);
        return size == 0 ? 1 : size;
    }

    void control(unsigned char byte) {
        constexpr std::string_view kShort = "\b\t\n\f\r";
        constexpr std::string_view kLetters = "btnfr";
        out_ += '\\';
        if (const auto i = kShort.find(static_cast<char>(byte)); i != std::string_view::npos) {
            out_ += kLetters[i];
            return;
        }
        out_ += "u00";
        out_ += "01"[byte >> 4];
        out_ += "0123456789abcdef"[byte & 15];
    }

    std::string& out_;
    const bool has_counters_;
    Member member_ = Member::Type;
};

}  // namespace

void encode_head(const Head& head, std::string& out) {
    constexpr std::size_t kUsualBytes = 256;
    if (out.capacity() - out.size() < kUsualBytes) out.reserve(std::max(out.size() + kUsualBytes, 2 * out.capacity()));
    HeadWriter writer(out, head.ack.session.number != 0);
    const auto write = [&](Member member) __attribute__((always_inline)) {
        writer.begin(member);
        visit(head, member, writer);
    };
    // Unrolled and inlined, so that visit()'s switch is decided by the compiler: 62 ns instead of 150 for a short head.
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (write(static_cast<Member>(I)), ...);
    }(std::make_index_sequence<kMemberNames.size()>{});
    out += '}';
}

void encode(const Head& head, std::string_view payload, std::string& out) {
    encode_head(head, out);
    if (payload.empty()) return;
    out += '\n';
    out += payload;
}

}  // namespace nyamesh::wire
