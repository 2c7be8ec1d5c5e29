// P2PBox: a node. One id, one transport, the bus shared with the other nodes of this process.
//
//     auto alice = nyamesh::P2PBox::open("alice").value();
//     auto bob = nyamesh::P2PBox::open("bob").value();
//     bob.on("chat.message", [](const nyamesh::IntentBox& intent, std::string_view from) { … });
//     alice.send("bob", nyamesh::IntentBox("chat.message", {{"text", "Hello P2P!"}}));
//
// Threads: every function but the destructor and moves may be called from any thread, also from
// inside handlers. Destroying a P2PBox inside a handler, its own included, is fine.
//
// With TransportKind::WebSocket the node is known to a hub by its name, and reaches and is reached by nodes of other
// processes there: same calls, same errors, same order, nothing lost or doubled when the connection breaks
// (docs/promises.md, "On a wire").
#pragma once

#include <nyamesh/handler.h>
#include <nyamesh/intent_box.h>
#include <nyamesh/message_bus.h>
#include <nyamesh/send_error.h>
#include <nyamesh/send_opts.h>
#include <nyamesh/transport.h>
#include <nyamesh/transport_kind.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh {

namespace detail {
struct CallsAnywhere;
}

struct P2PBoxOptions {
    // The bus to be on; null: MessageBus::global().
    std::shared_ptr<MessageBus> bus = {};
    // Where the handlers run; null: on the thread of whoever sends in this process, and on the bus's delivery
    // thread for what comes from a wire.
    std::shared_ptr<nya::Executor> executor = {};
    // How many envelopes may wait for this node; 0: the bus's limit.
    std::size_t queue_limit = 0;

    // What follows is for nodes on a wire.
    // The hub's address; empty: the environment's NYAMESH_HUB, else that of the bus's first networked node, else
    // ws://127.0.0.1:8080.
    std::string url = {};
    // The secret by which the hub knows the name to be ours, also after a restart; empty: one is kept in the user's
    // state directory ($XDG_STATE_HOME/nyamesh).
    std::string key = {};
    // For a hub that asks for one; and who is asked for a fresh one when it ends (on the bus's delivery executor).
    std::string token = {};
    std::function<std::string()> renew_token = {};
    // PEM file: who signs the hub's certificate (wss://); empty: whom the system trusts.
    std::string ca_file = {};
    // Lends its connection to the in-process nodes of its bus: each of them is known to the hub by its name, too, for
    // as long as this node is open.
    bool gateway = false;
    // How long close() waits for what is still on its way.
    std::chrono::milliseconds linger{2'000};
    // How long a peer may be silent, with something on its way to it, until its session is given up.
    std::chrono::milliseconds resume_window{120'000};
};

// What on_state() tells.
struct StateChange {
    ConnectionState state;
    std::string problem;  // why it is not connected; for people
};
// What on_unconfirmed() tells: a message that was accepted, and of which it will never be known that it was handled.
struct UnconfirmedIntent {
    std::string to;
    IntentBox intent;
    // "unconfirmed": it may have run. Anything else ("gone", "not_sent", …): it has certainly not.
    std::string reason;
};
// What on_gap() tells: messages of that node that will never come, before the next one that does.
struct MissedIntents {
    std::string from;
    std::uint64_t missed;
};

class P2PBox {
public:
    // Validates and returns at once; a networked node is then `connecting`.
    // Errors: SerializationError(invalid_name), BusError(duplicate_id), NetworkError(unsupported);
    // NetworkError(offline) for an address or a file that cannot be used.
    static std::expected<P2PBox, SendError> open(std::string_view id, TransportKind kind = TransportKind::InProcess,
                                                 P2PBoxOptions options = {});
    // On a transport of your own; `transport->node_id()` is the id.
    static std::expected<P2PBox, SendError> open(std::unique_ptr<Transport> transport, P2PBoxOptions options = {});

    P2PBox(P2PBox&&) noexcept;
    P2PBox& operator=(P2PBox&&) noexcept;
    ~P2PBox();  // closes

    // Calls `handler` (see handler.h) for each intent of that name, after the handlers registered
    // before it. Errors: SerializationError(invalid_name), BusError(closed).
    template <class F>
    std::expected<Registration, SendError> on(std::string_view intent_name, F&& handler) {
        return add_handler(intent_name, make_handler(std::forward<F>(handler)), false);
    }
    // The same, for the next such intent only.
    template <class F>
    std::expected<Registration, SendError> on_once(std::string_view intent_name, F&& handler) {
        return add_handler(intent_name, make_handler(std::forward<F>(handler)), true);
    }
    // Removes all handlers of that intent; how many there were. After off() on this thread they are not called
    // again. Outside any handler it returns after a running call has ended; inside one it never waits.
    std::expected<std::size_t, SendError> off(std::string_view intent_name);

    // The guide's flow: does the bus know `to`, it delivers; else the transport sends.
    // In process: if `to` is idle its handlers have run when this returns; if it is busy the envelope waits its turn.
    // Errors: NodeNotFound, BusError(closed, backpressure), what the transport reports, and with
    // Wait::Handled also BusError(no_handler, handler_failed, would_deadlock) and Timeout.
    std::expected<void, SendError> send(std::string_view to, const IntentBox& intent, const SendOpts& opts = {});
    // Sugar (Level 2): see split_sugar() in names.h.
    std::expected<void, SendError> send(std::string_view to, std::string_view text, const SendOpts& opts = {});
    std::expected<void, SendError> send(std::string_view to, const char* text, const SendOpts& opts = {});
    // The fastest: to a node of this process that resolve() found.
    std::expected<void, SendError> send(const NodeRef& to, const IntentBox& intent, const SendOpts& opts = {});

    // Sends, and waits until the target's handlers have returned: what they answer. Only a value that a handler returns
    // answers (see handler.h); of several handlers the first one that does, in registration order.
    // Errors: as send() with Wait::Handled; BusError(no_handler) also when handlers have run and none has answered;
    // an error that a handler returns. Inside a handler of the target: BusError(would_deadlock), at once.
    Answer request(std::string_view to, const IntentBox& intent, const SendOpts& opts = {});
    Answer request(std::string_view to, std::string_view text, const SendOpts& opts = {});
    Answer request(std::string_view to, const char* text, const SendOpts& opts = {});

    // The same without waiting. `done` is called exactly once: with the answer, an error, at the timeout, or when this
    // node or the target closes. Is that known at once, and this thread one where the node's handlers may run, it is
    // called before this returns; otherwise later, on the node's executor or else on the bus's delivery
    // executor (an executor that has stopped destroys it uncalled). It may do what a handler may.
    // At most 65,536 are under way per node; one more is BusError(backpressure).
    void request_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done);
    void send_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, SentCallback done);

    // The same with a future, which always ends, at the timeout at the latest: with what `done` would be told, or
    // BusError(closed) if there is nobody left to tell. It needs no executor to run, and may be dropped: its destructor
    // does not wait. get() blocks: inside a handler that the answer needs (of the target, or of another node on the
    // same single thread) until the timeout. For coroutines there is asio.h.
    std::future<Answer> request_async(std::string_view to, const IntentBox& intent, const SendOpts& opts = {});
    std::future<std::expected<void, SendError>> send_async(std::string_view to, const IntentBox& intent,
                                                           const SendOpts& opts = {});

    // News of the wire, told in turn with the node's messages; a node in process has none. Each adds a handler. The
    // first on_state() is told the latest state even if it came before.
    std::expected<Registration, SendError> on_state(std::move_only_function<void(const StateChange&)> handler);
    std::expected<Registration, SendError> on_unconfirmed(
        std::move_only_function<void(const UnconfirmedIntent&)> handler);
    std::expected<Registration, SendError> on_gap(std::move_only_function<void(const MissedIntents&)> handler);
    ConnectionState state() const;

    // Whether this thread is inside a handler of that node, so that it cannot answer before we return.
    bool is_inside_handler_of(std::string_view id) const;

    // A handle to a node of this process. NodeNotFound if there is none of that name.
    std::expected<NodeRef, SendError> resolve(std::string_view id) const;

    std::string_view node_id() const noexcept;  // valid while this P2PBox lives
    TransportKind transport_kind() const noexcept;
    bool is_open() const noexcept;
    // Whether a send to `id` has a way to go right now.
    bool is_reachable(std::string_view id) const;
    // How long the endpoint of `id`, not its handlers, takes to give a sign of life. Waits for it.
    // Errors: as send(), and Timeout.
    std::expected<std::chrono::microseconds, SendError> ping(
        std::string_view id, std::chrono::milliseconds timeout = std::chrono::seconds(5)) const;
    // The names that begin with `prefix`, sorted, at most 1,000: of the nodes that the hub knows to be here; without a
    // wire, of this process. Waits for them. Errors: NetworkError, Timeout.
    std::expected<std::vector<std::string>, SendError> list_names(
        std::string_view prefix = {}, std::chrono::milliseconds timeout = std::chrono::seconds(5)) const;
    const std::shared_ptr<MessageBus>& bus() const noexcept;
    // The node's own; valid while this P2PBox lives.
    Transport& transport() const noexcept;

    // Leaves the bus and the wire; see LocalNode::close(). Sends answer BusError(closed) from then on. Outside any
    // handler it waits, `linger` at most, until what was sent has been received; what has not been by then is
    // counted and traced as unconfirmed. Idempotent; called again outside a handler it waits for what a close inside
    // one has left under way.
    void close();

private:
    friend struct detail::CallsAnywhere;
    struct Impl;
    explicit P2PBox(std::unique_ptr<Impl> impl) noexcept;
    std::expected<Registration, SendError> on_news(std::string_view name,
                                                   std::move_only_function<void(const nya::Json&)> handler);
    std::expected<Registration, SendError> add_handler(std::string_view intent_name, IntentHandler handler, bool once);
    void start(std::string_view to, const IntentBox& intent, const SendOpts& opts, bool wants_answer,
               AnswerCallback done, bool runs_anywhere = false);
    static std::expected<P2PBox, SendError> open_on(std::unique_ptr<Transport> transport, P2PBoxOptions options);

    std::unique_ptr<Impl> impl_;
};

namespace detail {

// For adapters to other ways of waiting, as asio.h is one: request_async() and send_async(), but `done` is called
// wherever the end becomes known: before this returns, or on any thread, also in the middle of a node's turn. It only
// hands on what it is told, and runs no code of a user. Destroyed uncalled: there is nobody left who could tell.
struct CallsAnywhere {
    static void request(P2PBox& node, std::string_view to, const IntentBox& intent, const SendOpts& opts,
                        AnswerCallback done);
    static void send(P2PBox& node, std::string_view to, const IntentBox& intent, const SendOpts& opts,
                     SentCallback done);
    static SendError nobody_left();  // BusError(closed)
};

}  // namespace detail

}  // namespace nyamesh
