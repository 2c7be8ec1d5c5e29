// Delivery: an envelope on its way to a node's handlers.
//
// The fast road (try_now): the target is idle, so one compare-exchange makes this thread its runner; the
// handlers run; one compare-exchange gives it back. No lock, no allocation, no copy of the payload. Of a node that
// is biased to this thread (bias.h) not even the compare-exchanges are needed.
//
// The slow road (deliver): the target is busy, elsewhere, or too deep down the stack. The envelope waits in the
// target's mailbox and one of these runs it: the present runner before it lets go (drain), the outermost delivery of
// this thread (run_leftovers), or a task on an executor (resume).
//
// Ownership is a baton: whoever holds kOwned either runs the node (kInCall) or has arranged that somebody will
// (kPosted). Every function here that takes the baton passes it on or gives it back (finish_turn).
#include "bus/bus_core.h"

#include "base/assert.h"
#include "base/pause.h"
#include "intent/quote.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace nyamesh::bus {

using Word = state::Word;

namespace {

// Longer than any process lives, and far from where a clock's time points overflow.
constexpr std::chrono::hours kLongestWait{24 * 365 * 50};

// On the stack of a thread for as long as it runs a node.
class Running {
public:
    Running(ThreadContext& thread, const NodeSlot& slot) noexcept
        : thread_(thread), depth_(thread.depth), frame_{thread.top, &slot} {
        thread.top = &frame_;
        thread.depth = depth_ + 1;
    }
    ~Running() {
        thread_.top = frame_.below;
        thread_.depth = depth_;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

private:
    ThreadContext& thread_;
    const std::uint32_t depth_;
    Frame frame_;
};

// Waits about a microsecond for `word` to change. Much cheaper for everybody than letting go of a node and
// being woken for it again, when senders and runner are about equally fast.
bool stays_empty(const std::atomic<Word>& word, Word seen) noexcept {
    static const bool is_alone = std::thread::hardware_concurrency() < 2;
    if (is_alone) return true;
    for (int i = 0; i < 64; ++i) {
        if (word.load(std::memory_order_acquire) != seen) return false;
        nya::pause();
    }
    return true;
}

// A runner that is faster than the senders meets them at every single message, and each meeting moves several cache
// lines between processors: 250 ns a message, where 40 do when they meet once a batch. So a task whose batches
// come small but without a pause takes a little longer, up to about two microseconds, to look again.
constexpr std::size_t kSmallBatch = 32;
constexpr std::uint32_t kMaxPatience = 128;

void let_a_batch_gather(std::uint32_t& patience, std::size_t last_batch) noexcept {
    patience = last_batch < kSmallBatch ? std::min(patience * 2 + 1, kMaxPatience) : patience / 2;
    for (std::uint32_t i = 0; i < patience; ++i) nya::pause();
}

}  // namespace

// ---- The fast road

inline void BusCore::after_delivery(ThreadContext& thread) {
    if (thread.has_leftovers && thread.depth == 0) [[unlikely]]
        run_leftovers(thread);
}

// Only the owner writes the counter. A runner with a long queue adds up first: senders read this cache line.
inline void BusCore::count_delivered(NodeSlot& slot, std::uint64_t envelopes) noexcept {
    slot.delivered.store(slot.delivered.load(std::memory_order_relaxed) + envelopes, std::memory_order_relaxed);
}

inline BusCore::Outcome BusCore::call(NodeSlot& slot, Handler& handler, const Arrival& arrival, std::string* failure) {
    try {
        handler.call(arrival);
        return Outcome::Handled;
    } catch (...) {
        report_failure(slot, arrival, failure);
        return Outcome::Failed;
    }
}

// Everything on this road is here or inlined: a call more costs as much as the hash of the name.
[[gnu::always_inline]] inline void BusCore::run_now(NodeSlot& slot, const NodeSlot& from, const IntentBox& intent) {
    const Arrival arrival{intent, from.id(), slot.id(), 0, 0};
    const HandlerTable table(slot.handlers.load(std::memory_order_acquire));
    Handler* const only = table.single();
    if (only != nullptr && !only->is_once && only->listens_to(intent.name_hash(), intent.name())) [[likely]] {
        count_delivered(slot, 1);
        call(slot, *only, arrival, nullptr);
    } else if (run_handlers(slot, arrival, nullptr) != Outcome::NoHandler) {
        count_delivered(slot, 1);
    }
}

[[gnu::always_inline]] inline bool BusCore::try_now(ThreadContext& thread, NodeSlot& slot, Word idle_word,
                                                    const NodeSlot& from, const IntentBox& intent) {
    if (thread.depth >= kMaxDepth || is_tracing() || is_closed(from)) [[unlikely]]
        return false;

    // Biased to us, and not running: no read-modify-write at all. It saves about half of a send by NodeRef.
    if (slot.bias.load(std::memory_order_relaxed) == bias::to(thread)) [[likely]] {
        const Word biased = idle_word | state::kBiased;
        std::atomic<const NodeSlot*>& note = thread.inside[thread.depth];
        note.store(&slot, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);  // the rest of the fence: bias::barrier_everywhere()
        // The word may say so for another thread by now: the bias, written before it, tells.
        const bool is_in = slot.word.load(std::memory_order_acquire) == biased &&
                           slot.bias.load(std::memory_order_relaxed) == bias::to(thread);
        if (is_in) {
            slot.bias.store(bias::to(thread) | bias::kInside, std::memory_order_relaxed);
            {
                const Running running(thread, slot);
                run_now(slot, from, intent);
            }
            slot.bias.store(bias::to(thread), std::memory_order_relaxed);
        }
        note.store(nullptr, std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (slot.word.load(std::memory_order_acquire) != biased) [[unlikely]]
            leave_biased(slot, thread, idle_word);
        if (is_in) {
            after_delivery(thread);
            return true;
        }
    }

    // A look first: a compare-exchange that fails takes the cache line from the runner.
    if (slot.word.load(std::memory_order_relaxed) != idle_word) return false;
    Word expected = idle_word;
    const Word mine = idle_word | state::kOwned | state::kInCall;
    if (!slot.word.compare_exchange_strong(expected, mine, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return false;
    }
    if ((idle_word & state::kHasExecutor) != 0 && !slot.executor->runs_here()) [[unlikely]] {
        // Not here: give it back, and let the slow road queue the envelope. What came in meanwhile runs there.
        expected = mine;
        if (!slot.word.compare_exchange_strong(expected, idle_word, std::memory_order_acq_rel)) {
            hand_over(slot, nullptr);
        }
        return false;
    }
    {
        const Running running(thread, slot);
        run_now(slot, from, intent);
        const std::uintptr_t next_bias = bias::after_run(slot.bias.load(std::memory_order_relaxed), thread);
        slot.bias.store(next_bias, std::memory_order_relaxed);
        const Word leave = next_bias == bias::to(thread) ? idle_word | state::kBiased : idle_word;
        expected = mine;
        if (!slot.word.compare_exchange_strong(expected, leave, std::memory_order_acq_rel, std::memory_order_relaxed))
            [[unlikely]] {
            finish_turn(slot, thread, kSenderTurn);
        }
    }
    after_delivery(thread);
    return true;
}

// The word has changed while we were in, or about to enter: somebody has taken the bias away. If they saw us
// inside, the node is ours in the ordinary way now, and has to be left in the ordinary way.
void BusCore::leave_biased(NodeSlot& slot, ThreadContext& thread, Word identity) {
    Word word = slot.word.load(std::memory_order_acquire);
    while (state::same_node(word, identity) && (word & state::kRevoking) != 0) {
        std::this_thread::yield();
        word = slot.word.load(std::memory_order_acquire);
    }
    const bool is_ours = state::same_node(word, identity) && (word & state::kInherited) != 0 &&
                         (slot.bias.load(std::memory_order_relaxed) & ~bias::kInside) == bias::to(thread);
    if (!is_ours) return;
    slot.bias.store(bias::to(thread) | bias::kShared, std::memory_order_relaxed);
    slot.word.fetch_and(~state::kInherited, std::memory_order_acq_rel);
    const Running running(thread, slot);
    finish_turn(slot, thread, kSenderTurn);
}

// `word` says the slot is biased or about to be no longer: moves that on a step. The caller looks again.
void BusCore::settle_bias(NodeSlot& slot, Word word) {
    if ((word & state::kRevoking) != 0) return std::this_thread::yield();
    const Word identity = word & state::kIdentity;
    const Word inherited = identity | state::kOwned | state::kInCall | state::kInherited;

    const ThreadContext& me = ThreadContext::here();
    const std::uintptr_t bias = slot.bias.load(std::memory_order_relaxed);
    if ((bias & ~bias::kInside) == bias::to(me)) {
        const Word next = (bias & bias::kInside) != 0 ? inherited : identity;
        slot.word.compare_exchange_strong(word, next, std::memory_order_acq_rel);
        return;
    }
    if (!slot.word.compare_exchange_strong(word, identity | state::kRevoking, std::memory_order_acq_rel)) return;
    bias::barrier_everywhere();
    const std::uintptr_t holder = slot.bias.load(std::memory_order_relaxed) & ~bias::kInside;
    if (reinterpret_cast<const ThreadContext*>(holder)->notes(slot)) {
        slot.word.store(inherited, std::memory_order_release);
    } else {
        slot.bias.store(bias::kShared, std::memory_order_relaxed);
        slot.word.store(identity, std::memory_order_release);
    }
}

bool BusCore::send_now(const NodeRef& from, std::string_view to, const IntentBox& intent) {
    ThreadContext& thread = ThreadContext::here();
    if (to.size() > Route::kMaxName) return false;
    const Route& route = thread.routes.place_for(to);
    return route.leads(id_, to) && try_now(thread, *route.slot, route.idle_word, *from.slot_, intent);
}

bool BusCore::send_now(const NodeRef& from, const NodeRef& to, const IntentBox& intent) {
    if (to.bus_id_ != id_) [[unlikely]]
        return false;
    return try_now(ThreadContext::here(), *to.slot_, to.idle_word_, *from.slot_, intent);
}

// ---- The slow road

std::optional<std::expected<void, SendError>> BusCore::send_if_known(const NodeRef& from, std::string_view to,
                                                                     const IntentBox& intent, const SendOpts& opts,
                                                                     nya::Json* answer,
                                                                     const std::shared_ptr<Completion>& call) {
    if (is_closed(*from.slot_)) return std::unexpected(sender_closed(from));
    ThreadContext& thread = ThreadContext::here();
    Outgoing out{thread, from.slot_->id(), to, intent, opts, thread.next_envelope_id()};
    out.answer = answer;
    if (call) out.call = &call;
    return send_slow(out);
}

std::expected<void, SendError> BusCore::send(const NodeRef& from, const NodeRef& to, const IntentBox& intent,
                                             const SendOpts& opts) {
    if (is_closed(*from.slot_)) return std::unexpected(sender_closed(from));
    if (to.bus_id_ != id_) {
        return std::unexpected(SendError(SendError::Reason::Unknown, "this NodeRef belongs to no node of this bus",
                                         "Get one from resolve() on the bus the sender is on"));
    }
    ThreadContext& thread = ThreadContext::here();
    const std::string_view from_id = from.slot_->id();
    const std::string to_id = id_if_same(to);
    if (!to_id.empty() && !is_closed(*to.slot_)) {
        const Outgoing out{thread, from_id, to_id, intent, opts, thread.next_envelope_id()};
        if (is_tracing()) trace(TraceEvent::Step::Sent, out.id, out.from, out.to, intent);
        if (auto result = deliver(*to.slot_, to.idle_word_, out)) return *std::move(result);
    }
    SendError gone(SendError::Reason::Gone, "the node this NodeRef was resolved to has closed",
                   "Resolve the name again, or send by name");
    refused(from_id, to_id, intent, gone);
    return std::unexpected(std::move(gone));
}

std::expected<void, SendError> BusCore::route(const IntentEnvelope& envelope, std::string_view to, Origin origin,
                                              const SendOpts& opts) {
    ThreadContext& thread = ThreadContext::here();
    const std::uint64_t id = envelope.id != 0 ? envelope.id : thread.next_envelope_id();
    Outgoing out{thread, envelope.from, to, envelope.intent, opts, id, origin, envelope.hops};
    out.room = envelope.room;
    if (auto result = send_slow(out)) return *std::move(result);
    SendError error = node_not_found(to);
    refused(envelope.from, to, envelope.intent, error, id);
    return std::unexpected(std::move(error));
}

SendError BusCore::refuse_unknown(std::string_view from, std::string_view to, const IntentBox& intent) {
    SendError error = node_not_found(to);
    refused(from, to, intent, error);
    return error;
}

void BusCore::refused(std::string_view from, std::string_view to, const IntentBox& intent, const SendError& error,
                      std::uint64_t id) {
    if (error.kind == SendError::Kind::NodeNotFound) unknown_node_.fetch_add(1, std::memory_order_relaxed);
    if (is_tracing()) {
        if (id == 0) id = ThreadContext::here().next_envelope_id();
        trace(TraceEvent::Step::Sent, id, from, to, intent);
        trace(TraceEvent::Step::Dropped, id, from, to, intent, error.reason, error.message);
    }
}

std::shared_ptr<PendingCall> BusCore::begin_call(const NodeRef& from, std::string_view to, const IntentBox& intent,
                                                 const SendOpts& opts, bool wants_answer, AnswerCallback done,
                                                 RunsDone where) {
    const NodeSlot& slot = *from.slot_;
    PendingCall::Report report{std::move(done), nullptr, false};
    if (where == RunsDone::WhereHandlersRun) {
        report.executor = slot.executor ? slot.executor : delivery_;
        report.may_run_on_caller = !slot.executor;
    }
    PendingCall::Names names{std::string(to), std::string(intent.name())};
    auto call = std::make_shared<PendingCall>(wants_answer, std::move(names), opts.timeout, std::move(report));
    if (!calls_->add(slot, call)) {
        backpressure_.fetch_add(1, std::memory_order_relaxed);
        call->complete(std::unexpected(SendError(SendError::Reason::Backpressure,
                                                 "node " + quote(slot.id()) + " already waits for " +
                                                     std::to_string(PendingCalls::kMaxPerNode) +
                                                     " messages to be handled or answered",
                                                 "Send again when some of them have ended")));
    } else if (is_closed(slot)) {  // looked at after add(): close_node() looks at the list after it has closed
        call->complete(std::unexpected(sender_closed(from)));
    }
    return call;
}

void BusCore::tell(Completion& completion, Answer ending) {
    const bool is_reply = completion.wants_answer && ending.has_value();
    if (!completion.complete(std::move(ending)) && is_reply) late_replies_.fetch_add(1, std::memory_order_relaxed);
}

// Nothing if no node of this process has that name.
std::optional<std::expected<void, SendError>> BusCore::send_slow(const Outgoing& out) {
    bool is_announced = false;
    const auto attempt = [&](NodeSlot& slot, Word idle_word) {
        if (is_tracing() && !std::exchange(is_announced, true)) {
            const auto step = out.origin == Origin::Wire ? TraceEvent::Step::Arrived : TraceEvent::Step::Sent;
            trace(step, out.id, out.from, out.to, out.intent);
        }
        return deliver(slot, idle_word, out);
    };
    Route* const route = out.to.size() <= Route::kMaxName ? &out.thread.routes.place_for(out.to) : nullptr;
    if (route != nullptr && route->leads(id_, out.to)) {
        // A copy: handlers that run inside use the same cache.
        NodeSlot& slot = *route->slot;
        const Word idle_word = route->idle_word;
        const Word word = slot.word.load(std::memory_order_acquire);
        if (state::same_node(word, idle_word) && (word & state::kClosed) == 0) {
            if (auto result = attempt(slot, idle_word)) return result;
        }
    }
    // A name can be taken over while we look: look again, but not for ever.
    for (int look = 0; look < 8; ++look) {
        const auto found = index_.find(out.to);
        if (!found) break;
        if (route != nullptr) *route = Route(id_, found->slot, found->idle_word, out.to);
        if (auto result = attempt(*found->slot, found->idle_word)) return result;
    }
    return std::nullopt;
}

// Nothing if the node is gone, or about to be.
std::optional<std::expected<void, SendError>> BusCore::deliver(NodeSlot& slot, Word identity, const Outgoing& out) {
    const bool waits = out.waits();
    if (waits && out.thread.is_running(slot)) {
        return std::unexpected(refusal_of(SendError::Reason::WouldDeadlock, out));
    }
    if (waits && (identity & state::kHasExecutor) != 0 && out.thread.depth >= kMaxDepth &&
        may_run_here(slot, identity)) {
        // It could only run here, once we are out; and we would not get out.
        return std::unexpected(refusal_of(SendError::Reason::WouldDeadlock, out));
    }
    const auto waiter = waits ? std::make_shared<BlockedSender>(out.answer != nullptr) : nullptr;
    for (;;) {
        Word word = slot.word.load(std::memory_order_acquire);
        if (!state::same_node(word, identity) || (word & state::kClosed) != 0) return std::nullopt;
        if ((word & (state::kBiased | state::kRevoking)) != 0) {
            settle_bias(slot, word);
            continue;
        }
        if ((word & state::kOwned) == 0) {
            const Word mine = word | state::kOwned | state::kInCall;
            if (!slot.word.compare_exchange_weak(word, mine, std::memory_order_acq_rel)) continue;
            return deliver_as_owner(slot, identity, out, waiter);
        }
        switch (queue_behind_owner(slot, identity, out, waiter)) {
            case Queueing::Done:
                trace_queued(out);
                return waiter ? wait_handled(slot, identity, out, waiter) : std::expected<void, SendError>();
            case Queueing::Full:
                backpressure_.fetch_add(1, std::memory_order_relaxed);
                if (is_tracing()) {
                    trace(TraceEvent::Step::Dropped, out.id, out.from, out.to, out.intent,
                          SendError::Reason::Backpressure);
                }
                return std::unexpected(refusal_of(SendError::Reason::Backpressure, out));
            case Queueing::LookAgain:
                break;
        }
    }
}

// We own the node. Its handlers run here, if they may; else the envelope waits where they can.
std::expected<void, SendError> BusCore::deliver_as_owner(NodeSlot& slot, Word identity, const Outgoing& out,
                                                         const std::shared_ptr<BlockedSender>& waiter) {
    ThreadContext& thread = out.thread;
    const bool is_ours_to_run = out.origin == Origin::Local && (!slot.executor || slot.executor->runs_here());
    if (is_ours_to_run && thread.depth < kMaxDepth) return run_here(slot, out);

    Mailbox& mailbox = mailbox_of(slot);
    {
        const nya::SpinningLock lock(mailbox.mutex);
        mailbox.incoming.emplace_back(out.from, out.intent, out.id, out.hops, thread.number, out.room,
                                      out.completion(waiter));
        slot.word.fetch_or(state::kQueued, std::memory_order_acq_rel);
    }
    trace_queued(out);
    // Who waits, here or in an event loop, cannot wait for this thread's outermost delivery.
    const bool is_waited_for = waiter || out.call != nullptr;
    if (hand_over(slot, is_ours_to_run && !is_waited_for ? &thread : nullptr)) {
        return waiter ? wait_handled(slot, identity, out, waiter) : std::expected<void, SendError>();
    }
    return std::unexpected(SendError(SendError::Reason::Closed,
                                     "the executor of node " + quote(out.to) + " has stopped",
                                     "Close the node before its executor stops, or give it one that is running"));
}

// Somebody else owns the node, and will see the envelope before letting go.
BusCore::Queueing BusCore::queue_behind_owner(NodeSlot& slot, Word identity, const Outgoing& out,
                                              const std::shared_ptr<BlockedSender>& waiter) {
    Mailbox& mailbox = mailbox_of(slot);
    const nya::SpinningLock lock(mailbox.mutex);
    const auto is_still_owned = [&](Word word) {
        return state::same_node(word, identity) && (word & state::kClosed) == 0 && (word & state::kOwned) != 0;
    };
    Word word = slot.word.load(std::memory_order_acquire);
    if (!is_still_owned(word)) return Queueing::LookAgain;
    if (mailbox.incoming.size() + mailbox.batch_left.load(std::memory_order_relaxed) >= mailbox.limit) {
        return Queueing::Full;
    }
    mailbox.incoming.emplace_back(out.from, out.intent, out.id, out.hops, out.thread.number, out.room,
                                  out.completion(waiter));
    // The owner clears kQueued under this lock only: where it is set, it will come.
    while (is_still_owned(word)) {
        if ((word & state::kQueued) != 0 ||
            slot.word.compare_exchange_weak(word, word | state::kQueued, std::memory_order_acq_rel)) {
            return Queueing::Done;
        }
    }
    mailbox.incoming.pop_back();
    return Queueing::LookAgain;
}

void BusCore::trace_queued(const Outgoing& out) {
    if (is_tracing()) trace(TraceEvent::Step::Queued, out.id, out.from, out.to, out.intent);
}

std::expected<void, SendError> BusCore::run_here(NodeSlot& slot, const Outgoing& out) {
    ThreadContext& thread = out.thread;
    std::optional<Answer> ending;
    {
        const Running running(thread, slot);
        if (is_tracing()) trace(TraceEvent::Step::Delivering, out.id, out.from, slot.id(), out.intent);
        std::string failure;
        ArrivalExtras extras{out.room, out.wants_answer()};
        const Outcome outcome =
            run_handlers(slot, {out.intent, out.from, slot.id(), out.id, out.hops, &extras}, &failure);
        if (outcome != Outcome::NoHandler) count_delivered(slot, 1);
        if (out.waits() || out.call != nullptr) ending = ending_of(outcome, slot.id(), out.intent, failure, extras);
        finish_turn(slot, thread, kSenderTurn);
    }
    if (ending && out.call != nullptr) {
        tell(**out.call, *std::move(ending));
        ending.reset();
    }
    after_delivery(thread);
    if (!ending) return {};
    if (!*ending) return std::unexpected(std::move(ending->error()));
    if (out.answer != nullptr) *out.answer = **std::move(ending);
    return {};
}

// Whether a node that is posted may be run by this thread. For waiting senders: it takes a lock.
bool BusCore::may_run_here(NodeSlot& slot, Word identity) const {
    std::shared_ptr<nya::Executor> executor;
    {
        const nya::Lock lock(registry_of(slot).mutex);  // recycle() takes it, too
        if (!state::same_node(slot.word.load(std::memory_order_acquire), identity)) return false;
        executor = slot.executor;
    }
    return !executor || executor->runs_here();
}

// The envelope is in the node's queue. Whenever nobody runs the node, this thread does if it may: it could be the very
// thread that the node has been handed to.
std::expected<void, SendError> BusCore::wait_handled(NodeSlot& slot, Word identity, const Outgoing& out,
                                                     const std::shared_ptr<BlockedSender>& waiter) {
    const auto keep_alive = shared_from_this();  // the last node of the bus may go in what runs below
    // Nodes we have put off would wait for us while we wait: others can run them, unless they are bound to
    // the executor we are blocking.
    std::vector<ThreadContext::Deferred> handed_on;  // out of the list first: what runs below may add to it
    std::erase_if(out.thread.deferred, [&](const ThreadContext::Deferred& later) {
        if ((later.identity & state::kHasExecutor) != 0) return false;
        handed_on.push_back(later);
        return true;
    });
    for (const ThreadContext::Deferred& later : handed_on) {
        later.core->post_resume(*later.core->delivery_, *later.slot, later.identity);
    }

    Mailbox& mailbox = mailbox_of(slot);
    const bool can_help = out.thread.depth < kMaxDepth && may_run_here(slot, identity);
    if (can_help) {
        const nya::SpinningLock lock(mailbox.mutex);
        mailbox.helpers.push_back(waiter);
        mailbox.helper_count.fetch_add(1);  // before resume() looks, as hand_over() posts before it looks here
    }
    const auto deadline = clock_->now() + std::min<std::chrono::milliseconds>(out.opts.timeout, kLongestWait);
    std::unique_lock lock(waiter->mutex);
    bool has_time = true;
    while (!waiter->is_done && has_time) {
        lock.unlock();
        const bool has_run = can_help && resume(slot, identity, kSenderTurn);
        lock.lock();
        if (has_run) continue;
        has_time =
            clock_->wait_until(lock, waiter->changed, deadline, [&] { return waiter->is_done || waiter->may_take; });
        waiter->may_take = false;
    }
    const bool is_done = waiter->is_done;
    waiter->is_given_up = !is_done;
    lock.unlock();
    if (can_help) {
        const nya::SpinningLock helpers(mailbox.mutex);
        std::erase(mailbox.helpers, waiter);
        mailbox.helper_count.fetch_sub(1);
    }
    if (!is_done) {
        return std::unexpected(SendError(
            SendError::Reason::MayHaveRun,
            "node " + quote(out.to) + " did not " + (out.wants_answer() ? "answer" : "finish handling") + " intent " +
                quote(out.intent.name()) + " within " + std::to_string(out.opts.timeout.count()) +
                " ms; it is still in its queue "
                "or running",
            "Raise SendOpts::timeout, or look for a handler that blocks"));
    }
    if (!waiter->ending) return std::unexpected(std::move(waiter->ending.error()));
    if (out.answer != nullptr) *out.answer = *std::move(waiter->ending);
    return {};
}

// The node has just been posted: who waits for it and may run it need not wait for the executor.
void BusCore::offer_to_helpers(NodeSlot& slot) {
    Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire);
    if (mailbox == nullptr || mailbox->helper_count.load() == 0) return;
    std::vector<std::shared_ptr<BlockedSender>> helpers;
    {
        const nya::SpinningLock lock(mailbox->mutex);
        helpers = mailbox->helpers;
    }
    for (const auto& helper : helpers) helper->offer();
}

SendError BusCore::refusal_of(SendError::Reason reason, const Outgoing& out) const {
    if (reason == SendError::Reason::Backpressure) {
        return {reason, "the queue of node " + quote(out.to) + " is full",
                "Send again later, send less, or raise its queue_limit"};
    }
    NYA_ASSERT(reason == SendError::Reason::WouldDeadlock);
    return {reason,
            "waiting for node " + quote(out.to) + " to " + (out.wants_answer() ? "answer" : "handle") +
                " an intent, inside one of its own handlers, would wait for ever",
            out.wants_answer() ? "Ask without waiting here: request_async(), or nowait in a script"
                               : "Send without waiting for Handled here"};
}

// An answer given is the answer, whatever the handlers after it do.
Answer BusCore::ending_of(Outcome outcome, std::string_view to, const IntentBox& intent, std::string_view failure,
                          ArrivalExtras& extras) {
    if (extras.answer) return *std::move(extras.answer);
    const std::string what = " for intent " + quote(intent.name());
    switch (outcome) {
        case Outcome::Handled:
            if (!extras.is_request) break;
            return std::unexpected(SendError(SendError::Reason::NoHandler,
                                             "no handler of node " + quote(to) + what + " returned an answer",
                                             "Return a value from the handler, or use send()"));
        case Outcome::NoHandler:
            return std::unexpected(SendError(SendError::Reason::NoHandler,
                                             "node " + quote(to) + " has no handler" + what,
                                             "Register one with on(), or check the intent's name"));
        case Outcome::Failed:
            return std::unexpected(
                SendError(SendError::Reason::HandlerFailed,
                          "a handler of node " + quote(to) + what + " failed: " + std::string(failure),
                          "Correct the handler; the node goes on"));
    }
    return nya::Json();
}

// ---- Running handlers. Only the owner, with kInCall.

BusCore::Outcome BusCore::run_handlers(NodeSlot& slot, const Arrival& arrival, std::string* failure) {
    const HandlerTable table(slot.handlers.load(std::memory_order_acquire));
    const std::uint64_t hash = arrival.intent.name_hash();
    const std::string_view name = arrival.intent.name();
    Outcome outcome = Outcome::NoHandler;
    for (Handler* handler : table.handlers()) {
        if (!handler->listens_to(hash, name)) continue;
        // One that an earlier handler of this envelope has taken off is still listed here.
        const bool is_alive = handler->is_once ? handler->is_alive.exchange(false, std::memory_order_relaxed)
                                               : handler->is_alive.load(std::memory_order_relaxed);
        if (!is_alive) continue;
        const Outcome one = call(slot, *handler, arrival, failure);
        if (outcome != Outcome::Failed) outcome = one;
        if (handler->is_once) {
            const std::uint32_t id = handler->id;
            remove_handlers(ref_to(slot, slot.word.load(std::memory_order_relaxed)),
                            [id](const Handler& other) { return other.id == id; });
        }
    }
    if (outcome == Outcome::NoHandler) {
        no_handler_.fetch_add(1, std::memory_order_relaxed);
    }
    if (is_tracing()) [[unlikely]] {
        if (outcome == Outcome::NoHandler) {
            trace(TraceEvent::Step::Dropped, arrival.id, arrival.from, arrival.to, arrival.intent,
                  SendError::Reason::NoHandler);
        } else {
            trace(TraceEvent::Step::Handled, arrival.id, arrival.from, arrival.to, arrival.intent);
        }
    }
    return outcome;
}

// Inside a catch block. The first failure of an envelope is the one its sender is told.
void BusCore::report_failure(const NodeSlot& slot, const Arrival& arrival, std::string* failure) {
    std::string what;
    bool is_reported = false;
    try {
        throw;
    } catch (const ReportedFailure& error) {
        what = error.what();
        is_reported = true;
    } catch (const std::exception& error) {
        what = error.what();
    } catch (...) {
        what = "an exception that is not a std::exception";
    }
    handler_errors_.fetch_add(1, std::memory_order_relaxed);
    if (is_tracing()) {
        trace(TraceEvent::Step::HandlerFailed, arrival.id, arrival.from, arrival.to, arrival.intent,
              SendError::Reason::HandlerFailed, what);
    }
    if (!is_reported) {
        try {
            on_handler_error_(slot.id(), arrival.intent.name(), what);
        } catch (...) {
            // A reporter that fails cannot be reported; the node goes on.
        }
    }
    if (failure != nullptr && failure->empty()) *failure = std::move(what);
}

BusCore::Outcome BusCore::run_cell(NodeSlot& slot, Cell& cell) {
    Completion* const completion = cell.completion();
    ArrivalExtras extras{cell.room(), completion != nullptr && completion->wants_answer};
    const Arrival arrival{cell.intent, cell.from(), slot.id(),
                          cell.id,     cell.hops,   cell.has_extras() ? &extras : nullptr};
    if (is_tracing()) trace(TraceEvent::Step::Delivering, cell.id, arrival.from, arrival.to, cell.intent);
    std::string failure;
    const Outcome outcome = run_handlers(slot, arrival, completion != nullptr ? &failure : nullptr);
    if (completion != nullptr) tell(*completion, ending_of(outcome, slot.id(), cell.intent, failure, extras));
    return outcome;
}

// ---- The baton

// Ends a turn: serves whoever asked for a pause, runs what has come in meanwhile, closes if told to, and
// lets go.
void BusCore::finish_turn(NodeSlot& slot, ThreadContext& thread, Turn turn) {
    for (;;) {
        Word word = slot.word.load(std::memory_order_acquire);
        if ((word & state::kAttention) != 0) {
            serve_attention(slot);
            continue;
        }
        if ((word & state::kClosed) != 0) return finish_close(slot);
        Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire);
        if ((word & state::kQueued) != 0 || (mailbox != nullptr && mailbox->has_batch())) {
            if (!drain(slot, thread, turn)) return;
            continue;
        }
        if (turn.is_task && stays_empty(slot.word, word)) turn.is_task = false;
        if (turn.is_task) continue;
        const Word idle = word & ~(state::kOwned | state::kInCall);
        if (slot.word.compare_exchange_weak(word, idle, std::memory_order_acq_rel)) return;
    }
}

void BusCore::take_incoming(NodeSlot& slot, Mailbox& mailbox) {
    // A burst's memory is given back once bursts of that size no longer come.
    if (mailbox.batch.capacity() > 64 && mailbox.incoming.size() < mailbox.batch.capacity() / 8) {
        std::vector<Cell>().swap(mailbox.batch);
    }
    mailbox.batch.swap(mailbox.incoming);
    mailbox.batch_left.store(static_cast<std::uint32_t>(mailbox.batch.size()), std::memory_order_relaxed);
    slot.word.fetch_and(~state::kQueued, std::memory_order_acq_rel);
}

// Runs what waits, until the queue is empty or something else wants doing. False: the budget is used up, and
// the node has been handed to an executor.
bool BusCore::drain(NodeSlot& slot, ThreadContext& thread, Turn& turn) {
    Mailbox& mailbox = mailbox_of(slot);
    std::size_t report_every = 1;
    {
        const nya::SpinningLock lock(mailbox.mutex);
        report_every = std::clamp<std::size_t>(mailbox.limit / 16, 1, 64);
        if (!mailbox.has_batch()) take_incoming(slot, mailbox);
    }
    const std::size_t batch_size = mailbox.batch.size();
    std::uint64_t delivered = 0;
    const auto report = [&] {
        mailbox.batch_left.store(static_cast<std::uint32_t>(mailbox.batch.size() - mailbox.next),
                                 std::memory_order_relaxed);
        count_delivered(slot, std::exchange(delivered, 0));
    };
    while (mailbox.has_batch()) {
        if (turn.is_task || mailbox.batch[mailbox.next].sender_thread != thread.number) {
            if (turn.budget == 0) {
                report();
                hand_over(slot, nullptr);
                return false;
            }
            --turn.budget;
        }
        Cell& cell = mailbox.batch[mailbox.next++];
        if (mailbox.next % report_every == 0) report();
        if (run_cell(slot, cell) != Outcome::NoHandler) ++delivered;
        if ((slot.word.load(std::memory_order_acquire) & (state::kAttention | state::kClosed)) != 0) break;
    }
    if (!mailbox.has_batch()) {
        mailbox.batch.clear();  // and with it the payloads
        mailbox.next = 0;
    }
    report();
    if (turn.is_task) let_a_batch_gather(turn.patience, batch_size);
    return true;
}

void BusCore::serve_attention(NodeSlot& slot) {
    std::vector<Retired> retired;
    const Word before = slot.word.load(std::memory_order_acquire);
    if (Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire)) {
        const nya::SpinningLock lock(mailbox->mutex);
        slot.word.fetch_and(~state::kAttention, std::memory_order_acq_rel);
        retired.swap(mailbox->retired);
    } else {
        slot.word.fetch_and(~state::kAttention, std::memory_order_acq_rel);
    }
    // Handlers' state goes on the node's own executor, under no lock. A sender elsewhere that has only looked at
    // the node may be its owner right now.
    if (!retired.empty() && slot.executor && !slot.executor->runs_here()) {
        slot.executor->post([handlers = std::move(retired)]() mutable { handlers.clear(); });
    }
    retired.clear();
    // Who waits for a node that closes waits for its end: finish_close() wakes them.
    if ((before & state::kClosed) == 0) wake_waiters(slot, before);
}

// Passes the baton to an executor's task, or with `deferred_on` to that thread's outermost delivery. False:
// the executor takes no more work; what waited has been dropped and the node let go.
bool BusCore::hand_over(NodeSlot& slot, ThreadContext* deferred_on) {
    const std::shared_ptr<nya::Executor> executor = slot.executor ? slot.executor : delivery_;
    Word word = slot.word.load(std::memory_order_acquire);
    const Word identity = word & state::kIdentity;
    for (;;) {
        if ((word & state::kAttention) != 0) {
            serve_attention(slot);
            word = slot.word.load(std::memory_order_acquire);
            continue;
        }
        if ((word & state::kClosed) != 0) {
            finish_close(slot);
            return true;
        }
        const Word posted = (word & ~state::kInCall) | state::kPosted;
        if (slot.word.compare_exchange_weak(word, posted)) break;
    }
    offer_to_helpers(slot);
    if (deferred_on != nullptr) {
        deferred_on->deferred.push_back({shared_from_this(), &slot, identity});
        deferred_on->has_leftovers = true;
        return true;
    }
    const auto task = [core = weak_from_this(), &slot, identity] {
        if (const auto alive = core.lock()) alive->resume(slot, identity, kTaskTurn);
    };
    if (executor->post(task)) return true;

    // Nobody will come: take it back and say so.
    word = slot.word.load(std::memory_order_acquire);
    while (state::same_node(word, identity) && (word & state::kPosted) != 0) {
        const Word mine = (word & ~state::kPosted) | state::kInCall;
        if (!slot.word.compare_exchange_weak(word, mine, std::memory_order_acq_rel)) continue;
        drop_and_let_go(slot);
        return false;
    }
    return true;
}

// A turn in which nothing is run, because nothing can be.
void BusCore::drop_and_let_go(NodeSlot& slot) {
    for (;;) {
        drop_waiting(slot);
        Word word = slot.word.load(std::memory_order_acquire);
        if ((word & state::kAttention) != 0) {
            serve_attention(slot);
            continue;
        }
        if ((word & state::kClosed) != 0) return finish_close(slot);
        if ((word & state::kQueued) != 0) continue;
        const Word idle = word & ~(state::kOwned | state::kInCall);
        if (slot.word.compare_exchange_weak(word, idle, std::memory_order_acq_rel)) return;
    }
}

void BusCore::post_resume(nya::Executor& executor, NodeSlot& slot, Word identity) {
    const auto task = [core = weak_from_this(), &slot, identity] {
        if (const auto alive = core.lock()) alive->resume(slot, identity, kTaskTurn);
    };
    if (!executor.post(task)) resume(slot, identity, kTaskTurn);
}

// Takes up a node that was posted, unless somebody else has done so.
bool BusCore::resume(NodeSlot& slot, Word identity, Turn turn) {
    Word word = slot.word.load();
    for (;;) {
        if (!state::same_node(word, identity) || (word & state::kPosted) == 0) return false;
        const Word mine = (word & ~state::kPosted) | state::kInCall;
        if (slot.word.compare_exchange_weak(word, mine, std::memory_order_acq_rel)) break;
    }
    ThreadContext& thread = ThreadContext::here();
    {
        const Running running(thread, slot);
        finish_turn(slot, thread, turn);
    }
    after_delivery(thread);
    return true;
}

// Everything that waits is dropped, and who waits for it told.
void BusCore::drop_waiting(NodeSlot& slot) {
    Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire);
    if (mailbox == nullptr) return;
    std::vector<Cell> incoming;
    {
        const nya::SpinningLock lock(mailbox->mutex);
        incoming.swap(mailbox->incoming);
        mailbox->batch_left.store(0, std::memory_order_relaxed);
        slot.word.fetch_and(~state::kQueued, std::memory_order_acq_rel);
    }
    std::vector<Cell> batch;
    batch.swap(mailbox->batch);
    const std::size_t done = std::exchange(mailbox->next, 0);
    const auto drop = [&](Cell& cell) {
        dropped_closed_.fetch_add(1, std::memory_order_relaxed);
        if (is_tracing()) {
            trace(TraceEvent::Step::Dropped, cell.id, cell.from(), slot.id(), cell.intent, SendError::Reason::Closed);
        }
        if (Completion* const completion = cell.completion()) {
            tell(*completion,
                 std::unexpected(SendError(SendError::Reason::Closed,
                                           "node " + quote(slot.id()) + " was closed with the message in its queue")));
        }
    };
    for (std::size_t i = done; i < batch.size(); ++i) drop(batch[i]);
    for (Cell& cell : incoming) drop(cell);
}

// The last turn of a closed node.
void BusCore::finish_close(NodeSlot& slot) {
    drop_waiting(slot);
    std::vector<Retired> retired;
    {
        const nya::Lock lock(registry_of(slot).mutex);
        const HandlerTable table(slot.handlers.exchange(0, std::memory_order_acq_rel));
        const auto handlers = table.handlers();
        retired.emplace_back(table, std::vector<Handler*>(handlers.begin(), handlers.end()));
        if (Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire)) {
            const nya::SpinningLock mailbox_lock(mailbox->mutex);
            for (Retired& old : mailbox->retired) retired.push_back(std::move(old));
            mailbox->retired.clear();
        }
    }
    // What the handlers hold is destroyed where they ran.
    if (slot.executor && !slot.executor->runs_here()) {
        slot.executor->post([handlers = std::move(retired)]() mutable { handlers.clear(); });
    }
    retired.clear();
    delivered_by_the_gone_.fetch_add(slot.delivered.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);

    Word word = slot.word.load(std::memory_order_acquire);
    Word clean;
    do {
        clean = (word & (state::kIdentity | state::kClosed | state::kReleased)) | state::kCleaned;
    } while (!slot.word.compare_exchange_weak(word, clean, std::memory_order_acq_rel));
    wake_waiters(slot, clean);
    if ((clean & state::kReleased) != 0) recycle(slot);
}

void BusCore::run_leftovers(ThreadContext& thread) {
    // What the deferred nodes defer in turn comes at the end of the same list: no recursion.
    if (thread.is_running_leftovers) return;
    thread.is_running_leftovers = true;
    while (!thread.deferred.empty() || !thread.releases.empty()) {
        if (!thread.deferred.empty()) {
            const ThreadContext::Deferred next = std::move(thread.deferred.front());
            thread.deferred.pop_front();
            next.core->resume(*next.slot, next.identity, kSenderTurn);
            continue;
        }
        const auto releases = std::exchange(thread.releases, {});
        for (const ThreadContext::Release& release : releases) release.core->release_now(*release.slot);
    }
    thread.is_running_leftovers = false;
    thread.has_leftovers = false;
}

}  // namespace nyamesh::bus
