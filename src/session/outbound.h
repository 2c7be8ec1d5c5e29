// Outbound: the sending half of a session with one peer.
//
//   push() → waiting ──first put on a wire──▶ sent ──handlers have returned (h)──▶ gone
//                       (gets its number)      ▲  └─ a sync's answer says what was lost: sent again from there
//
// A message gets its sequence when it is first put on a wire, so whatever has never been on one can go to another
// session, or another instance of the peer, as if nothing had been. Everything in `sent` may have been handled.
//
// Pure state: no clock, no sockets. Endpoint decides when.
#pragma once

#include <nyamesh/intent_box.h>
#include <nyamesh/send_error.h>

#include "wire/frame.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nyamesh::session {

// What the sender of a message waits for, if anything.
enum class Waits : std::uint8_t { Nothing, Accepted, Delivered, Handled, Answer };

struct OutMessage {
    IntentBox intent;  // of a reply: its payload, under any name
    wire::MessageKind kind = wire::MessageKind::Intent;
    Waits waits = Waits::Nothing;
    std::uint64_t token = 0;  // who waits; 0: nobody, or no longer
    // Of a reply.
    wire::SessionId reply_to_session = {};
    std::uint64_t reply_to = 0;
    std::string error = {};  // the reason, if it is one

    std::size_t bytes() const noexcept;
};

class Outbound {
public:
    struct Limits {
        std::size_t messages = 4096;
        std::size_t bytes = 4 * 1024 * 1024;
    };
    // How many may be sent before the receiver has said how much it takes.
    static constexpr std::uint64_t kInitialCredit = 64;
    // Sessions that ended unconfirmed and of which the receiver has not yet been told; older ones are added up.
    static constexpr std::size_t kMaxLost = 8;

    explicit Outbound(Limits limits) : limits_(limits) {}

    // Whether one more may be taken. Replies may use twice the room, so that intents cannot keep answers back.
    bool has_room(std::size_t bytes, bool is_reply) const noexcept;
    void push(OutMessage message);

    const wire::SessionId& session() const noexcept { return session_; }
    bool has_session() const noexcept { return session_.number != 0; }
    void begin(const wire::SessionId& session);  // there must be none

    bool has_waiting() const noexcept { return !waiting_.empty(); }
    bool has_sent() const noexcept { return !sent_.empty(); }
    bool is_idle() const noexcept { return waiting_.empty() && sent_.empty(); }
    bool is_opening() const noexcept { return is_opening_; }
    std::uint64_t last() const noexcept { return handled_ + sent_.size(); }  // the last sequence put on a wire
    std::uint64_t base() const noexcept { return handled_ + 1; }             // the first one still kept
    std::uint64_t received() const noexcept { return received_; }
    std::size_t buffered_bytes() const noexcept { return bytes_; }
    std::size_t buffered_messages() const noexcept { return sent_.size() + waiting_.size(); }
    const std::vector<wire::LostSession>& lost() const noexcept { return lost_; }
    void restore_lost(std::vector<wire::LostSession> lost) { lost_ = std::move(lost); }

    // What to put on the wire next: first what is sent again, then what is new and within the credit. Null: nothing.
    // The pointer is valid until the next call.
    struct Next {
        const OutMessage* message = nullptr;
        std::uint64_t sequence = 0;
        bool is_again = false;
    };
    bool has_next() const noexcept;
    Next take_next();

    // Counters that came back. `settle` is called for each message they end a wait for; `gone` with the bytes freed.
    // False if they are impossible (more than was sent): the frame is to be ignored.
    using Settle = std::function<void(const OutMessage&, const wire::Exception*)>;
    bool acknowledge(const wire::AckFields& ack, const Settle& settle);
    // The peer has told where it stands and everything before that has arrived or is lost: send the rest again.
    void rewind() noexcept { cursor_ = received_ + 1; }

    // What the receiver will be told of the hole when the next session opens.
    enum class Trail : std::uint8_t {
        None,   // there is no receiver any more
        Exact,  // it still knows how far it got
        Count,  // it has forgotten: as many as were unconfirmed
    };
    // The session is over: what has been on a wire and is not handled, in order.
    std::vector<OutMessage> end(Trail trail);
    // So many that were taken and never put on a wire are given up. To the receiver they are a session, of a number
    // used for nothing else, of which nothing has arrived.
    void gave_up(std::uint32_t number, std::uint64_t count) { leave_trail({number, count}); }
    std::vector<OutMessage> take_waiting();
    // Gives up a wait. Of what has never been on a wire: takes the message back, too, and returns it.
    enum class GivenUp : std::uint8_t { NotFound, TakenBack, OnItsWay };
    GivenUp give_up(std::uint64_t token);
    // Whoever waited only for the name to be known; empty afterwards.
    std::vector<std::uint64_t> take_accepted_tokens();

private:
    void leave_trail(wire::LostSession lost);
    void forget_bytes(const OutMessage& message) noexcept { bytes_ -= message.bytes(); }

    const Limits limits_;
    wire::SessionId session_;
    std::deque<OutMessage> sent_;     // sequences base() to last()
    std::deque<OutMessage> waiting_;  // never yet on a wire
    std::size_t bytes_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t handled_ = 0;
    std::uint64_t credit_ = kInitialCredit;
    std::uint64_t cursor_ = 1;  // the next sequence to put on the wire
    bool is_opening_ = true;
    std::vector<wire::LostSession> lost_;
    std::uint64_t sum_told_ = 0;  // of what is added up the receiver has counted this much
};

}  // namespace nyamesh::session
