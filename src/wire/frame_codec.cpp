// Decoding: the fast road, else the strict one; then what the type demands.
#include "wire/frame_codec.h"

#include "wire/head_reader.h"
#include "wire/hex.h"
#include "wire/members.h"
#include "wire/protocol.h"

#include <nya/expected.h>

#include <initializer_list>
#include <utility>

namespace nyamesh::wire {

namespace detail {

std::expected<std::string_view, DecodeError> find_head(std::string_view bytes) {
    const std::size_t end = bytes.substr(0, kMaxHeadBytes + 1).find('\n');
    if (end != std::string_view::npos) return bytes.substr(0, end);
    if (bytes.size() <= kMaxHeadBytes) return bytes;
    return std::unexpected(
        DecodeError{kMaxHeadBytes, "the head is longer than " + std::to_string(kMaxHeadBytes) + " bytes"});
}

namespace {

bool is_given(const Head& head, Member member) noexcept {
    switch (member) {
        case Member::To:
            return !head.to.empty();
        case Member::From:
            return !head.from.empty();
        case Member::Name:
            return !head.name.empty();
        case Member::Session:
            return head.session.number != 0;
        case Member::Instance:
            return head.instance != 0;
        case Member::Sequence:
            return head.sequence != 0;
        case Member::ReplyTo:
            return head.reply_to != 0;
        case Member::Error:
            return !head.error.empty();
        case Member::OwnInstance:
            return head.own_instance != 0;
        case Member::AckSession:
            return head.ack.session.number != 0;
        case Member::Token:
            return !head.token.empty();
        case Member::State:
            return head.state.has_value();
        case Member::Hub:
            return !head.hub.empty();
        default:
            std::unreachable();
    }
}

// What a frame of that type cannot do without, besides "to" and "from" of the relayed ones.
std::initializer_list<Member> needed(const Head& head) noexcept {
    static constexpr std::initializer_list<Member> kNothing{};
    static constexpr std::initializer_list<Member> kName{Member::Name};
    static constexpr std::initializer_list<Member> kBinding{Member::Name, Member::Instance};
    static constexpr std::initializer_list<Member> kReplyTo{Member::ReplyTo};
    static constexpr std::initializer_list<Member> kCounters{Member::AckSession};
    static constexpr std::initializer_list<Member> kOwnInstance{Member::OwnInstance};
    static constexpr std::initializer_list<Member> kToken{Member::Token};
    static constexpr std::initializer_list<Member> kHub{Member::Hub};
    static constexpr std::initializer_list<Member> kError{Member::Error};
    static constexpr std::initializer_list<Member> kNameAndError{Member::Name, Member::Error};
    static constexpr std::initializer_list<Member> kNameAndState{Member::Name, Member::State};
    switch (head.type) {
        case FrameType::Message:
            return head.kind == MessageKind::Reply ? kReplyTo : kName;
        case FrameType::Ack:
            return kCounters;
        case FrameType::Reset:
        case FrameType::Bye:
            return kOwnInstance;
        case FrameType::Bind:
            return kBinding;
        case FrameType::Unbind:
        case FrameType::Resolve:
        case FrameType::Bound:
        case FrameType::Hold:
        case FrameType::Go:
            return kName;
        case FrameType::Auth:
            return kToken;
        case FrameType::Welcome:
            return kHub;
        case FrameType::Refused:
            return kError;
        case FrameType::Unbound:
            return kNameAndError;
        case FrameType::Peer:
            return kNameAndState;
        case FrameType::Sync:
        case FrameType::Ping:
        case FrameType::Pong:
        case FrameType::Hello:
        case FrameType::List:
        case FrameType::Nodes:
        case FrameType::Drain:
        case FrameType::Expiring:
            break;
    }
    return kNothing;
}

std::unexpected<DecodeError> incomplete(const Head& head, std::string_view line, std::string_view problem) {
    return std::unexpected(DecodeError{
        line.size(), "a frame of type \"" + std::string(to_string(head.type)) + "\" " + std::string(problem)});
}

std::unexpected<DecodeError> missing(const Head& head, std::string_view line, Member member) {
    return incomplete(head, line, "needs the member \"" + std::string(name_of(member)) + "\"");
}

}  // namespace

std::expected<void, DecodeError> check_head(const Head& head, std::string_view line) {
    if (is_relayed(head.type)) {
        if (head.to.empty()) return missing(head, line, Member::To);
        if (head.from.empty()) return missing(head, line, Member::From);
    }
    for (const Member member : needed(head)) {
        if (!is_given(head, member)) return missing(head, line, member);
    }
    if (head.type == FrameType::Message && head.session.number != 0 && head.sequence == 0) {
        return missing(head, line, Member::Sequence);
    }
    const AckFields& ack = head.ack;
    const bool has_counters = ack.received != 0 || ack.handled != 0 || ack.credit != 0 || !ack.exceptions.empty();
    if (has_counters && ack.session.number == 0) return incomplete(head, line, "has counters without the member \"a\"");
    return {};
}

}  // namespace detail

namespace {

Frame frame_of(Head&& head, std::string_view line, std::string_view bytes) {
    return {std::move(head), bytes.size() > line.size() ? bytes.substr(line.size() + 1) : std::string_view()};
}

}  // namespace

std::expected<Frame, DecodeError> decode_strictly(std::string_view bytes, Scratch& scratch) {
    const auto line = NYA_TRY(detail::find_head(bytes));
    Head head;
    NYA_TRY(detail::read_strict_head(line, scratch, head));
    NYA_TRY(detail::check_head(head, line));
    return frame_of(std::move(head), line, bytes);
}

std::expected<Frame, DecodeError> decode(std::string_view bytes, Scratch& scratch) {
    const auto line = NYA_TRY(detail::find_head(bytes));
    std::expected<Frame, DecodeError> frame;  // filled in place: a Head is large
    if (!detail::read_fast_head(line, frame->head)) [[unlikely]]
        return decode_strictly(bytes, scratch);
    if (auto checked = detail::check_head(frame->head, line); !checked) [[unlikely]]
        return std::unexpected(std::move(checked.error()));
    if (bytes.size() > line.size()) frame->payload = bytes.substr(line.size() + 1);
    return frame;
}

std::string to_string(const SessionId& id) {
    return instance_text(id.instance) + '.' + std::to_string(id.number);
}

std::string instance_text(std::uint64_t instance) {
    std::string text(16, '0');
    detail::write_hex16(instance, text.data());
    return text;
}

std::string_view to_string(FrameType type) noexcept {
    return kFrameTypes[static_cast<std::size_t>(type)];
}

std::string_view to_string(PeerState state) noexcept {
    return kPeerStates[static_cast<std::size_t>(state)];
}

bool is_relayed(FrameType type) noexcept {
    return type <= FrameType::Pong;
}

}  // namespace nyamesh::wire
