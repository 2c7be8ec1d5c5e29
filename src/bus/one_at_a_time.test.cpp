// The rule of the bus: a node's handlers run one at a time. An idle node runs on the sender's thread; a busy one
// queues, and its runner works the queue off. No recursion without end, no deadlock, no sender held captive.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

TEST_CASE("A to B to A is queued, not recursed: A's handler ends before it runs again") {
    const auto bus = make_bus();
    auto a = open_node(*bus, "a");
    auto b = open_node(*bus, "b");
    Log log;
    listen(a, "start", [&](const IntentBox&, std::string_view) {
        log.add("a begins");
        CHECK(a.send("b", ping()));
        log.add("a ends");
    });
    listen(b, "ping", [&](const IntentBox&, std::string_view) {
        log.add("b begins");
        CHECK(b.send("a", IntentBox("answer", 1)));
        log.add("b ends");
    });
    listen(a, "answer", [&](const IntentBox&, std::string_view) { log.add("a hears the answer"); });

    REQUIRE(b.send("a", IntentBox("start", 1)));
    CHECK(log.text() == "a begins, b begins, b ends, a ends, a hears the answer");
}

TEST_CASE("a node that sends to itself inside a handler hears it afterwards") {
    const auto bus = make_bus();
    auto a = open_node(*bus, "a");
    Log log;
    listen(a, "start", [&](const IntentBox&, std::string_view) {
        CHECK(a.send("a", ping()));
        CHECK(a.send("a", ping()));
        log.add("start ends");
    });
    listen(a, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    REQUIRE(a.send("a", IntentBox("start", 1)));
    CHECK(log.text() == "start ends, ping, ping");
}

TEST_CASE("a busy node queues: its sender goes on, and the runner works the queue off in order") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    Gate running, go_on;
    Log log;
    std::thread::id runner;
    listen(bob, "wait", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
        log.add("waited");
    });
    listen(bob, "count", [&](const IntentBox& intent, std::string_view) {
        log.add(std::string(intent.payload_text()));
        CHECK(std::this_thread::get_id() == runner);
    });

    std::jthread other([&] {
        runner = std::this_thread::get_id();
        CHECK(alice.send("bob", IntentBox("wait", 1)));
    });
    running.wait();
    for (int i = 0; i < 5; ++i) REQUIRE(alice.send("bob", IntentBox("count", i)));
    CHECK(log.text().empty());
    CHECK(bus->statistics().queued == 5);

    go_on.open();
    other.join();
    CHECK(log.text() == "waited, 0, 1, 2, 3, 4");
    CHECK(bus->statistics().queued == 0);
}

TEST_CASE("no two handlers of one node ever run at once, and each sender's order is kept") {
    MessageBus::Options options;
    options.queue_limit = 1'000'000;
    const auto bus = make_bus(std::move(options));
    auto target = open_node(*bus, "target");
    constexpr int kEach = 20'000;
    std::atomic<int> inside{0};
    std::vector<int> last(3, -1);  // by sender; only the handler touches it, so TSan checks the rule as well
    bool was_alone = true, was_in_order = true;
    Counter handled;
    int count = 0;
    listen(target, "count", [&](const IntentBox& intent, std::string_view from) {
        was_alone = inside.fetch_add(1) == 0 && was_alone;
        int& before = last[static_cast<std::size_t>(from.back() - '0')];
        const int number = static_cast<int>(intent.payload().as_integer());
        was_in_order = number == before + 1 && was_in_order;
        before = number;
        inside.fetch_sub(1);
        if (++count == 3 * kEach) handled.add();
    });

    std::vector<std::jthread> senders;
    for (int s = 0; s < 3; ++s) {
        senders.emplace_back([&, s] {
            auto node = open_node(*bus, "sender-" + std::to_string(s));
            for (int i = 0; i < kEach; ++i) {
                if (!node.send("target", IntentBox("count", i))) FAIL_CHECK("a message was refused");
            }
        });
    }
    senders.clear();
    handled.wait_for(1);  // the delivery thread may have the rest
    CHECK(was_alone);
    CHECK(was_in_order);
    CHECK(last == std::vector<int>(3, kEach - 1));
}

TEST_CASE("a handler that blocks holds up its own node only") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto blocked = open_node(*bus, "blocked");
    auto free = open_node(*bus, "free");
    Gate running, go_on;
    int got = 0;
    listen(blocked, "ping", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
    });
    listen(free, "ping", [&](const IntentBox&, std::string_view) { ++got; });
    std::jthread other([&] { CHECK(alice.send("blocked", ping())); });
    running.wait();
    REQUIRE(alice.send("free", ping()));
    CHECK(got == 1);
    go_on.open();
}

// ---- How deep a thread nests

namespace {

// Nodes 0 … n-1; each sends on to the next.
struct Chain {
    Chain(MessageBus& bus, std::size_t size) : handled(size, 0) {
        for (std::size_t i = 0; i < size; ++i) nodes.push_back(open_node(bus, name(i)));
        for (std::size_t i = 0; i < size; ++i) {
            listen(nodes[i], "on", [this, i](const IntentBox& intent, std::string_view) {
                deepest = std::max(deepest, ++depth);
                ++handled[i];
                order.push_back(i);
                if (i + 1 < nodes.size() && !nodes[i].send(name(i + 1), intent)) FAIL_CHECK("a link was refused");
                --depth;
            });
        }
    }
    static std::string name(std::size_t i) { return "link-" + std::to_string(i); }

    std::vector<LocalNode> nodes;
    std::vector<int> handled;
    std::vector<std::size_t> order;
    int depth = 0;
    int deepest = 0;
};

}  // namespace

TEST_CASE("deliveries nest 32 deep; a deeper one is run by the outermost send before it returns") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    Chain chain(*bus, 100);
    REQUIRE(alice.send(Chain::name(0), IntentBox("on", 1)));
    CHECK(chain.deepest == 32);
    CHECK(chain.handled == std::vector<int>(100, 1));
    CHECK(std::ranges::is_sorted(chain.order));
    CHECK(bus->statistics().queued == 0);
}

TEST_CASE("exactly 32 nested deliveries are all inline") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    Chain chain(*bus, 32);
    Log steps;
    bus->set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::Queued) steps.add("queued");
    });
    REQUIRE(alice.send(Chain::name(0), IntentBox("on", 1)));
    CHECK(chain.deepest == 32);
    CHECK(steps.text().empty());
}

TEST_CASE("several senders' deep messages to one node keep their order") {
    // From the bottom of a nest of 32, three messages to one node: the first puts the node off, the others queue.
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto target = open_node(*bus, "target");
    Log log;
    listen(target, "count",
           [&](const IntentBox& intent, std::string_view) { log.add(std::string(intent.payload_text())); });
    Chain chain(*bus, 32);
    listen(chain.nodes[31], "on", [&](const IntentBox&, std::string_view) {
        for (int i = 0; i < 3; ++i) CHECK(chain.nodes[31].send("target", IntentBox("count", i)));
        CHECK(log.text().empty());
    });
    REQUIRE(alice.send(Chain::name(0), IntentBox("on", 1)));
    CHECK(log.text() == "0, 1, 2");
}

TEST_CASE("a ring of 100,000 nodes, each sending on, completes within one send") {
    const auto bus = make_bus();
    constexpr std::size_t kNodes = 100'000;
    std::vector<LocalNode> ring;
    ring.reserve(kNodes);
    for (std::size_t i = 0; i < kNodes; ++i) ring.push_back(open_node(*bus, std::to_string(i)));
    std::size_t hops = 0;
    for (std::size_t i = 0; i < kNodes; ++i) {
        listen(ring[i], "token", [&, i](const IntentBox& intent, std::string_view) {
            if (++hops > kNodes) return;  // once around
            if (!ring[i].send(std::to_string((i + 1) % kNodes), intent)) FAIL_CHECK("the token was refused");
        });
    }
    REQUIRE(ring[0].send("0", IntentBox("token", 1)));
    CHECK(hops == kNodes + 1);
}

TEST_CASE("two nodes that answer each other 100,000 times neither deadlock nor overflow") {
    const auto bus = make_bus();
    auto a = open_node(*bus, "a");
    auto b = open_node(*bus, "b");
    int volleys = 0;
    bool was_refused = false;
    const auto play = [&](LocalNode& self, std::string other) {
        listen(self, "ball", [&, other](const IntentBox& intent, std::string_view) {
            if (++volleys < 200'000 && !self.send(other, intent)) was_refused = true;
        });
    };
    play(a, "b");
    play(b, "a");
    REQUIRE(a.send("b", IntentBox("ball", 1)));
    CHECK(volleys == 200'000);
    CHECK_FALSE(was_refused);
}

TEST_CASE("a node that keeps sending to itself 100,000 times neither deadlocks nor overflows") {
    const auto bus = make_bus();
    auto a = open_node(*bus, "a");
    int rounds = 0;
    listen(a, "again", [&](const IntentBox& intent, std::string_view) {
        if (++rounds < 100'000 && !a.send("a", intent)) FAIL_CHECK("refused");
    });
    REQUIRE(a.send("a", IntentBox("again", 1)));
    CHECK(rounds == 100'000);
}

// ---- Nobody is held captive

TEST_CASE("a sender runs at most 64 envelopes of others, then the delivery thread goes on") {
    const auto delivery = std::make_shared<nya::ManualExecutor>();
    MessageBus::Options options;
    options.delivery = delivery;
    const auto bus = make_bus(std::move(options));
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    Gate running, go_on;
    Log log;
    listen(bob, "wait", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
    });
    listen(bob, "count",
           [&](const IntentBox& intent, std::string_view) { log.add(std::string(intent.payload_text())); });

    std::jthread captive([&] { CHECK(alice.send("bob", IntentBox("wait", 1))); });
    running.wait();
    for (int i = 0; i < 100; ++i) REQUIRE(alice.send("bob", IntentBox("count", i)));
    go_on.open();
    captive.join();  // free again, though bob is not done
    CHECK(log.lines().size() == 64);
    CHECK(delivery->pending() == 1);
    CHECK(bus->statistics().queued == 36);

    REQUIRE(alice.send("bob", IntentBox("count", 100)));  // not out of turn
    CHECK(log.lines().size() == 64);
    delivery->run_ready();
    REQUIRE(log.lines().size() == 101);
    for (int i = 0; i <= 100; ++i) CHECK(log.lines()[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("what a sender has sent itself does not count as of others") {
    const auto delivery = std::make_shared<nya::ManualExecutor>();
    MessageBus::Options options;
    options.delivery = delivery;
    const auto bus = make_bus(std::move(options));
    auto alice = open_node(*bus, "alice");
    int got = 0;
    listen(alice, "start", [&](const IntentBox&, std::string_view) {
        for (int i = 0; i < 1'000; ++i) CHECK(alice.send("alice", ping()));
    });
    listen(alice, "ping", [&](const IntentBox&, std::string_view) { ++got; });
    REQUIRE(alice.send("alice", IntentBox("start", 1)));
    CHECK(got == 1'000);
    CHECK(delivery->pending() == 0);
}

TEST_CASE("with two senders saturating one node, no send runs more than 64 of the other's") {
    MessageBus::Options options;
    options.queue_limit = 256;
    const auto bus = make_bus(std::move(options));
    auto target = open_node(*bus, "target");
    constexpr int kEach = 30'000;
    static thread_local int foreign_in_this_send = 0;
    static thread_local char self = '?';
    std::atomic<int> most{0};
    std::atomic<int> handled{0};
    listen(target, "ping", [&](const IntentBox&, std::string_view from) {
        handled.fetch_add(1, std::memory_order_relaxed);
        if (self == '?' || from.back() == self) return;  // the delivery thread, or our own
        if (++foreign_in_this_send > most.load()) most = foreign_in_this_send;
    });

    std::atomic<int> accepted{0};
    std::vector<std::jthread> senders;
    for (const char name : {'1', '2'}) {
        senders.emplace_back([&, name] {
            self = name;
            auto node = open_node(*bus, std::string("sender-") + name);
            for (int i = 0; i < kEach; ++i) {
                foreign_in_this_send = 0;
                const auto sent = node.send("target", ping());
                if (sent)
                    ++accepted;
                else if (sent.error().reason != SendError::Reason::Backpressure)
                    FAIL_CHECK(sent.error().to_string());
            }
        });
    }
    senders.clear();
    CHECK(most <= 64);
    target.close();  // waits for the delivery thread's call
    const auto s = bus->statistics();
    CHECK(accepted == handled + static_cast<int>(s.dropped.closed));
    CHECK(static_cast<int>(s.dropped.backpressure) == 2 * kEach - accepted);
    CHECK(adds_up(s));
}
