// Nodes bound to an executor run there and nowhere else; arrivals from a wire never run on the thread that
// brings them.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

// A bus whose delivery executor the test runs by hand.
struct Bench {
    std::shared_ptr<nya::ManualExecutor> delivery = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<MessageBus> bus = make_bus([&] {
        MessageBus::Options options;
        options.delivery = delivery;
        return options;
    }());
    LocalNode alice = open_node(*bus, "alice");
    Log log;

    void write(LocalNode& node, std::string_view intent = "ping") {
        listen(node, intent, [this](const IntentBox& i, std::string_view) { log.add(std::string(i.payload_text())); });
    }
    // Sends from a thread that is nobody's executor.
    void from_elsewhere(const std::function<void()>& what) { std::jthread(what).join(); }
};

// Takes no work any more, as an executor that has been stopped.
class Stopped final : public nya::Executor {
public:
    bool post(nya::Task) override { return false; }
    bool runs_here() const noexcept override { return false; }
};

// Takes work, and ends without having done it.
class Ending final : public nya::Executor {
public:
    bool post(nya::Task task) override {
        if (!has_ended) tasks.push_back(std::move(task));
        return !has_ended;
    }
    bool runs_here() const noexcept override { return false; }
    void end() {
        has_ended = true;
        tasks.clear();
    }
    std::vector<nya::Task> tasks;
    bool has_ended = false;
};

// A ManualExecutor that lets the test in when somebody asks whether it runs here.
class Asked final : public nya::Executor {
public:
    bool post(nya::Task task) override { return tasks.post(std::move(task)); }
    bool runs_here() const noexcept override {
        if (on_ask) on_ask();
        return tasks.runs_here();
    }
    nya::ManualExecutor tasks;
    std::function<void()> on_ask;
};

}  // namespace

TEST_CASE_FIXTURE(Bench, "a sender on the node's own executor runs its handlers at once") {
    const auto loop = std::make_shared<nya::ManualExecutor>();  // bound to this thread
    auto bob = open_on(*bus, "bob", loop);
    write(bob);
    REQUIRE(alice.send("bob", IntentBox("ping", 1)));
    CHECK(log.text() == "1");
    CHECK(loop->pending() == 0);
}

TEST_CASE_FIXTURE(Bench, "nodes of one executor call each other directly") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto a = open_on(*bus, "a", loop);
    auto b = open_on(*bus, "b", loop);
    listen(a, "start", [&](const IntentBox&, std::string_view) {
        CHECK(a.send("b", IntentBox("ping", 1)));
        log.add("sent");
    });
    write(b);
    REQUIRE(b.send("a", IntentBox("start", 1)));
    CHECK(log.text() == "1, sent");
}

TEST_CASE_FIXTURE(Bench, "from another thread the envelopes queue, and at most one drain is posted") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto bob = open_on(*bus, "bob", loop);
    write(bob);
    from_elsewhere([&] {
        for (int i = 0; i < 5; ++i) CHECK(alice.send("bob", IntentBox("ping", i)));
    });
    CHECK(log.text().empty());
    CHECK(loop->pending() == 1);
    CHECK(bus->statistics().queued == 5);
    CHECK(loop->run_ready() == 1);
    CHECK(log.text() == "0, 1, 2, 3, 4");

    from_elsewhere([&] { CHECK(alice.send("bob", IntentBox("ping", 5))); });
    CHECK(loop->pending() == 1);
    loop->run_ready();
    CHECK(log.lines().size() == 6);
}

TEST_CASE_FIXTURE(Bench, "a sender on the executor waits its turn behind what came from elsewhere") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto bob = open_on(*bus, "bob", loop);
    write(bob);
    from_elsewhere([&] { CHECK(alice.send("bob", IntentBox("ping", 1))); });
    REQUIRE(alice.send("bob", IntentBox("ping", 2)));  // here, but bob has a queue
    CHECK(log.text().empty());
    loop->run_ready();
    CHECK(log.text() == "1, 2");
}

TEST_CASE_FIXTURE(Bench, "a long queue lets the executor's other tasks run in between") {
    MessageBus::NodeOptions options;
    const auto loop = std::make_shared<nya::ManualExecutor>();
    options.executor = loop;
    auto bob = open_node(*bus, "bob", options);
    std::size_t handled = 0, handled_at_task = 0;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
    from_elsewhere([&] {
        for (int i = 0; i < 1'000; ++i) CHECK(alice.send("bob", ping()));
    });
    loop->post([&] { handled_at_task = handled; });
    loop->run_ready();
    CHECK(handled_at_task < 1'000);
    CHECK(handled == 1'000);
}

TEST_CASE_FIXTURE(Bench, "a node on a thread executor runs there, whoever sends") {
    const auto thread = std::make_shared<nya::ThreadExecutor>();
    auto bob = open_on(*bus, "bob", thread);
    Counter handled;
    std::atomic<int> strays{0};
    listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        if (!thread->runs_here()) ++strays;
        handled.add();
    });
    std::jthread other([&] {
        auto carol = open_node(*bus, "carol");
        for (int i = 0; i < 1'000; ++i) CHECK(carol.send("bob", ping()));
    });
    for (int i = 0; i < 1'000; ++i) CHECK(alice.send("bob", ping()));
    handled.wait_for(2'000);
    CHECK(strays == 0);
}

// ---- Arrivals from a wire

TEST_CASE_FIXTURE(Bench,
                  "an arrival for an idle node runs on the delivery executor, not on the thread that brings it") {
    auto bob = open_node(*bus, "bob");
    write(bob);
    REQUIRE(bus->dispatch_to_local("bob", {"far-away", "bob", IntentBox("ping", 1)}));
    CHECK(log.text().empty());
    CHECK(delivery->pending() == 1);
    delivery->run_ready();
    CHECK(log.text() == "1");
}

TEST_CASE_FIXTURE(Bench, "an arrival for a bound node is posted to its executor, even from there") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto bob = open_on(*bus, "bob", loop);
    write(bob);
    REQUIRE(bus->dispatch_to_local("bob", {"far-away", "bob", IntentBox("ping", 1)}));
    CHECK(log.text().empty());
    CHECK(loop->pending() == 1);
    CHECK(delivery->pending() == 0);
    loop->run_ready();
    CHECK(log.text() == "1");
}

TEST_CASE_FIXTURE(Bench, "arrivals and sends in this process share one queue") {
    auto bob = open_node(*bus, "bob");
    write(bob);
    REQUIRE(bus->dispatch_to_local("bob", {"far-away", "bob", IntentBox("ping", 1)}));
    REQUIRE(alice.send("bob", IntentBox("ping", 2)));
    CHECK(log.text().empty());
    delivery->run_ready();
    CHECK(log.text() == "1, 2");
}

TEST_CASE_FIXTURE(Bench, "an arrival's handler may send, and what it sends to idle nodes is handled at once") {
    auto bob = open_node(*bus, "bob");
    auto carol = open_node(*bus, "carol");
    write(carol);
    listen(bob, "ping", [&](const IntentBox& intent, std::string_view) {
        CHECK(bob.send("carol", intent, until_handled()));
        log.add("sent");
    });
    REQUIRE(bus->dispatch_to_local("bob", {"far-away", "bob", IntentBox("ping", 1)}));
    delivery->run_ready();
    CHECK(log.text() == "1, sent");
}

TEST_CASE_FIXTURE(Bench, "an arrival for an unknown node is an error, and never goes to a wire") {
    CHECK(outcome(bus->dispatch_to_local("bob", {"far-away", "bob", ping()})) == "unknown");
}

TEST_CASE("by default the bus starts a delivery thread when one is needed") {
    const auto bus = make_bus();
    auto bob = open_node(*bus, "bob");
    Counter handled;
    std::thread::id ran_on;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        ran_on = std::this_thread::get_id();
        handled.add();
    });
    REQUIRE(bus->dispatch_to_local("bob", {"far-away", "bob", ping()}));
    handled.wait_for(1);
    CHECK(ran_on != std::this_thread::get_id());
}

// ---- Handler state lives and dies on the executor

TEST_CASE_FIXTURE(Bench, "what a handler holds is destroyed on the node's executor, also if off is called elsewhere") {
    const auto thread = std::make_shared<nya::ThreadExecutor>();
    auto bob = open_on(*bus, "bob", thread);
    std::atomic<bool> was_there{false};
    Counter destroyed;
    auto registration = listen(bob, "ping", [state = Trackable([&] {
                                                 was_there = thread->runs_here();
                                                 destroyed.add();
                                             })](const IntentBox&, std::string_view) {});
    CHECK(registration.off());
    destroyed.wait_for(1);
    CHECK(was_there);
}

TEST_CASE_FIXTURE(Bench,
                  "what a handler holds is destroyed on the node's executor, also if the node is closed elsewhere") {
    const auto thread = std::make_shared<nya::ThreadExecutor>();
    std::atomic<bool> was_there{false};
    Counter destroyed;
    {
        auto bob = open_on(*bus, "bob", thread);
        listen(bob, "ping", [state = Trackable([&] {
                                 was_there = thread->runs_here();
                                 destroyed.add();
                             })](const IntentBox&, std::string_view) {});
    }
    destroyed.wait_for(1);
    CHECK(was_there);
}

TEST_CASE_FIXTURE(Bench, "what a handler holds is destroyed after its last call") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto bob = open_on(*bus, "bob", loop);
    Gate running, go_on;
    auto registration =
        listen(bob, "ping", [&, state = Trackable([&] { log.add("destroyed"); })](const IntentBox&, std::string_view) {
            running.open();
            go_on.wait();
            log.add("called");
        });
    std::jthread other([&] {
        running.wait();
        go_on.open();
        CHECK(registration.off());
    });
    REQUIRE(alice.send("bob", ping()));
    other.join();
    loop->run_ready();
    CHECK(log.text() == "called, destroyed");
}

// While a sender on another thread finds out that it may not run the node, it holds the node for an instant. What is
// taken off in that instant used to be destroyed on the sender's thread.
TEST_CASE_FIXTURE(
    Bench, "what is taken off while a sender looks at the node is destroyed on the node's executor all the same") {
    const auto loop = std::make_shared<Asked>();
    auto bob = open_on(*bus, "bob", loop);
    auto carol = open_node(*bus, "carol");
    std::atomic<bool> is_destroyed{false};
    const std::thread::id here = std::this_thread::get_id();
    std::thread::id destroyed_on;
    auto registration = listen(bob, "ping", [state = Trackable([&] {
                                                 destroyed_on = std::this_thread::get_id();
                                                 is_destroyed = true;
                                             })](const IntentBox&, std::string_view) {});
    listen(carol, "start",
           [&](const IntentBox&, std::string_view) { CHECK(carol.send("bob", IntentBox("other", 1))); });

    from_elsewhere([&] {
        loop->on_ask = [&] {
            loop->on_ask = nullptr;
            registration.off();  // inside carol's handler, so it does not wait
        };
        CHECK(carol.send("carol", IntentBox("start", 1)));
    });
    loop->on_ask = nullptr;
    loop->tasks.run_ready();
    CHECK(is_destroyed);
    CHECK(destroyed_on == here);
}

// ---- Executors that end

TEST_CASE_FIXTURE(Bench, "an executor that takes no more work makes sends fail, and nothing hangs") {
    auto bob = open_on(*bus, "bob", std::make_shared<Stopped>());
    write(bob);
    for (int i = 0; i < 3; ++i) {
        const auto sent = alice.send("bob", ping());
        REQUIRE_FALSE(sent.has_value());
        CHECK(sent.error().reason == SendError::Reason::Closed);
        CHECK(sent.error().message.contains("executor"));
        CHECK(outcome(alice.send("bob", ping(), until_handled())) == "closed");
        CHECK(outcome(bus->dispatch_to_local("bob", {"far-away", "bob", ping()})) == "closed");
    }
    CHECK(bus->statistics().queued == 0);
    CHECK(adds_up(bus->statistics()));
    CHECK(log.text().empty());
}

TEST_CASE_FIXTURE(Bench,
                  "many senders to a node whose executor has stopped are all told, and none of them gets stuck") {
    auto bob = open_on(*bus, "bob", std::make_shared<Stopped>());
    std::vector<std::jthread> senders;
    std::atomic<int> accepted{0};
    for (int s = 0; s < 3; ++s) {
        senders.emplace_back([&, s] {
            auto node = open_node(*bus, "sender-" + std::to_string(s));
            for (int i = 0; i < 20'000; ++i) accepted += node.send("bob", ping()) ? 1 : 0;
        });
    }
    senders.clear();
    const auto s = bus->statistics();
    CHECK(s.queued == 0);
    CHECK(s.delivered == 0);
    CHECK(s.dropped.closed >= static_cast<std::uint64_t>(accepted.load()));
}

TEST_CASE_FIXTURE(Bench, "what waits for an executor that ends with it still to do is dropped, and who waits is told") {
    const auto executor = std::make_shared<Ending>();
    auto bob = open_on(*bus, "bob", executor);
    write(bob);
    CHECK(alice.send("bob", IntentBox("ping", 1)));
    std::string told;
    alice.request_async("bob", IntentBox("ping", 2), {},
                        [&](const Answer& answer) { told = answer ? "answered" : to_string(answer.error().reason); });
    CHECK(bus->statistics().queued == 2);
    CHECK(told.empty());
    executor->end();
    delivery->run_ready();
    CHECK(told == "closed");
    CHECK(bus->statistics().queued == 0);
    CHECK(bus->statistics().dropped.closed == 2);
    CHECK(adds_up(bus->statistics()));
    CHECK(outcome(alice.send("bob", IntentBox("ping", 3))) == "closed");
    CHECK(log.text().empty());
}

TEST_CASE_FIXTURE(Bench, "a delivery executor that takes no more work makes arrivals fail") {
    MessageBus::Options options;
    options.delivery = std::make_shared<Stopped>();
    const auto other = make_bus(std::move(options));
    auto bob = open_node(*other, "bob");
    write(bob);
    CHECK(outcome(other->dispatch_to_local("bob", {"far-away", "bob", IntentBox("ping", 1)})) == "closed");
    REQUIRE(bob.send("bob", IntentBox("ping", 2)));  // what needs no executor still works
    CHECK(log.text() == "2");
}

TEST_CASE_FIXTURE(Bench, "a node keeps its executor alive, and lets go of it when it is gone") {
    auto loop = std::make_shared<nya::ManualExecutor>();
    const std::weak_ptr<nya::ManualExecutor> watch = loop;
    {
        auto bob = open_on(*bus, "bob", std::move(loop));
        write(bob);
        from_elsewhere([&] { CHECK(alice.send("bob", ping())); });
        CHECK_FALSE(watch.expired());
    }
    CHECK(watch.expired());
    CHECK(bus->statistics().dropped.closed == 1);
}

TEST_CASE_FIXTURE(Bench,
                  "a drain that comes after its node has closed does nothing, also if another node has its place") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    {
        auto bob = open_on(*bus, "bob", loop);
        from_elsewhere([&] { CHECK(alice.send("bob", ping())); });
    }
    auto carol = open_on(*bus, "carol", loop);
    write(carol);
    CHECK(loop->pending() >= 1);
    loop->run_ready();
    from_elsewhere([&] { CHECK(alice.send("carol", IntentBox("ping", 7))); });
    loop->run_ready();
    CHECK(log.text() == "7");
}

TEST_CASE("a drain that comes after the bus has gone does nothing") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    {
        const auto bus = make_bus();
        auto bob = open_on(*bus, "bob", loop);
        std::jthread([&] { CHECK(bob.send("bob", ping())); }).join();
    }
    CHECK(loop->pending() >= 1);
    loop->run_ready();
}

TEST_CASE("a bus that goes while its delivery thread works takes nothing away from under it") {
    for (int round = 0; round < 200; ++round) {
        auto bus = make_bus();
        auto bob = open_node(*bus, "bob");
        auto handled = std::make_shared<std::atomic<int>>(0);
        listen(bob, "ping", [handled](const IntentBox&, std::string_view) { ++*handled; });
        for (int i = 0; i < 20; ++i) REQUIRE(bus->dispatch_to_local("bob", {"far-away", "bob", ping()}));
        bus.reset();  // bob keeps the machine alive until he goes, too
        bob = LocalNode();
        CHECK(handled.use_count() == 1);
    }
}
