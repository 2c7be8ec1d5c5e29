// Endpoint: all sessions of one node. Nothing lost, nothing doubled, in order, end to end between two nodes, whatever
// carries the frames and however often that breaks (docs/protocol.md, "Sessions"; why: docs/design/sessions.md).
//
// It is a machine without I/O. Four things come in: messages (submit), frames (on_frame), news of the wire and of
// peers (on_attached, on_detached, on_peer), and the time. Two go out: frames, when pump() is called, and events, by
// take_events(): deliver this, that one has been settled, those are unconfirmed. So a simulator can drive it through
// years of broken cables in seconds, and a transport needs one lock around it and no rule of its own.
//
// Repair is one thing, whatever has happened: send `sync` to the peer; its answer says how far it got; go on from
// there.
//
// Threads: none; whoever owns it serialises the calls. No call runs user code.
#pragma once

#include <nya/clock.h>
#include <nya/random.h>
#include <nyamesh/answer.h>
#include <nyamesh/intent_box.h>
#include <nyamesh/send_error.h>

#include "session/byte_budget.h"
#include "session/inbound.h"
#include "session/outbound.h"
#include "wire/frame.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace nyamesh::session {

using Time = nya::Clock::time_point;

struct Settings {
    Outbound::Limits outbound = {};
    std::size_t max_peers = 10'000;
    std::size_t max_put_away = 100'000;  // fully handled sessions of peers beyond those, in short form
    std::size_t max_waits = 65'536;
    std::size_t max_frame_bytes = 256 * 1024;  // head included
    std::chrono::milliseconds resume_window{120'000};
    std::chrono::milliseconds sync_after{1'000};
    std::chrono::milliseconds sync_after_at_most{10'000};
    std::chrono::milliseconds ack_after{20};
    std::uint64_t ack_every = 64;
    std::chrono::microseconds sync_pace{100};         // between two peers, after an attach
    std::shared_ptr<ByteBudget> send_budget = {};     // of the process; null: one of its own, 64 MiB
    std::shared_ptr<ByteBudget> receive_budget = {};  // likewise; at least twice the longest frame
};

// What the hub says of a name.
struct PeerNews {
    wire::PeerState state = wire::PeerState::Unknown;
    std::uint64_t instance = 0;  // of Here
    bool has_sessions = true;
    std::chrono::milliseconds retry_in{0};  // of Later
    std::string hint = {};                  // "Did you mean …?"
};

// Where a delivered message came from; goes back with on_handled().
struct InboundRef {
    std::string from;
    wire::SessionId session;  // number 0: the sender keeps no sessions, and nobody waits
    std::uint64_t sequence = 0;
    std::size_t bytes = 0;  // what it holds of the receive budget
    bool wants_outcome = false;
};

// Events, in the order in which they happened.
struct Deliver {
    InboundRef ref;
    IntentBox intent;
    bool is_request = false;
};
struct Settled {  // what a token waited for
    std::uint64_t token = 0;
    Answer result;  // null where no answer was asked for
};
struct Unconfirmed {
    std::string to;
    IntentBox intent;
    SendError::Reason reason;  // Unconfirmed: it may have run. Anything else: it has certainly not
};
struct Gap {
    std::string from;
    std::uint64_t missed = 0;
};
// Of one that is observed only.
struct SentAgain {
    std::string to;
    IntentBox intent;
    std::uint64_t session = 0;  // its number
    std::uint64_t sequence = 0;
};
struct NotTaken {
    std::string from;
    IntentBox intent;
    std::string_view why;  // a literal
};
using Event = std::variant<Deliver, Settled, Unconfirmed, Gap, SentAgain, NotTaken>;

// Where pump() puts frames.
class FrameSink {
public:
    virtual ~FrameSink() = default;
    virtual bool has_room() const = 0;
    virtual void send(const wire::Head& head, std::string_view payload) = 0;
};

struct EndpointStatistics {
    std::uint64_t sent = 0;        // messages put on a wire for the first time
    std::uint64_t sent_again = 0;  // and again
    std::uint64_t received = 0;    // messages in order, once
    std::uint64_t duplicates = 0;  // refused, because they were here already
    std::uint64_t refused = 0;     // beyond the window, for another instance, of an unknown session
    std::uint64_t syncs = 0;
    std::uint64_t sessions_ended = 0;  // with messages unconfirmed
    std::uint64_t unconfirmed = 0;
    std::uint64_t gaps = 0;
    std::uint64_t late_replies = 0;
    std::uint64_t backpressure = 0;    // submissions refused
    std::uint64_t bytes_sent = 0;      // of payloads
    std::uint64_t bytes_received = 0;  // of the payloads of messages received
};

class Endpoint {
public:
    Endpoint(std::string node_id, std::uint64_t instance, Settings settings);
    ~Endpoint();
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    const std::string& node_id() const noexcept { return node_id_; }
    std::uint64_t instance() const noexcept { return instance_; }

    // ---- from the application ----

    struct Submission {
        IntentBox intent;
        Waits waits = Waits::Nothing;
        bool is_request = false;      // waits is Answer
        std::uint64_t token = 0;      // chosen by the caller, unique; told by a Settled event. 0: Waits::Nothing
        Time deadline = Time::max();  // of the wait; then Timeout(not_sent) or Timeout(may_have_run)
    };
    // What has become of a submission at once.
    enum class Taken : std::uint8_t {
        Accepted,  // the name is known, the message is in the session; a token with Waits::Accepted is not settled any
                   // more
        Waiting,   // a first contact: a token is told how it goes; without one, if it fails, an Unconfirmed event
    };
    // Errors: backpressure, offline, closed, unsupported (Delivered or Handled of a peer that keeps no sessions).
    // SerializationError(too_large).
    std::expected<Taken, SendError> submit(std::string_view to, Submission submission, Time now);
    // The caller waits no longer (its deadline is its own affair). Told whether the message was taken back.
    Outbound::GivenUp give_up(std::uint64_t token);
    // Asks the peer's endpoint for a sign of life: Settled with null, or with an error.
    std::expected<void, SendError> ping(std::string_view to, std::uint64_t token, Time deadline, Time now);
    // Whether a send to it has a way to go right now.
    bool is_reachable(std::string_view peer) const;

    // ---- from the wire ----

    void set_max_frame_bytes(std::size_t bytes) noexcept { settings_.max_frame_bytes = bytes; }

    void on_attached(Time now);  // frames flow (again), and this node's name is bound
    void on_detached(Time now);
    // While the first connection is being made a first contact waits for it; once that has failed it is told offline.
    void set_connecting(bool is_connecting, Time now);
    void on_peer(std::string_view name, const PeerNews& news, Time now);
    void on_hold(std::string_view name, bool is_held, Time now);
    // One of the relayed types, addressed to this node. `is_binary`: a payload this version does not take.
    void on_frame(const wire::Frame& frame, bool is_binary, Time now);

    // ---- from the node ----

    // The handlers of a delivered message have returned. Of a request: with its answer.
    void on_handled(const InboundRef& ref, bool is_request, Answer outcome, Time now);

    // ---- time, frames, events ----

    // Nothing happens by itself before then (max: nothing at all).
    Time next_time() const;
    void on_time(Time now);
    // Whether pump() has something to do now.
    bool has_frames() const noexcept { return is_attached_ && !(ready_.empty() && plain_replies_.empty()); }
    // Puts frames on the wire until there is nothing to send or no room. Only while attached.
    void pump(FrameSink& sink, Time now);
    std::vector<Event> take_events();
    // Whether somebody wants to hear of what is sent again and what is not taken, too.
    void observe(bool is_observed) noexcept { is_observed_ = is_observed; }

    // ---- the end ----

    // Takes no more submissions and delivers nothing more.
    void begin_close(Time now);
    // Whether everything accepted has been received by its target.
    bool is_flushed() const;
    // Tells the peers (pump() once more), and everybody who waits.
    void finish_close(Time now);

    EndpointStatistics statistics() const { return statistics_; }
    std::size_t peers() const noexcept { return peers_.size(); }
    // For the simulator's checks: what is buffered for peers, in messages.
    std::size_t buffered_messages() const noexcept;

private:
    struct Peer;
    struct Wait;
    struct PutAway;
    struct PlainReply {
        std::string to;
        OutMessage message;
    };
    // Answers that wait for room on the wire, to peers without sessions: beyond, they are dropped.
    static constexpr std::size_t kMaxPlainReplies = 1024;
    enum class End : std::uint8_t { Lost, PeerChanged, PeerClosed, ReceiverForgot, Closed };

    // The peers (endpoint_peers.cpp).
    Peer* find(std::string_view name) const;
    Peer* find_or_add(std::string_view name, Time now);
    bool make_place(Time now);
    bool put_away(Peer& peer, Time now);
    void touch(Peer& peer, Time now);
    void mark_ready(Peer& peer);
    void schedule(Peer& peer);
    void balance(Peer& peer);
    bool learn_instance(Peer& peer, std::uint64_t instance, Time now);
    void forget_instance(Peer& peer, End why);
    void become_known(Peer& peer);
    void end_outbound(Peer& peer, End why);
    void drop_inbound(Peer& peer);
    void fail_handled_requests(Peer& peer);
    void fail_plain_requests(Peer& peer);
    std::uint64_t drop_waiting(Peer& peer, const SendError& error);
    void resend_pings(Peer& peer);
    void forget_name(Peer& peer);
    void ask_hub(Peer& peer);
    void peer_is_here(Peer& peer, const PeerNews& news, Time now);
    void peer_is_absent(Peer& peer, const PeerNews& news, Time now);
    void fail_first_contacts(const SendError& error);
    void peer_on_time(Peer& peer, Time now);

    // Waits (endpoint.cpp).
    void settle(std::uint64_t token, Answer result);
    Outbound::GivenUp take_back(std::uint64_t token, const Wait& wait);
    std::expected<void, SendError> check_submission(const Peer& peer, const Submission& submission) const;

    // Frames in (endpoint_frames_in.cpp).
    void on_message(Peer& peer, const wire::Head& head, std::string_view payload, bool is_binary, Time now);
    void on_plain_message(const wire::Head& head, std::string_view payload, bool is_binary, Time now);
    void on_plain_reply(const wire::Head& head, const std::expected<IntentBox, SendError>& answer);
    void not_taken(const wire::Head& head, std::string_view payload, std::string_view why);
    void on_sync(Peer& peer, const wire::Head& head, Time now);
    void on_reset(Peer& peer, const wire::Head& head, Time now);
    void on_bye(Peer& peer, const wire::Head& head, Time now);
    void on_pong(Peer& peer, const wire::Head& head);
    void on_counters(Peer& peer, const wire::AckFields& ack, Time now);
    bool enter_session(Peer& peer, const wire::Head& head, Time now);
    void deliver(Peer& peer, InMessage message, Time now);
    void on_reply(Peer& peer, InMessage message);
    void owe_ack(Peer& peer, bool at_once, Time now);
    std::expected<OutMessage, SendError> make_reply(const InboundRef& ref, Answer outcome) const;
    std::expected<void, SendError> send_reply(Peer& peer, const InboundRef& ref, Answer outcome, Time now);
    void send_plain_reply(const InboundRef& ref, Answer outcome);

    // Frames out (endpoint_frames_out.cpp).
    bool pump_peer(Peer& peer, FrameSink& sink, Time now);
    void send_owed(Peer& peer, FrameSink& sink);
    void send_counters(Peer& peer, FrameSink& sink);
    void send_sync(Peer& peer, FrameSink& sink);
    bool send_messages(Peer& peer, FrameSink& sink);
    void send_message(Peer& peer, const Outbound::Next& next, FrameSink& sink);
    void send_plain_messages(Peer& peer, FrameSink& sink);
    void send_plain_replies(FrameSink& sink);
    void drop_plain_replies();
    void add_counters(Peer& peer, wire::Head& head);
    wire::Head head_to(const Peer& peer, wire::FrameType type) const;
    bool may_receive_more() const noexcept;

    const std::string node_id_;
    const std::uint64_t instance_;
    Settings settings_;

    std::unordered_map<std::string_view, std::unique_ptr<Peer>> peers_;  // keys are the peers' own names
    std::list<Peer*> by_use_;                                            // least recently used first
    std::map<std::pair<Time, std::uint64_t>, Peer*> by_time_;            // when each has something to do
    std::list<Peer*> ready_;                                             // those with frames to send
    std::deque<PlainReply> plain_replies_;                               // to those without sessions
    std::map<std::string, PutAway, std::less<>> put_away_;
    std::list<std::string> put_away_order_;

    std::unordered_map<std::uint64_t, Wait> waits_;
    std::set<std::pair<Time, std::uint64_t>> waits_by_time_;

    std::uint32_t last_session_number_ = 0;
    std::uint64_t last_peer_number_ = 0;
    std::uint64_t last_ping_ = 0;
    std::uint64_t last_plain_request_ = 0;
    bool is_attached_ = false;
    bool is_connecting_ = true;
    bool is_closing_ = false;
    bool is_closed_ = false;
    bool is_observed_ = false;
    std::size_t delivered_bytes_ = 0;  // what delivered messages hold of the receive budget
    std::vector<Event> events_;
    EndpointStatistics statistics_;
};

}  // namespace nyamesh::session
