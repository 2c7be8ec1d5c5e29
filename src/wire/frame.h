// The routing head of a frame, decoded: docs/protocol.md in code.
//
// A frame is one WebSocket message: a head, which is one line of JSON, and, where there is one, a line feed and the
// payload. The hub reads t, to and from, and passes the bytes on unchanged; nodes read it all.
//
//     {"t":"m","to":"bob","from":"alice","n":"chat.message","s":"4f2a9c01b2d3e4f5.1","i":"77abc0ffee123456","q":17}⏎{"text":"hello"}
//
// Views in a Head point into the frame's bytes, or into the Scratch that decoded it where the text had escapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::wire {

enum class FrameType : std::uint8_t {
    // From node to node, relayed by the hub.
    Message,  // "m": an intent, a request or a reply
    Ack,      // "a": counters only
    Sync,     // "sync": where I stand; answered by the same without "y"
    Reset,    // "reset": I know nothing of that session, or I am another instance than you think
    Bye,      // "bye": I am closing; my last counters
    Ping,     // "ping": answered by the node itself, not by its handlers
    Pong,     // "pong"
    // From client to hub.
    Hello,    // "hello": the first frame of a connection
    Bind,     // "bind": this connection carries a name
    Unbind,   // "unbind": it does not any more
    Resolve,  // "resolve": who has that name; and tell me when that changes
    Auth,     // "auth": a fresh token
    List,     // "list": which names are here
    // From hub to client.
    Welcome,   // "welcome": the answer to hello
    Bound,     // "bound": the answer to bind
    Refused,   // "refused": the other answer, to hello, bind, auth and list
    Unbound,   // "unbound": the name has gone to somebody with a better claim
    Peer,      // "peer": what is known of a name
    Hold,      // "hold": send nothing to that name for now
    Go,        // "go": go on
    Nodes,     // "nodes": the answer to list; the payload is an array of names
    Drain,     // "drain": reconnect within the time given
    Expiring,  // "expiring": the token ends soon
};

// What the hub knows of a name.
enum class PeerState : std::uint8_t {
    Here,     // bound; "i" is its instance
    Away,     // its connection is lost, its lease lives
    Gone,     // it left
    Unknown,  // never heard of it
    Later,    // the hub has just started: ask again in "in" milliseconds
};

// A session: the instance of the sending node, and which of its sessions. "4f2a9c01b2d3e4f5.1" on the wire.
struct SessionId {
    std::uint64_t instance = 0;
    std::uint32_t number = 0;  // from 1; 0: no session
    friend auto operator<=>(const SessionId&, const SessionId&) = default;
};

// What became of a handled message, where it is more than "handled": sent with the counters until the sender has
// confirmed that it knows ("b" > sequence).
struct Exception {
    std::uint64_t sequence = 0;
    std::string reason;   // a SendError::Reason: "no_handler", "handler_failed", "malformed", …
    std::string message;  // for people; may be empty
    friend bool operator==(const Exception&, const Exception&) = default;
};

// An earlier session from the same instance to the same instance that ended with messages unconfirmed: its number, and
// the last sequence put on a wire. Whatever its receiver lacks of it is a gap. "[3,17]" on the wire.
struct LostSession {
    std::uint32_t number = 0;
    std::uint64_t last = 0;
    friend bool operator==(const LostSession&, const LostSession&) = default;
};

// Counters of a session, from its receiver.
struct AckFields {
    SessionId session;                  // "a": whose; number 0: no counters in this frame
    std::uint64_t received = 0;         // "r": everything up to here has been received, in order
    std::uint64_t handled = 0;          // "h": the handlers of everything up to here have returned
    std::uint64_t credit = 0;           // "c": nothing above this may be sent
    std::vector<Exception> exceptions;  // "x"
    friend bool operator==(const AckFields&, const AckFields&) = default;
};

enum class MessageKind : std::uint8_t { Intent, Request, Reply };  // "k": absent, "q", "r"

// Members are listed in the order in which they stand in a head; absent ones have the values given here.
struct Head {
    FrameType type = FrameType::Message;  // "t"
    std::string_view to;                  // "to"
    std::string_view from;                // "from"
    // "n": of Message the intent's name; of Bind, Unbind, Resolve, Bound, Refused, Unbound, Peer, Hold, Go, Hello the
    // node's name; of List the prefix.
    std::string_view name;
    SessionId session;              // "s": the session this frame belongs to, or (Reset) that is refused
    std::uint64_t instance = 0;     // "i": 16 hex digits. From node to node: the target's; else the named node's
    std::uint64_t sequence = 0;     // "q": from 1. Of Sync: the last one put on a wire. Of Ping, Pong: its number
    std::uint64_t base = 0;         // "b": the sender keeps nothing below; 0: absent
    bool is_opening = false;        // "o": no counter of this session has come back yet: it may begin with this frame
    std::vector<LostSession> lost;  // "p": opening frames: earlier sessions that ended unconfirmed
    MessageKind kind = MessageKind::Intent;  // "k"
    SessionId reply_to_session;              // "rs": of a reply: the session of its request,
    std::uint64_t reply_to = 0;              // "re": and its sequence
    std::string_view error;          // "e": of a reply that is an error: the reason. Of Refused, Unbound: likewise
    bool wants_ack = false;          // "w": do not wait with the counters
    bool wants_answer = false;       // "y": of Sync
    std::uint64_t own_instance = 0;  // "fi": of Reset, Bye, Sync without "s": the instance that speaks
    AckFields ack;                   // "a", "r", "h", "c", "x"

    // Between client and hub.
    bool has_sessions = true;        // "sessions": of Hello, Bind and Peer
    std::string_view token;          // "token": Hello, Auth
    std::string_view key;            // "key": Hello, Bind: the name's secret
    std::string_view lease;          // "lease": Hello, Bind, Bound
    std::string_view client;         // "client": Hello: "nyamesh/0.1.0", for the operator
    std::optional<PeerState> state;  // "state": Peer
    std::string_view hub;            // "hub": Welcome: its id, and
    std::uint64_t epoch = 0;         // "epoch": which start of it
    std::uint64_t in_ms = 0;  // "in": Peer, Refused, Drain, Expiring, Welcome (until the token ends): milliseconds
    std::uint64_t heartbeat_ms = 0;  // "heartbeat": Welcome: silence after which a ping is sent
    std::uint64_t dead_ms = 0;       // "dead": Welcome: silence after which a connection is given up
    std::uint64_t max_bytes = 0;     // "max": Welcome: bytes of the longest frame
    std::uint64_t resume_ms = 0;     // "resume": Welcome: how long a lost connection's names are kept
    bool may_retry = false;          // "retry": Refused
    std::string_view message;        // "message": Refused, Unbound, replies that are errors: for people
    std::string_view hint;           // "hint": Refused, Peer, replies that are errors
};

// A frame taken apart. `payload` is empty both for none and for an empty one.
struct Frame {
    Head head;
    std::string_view payload;
};

}  // namespace nyamesh::wire
