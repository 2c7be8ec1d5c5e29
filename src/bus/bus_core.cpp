// Nodes come and go; handlers are added and removed; statistics and traces.
#include "bus/bus_core.h"

#include <nya/expected.h>
#include <nyamesh/names.h>

#include "base/assert.h"
#include "intent/did_you_mean.h"
#include "intent/quote.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace nyamesh::bus {

using Word = state::Word;

namespace {

constexpr std::size_t kSlotsPerChunk = 64;
constexpr std::size_t kMaxSuggestions = 2'000;  // names looked at for "did you mean"
constexpr std::size_t kMaxQueuesListed = 100;

// Never reused, so that a route of a bus that is gone can never be taken for one of a later bus.
std::atomic<std::uint64_t> g_buses{0};

void print_handler_error(std::string_view node, std::string_view intent, std::string_view what) {
    const std::string line = "nyamesh: a handler of node " + quote(node) + " for intent " + quote(intent) +
                             " failed: " + std::string(what) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string hex(std::uint64_t number) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
    return digits;
}

}  // namespace

NodeIdentity* NodeIdentity::make(std::string_view id, TransportKind kind, std::uint64_t instance) {
    void* memory = ::operator new(offsetof(NodeIdentity, bytes) + id.size());
    auto* identity = new (memory) NodeIdentity;
    identity->instance = instance;
    identity->kind = kind;
    identity->size = static_cast<std::uint8_t>(id.size());
    std::memcpy(static_cast<char*>(memory) + offsetof(NodeIdentity, bytes), id.data(), id.size());
    return identity;
}

void NodeIdentity::free(NodeIdentity* identity) noexcept {
    ::operator delete(identity);
}

BusCore::BusCore(MessageBus::Options options)
    : id_(++g_buses),
      clock_(options.clock ? std::move(options.clock) : nya::Clock::system()),
      random_(options.random ? std::move(options.random) : nya::Random::system()),
      queue_limit_(std::clamp<std::size_t>(options.queue_limit, 1, kMaxQueueLimit)),
      can_bias_(bias::is_available()),
      on_handler_error_(options.on_handler_error ? std::move(options.on_handler_error) : print_handler_error),
      calls_(std::make_shared<PendingCalls>(clock_)),
      delivery_(options.delivery ? std::move(options.delivery)
                                 : std::make_shared<nya::ThreadExecutor>("nya-delivery")) {}

BusCore::~BusCore() {
    // Nobody is left to send or to run. What closed nodes have not come to clean (their executor dropped
    // the task) goes now.
    const nya::Lock lock(slots_mutex_);
    for (const auto& chunk : chunks_) {
        for (std::size_t i = 0; i < kSlotsPerChunk; ++i) {
            NodeSlot& slot = chunk[i];
            const HandlerTable table(slot.handlers.exchange(0));
            const auto handlers = table.handlers();
            const Retired last(table, {handlers.begin(), handlers.end()});
            delete slot.mailbox.load();
            NodeIdentity::free(slot.identity);
        }
    }
}

// ---- Slots

NodeSlot& BusCore::take_slot() {
    const nya::Lock lock(slots_mutex_);
    if (free_slots_.empty()) {
        chunks_.push_back(std::make_unique<NodeSlot[]>(kSlotsPerChunk));
        for (std::size_t i = kSlotsPerChunk; i-- > 0;) free_slots_.push_back(&chunks_.back()[i]);
    }
    NodeSlot& slot = *free_slots_.back();
    free_slots_.pop_back();
    return slot;
}

BusCore::Registry& BusCore::registry_of(const NodeSlot& slot) const noexcept {
    return registries_[(reinterpret_cast<std::uintptr_t>(&slot) / sizeof(NodeSlot)) % registries_.size()];
}

Mailbox& BusCore::mailbox_of(NodeSlot& slot) {
    Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire);
    if (mailbox != nullptr) return *mailbox;
    auto made = std::make_unique<Mailbox>();
    {
        const nya::SpinningLock lock(made->mutex);
        made->limit = static_cast<std::uint32_t>(queue_limit_);
    }
    if (slot.mailbox.compare_exchange_strong(mailbox, made.get(), std::memory_order_acq_rel)) return *made.release();
    return *mailbox;
}

NodeRef BusCore::ref_to(NodeSlot& slot, Word word) const noexcept {
    NodeRef ref;
    ref.bus_id_ = id_;
    ref.slot_ = &slot;
    ref.idle_word_ = word & state::kIdentity;
    return ref;
}

std::string BusCore::id_if_same(const NodeRef& node) const {
    const nya::Lock lock(registry_of(*node.slot_).mutex);  // recycle() takes it, too
    if (!state::same_node(node.slot_->word.load(std::memory_order_acquire), node.idle_word_)) return {};
    return std::string(node.slot_->id());
}

// ---- Nodes

std::expected<NodeRef, SendError> BusCore::add_node(std::string_view id, MessageBus::NodeOptions options) {
    NYA_TRY(check_node_id(id));
    NodeSlot& slot = take_slot();
    const Word executor_flag = options.executor ? state::kHasExecutor : 0;
    const Word idle = (slot.word.load(std::memory_order_relaxed) & ~Word{0xFFFF}) | executor_flag;
    slot.identity = NodeIdentity::make(id, options.kind, random_->next());
    slot.executor = std::move(options.executor);
    // A queue of the usual limit is made when it is needed.
    if (options.queue_limit != 0 || slot.mailbox.load(std::memory_order_relaxed) != nullptr) {
        Mailbox& mailbox = mailbox_of(slot);
        const nya::SpinningLock lock(mailbox.mutex);
        mailbox.limit = static_cast<std::uint32_t>(
            std::clamp<std::size_t>(options.queue_limit != 0 ? options.queue_limit : queue_limit_, 1, kMaxQueueLimit));
    }
    slot.bias.store(can_bias_ && !slot.executor ? bias::kNone : bias::kNever, std::memory_order_relaxed);
    slot.word.store(idle, std::memory_order_release);

    std::string owner;
    const bool is_new = index_.insert(slot, [&](const NodeSlot& other) {
        owner = "an open " + std::string(to_string(other.identity->kind)) + " node, instance " +
                hex(other.identity->instance);
    });
    if (is_new) return ref_to(slot, idle);

    recycle(slot);
    return std::unexpected(SendError(SendError::Reason::DuplicateId,
                                     "node id " + quote(id) + " is already taken in this process, by " + owner,
                                     "Close that node first, or choose another id"));
}

std::string_view BusCore::id_of(const NodeRef& node) const noexcept {
    return node.slot_->id();
}

SendError BusCore::sender_closed(const NodeRef& from) const {
    return {SendError::Reason::Closed, "node " + quote(from.slot_->id()) + " has been closed and cannot send",
            "Open it again"};
}

void BusCore::close_node(const NodeRef& node) {
    NodeSlot& slot = *node.slot_;
    index_.erase(slot);
    const auto end_calls = [&] {
        calls_->end_all(slot, SendError(SendError::Reason::Closed, "node " + quote(slot.id()) +
                                                                       " was closed before its message was "
                                                                       "handled or answered; it may have run"));
    };
    Word word = slot.word.load(std::memory_order_acquire);
    for (;;) {
        if ((word & state::kClosed) != 0) break;
        if ((word & (state::kBiased | state::kRevoking)) != 0) {
            settle_bias(slot, word);
            word = slot.word.load(std::memory_order_acquire);
            continue;
        }
        const bool is_running = (word & state::kOwned) != 0 && (word & state::kPosted) == 0;
        const Word closed = is_running ? (word | state::kClosed | state::kAttention)
                                       : ((word & ~state::kPosted) | state::kClosed | state::kOwned);
        if (!slot.word.compare_exchange_weak(word, closed, std::memory_order_acq_rel)) continue;
        end_calls();
        if (!is_running) return finish_close(slot);  // nobody runs it: its last turn is ours
        // The call under way ends; the handlers after it are not called any more.
        const nya::Lock lock(registry_of(slot).mutex);
        const HandlerTable table(slot.handlers.load(std::memory_order_relaxed));
        for (Handler* handler : table.handlers()) handler->is_alive.store(false, std::memory_order_relaxed);
        break;
    }
    wait_for_pause(slot, node.idle_word_);
}

void BusCore::release_node(const NodeRef& node) {
    ThreadContext& thread = ThreadContext::here();
    if (thread.depth == 0) return release_now(*node.slot_);
    // Somebody further up this stack may still be reading its name.
    thread.releases.push_back({shared_from_this(), node.slot_});
    thread.has_leftovers = true;
}

void BusCore::release_now(NodeSlot& slot) {
    const Word before = slot.word.fetch_or(state::kReleased, std::memory_order_acq_rel);
    if ((before & state::kCleaned) != 0) recycle(slot);
}

// Back among the free ones, as nobody's: no route leads here any more.
void BusCore::recycle(NodeSlot& slot) {
    NodeIdentity* identity = nullptr;
    std::shared_ptr<nya::Executor> executor;  // may be the last owner: destroyed under no lock
    {
        const nya::Lock lock(registry_of(slot).mutex);
        const Word next = (slot.word.load(std::memory_order_relaxed) & ~Word{0xFFFF}) + state::kGeneration;
        slot.word.store(next | state::kClosed, std::memory_order_release);
        identity = std::exchange(slot.identity, nullptr);
        executor.swap(slot.executor);
    }
    NodeIdentity::free(identity);
    const nya::Lock lock(slots_mutex_);
    free_slots_.push_back(&slot);
}

std::vector<std::string> BusCore::nodes(std::optional<TransportKind> kind, std::size_t limit) const {
    std::vector<std::string> ids;
    if (limit == 0) return ids;
    index_.for_each([&](NodeSlot& slot) {
        if (!kind || slot.identity->kind == *kind) ids.emplace_back(slot.id());
        return ids.size() < limit;
    });
    std::ranges::sort(ids);
    return ids;
}

std::expected<NodeRef, SendError> BusCore::resolve(std::string_view id) const {
    const auto found = index_.find(id);
    if (!found) return std::unexpected(node_not_found(id));
    return ref_to(*found->slot, found->idle_word);
}

SendError BusCore::node_not_found(std::string_view id) const {
    if (auto checked = check_node_id(id); !checked) return checked.error();
    DidYouMean nearest(id);
    for (const std::string& candidate : nodes({}, kMaxSuggestions)) nearest.offer(candidate);
    std::string hint = nearest.best().empty() ? "Open a node of that name first, or check the spelling"
                                              : "Did you mean " + quote(nearest.best()) + "?";
    return {SendError::Reason::Unknown, "no node " + quote(id) + " in this process", std::move(hint)};
}

bool BusCore::is_inside_handler_of(std::string_view id) const {
    const auto found = index_.find(id);
    return found && ThreadContext::here().is_running(*found->slot);
}

// ---- Handlers

std::expected<std::uint32_t, SendError> BusCore::add_handler(const NodeRef& node, std::string_view intent_name,
                                                             IntentHandler callable, bool is_once) {
    NYA_TRY(check_intent_name(intent_name));
    if (!callable) {
        return std::unexpected(SendError(SendError::Reason::NoHandler,
                                         "the handler for intent " + quote(intent_name) + " is empty",
                                         "Pass a function that can be called"));
    }
    NodeSlot& slot = *node.slot_;
    std::unique_ptr<Handler> handler;
    Retired old;
    std::uint32_t id = 0;
    {
        Registry& registry = registry_of(slot);
        const nya::Lock lock(registry.mutex);
        if (!is_open(node)) {
            return std::unexpected(SendError(SendError::Reason::Closed,
                                             "node " + quote(slot.id()) + " has been closed and takes no handlers",
                                             "Open it again"));
        }
        id = ++registry.last_handler_id;
        handler = std::make_unique<Handler>(id, is_once, intent_name, std::move(callable));
        const HandlerTable table(slot.handlers.load(std::memory_order_relaxed));
        const auto present = table.handlers();
        std::vector<Handler*> handlers(present.begin(), present.end());
        handlers.push_back(handler.release());
        slot.handlers.store(HandlerTable::of(handlers).word(), std::memory_order_release);
        old = Retired(table, {});
    }
    retire(slot, std::move(old), nullptr);
    return id;
}

std::size_t BusCore::remove_handlers(const NodeRef& node, const std::function<bool(const Handler&)>& is_meant) {
    NodeSlot& slot = *node.slot_;
    Retired old;
    std::shared_ptr<nya::Executor> executor;
    std::size_t removed = 0;
    {
        const nya::Lock lock(registry_of(slot).mutex);
        if (!state::same_node(slot.word.load(std::memory_order_acquire), node.idle_word_)) return 0;
        const HandlerTable table(slot.handlers.load(std::memory_order_relaxed));
        std::vector<Handler*> kept;
        std::vector<Handler*> gone;
        for (Handler* handler : table.handlers()) (is_meant(*handler) ? gone : kept).push_back(handler);
        if (gone.empty()) return 0;
        for (Handler* handler : gone) handler->is_alive.store(false, std::memory_order_relaxed);
        slot.handlers.store(HandlerTable::of(kept).word(), std::memory_order_release);
        removed = gone.size();
        executor = slot.executor;
        old = Retired(table, std::move(gone));
    }
    retire(slot, std::move(old), executor);
    wait_for_pause(slot, node.idle_word_);
    return removed;
}

// Destroys what a registration change has replaced: now if nobody runs the node (handlers: on its executor),
// else by its runner between two envelopes.
void BusCore::retire(NodeSlot& slot, Retired old, const std::shared_ptr<nya::Executor>& executor) {
    // A read-modify-write, not a load: whoever takes the node after it has our new table.
    Word word = slot.word.fetch_or(0, std::memory_order_acq_rel);
    while ((word & (state::kBiased | state::kRevoking)) != 0) {
        settle_bias(slot, word);
        word = slot.word.fetch_or(0, std::memory_order_acq_rel);
    }
    if ((word & state::kInCall) != 0) {
        Mailbox& mailbox = mailbox_of(slot);
        const nya::SpinningLock lock(mailbox.mutex);  // serve_attention() takes it before it looks
        while ((word & state::kInCall) != 0) {
            if (slot.word.compare_exchange_weak(word, word | state::kAttention, std::memory_order_acq_rel)) {
                mailbox.retired.push_back(std::move(old));
                return;
            }
        }
    }
    if (executor && !executor->runs_here() && !old.handlers.empty()) {
        executor->post([handlers = std::move(old)] {});
    }
}

// Returns once no call of the node is running that began before; at once inside a handler.
void BusCore::wait_for_pause(NodeSlot& slot, Word identity) {
    if (ThreadContext::here().depth > 0) return;
    Registry& registry = registry_of(slot);
    Waiter waiter{&slot, identity};
    nya::Lock lock(registry.mutex);  // wake_waiters() takes it, after the flag is cleared
    Word word = slot.word.load(std::memory_order_acquire);
    for (;;) {
        if (!state::same_node(word, identity)) return;
        if ((word & (state::kBiased | state::kRevoking)) != 0) {
            settle_bias(slot, word);
            word = slot.word.load(std::memory_order_acquire);
            continue;
        }
        if ((word & state::kInCall) == 0) return;
        if (slot.word.compare_exchange_weak(word, word | state::kAttention, std::memory_order_acq_rel)) break;
    }
    registry.waiters.push_back(&waiter);
    while (!waiter.is_done) lock.wait(registry.changed);
}

void BusCore::wake_waiters(const NodeSlot& slot, Word identity) {
    Registry& registry = registry_of(slot);
    {
        const nya::Lock lock(registry.mutex);
        const auto woken = std::erase_if(registry.waiters, [&](Waiter* waiter) {
            if (waiter->slot != &slot || !state::same_node(waiter->identity, identity)) return false;
            waiter->is_done = true;
            return true;
        });
        if (woken == 0) return;
    }
    registry.changed.notify_all();
}

// ---- Statistics and traces

BusStatistics BusCore::statistics() const {
    BusStatistics result;
    result.handler_errors = handler_errors_.load(std::memory_order_relaxed);
    result.late_replies = late_replies_.load(std::memory_order_relaxed);
    result.dropped.no_handler = no_handler_.load(std::memory_order_relaxed);
    result.dropped.closed = dropped_closed_.load(std::memory_order_relaxed);
    result.dropped.backpressure = backpressure_.load(std::memory_order_relaxed);
    result.dropped.unknown_node = unknown_node_.load(std::memory_order_relaxed);
    result.dropped.no_route = no_route_.load(std::memory_order_relaxed);
    result.delivered = delivered_by_the_gone_.load(std::memory_order_relaxed);
    index_.for_each([&](NodeSlot& slot) {
        ++result.nodes;
        result.delivered += slot.delivered.load(std::memory_order_relaxed);
        if (Mailbox* mailbox = slot.mailbox.load(std::memory_order_acquire)) {
            std::size_t depth = mailbox->batch_left.load(std::memory_order_relaxed);
            {
                const nya::SpinningLock lock(mailbox->mutex);
                depth += mailbox->incoming.size();
            }
            if (depth > 0) {
                result.queued += depth;
                result.queues.push_back({std::string(slot.id()), depth});
            }
        }
        return true;
    });
    std::ranges::sort(result.queues, [](const BusStatistics::Queue& a, const BusStatistics::Queue& b) {
        return a.depth != b.depth ? a.depth > b.depth : a.node < b.node;
    });
    if (result.queues.size() > kMaxQueuesListed) result.queues.resize(kMaxQueuesListed);
    result.wires = wires_.statistics();
    result.routed = result.delivered + result.dropped.no_handler + result.dropped.closed + result.queued;
    return result;
}

void BusCore::set_trace(TraceHook hook) {
    std::shared_ptr<const TraceHook> shared = hook ? std::make_shared<const TraceHook>(std::move(hook)) : nullptr;
    const bool is_on = shared != nullptr;
    {
        const nya::Lock lock(trace_mutex_);
        trace_hook_.swap(shared);
    }
    is_tracing_.store(is_on, std::memory_order_relaxed);
    wires_.set_tracing(is_on);
}

void BusCore::trace(TraceEvent::Step step, std::uint64_t id, std::string_view from, std::string_view to,
                    const IntentBox& intent, std::optional<SendError::Reason> reason, std::string_view detail) {
    std::shared_ptr<const TraceHook> hook;
    {
        const nya::Lock lock(trace_mutex_);
        hook = trace_hook_;
    }
    if (hook) (*hook)({step, id, from, to, intent, clock_->now(), reason, detail});
}

void BusCore::trace_drop(const IntentEnvelope& envelope) {
    no_route_.fetch_add(1, std::memory_order_relaxed);
    if (is_tracing()) {
        trace(TraceEvent::Step::Dropped, envelope.id, envelope.from, envelope.to, envelope.intent,
              SendError::Reason::Unknown, "no route");
    }
}

}  // namespace nyamesh::bus
