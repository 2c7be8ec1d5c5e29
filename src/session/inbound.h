// Inbound: the receiving half of a session with one peer.
//
//   accept() → (held back until what comes before it is there) → ready, in order → the node → handled()
//
// `received` moves when a message is ready, `handled` when its handlers have returned; both only ever without holes.
// What is over the window, or already here, is not taken: the sender repeats it, or need not.
//
// Pure state: no clock, no sockets.
#pragma once

#include <nyamesh/intent_box.h>

#include "wire/frame.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nyamesh::session {

struct InMessage {
    std::uint64_t sequence = 0;
    std::optional<IntentBox> intent;  // none: its payload is not JSON, and `error` says where
    std::string error = {};
    wire::MessageKind kind = wire::MessageKind::Intent;
    bool wants_outcome = false;  // the sender waits: a failure is reported
    // Of a reply.
    wire::SessionId reply_to_session = {};
    std::uint64_t reply_to = 0;
    std::string reply_error = {};

    std::size_t bytes() const noexcept;
};

class Inbound {
public:
    // How many messages beyond the handled ones a sender may send, and failures kept until the sender knows them.
    static constexpr std::uint64_t kWindow = 1024;
    static constexpr std::size_t kMaxExceptions = 1024;
    // Ended sessions of the same peer whose counters are remembered, to tell how much of them was missed.
    static constexpr std::size_t kMaxEnded = 16;

    // What is left of a session that is put away, fully handled.
    struct Rest {
        wire::SessionId session;
        std::uint64_t handled = 0;
        std::vector<wire::LostSession> ended;  // earlier ones, and how far each got
    };

    const wire::SessionId& session() const noexcept { return session_; }
    bool has_session() const noexcept { return session_.number != 0; }
    // Begins a session (the one before is over), which opens with what the sender knows to be lost. Returns how many
    // messages of earlier sessions are missing here.
    std::uint64_t begin(const wire::SessionId& session, const std::vector<wire::LostSession>& lost);
    Rest rest() const;
    // A session that was put away goes on.
    void restore(const Rest& rest);

    enum class Verdict : std::uint8_t { Taken, Duplicate, OutsideWindow };
    Verdict judge(std::uint64_t sequence) const noexcept;
    // Of one that was judged to be taken: everything that is ready now, in order.
    std::vector<InMessage> accept(InMessage message);
    // The handlers of that one have returned. An exception says how, if that is worth telling. True: `handled` moved.
    bool handled(std::uint64_t sequence, std::optional<wire::Exception> exception);
    // The sender knows of all failures below. True: now there is room to tell it of others.
    bool confirm(std::uint64_t base);

    std::uint64_t received() const noexcept { return received_; }
    std::uint64_t handled() const noexcept { return handled_; }
    bool is_idle() const noexcept { return received_ == handled_ && early_.empty() && exceptions_.empty(); }
    std::size_t early_bytes() const noexcept { return early_bytes_; }
    // Gives up what is held back: it counts as never received.
    std::size_t drop_early();
    // What the sender is told. With `may_grow` false the credit stays as it is. While there is more to tell of failures
    // than a head takes, `handled` stops short of the first that is left out: beyond it all would seem well.
    wire::AckFields counters(bool may_grow);
    // Failures make these counters too large for a message that may itself be as large as a frame can be.
    bool has_exceptions() const noexcept { return !exceptions_.empty(); }
    void forget_exceptions() noexcept { exceptions_.clear(); }

private:
    wire::SessionId session_;
    std::uint64_t received_ = 0;
    std::uint64_t handled_ = 0;
    std::uint64_t credit_ = 0;
    std::map<std::uint64_t, InMessage> early_;  // came before something that is still missing
    std::size_t early_bytes_ = 0;
    std::set<std::uint64_t> done_early_;  // handled before something that still runs
    std::deque<wire::Exception> exceptions_;
    std::map<std::uint32_t, std::uint64_t> ended_;  // session number → received
};

}  // namespace nyamesh::session
