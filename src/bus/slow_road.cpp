// The slow road of an envelope: whatever the fast road does not take.
//
// The target is busy, elsewhere, too deep down the stack, or somebody wants to know how it ends. If it can be run here
// it is (run_here); else the envelope waits in the target's mailbox, and one of these runs it (runner.cpp): the present
// runner before it lets go, the outermost delivery of this thread, or a task on an executor. A sender that waits for
// the end (wait_handled) runs the node itself whenever it may and nobody else does.
#include "bus/bus_core.h"

#include "base/assert.h"
#include "bus/running.h"
#include "intent/quote.h"

#include <algorithm>
#include <utility>

namespace nyamesh::bus {

using Word = state::Word;

namespace {

// Longer than any process lives, and far from where a clock's time points overflow.
constexpr std::chrono::hours kLongestWait{24 * 365 * 50};

}  // namespace

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
                                              const SendOpts& opts, const std::shared_ptr<Completion>& call) {
    ThreadContext& thread = ThreadContext::here();
    const std::uint64_t id = envelope.id != 0 ? envelope.id : thread.next_envelope_id();
    Outgoing out{thread, envelope.from, to, envelope.intent, opts, id, origin, envelope.hops};
    out.room = envelope.room;
    if (call) out.call = &call;
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

}  // namespace nyamesh::bus
