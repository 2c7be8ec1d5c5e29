// Everything the bus allows, at once, and the promises it must keep meanwhile.
//
//   bus_stress [SECONDS]     3 unless given
//   bus_stress --long        a minute
//
// Sixteen names. Two threads send to them, a third brings arrivals from a wire; handlers send on, close and
// destroy their own nodes; one thread destroys and opens nodes, one closes them from elsewhere, one adds and
// takes off handlers and sets and takes away the trace hook. A third of the nodes runs on each of two
// executors' threads, the rest on whoever sends. What must hold:
//
//   - no two handlers of one node at once; no handler on the thread that brings arrivals;
//   - per sender and node, what is handled is handled in the order it was sent;
//   - no call of a handler after off(), or of any after close(), has returned outside handlers;
//   - every accepted message was handled, dropped(closed) or dropped(no_handler): nothing lost, nothing doubled.
//
// The random choices are seeded by the thread's number; the interleaving is the machine's.
#include <nyamesh/message_bus.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace nyamesh;

namespace {

constexpr std::size_t kNames = 16;
constexpr std::size_t kSenders = 3;  // two threads and the wire

std::atomic<bool> g_is_over{false};
std::atomic<int> g_violations{0};
thread_local bool t_is_wire = false;

void violated(const char* promise) {
    if (g_violations.fetch_add(1) < 20) std::fprintf(stderr, "bus_stress: VIOLATED: %s\n", promise);
}

// What one incarnation of a name's node has seen. Outlives it in the hands of its handlers.
struct Witness {
    std::atomic<bool> is_inside{false};
    std::atomic<bool> is_closed{false};         // set once close() has returned outside any handler
    std::array<std::int64_t, kSenders> last{};  // only touched inside handlers: TSan watches
};

// For as long as a handler runs, however it ends.
class Inside {
public:
    explicit Inside(Witness& witness) : witness_(witness) {
        if (witness_.is_inside.exchange(true, std::memory_order_relaxed)) violated("two handlers of one node at once");
    }
    ~Inside() { witness_.is_inside.store(false, std::memory_order_relaxed); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

private:
    Witness& witness_;
};

struct Target {
    std::shared_ptr<Witness> witness = std::make_shared<Witness>();
    LocalNode node;
};

class Stress {
public:
    explicit Stress(std::chrono::seconds duration) : duration_(duration) {}

    int run() {
        for (std::size_t i = 0; i < kNames; ++i) open(i);
        {
            std::vector<std::jthread> threads;
            for (std::uint32_t s = 0; s < 2; ++s) threads.emplace_back([this, s] { send(s); });
            threads.emplace_back([this] { arrive(); });
            threads.emplace_back([this] { replace(); });
            threads.emplace_back([this] { close_from_elsewhere(); });
            threads.emplace_back([this] { churn_handlers(); });
            std::this_thread::sleep_for(duration_);  // how long to run, not what to wait for
            g_is_over = true;
        }
        bus_->set_trace({});
        for (Seat& seat : seats_) take(seat).reset();
        wait_for_the_last_handlers();
        return report();
    }

private:
    struct Seat {
        std::mutex mutex;
        std::shared_ptr<Target> target;
    };

    static std::string name(std::size_t i) { return "node-" + std::to_string(i); }

    static std::shared_ptr<Target> look(Seat& seat) {
        const std::lock_guard guard(seat.mutex);
        return seat.target;
    }
    static std::shared_ptr<Target> take(Seat& seat) {
        const std::lock_guard guard(seat.mutex);
        return std::move(seat.target);
    }

    void open(std::size_t i) {
        MessageBus::NodeOptions options;
        if (i % 3 != 0) options.executor = executors_[i % 3 - 1];
        options.queue_limit = i % 5 == 0 ? 16 : 0;
        auto node = bus_->register_node(name(i), std::move(options));
        if (!node) return;  // the one before has not closed yet
        opened_.fetch_add(1);
        auto target = std::make_shared<Target>();
        target->node = *std::move(node);
        listen(target, i);
        const std::lock_guard guard(seats_[i].mutex);
        seats_[i].target = std::move(target);
    }

    // The handler every message has: checks the promises, and now and then makes trouble.
    void listen(const std::shared_ptr<Target>& target, std::size_t i) {
        auto handler = [this, i, weak = std::weak_ptr(target), witness = target->witness](const IntentBox& intent,
                                                                                          std::string_view from) {
            const Inside inside(*witness);
            if (witness->is_closed) violated("a handler was called after close() had returned");
            if (t_is_wire) violated("a handler ran on the thread that brings arrivals");
            handled_.fetch_add(1, std::memory_order_relaxed);
            const std::int64_t number = intent.payload().as_integer();
            if (from.size() == 2 && from[0] == 's') {
                std::int64_t& last = witness->last[static_cast<std::size_t>(from[1] - '0')];
                if (number <= last) violated("the order of one sender to one node");
                last = number;
                make_trouble(weak, i, number);
            }
        };
        if (!target->node.on("m", make_handler(std::move(handler)))) violated("on() refused an open node");
    }

    void make_trouble(const std::weak_ptr<Target>& weak, std::size_t i, std::int64_t number) {
        if (number % 8 == 0) {
            if (const auto self = weak.lock()) {
                // May be the last reference at the end of this block: then the node goes in its own handler.
                for (const std::size_t step : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
                    account(self->node.send(name((i + step) % kNames), IntentBox("m", number)));
                }
            }
        }
        if (number % 1'021 == 0) {
            if (const auto self = weak.lock()) self->node.close();
        }
        if (number % 2'039 == 0) {
            // Ours, unless the name has a new node by now.
            const auto self = weak.lock();
            std::unique_lock lock(seats_[i].mutex);
            if (self != nullptr && seats_[i].target == self) {
                const auto going = std::move(seats_[i].target);
                lock.unlock();
            }
        }
        if (number % 509 == 0) throw std::runtime_error("on purpose");
    }

    void account(const std::expected<void, SendError>& sent) {
        if (sent) {
            accepted_.fetch_add(1, std::memory_order_relaxed);
        } else {
            refused_.fetch_add(1, std::memory_order_relaxed);
        }
    }

    // ---- The threads

    void send(std::uint32_t index) {
        std::mt19937 random(index + 1);
        const std::string id = "s" + std::to_string(index);
        auto node = bus_->register_node(id).value();
        std::array<std::int64_t, kNames> number{};
        while (!g_is_over) {
            const std::size_t i = random() % kNames;
            const IntentBox intent("m", ++number[i]);
            const auto way = random() % 64;
            if (way == 0) {
                account_waiting(node.send(name(i), intent, {Wait::Handled, std::chrono::milliseconds(random() % 3)}));
            } else if (way < 24) {
                if (const auto ref = bus_->resolve(name(i))) account(node.send(*ref, intent));
            } else {
                account(node.send(name(i), intent));
            }
        }
    }

    // An envelope that was taken is accounted for by how it ends, whatever its sender heard of that.
    void account_waiting(const std::expected<void, SendError>& sent) {
        using Reason = SendError::Reason;
        const bool was_taken = sent || sent.error().reason == Reason::NoHandler ||
                               sent.error().reason == Reason::HandlerFailed ||
                               sent.error().reason == Reason::MayHaveRun || sent.error().reason == Reason::Closed;
        (was_taken ? accepted_ : refused_).fetch_add(1, std::memory_order_relaxed);
    }

    void arrive() {
        t_is_wire = true;
        std::mt19937 random(11);
        std::array<std::int64_t, kNames> number{};
        while (!g_is_over) {
            const std::size_t i = random() % kNames;
            account(bus_->dispatch_to_local(name(i), {"s2", name(i), IntentBox("m", ++number[i]), 0, 1}));
            if (random() % 16 == 0) std::this_thread::yield();
        }
    }

    void replace() {
        std::mt19937 random(12);
        while (!g_is_over) {
            const std::size_t i = random() % kNames;
            if (auto old = take(seats_[i])) {
                const auto witness = old->witness;
                if (random() % 2 == 0) {
                    old->node.close();
                    witness->is_closed = true;
                }
                old.reset();
            }
            open(i);
            std::this_thread::yield();
        }
    }

    void close_from_elsewhere() {
        std::mt19937 random(13);
        while (!g_is_over) {
            if (random() % 32 == 0) {
                if (const auto target = look(seats_[random() % kNames])) {
                    target->node.close();
                    target->witness->is_closed = true;
                }
            }
            std::this_thread::yield();
        }
    }

    void churn_handlers() {
        std::mt19937 random(14);
        std::atomic<std::uint64_t> traced{0};
        while (!g_is_over) {
            if (const auto target = look(seats_[random() % kNames])) {
                const auto is_off = std::make_shared<std::atomic<bool>>(false);
                const bool once = random() % 4 == 0;
                auto extra = [is_off](const IntentBox&, std::string_view) {
                    if (*is_off) violated("a handler was called after off() had returned");
                };
                auto added =
                    once ? target->node.on_once("m", make_handler(extra)) : target->node.on("m", make_handler(extra));
                if (random() % 2 == 0) std::this_thread::yield();
                if (added) {
                    added->off();
                    *is_off = true;
                    taken_off_.fetch_add(1);
                }
            }
            if (random() % 256 == 0) bus_->set_trace([&](const TraceEvent&) { traced.fetch_add(1); });
            if (random() % 16 == 0) bus_->set_trace({});
            static_cast<void>(bus_->statistics());
        }
        bus_->set_trace({});
    }

    // A handler on another thread may hold the last reference to its node: the node goes when it returns.
    void wait_for_the_last_handlers() const {
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        for (;;) {
            const BusStatistics now = bus_->statistics();
            if ((now.nodes == 0 && now.queued == 0) || std::chrono::steady_clock::now() > give_up) return;
            std::this_thread::yield();
        }
    }

    int report() {
        const BusStatistics s = bus_->statistics();
        std::printf(
            "bus_stress: %llu accepted (%llu handled, %llu dropped closed, %llu without handler), "
            "%llu refused, %llu nodes opened, %llu handlers taken off, %llu handler errors\n",
            number(accepted_), number(handled_), number(s.dropped.closed), number(s.dropped.no_handler),
            number(refused_), number(opened_), number(taken_off_), number(s.handler_errors));
        if (s.queued != 0 || s.nodes != 0) violated("nodes or envelopes are left over");
        if (s.delivered != handled_) violated("delivered counts what handlers have seen");
        if (accepted_ != s.delivered + s.dropped.closed + s.dropped.no_handler) {
            violated("every accepted message is handled, dropped(closed) or dropped(no_handler)");
        }
        if (handled_ < 1'000 || opened_ < 2 * kNames || taken_off_ < 100) violated("the test did next to nothing");
        return g_violations == 0 ? 0 : 1;
    }
    static unsigned long long number(std::uint64_t value) { return value; }

    const std::chrono::seconds duration_;
    std::atomic<std::uint64_t> accepted_{0}, refused_{0}, handled_{0}, opened_{0}, taken_off_{0};
    const std::array<std::shared_ptr<nya::Executor>, 2> executors_{std::make_shared<nya::ThreadExecutor>("one"),
                                                                   std::make_shared<nya::ThreadExecutor>("two")};
    const std::shared_ptr<MessageBus> bus_ =
        MessageBus::create({.on_handler_error = [](std::string_view, std::string_view, std::string_view) {}});
    std::array<Seat, kNames> seats_;
};

}  // namespace

int main(int argc, char** argv) {
    int seconds = 3;
    if (argc == 2) seconds = std::strcmp(argv[1], "--long") == 0 ? 60 : std::atoi(argv[1]);
    if (argc > 2 || seconds <= 0) {
        std::fprintf(stderr, "usage: bus_stress [SECONDS | --long]\n");
        return 2;
    }
    return Stress(std::chrono::seconds(seconds)).run();
}
