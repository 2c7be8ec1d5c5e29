// Transport: how a node reaches nodes that the bus does not know (the guide's interface).
//
// One P2PBox owns one Transport. In-process messages never pass through it: the bus delivers them.
#pragma once

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
    // Called for each arrival, on whatever thread the transport works on; it runs no user code.
    using ReceiveCallback = std::move_only_function<void(IntentEnvelope)>;

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

    // Ends the node's presence on this wire. Idempotent. Any thread.
    virtual void close() = 0;
};

}  // namespace nyamesh
