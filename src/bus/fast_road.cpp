// The fast road of an envelope: its target is idle and may run here.
//
// One compare-exchange makes this thread the target's runner; the handlers run; one compare-exchange gives it back. No
// lock, no allocation, no copy of the payload. Of a node that is biased to this thread (bias.h) not even the
// compare-exchanges are needed. Whatever does not fit takes the slow road (slow_road.cpp).
#include "bus/bus_core.h"

#include "bus/running.h"

#include <thread>

namespace nyamesh::bus {

using Word = state::Word;

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

}  // namespace nyamesh::bus
