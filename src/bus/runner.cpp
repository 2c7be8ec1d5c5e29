// The runner of a node: calls its handlers, works through its queue, and lets go.
//
// Ownership is a baton: whoever holds kOwned either runs the node (kInCall) or has arranged that somebody will
// (kPosted). Every function here that takes the baton passes it on or gives it back (finish_turn).
#include "bus/bus_core.h"

#include "base/pause.h"
#include "bus/running.h"
#include "intent/quote.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace nyamesh::bus {

using Word = state::Word;

namespace {

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

// The task that takes up a node which was posted. An executor that ends destroys it unrun; then it is as if the
// executor had refused it, and who waits is told.
class BusCore::Resumption {
public:
    Resumption(std::weak_ptr<BusCore> core, NodeSlot& slot, Word identity)
        : core_(std::move(core)), slot_(&slot), identity_(identity) {}
    Resumption(Resumption&&) noexcept = default;
    Resumption& operator=(Resumption&&) = delete;
    ~Resumption() {
        const auto alive = core_.lock();
        // Refused by post(), who calls it decides.
        if (alive && ThreadContext::here().posting != slot_) alive->take_back_and_drop(*slot_, identity_);
    }
    void operator()() {
        if (const auto alive = std::exchange(core_, {}).lock()) alive->resume(*slot_, identity_, kTaskTurn);
    }

private:
    std::weak_ptr<BusCore> core_;
    NodeSlot* slot_;
    Word identity_;
};

bool BusCore::post_resumption(nya::Executor& executor, NodeSlot& slot, Word identity) {
    ThreadContext& thread = ThreadContext::here();
    const NodeSlot* const outer = std::exchange(thread.posting, &slot);
    const bool is_taken = executor.post(Resumption(weak_from_this(), slot, identity));
    thread.posting = outer;
    return is_taken;
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
    return post_resumption(*executor, slot, identity) || !take_back_and_drop(slot, identity);
}

// Nobody will come for a node that was posted. False: somebody has.
bool BusCore::take_back_and_drop(NodeSlot& slot, Word identity) {
    Word word = slot.word.load(std::memory_order_acquire);
    while (state::same_node(word, identity) && (word & state::kPosted) != 0) {
        const Word mine = (word & ~state::kPosted) | state::kInCall;
        if (!slot.word.compare_exchange_weak(word, mine, std::memory_order_acq_rel)) continue;
        drop_and_let_go(slot);
        return true;
    }
    return false;
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
    if (!post_resumption(executor, slot, identity)) resume(slot, identity, kTaskTurn);
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
