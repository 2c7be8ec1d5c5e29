// MessageBus: routes intents between the nodes of one process, keeps their handlers, statistics and
// traces. Applications use P2PBox; transports, tools and tests also talk to the bus itself.
//
// Rules (docs/promises.md has them in full):
//   - A node's handlers run one at a time. Is the node idle, they run on the sender's thread before
//     send returns; is it busy, the envelope waits in the node's bounded queue.
//   - Envelopes from one node to another are handled in the order they were sent.
//   - No lock of ours is held while a handler, hook or destructor of yours runs.
//   - All functions may be called from any thread.
#pragma once

#include <nya/clock.h>
#include <nya/executor.h>
#include <nya/random.h>
#include <nyamesh/bus_statistics.h>
#include <nyamesh/handler.h>
#include <nyamesh/intent_envelope.h>
#include <nyamesh/send_error.h>
#include <nyamesh/send_opts.h>
#include <nyamesh/trace.h>
#include <nyamesh/transport_kind.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh {

class MessageBus;
namespace bus {
struct NodeSlot;
class BusCore;
}  // namespace bus

// A resolved node: sending to one skips the lookup by name. A plain value; it keeps nothing alive.
// Once its node has closed, sends to it answer NodeNotFound(gone), also if another node took the name.
class NodeRef {
public:
    NodeRef() noexcept = default;
    friend bool operator==(const NodeRef&, const NodeRef&) noexcept = default;

private:
    friend class bus::BusCore;
    std::uint64_t bus_id_ = 0;  // 0: refers to nothing
    bus::NodeSlot* slot_ = nullptr;
    std::uint64_t idle_word_ = 0;
};

// What `on` returns. It may be ignored: the handler stays until `off` or `close`.
class Registration {
public:
    Registration() noexcept = default;

    // Removes this one handler. True if it was still there. Outside any handler this returns after
    // a running call of the node has ended; inside a handler it never waits.
    bool off();

    // RAII: the handler goes with the returned object.
    class Scoped {
    public:
        Scoped() noexcept = default;
        Scoped(Scoped&&) noexcept = default;
        Scoped& operator=(Scoped&& other) noexcept;
        ~Scoped();

    private:
        friend class Registration;
        explicit Scoped(Registration registration) noexcept;
        std::unique_ptr<Registration> registration_;
    };
    [[nodiscard]] Scoped scoped() const;

private:
    friend class LocalNode;
    std::weak_ptr<bus::BusCore> core_;
    NodeRef node_;
    std::uint32_t handler_id_ = 0;
};

// The bus's side of one node: its name, handlers and queue, for as long as this object lives.
// P2PBox owns one. Destroying it closes it; destroying it while another thread is inside one of its
// functions is a data race, as with any object (close() from another thread is fine).
class LocalNode {
public:
    LocalNode() noexcept = default;
    LocalNode(LocalNode&& other) noexcept;
    LocalNode& operator=(LocalNode&& other) noexcept;
    ~LocalNode();

    std::string_view id() const noexcept;
    bool is_open() const noexcept;
    const NodeRef& ref() const noexcept { return ref_; }

    std::expected<Registration, SendError> on(std::string_view intent_name, IntentHandler handler);
    std::expected<Registration, SendError> on_once(std::string_view intent_name, IntentHandler handler);
    // Removes all handlers of that intent; how many there were. Waits as Registration::off() does.
    std::expected<std::size_t, SendError> off(std::string_view intent_name);

    // To a node of this process. NodeNotFound if the bus does not know it.
    std::expected<void, SendError> send(std::string_view to, const IntentBox& intent, const SendOpts& opts = {});
    std::expected<void, SendError> send(const NodeRef& to, const IntentBox& intent, const SendOpts& opts = {});
    // The guide's first question: nothing if the bus does not know `to`, so that a transport may.
    std::optional<std::expected<void, SendError>> send_if_known(std::string_view to, const IntentBox& intent,
                                                                const SendOpts& opts = {});

    // Asks a node of this process: the answer its handlers return, or why there is none. See P2PBox::request().
    Answer request(std::string_view to, const IntentBox& intent, const SendOpts& opts = {});
    // The same without waiting: `done` is called exactly once. See P2PBox::request_async().
    void request_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done);

    // The machine behind, for the floors above. Valid while this object lives.
    bus::BusCore& core() const noexcept { return *core_; }

    // Takes the node off the bus: its name is free at once, no handler is called again, queued
    // envelopes count as dropped(closed). Outside any handler it returns after a running call has
    // ended; inside a handler it never waits. Idempotent.
    void close();

private:
    friend class MessageBus;
    std::expected<Registration, SendError> add(std::string_view intent_name, IntentHandler handler, bool is_once);

    std::shared_ptr<bus::BusCore> core_;
    NodeRef ref_;
};

class MessageBus {
public:
    // Everything the bus takes from the outside world. Empty pointers mean the real thing.
    struct Options {
        std::shared_ptr<nya::Clock> clock = {};
        std::shared_ptr<nya::Random> random = {};
        // Runs what no sender's thread may or should: arrivals from wires for nodes without an executor of
        // their own, and queues that senders have worked on for long enough. By default one thread
        // of the bus's own, started when first needed.
        std::shared_ptr<nya::Executor> delivery = {};
        // How many envelopes may wait for one node (1 to 1,048,576).
        std::size_t queue_limit = 4096;
        // Called when a handler throws, on the thread it threw on. By default one line on stderr.
        std::function<void(std::string_view node, std::string_view intent, std::string_view what)> on_handler_error =
            {};
    };

    struct NodeOptions {
        // Where the node's handlers run; null: on the sender's thread.
        std::shared_ptr<nya::Executor> executor = {};
        std::size_t queue_limit = 0;  // 0: the bus's
        TransportKind kind = TransportKind::InProcess;
    };

    // The bus all P2PBoxes of this process share, unless told otherwise.
    static const std::shared_ptr<MessageBus>& global();
    static std::shared_ptr<MessageBus> create();
    static std::shared_ptr<MessageBus> create(Options options);
    ~MessageBus();

    // Errors: SerializationError(invalid_name); BusError(duplicate_id), which names the owner.
    std::expected<LocalNode, SendError> register_node(std::string_view id);
    std::expected<LocalNode, SendError> register_node(std::string_view id, NodeOptions options);

    bool has_node(std::string_view id) const;
    // The open nodes' ids, sorted; at most `limit` of them.
    std::vector<std::string> nodes(std::size_t limit = 10'000) const;
    // The same, of those with that transport.
    std::vector<std::string> nodes(TransportKind kind, std::size_t limit) const;
    std::expected<NodeRef, SendError> resolve(std::string_view id) const;

    // Delivers to a node of this process: on this thread if the node is idle and may run here.
    std::expected<void, SendError> route(const IntentEnvelope& envelope, const SendOpts& opts = {});
    // Delivers an arrival from a wire to a node of this process: never on this thread, always on the node's
    // executor or the bus's delivery executor.
    std::expected<void, SendError> dispatch_to_local(std::string_view node_id, const IntentEnvelope& envelope);
    // The same, told how it ended: `done` is called once, unless this returns an error, with the answer (null where
    // `is_request` does not ask for one) or an error: no_handler, handler_failed, closed. On the thread that ran
    // the handlers, in the middle of the node's turn: it must not run user code.
    std::expected<void, SendError> dispatch_to_local(std::string_view node_id, const IntentEnvelope& envelope,
                                                     bool is_request, AnswerCallback done);
    // The end of an envelope that came from a wire and whose node is not here: counted and traced.
    void trace_drop(const IntentEnvelope& envelope);

    // How a send by a transport went, for statistics and trace.
    void trace_transport(std::string_view from, std::string_view to, const IntentBox& intent,
                         const std::expected<void, SendError>& result);
    // What a wire has done by itself; see the last steps of TraceEvent. To ask first whether anybody wants to know
    // costs a load: the flag is true while there is a hook, and may be kept for longer than the bus.
    void trace_wire(TraceEvent::Step step, std::string_view from, std::string_view to, const IntentBox& intent,
                    std::optional<SendError::Reason> reason, std::string_view detail);
    const std::shared_ptr<const std::atomic<bool>>& tracing_flag() const noexcept;
    // What statistics() tells of wires is what these tell. Removed, its last figures stay in the sums.
    std::uint64_t add_wire(WireCounter counter);
    void remove_wire(std::uint64_t number);

    // NodeNotFound(unknown) for `id`, with "did you mean" from the nodes of this process.
    SendError node_not_found(std::string_view id) const;

    BusStatistics statistics() const;
    // Replaces the trace hook; an empty one ends tracing. Calls under way may still finish.
    void set_trace(TraceHook hook);

    const nya::Clock& clock() const noexcept;
    // See Options::delivery.
    const std::shared_ptr<nya::Executor>& delivery() const noexcept;

private:
    explicit MessageBus(std::shared_ptr<bus::BusCore> core);
    std::shared_ptr<bus::BusCore> core_;
};

}  // namespace nyamesh
