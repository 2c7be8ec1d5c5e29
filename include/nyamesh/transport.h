// Transport: how a node reaches nodes that the bus does not know (the guide's interface).
//
// One P2PBox owns one Transport. In-process messages never pass through it: the bus delivers them.
//
// What a transport knows of its wire it tells the bus by itself: figures by MessageBus::add_wire(), steps for the trace
// (sent again, refused, connected, …) by trace_wire().
#pragma once

#include <nyamesh/connection_state.h>
#include <nyamesh/handler.h>
#include <nyamesh/intent_envelope.h>
#include <nyamesh/send_error.h>
#include <nyamesh/send_opts.h>
#include <nyamesh/transport_kind.h>

#include <expected>
#include <functional>
#include <string_view>

namespace nyamesh {

class Transport {
public:
    // Called for each arrival, on whatever thread the transport works on; it runs no user code. `done` may be empty;
    // else it is told once how the handlers ended, and of a request the answer, unless this returns an error. It may be
    // told on any thread, in the middle of a node's turn. BusError(backpressure): the node's queue is full, come again.
    using ReceiveCallback = std::move_only_function<std::expected<void, SendError>(
        const IntentEnvelope& envelope, bool is_request, AnswerCallback done)>;

    virtual ~Transport() = default;

    virtual std::string_view node_id() const noexcept = 0;
    virtual TransportKind kind() const noexcept = 0;

    // Takes the message on its way to `to`, or says why not. Any thread.
    virtual std::expected<void, SendError> send(std::string_view to, const IntentBox& intent, const SendOpts& opts) = 0;

    // As send(), without waiting for anything: `done` is called once, on any thread, and may be called before this
    // returns. By default for transports whose send() never waits.
    virtual void send_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, SentCallback done) {
        done(send(to, intent, opts));
    }
    // Takes the message to `to` and brings back its answer, likewise. By default: NetworkError(unsupported).
    virtual void request(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done) {
        static_cast<void>(to), static_cast<void>(intent), static_cast<void>(opts);
        done(std::unexpected(SendError(SendError::Reason::Unsupported, "this transport carries no requests",
                                       "Send an intent instead, and have it answered by another")));
    }

    // Where arrivals go. Called once, before the first send. After close() has returned the callback
    // is not called again.
    virtual void on_receive(ReceiveCallback callback) = 0;

    // Whether a send to `node` has a way to go right now. Any thread.
    virtual bool is_reachable(std::string_view node) const = 0;

    virtual ConnectionState state() const { return ConnectionState::Connected; }

    // News of the wire (see kNewsRoom) of that name are wanted from now on. Any thread.
    virtual void want_news(std::string_view name) { static_cast<void>(name); }

    // The node is about to leave the bus: from now on nothing is delivered, and what its queue drops was not handled.
    virtual void begin_close() {}
    // Ends the node's presence on this wire. Outside any handler it may wait, for a bounded time, until what has been
    // accepted is received by its target, also if it was called inside one before. Idempotent. Any thread.
    virtual void close() = 0;
};

// News of a wire reach the node as envelopes of this room, so that they take their place among its messages. The
// character keeps real rooms from being called so.
inline constexpr std::string_view kNewsRoom = "\x01news";
namespace news {
inline constexpr std::string_view kState = "nyamesh.state";              // {"state", "error": {…}}
inline constexpr std::string_view kUnconfirmed = "nyamesh.unconfirmed";  // {"to", "reason", "name", "payload"}
inline constexpr std::string_view kGap = "nyamesh.gap";                  // {"from", "missed"}
}  // namespace news

}  // namespace nyamesh
