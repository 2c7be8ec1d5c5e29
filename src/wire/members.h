// The members of a head: their names, their one order, and where each stands in a Head.
//
// Both readers and the writer go by this list. If you add a member, add it to Head, Member, kMemberNames and visit(),
// at the same place in each, and to docs/protocol.md.
#pragma once

#include "wire/frame.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nyamesh::wire {

enum class Member : std::uint8_t {
    Type,
    To,
    From,
    Name,
    Session,
    Instance,
    Sequence,
    Base,
    IsOpening,
    Lost,
    Kind,
    ReplyToSession,
    ReplyTo,
    Error,
    WantsAck,
    WantsAnswer,
    OwnInstance,
    AckSession,
    Received,
    Handled,
    Credit,
    Exceptions,
    HasSessions,
    Token,
    Key,
    Lease,
    Client,
    State,
    Hub,
    Epoch,
    In,
    Heartbeat,
    Dead,
    Max,
    Resume,
    MayRetry,
    Message,
    Hint,
};

inline constexpr std::array<std::string_view, 38> kMemberNames{
    "t",  "to",        "from",     "n",     "s",      "i",     "q",       "b",     "o",   "p",
    "k",  "rs",        "re",       "e",     "w",      "y",     "fi",      "a",     "r",   "h",
    "c",  "x",         "sessions", "token", "key",    "lease", "client",  "state", "hub", "epoch",
    "in", "heartbeat", "dead",     "max",   "resume", "retry", "message", "hint"};
static_assert(static_cast<std::size_t>(Member::Hint) + 1 == kMemberNames.size());

// `,"name":`, as a member of a head begins.
inline constexpr auto kMemberStarts = [] {
    struct Start {
        std::array<char, 16> bytes{};
        std::size_t size = 0;
        constexpr void add(char c) { bytes[size++] = c; }
    };
    std::array<Start, kMemberNames.size()> starts;
    for (std::size_t i = 0; i < starts.size(); ++i) {
        starts[i].add(',');
        starts[i].add('"');
        for (const char c : kMemberNames[i]) starts[i].add(c);
        starts[i].add('"');
        starts[i].add(':');
    }
    return starts;
}();

constexpr std::string_view name_of(Member member) noexcept {
    return kMemberNames[static_cast<std::size_t>(member)];
}

namespace detail {

// Most members of a relayed frame have one-letter names.
inline constexpr auto kOneLetterMembers = [] {
    std::array<std::uint8_t, 256> table{};
    for (auto& entry : table) entry = kMemberNames.size();
    for (std::size_t i = 0; i < kMemberNames.size(); ++i) {
        if (kMemberNames[i].size() == 1)
            table[static_cast<unsigned char>(kMemberNames[i][0])] = static_cast<std::uint8_t>(i);
    }
    return table;
}();

}  // namespace detail

constexpr std::optional<Member> find_member(std::string_view name) noexcept {
    if (name.size() == 1) {
        const auto place = detail::kOneLetterMembers[static_cast<unsigned char>(name[0])];
        return place < kMemberNames.size() ? std::optional(static_cast<Member>(place)) : std::nullopt;
    }
    for (std::size_t i = 0; i < kMemberNames.size(); ++i) {
        if (kMemberNames[i] == name) return static_cast<Member>(i);
    }
    return std::nullopt;
}

// Calls the function of `values` that fits the member's type with its place in `head`.
template <class AnyHead, class Values>
[[gnu::always_inline]] inline bool visit(AnyHead& head, Member member, Values& values) {
    switch (member) {
        case Member::Type:
            return values.frame_type(head.type);
        case Member::To:
            return values.name(head.to);
        case Member::From:
            return values.name(head.from);
        case Member::Name:
            return values.name(head.name);
        case Member::Session:
            return values.session(head.session);
        case Member::Instance:
            return values.instance(head.instance);
        case Member::Sequence:
            return values.integer(head.sequence);
        case Member::Base:
            return values.integer(head.base);
        case Member::IsOpening:
            return values.flag(head.is_opening);
        case Member::Lost:
            return values.lost(head.lost);
        case Member::Kind:
            return values.kind(head.kind);
        case Member::ReplyToSession:
            return values.session(head.reply_to_session);
        case Member::ReplyTo:
            return values.integer(head.reply_to);
        case Member::Error:
            return values.text(head.error);
        case Member::WantsAck:
            return values.flag(head.wants_ack);
        case Member::WantsAnswer:
            return values.flag(head.wants_answer);
        case Member::OwnInstance:
            return values.instance(head.own_instance);
        case Member::AckSession:
            return values.session(head.ack.session);
        case Member::Received:
            return values.integer(head.ack.received);
        case Member::Handled:
            return values.integer(head.ack.handled);
        case Member::Credit:
            return values.integer(head.ack.credit);
        case Member::Exceptions:
            return values.exceptions(head.ack.exceptions);
        case Member::HasSessions:
            return values.flag(head.has_sessions, true);
        case Member::Token:
            return values.text(head.token);
        case Member::Key:
            return values.text(head.key);
        case Member::Lease:
            return values.text(head.lease);
        case Member::Client:
            return values.text(head.client);
        case Member::State:
            return values.state(head.state);
        case Member::Hub:
            return values.text(head.hub);
        case Member::Epoch:
            return values.integer(head.epoch);
        case Member::In:
            return values.integer(head.in_ms);
        case Member::Heartbeat:
            return values.integer(head.heartbeat_ms);
        case Member::Dead:
            return values.integer(head.dead_ms);
        case Member::Max:
            return values.integer(head.max_bytes);
        case Member::Resume:
            return values.integer(head.resume_ms);
        case Member::MayRetry:
            return values.flag(head.may_retry);
        case Member::Message:
            return values.text(head.message);
        case Member::Hint:
            return values.text(head.hint);
    }
    return false;
}

// The words of "t", "state" and "k", by the enumerators' values.
inline constexpr std::array<std::string_view, 23> kFrameTypes{
    "m",    "a",       "sync",  "reset",   "bye",     "ping", "pong", "hello", "bind",  "unbind", "resolve", "auth",
    "list", "welcome", "bound", "refused", "unbound", "peer", "hold", "go",    "nodes", "drain",  "expiring"};
static_assert(static_cast<std::size_t>(FrameType::Expiring) + 1 == kFrameTypes.size());
inline constexpr std::array<std::string_view, 5> kPeerStates{"here", "away", "gone", "unknown", "later"};
static_assert(static_cast<std::size_t>(PeerState::Later) + 1 == kPeerStates.size());
inline constexpr std::array<std::string_view, 3> kMessageKinds{"", "q", "r"};  // an intent's is left out

template <class Enum, std::size_t N>
constexpr std::optional<Enum> find_word(const std::array<std::string_view, N>& words, std::string_view word) noexcept {
    for (std::size_t i = 0; i < N; ++i) {
        if (words[i] == word) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

}  // namespace nyamesh::wire
