// BusCore: the machine behind MessageBus and LocalNode.
//
//   bus_core.cpp       nodes come and go, handlers are added and removed, statistics, traces
//   fast_road.cpp      the hot path: an envelope to an idle node
//   slow_road.cpp      an envelope that has to wait, or whose sender does
//   runner.cpp         calling handlers, working through a queue, passing a node on
//   pending_calls.cpp  sends and requests whose sender goes on meanwhile
//
// Who may run a node is decided by its state word alone (node_slot.h). Its owner runs its handlers,
// replaces nothing, and on its way out serves what others left for it: retired tables, waiters, close.
//
// Locks, none held while user code runs: a part of the index; a registration lock (one of 64, by slot); a
// node's mailbox. They nest in this order: registration, mailbox.
#pragma once

#include <nyamesh/message_bus.h>

#include "base/mutex.h"
#include "bus/node_index.h"
#include "bus/node_slot.h"
#include "bus/pending_calls.h"
#include "bus/thread_context.h"
#include "bus/wires.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::bus {

// Where an envelope enters the bus. What comes from a wire never runs on the thread that brings it.
enum class Origin : std::uint8_t { Local, Wire };

class BusCore : public std::enable_shared_from_this<BusCore> {
public:
    static constexpr std::uint32_t kMaxDepth = ThreadContext::kMaxDepth;
    // A sender that finds itself the runner works through this many envelopes of other threads, then
    // the bus's delivery executor goes on.
    static constexpr std::uint32_t kMaxForeign = 64;
    // An executor's task works through this many, then lets other tasks run.
    static constexpr std::uint32_t kMaxPerTask = 256;
    static constexpr std::size_t kMaxQueueLimit = 1'048'576;

    explicit BusCore(MessageBus::Options options);
    ~BusCore();
    BusCore(const BusCore&) = delete;
    BusCore& operator=(const BusCore&) = delete;

    // Nodes and their handlers (bus_core.cpp).
    std::expected<NodeRef, SendError> add_node(std::string_view id, MessageBus::NodeOptions options);
    bool is_open(const NodeRef& node) const noexcept { return !is_closed(*node.slot_); }
    std::string_view id_of(const NodeRef& node) const noexcept;  // only for who keeps the node from being released
    std::expected<std::uint32_t, SendError> add_handler(const NodeRef& node, std::string_view intent_name,
                                                        IntentHandler handler, bool is_once);
    // Removes the handlers `is_meant` picks, and waits out a running call where that is allowed.
    std::size_t remove_handlers(const NodeRef& node, const std::function<bool(const Handler&)>& is_meant);
    void close_node(const NodeRef& node);
    // Its LocalNode is gone: the slot may be used again, at the earliest when this thread is out of all handlers.
    void release_node(const NodeRef& node);

    bool has_node(std::string_view id) const { return index_.find(id).has_value(); }
    std::vector<std::string> nodes(std::optional<TransportKind> kind, std::size_t limit) const;
    std::expected<NodeRef, SendError> resolve(std::string_view id) const;
    SendError node_not_found(std::string_view id) const;

    // Envelopes (fast_road.cpp, slow_road.cpp).
    // The fast road: true if the target was idle, could run here, and its handlers have run. False: nothing
    // has happened, ask the functions below. For sends that need not wait for Handled.
    bool send_now(const NodeRef& from, std::string_view to, const IntentBox& intent);
    bool send_now(const NodeRef& from, const NodeRef& to, const IntentBox& intent);
    // Nothing if no node of this process is called `to`. With `answer` it is a request that waits for one; with a
    // `call` it waits for nothing, and the call is told how it ends unless this returns an error.
    std::optional<std::expected<void, SendError>> send_if_known(const NodeRef& from, std::string_view to,
                                                                const IntentBox& intent, const SendOpts& opts,
                                                                nya::Json* answer = nullptr,
                                                                const std::shared_ptr<Completion>& call = nullptr);
    std::expected<void, SendError> send(const NodeRef& from, const NodeRef& to, const IntentBox& intent,
                                        const SendOpts& opts);
    std::expected<void, SendError> route(const IntentEnvelope& envelope, std::string_view to, Origin origin,
                                         const SendOpts& opts, const std::shared_ptr<Completion>& call = nullptr);
    // Calls (pending_calls.h): begin_call() never fails, but the call may have ended at once; then whoever makes it
    // need not send anything. call_made() has to follow on the same thread.
    enum class RunsDone : std::uint8_t { WhereHandlersRun, AnyThread };
    std::shared_ptr<PendingCall> begin_call(const NodeRef& from, std::string_view to, const IntentBox& intent,
                                            const SendOpts& opts, bool wants_answer, AnswerCallback done,
                                            RunsDone where = RunsDone::WhereHandlersRun);
    void call_made(PendingCall& call) { calls_->made(call); }
    // Tells `completion`; an answer nobody waits for any more is counted.
    void tell(Completion& completion, Answer ending);
    // Whether this thread is inside a handler of that node.
    bool is_inside_handler_of(std::string_view id) const;
    const std::shared_ptr<nya::Executor>& delivery() const noexcept { return delivery_; }
    void trace_drop(const IntentEnvelope& envelope);
    // The end of a send that found no way: counted and traced.
    SendError refuse_unknown(std::string_view from, std::string_view to, const IntentBox& intent);
    void refused(std::string_view from, std::string_view to, const IntentBox& intent, const SendError& error,
                 std::uint64_t id = 0);

    BusStatistics statistics() const;
    void set_trace(TraceHook hook);
    bool is_tracing() const noexcept { return is_tracing_.load(std::memory_order_relaxed); }
    void trace(TraceEvent::Step step, std::uint64_t id, std::string_view from, std::string_view to,
               const IntentBox& intent, std::optional<SendError::Reason> reason = {}, std::string_view detail = {});
    nya::Clock& clock() const noexcept { return *clock_; }
    Wires& wires() noexcept { return wires_; }

private:
    enum class Outcome : std::uint8_t { Handled, NoHandler, Failed };

    // How much a runner may do before it hands the node on. A task of an executor counts all it runs, and stays a
    // moment when the queue is empty; a sender counts only what other threads have sent.
    struct Turn {
        std::uint32_t budget;
        bool is_task;
        std::uint32_t patience;  // of a task: see let_a_batch_gather()
    };
    static constexpr Turn kSenderTurn{kMaxForeign, false, 0};
    static constexpr Turn kTaskTurn{kMaxPerTask, true, 0};

    // One envelope on its way, as the sender sees it.
    struct Outgoing {
        ThreadContext& thread;
        std::string_view from;
        std::string_view to;
        const IntentBox& intent;
        const SendOpts& opts;
        std::uint64_t id;
        Origin origin = Origin::Local;
        std::uint8_t hops = 0;
        std::string_view room = {};
        nya::Json* answer = nullptr;                        // of a request that waits
        const std::shared_ptr<Completion>* call = nullptr;  // of one that does not wait

        bool waits() const noexcept { return call == nullptr && opts.wait == Wait::Handled && origin == Origin::Local; }
        bool wants_answer() const noexcept { return call != nullptr ? (*call)->wants_answer : answer != nullptr; }
        std::shared_ptr<Completion> completion(const std::shared_ptr<BlockedSender>& waiter) const {
            return call != nullptr ? *call : waiter;
        }
    };

    static bool is_closed(const NodeSlot& slot) noexcept {
        return (slot.word.load(std::memory_order_relaxed) & state::kClosed) != 0;
    }

    struct Waiter {
        const NodeSlot* slot;
        state::Word identity;  // whoever wakes may come late, when the slot has another node
        bool is_done = false;
    };
    struct alignas(64) Registry {
        nya::Mutex mutex;
        std::condition_variable changed;
        std::vector<Waiter*> waiters NYA_GUARDED_BY(mutex);
        std::uint32_t last_handler_id NYA_GUARDED_BY(mutex) = 0;  // for the nodes of this part
    };

    // Slots.
    NodeSlot& take_slot();
    void release_now(NodeSlot& slot);
    void recycle(NodeSlot& slot);
    Registry& registry_of(const NodeSlot& slot) const noexcept;
    Mailbox& mailbox_of(NodeSlot& slot);
    NodeRef ref_to(NodeSlot& slot, state::Word identity) const noexcept;
    std::string id_if_same(const NodeRef& node) const;
    void retire(NodeSlot& slot, Retired old, const std::shared_ptr<nya::Executor>& executor);
    void wait_for_pause(NodeSlot& slot, state::Word identity);
    void wake_waiters(const NodeSlot& slot, state::Word identity);

    // Ownership of a node: each of these starts with it and says where it ends.
    bool try_now(ThreadContext& thread, NodeSlot& slot, state::Word idle_word, const NodeSlot& from,
                 const IntentBox& intent);
    void run_now(NodeSlot& slot, const NodeSlot& from, const IntentBox& intent);
    static void settle_bias(NodeSlot& slot, state::Word word);
    void leave_biased(NodeSlot& slot, ThreadContext& thread, state::Word identity);
    void finish_turn(NodeSlot& slot, ThreadContext& thread, Turn turn);
    void take_incoming(NodeSlot& slot, Mailbox& mailbox) NYA_REQUIRES(mailbox.mutex);
    bool drain(NodeSlot& slot, ThreadContext& thread, Turn& turn);
    void serve_attention(NodeSlot& slot);
    void finish_close(NodeSlot& slot);
    void drop_waiting(NodeSlot& slot);
    void drop_and_let_go(NodeSlot& slot);
    bool hand_over(NodeSlot& slot, ThreadContext* deferred_on);
    class Resumption;
    bool post_resumption(nya::Executor& executor, NodeSlot& slot, state::Word identity);
    bool take_back_and_drop(NodeSlot& slot, state::Word identity);
    void post_resume(nya::Executor& executor, NodeSlot& slot, state::Word identity);
    bool resume(NodeSlot& slot, state::Word identity, Turn turn);
    void offer_to_helpers(NodeSlot& slot);

    // What was put off until this thread's outermost delivery is over.
    static void after_delivery(ThreadContext& thread);
    static void run_leftovers(ThreadContext& thread);

    // Running handlers, and the slow road to them.
    Outcome run_handlers(NodeSlot& slot, const Arrival& arrival, std::string* failure);
    Outcome call(NodeSlot& slot, Handler& handler, const Arrival& arrival, std::string* failure);
    void report_failure(const NodeSlot& slot, const Arrival& arrival, std::string* failure);
    Outcome run_cell(NodeSlot& slot, Cell& cell);
    void count_delivered(NodeSlot& slot, std::uint64_t envelopes) noexcept;
    std::optional<std::expected<void, SendError>> deliver(NodeSlot& slot, state::Word identity, const Outgoing& out);
    enum class Queueing : std::uint8_t { Done, Full, LookAgain };
    std::expected<void, SendError> deliver_as_owner(NodeSlot& slot, state::Word identity, const Outgoing& out,
                                                    const std::shared_ptr<BlockedSender>& waiter);
    Queueing queue_behind_owner(NodeSlot& slot, state::Word identity, const Outgoing& out,
                                const std::shared_ptr<BlockedSender>& waiter);
    void trace_queued(const Outgoing& out);
    std::expected<void, SendError> run_here(NodeSlot& slot, const Outgoing& out);
    std::optional<std::expected<void, SendError>> send_slow(const Outgoing& out);
    bool may_run_here(NodeSlot& slot, state::Word identity) const;
    std::expected<void, SendError> wait_handled(NodeSlot& slot, state::Word identity, const Outgoing& out,
                                                const std::shared_ptr<BlockedSender>& waiter);
    SendError sender_closed(const NodeRef& from) const;
    SendError refusal_of(SendError::Reason reason, const Outgoing& out) const;
    static Answer ending_of(Outcome outcome, std::string_view to, const IntentBox& intent, std::string_view failure,
                            ArrivalExtras& extras);

    const std::uint64_t id_;
    const std::shared_ptr<nya::Clock> clock_;
    const std::shared_ptr<nya::Random> random_;
    const std::size_t queue_limit_;
    const bool can_bias_;
    const std::function<void(std::string_view, std::string_view, std::string_view)> on_handler_error_;

    std::atomic<bool> is_tracing_{false};
    mutable nya::Mutex trace_mutex_;
    std::shared_ptr<const TraceHook> trace_hook_ NYA_GUARDED_BY(trace_mutex_);

    Wires wires_;
    NodeIndex index_;
    mutable std::array<Registry, 64> registries_;
    mutable nya::Mutex slots_mutex_;
    std::vector<std::unique_ptr<NodeSlot[]>> chunks_ NYA_GUARDED_BY(slots_mutex_);
    std::vector<NodeSlot*> free_slots_ NYA_GUARDED_BY(slots_mutex_);

    // What does not happen on the fast path is counted here.
    std::atomic<std::uint64_t> delivered_by_the_gone_{0};
    std::atomic<std::uint64_t> handler_errors_{0};
    std::atomic<std::uint64_t> no_handler_{0};
    std::atomic<std::uint64_t> dropped_closed_{0};
    std::atomic<std::uint64_t> backpressure_{0};
    std::atomic<std::uint64_t> unknown_node_{0};
    std::atomic<std::uint64_t> no_route_{0};
    std::atomic<std::uint64_t> late_replies_{0};

    const std::shared_ptr<PendingCalls> calls_;

    // Last: its thread is joined before anything else goes.
    const std::shared_ptr<nya::Executor> delivery_;
};

}  // namespace nyamesh::bus
