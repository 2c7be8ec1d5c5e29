// Ledger: everything that nodes were promised, written down from outside and compared.
//
// It knows no rule of the sessions, only what their users can see: what was sent, what each send was told, what was
// delivered and handled where, and, of the wire, which message had which number. From that it checks
//
//   - order: from one life of a sender to one life of a receiver, messages arrive in the order in which they were sent;
//   - exactly once: no message is delivered twice, to whomever;
//   - every message is accounted for: handled, or reported, or its sender's wait has ended with an error;
//   - each wait ends once, and with the truth: who was told "handled" was handled, what was reported as certainly not
//     run never runs, a failure is told where the handler has failed, an answer is that request's answer;
//   - gaps: one before the next message, with the number of messages that are really missing.
//
// The first violation is kept; whoever runs the simulation stops there.
#pragma once

#include <nyamesh/handler.h>
#include <nyamesh/intent_box.h>
#include <nyamesh/send_error.h>

#include "session/endpoint.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nyamesh::simulation {

using MessageId = std::uint64_t;

class Ledger {
public:
    // ---- lives: a node's instances ----
    void begins(const std::string& name, std::uint64_t instance);
    void is_killed(std::uint64_t instance);  // it is owed nothing, and owes nothing
    void is_closed(std::uint64_t instance);  // everything of its must have been told by now
    void leaves(std::uint64_t instance);     // as is_closed(), but what was under way is counted, not told

    // ---- the sender's side ----
    struct Sending {
        std::uint64_t from = 0;  // instance
        std::string to;
        session::Waits waits = session::Waits::Nothing;
        bool is_request = false;
        std::uint64_t token = 0;
        bool is_local = false;  // by the bus: what is in the queue of a node that closes is counted, and nobody told
    };
    MessageId sends(Sending sending);
    void is_refused(MessageId id, const SendError& error);
    void is_accepted(MessageId id, session::Endpoint::Taken taken);
    void is_given_up(MessageId id, session::Outbound::GivenUp how);
    void pings(std::uint64_t from, std::uint64_t token);
    void is_settled(std::uint64_t from, std::uint64_t token, const Answer& result);
    void is_unconfirmed(std::uint64_t from, const session::Unconfirmed& event);

    // Nothing but handlers and the wire is seen: both may come later than what is told of them.
    void sees_from_outside() { sees_inside_ = false; }

    // Nodes have so little room for peers they are not talking to that they forget how far sessions got.
    void gaps_are_inexact() { gaps_are_exact_ = false; }

    // ---- the wire ----
    // A message frame that a node has let go. Replies carry no id.
    void is_on_wire(const wire::SessionId& session, std::uint64_t sequence, std::uint64_t target_instance,
                    std::optional<MessageId> id);

    // ---- the receiver's side ----
    void is_delivered(std::uint64_t at, const session::Deliver& event);
    // The same as a handler sees it.
    void is_delivered(std::uint64_t at, MessageId id, const std::string& from, bool is_request);
    // nullopt: the handler has succeeded.
    void is_handled(std::uint64_t at, MessageId id, std::optional<SendError::Reason> failure);
    void gap(std::uint64_t at, const std::string& from, std::uint64_t missed);

    // ---- the end ----
    // Everything living nodes have sent must be accounted for. With `to` only what was sent to those names.
    void check_all_accounted(const std::set<std::string>* to = nullptr);

    const std::string& violation() const noexcept { return violation_; }
    void violated(std::string what);

    struct Counts {
        std::uint64_t sent = 0, refused = 0, handled = 0, unconfirmed = 0, settled = 0, failed = 0, gaps = 0,
                      missed = 0;
    };
    const Counts& counts() const noexcept { return counts_; }

    // Payloads: {"id":17} of a message, {"answer":17} of its reply.
    static nya::Json payload_of(MessageId id, std::size_t padding);
    static MessageId id_of(const nya::Json& payload);
    static std::optional<MessageId> id_in(std::string_view payload);  // of a message as it is on a wire
    static nya::Json answer_to(MessageId id);

private:
    struct Message {
        Sending sending;
        bool is_taken = false;  // submit has accepted it
        bool is_delivered = false;
        bool is_handled = false;
        bool is_reported = false;
        bool is_taken_back = false;
        bool is_settled = false;
        bool has_failed = false;     // its wait ended with an error
        bool certainly_not = false;  // somebody was told that it has not run and will not
        std::optional<SendError::Reason> failure;
        std::uint64_t on_wire_for = 0;
    };
    struct Life {
        std::string name;
        bool is_killed = false;
        bool is_closed = false;
        bool has_left = false;
    };
    struct SessionTrail {  // of one session: which numbers stand for intents, and how far it got
        std::uint64_t target = 0;
        std::uint64_t last = 0;
        std::map<std::uint64_t, MessageId> intents;
        std::uint64_t delivered = 0;
        bool is_over = false;  // what it lacks has been compared
    };
    struct Reception {  // by one life, of another
        MessageId last_id = 0;
        std::uint32_t session = 0;
    };
    // Sends that were accepted and then given up before they were on any wire.
    struct Dropped {
        std::uint64_t certain = 0;  // known to have been meant for `target`
        std::uint64_t perhaps = 0;  // the sender may not have known that life
        std::uint64_t target = 0;
    };
    struct GapTold {
        std::uint64_t by = 0;  // the sender's life then
        std::uint64_t missed = 0;
    };

    Message* find(MessageId id);
    void outcome(Message& message, MessageId id, SendError::Reason reason);
    void drops(const Message& message);
    Message* arrives(std::uint64_t at, MessageId id, bool is_request);
    void compare_handled(std::uint64_t at, MessageId id, MessageId before);
    void compare_gap(std::uint64_t at, std::uint64_t from, std::uint32_t session);
    static bool is_accounted(const Message& message);

    std::vector<Message> messages_;  // ids from 1
    std::unordered_map<std::uint64_t, Life> lives_;
    std::unordered_map<std::string, std::uint64_t> latest_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, MessageId> waits_;  // (instance, token); 0: a ping
    std::map<std::pair<std::uint64_t, std::uint32_t>, SessionTrail> sessions_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, Reception> receptions_;     // (at, from)
    std::map<std::pair<std::uint64_t, std::string>, GapTold> gap_told_;           // (at, name of the sender)
    std::map<std::pair<std::uint64_t, std::string>, std::uint64_t> last_target_;  // (sender, name) → life
    std::map<std::pair<std::uint64_t, std::string>, Dropped> dropped_;            // (sender, name)
    bool gaps_are_exact_ = true;
    bool sees_inside_ = true;
    std::string violation_;
    Counts counts_;
};

}  // namespace nyamesh::simulation
