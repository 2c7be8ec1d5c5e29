// send with Wait::Handled: what the sender hears about how its envelope ended, and what it never waits for.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

struct Pair {
    std::shared_ptr<nya::ManualClock> clock = std::make_shared<nya::ManualClock>();
    Log errors;
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.clock = clock;
        options.on_handler_error = [this](std::string_view node, std::string_view intent, std::string_view what) {
            errors.add(std::string(node) + "/" + std::string(intent) + ": " + std::string(what));
        };
        return options;
    }());
    LocalNode alice = open_node(*bus, "alice");
    LocalNode bob = open_node(*bus, "bob");
    Log log;
};

// Counts the envelopes that go into queues, so that a test knows that a sender has begun to wait.
void count_queued(MessageBus& bus, Counter& queued) {
    bus.set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::Queued) queued.add();
    });
}

}  // namespace

TEST_CASE_FIXTURE(Pair, "a handled message is a success") {
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    CHECK(outcome(alice.send("bob", ping(), until_handled())) == "accepted");
    CHECK(outcome(alice.send(bob.ref(), ping(), until_handled())) == "accepted");
    CHECK(log.text() == "ping, ping");
}

TEST_CASE_FIXTURE(Pair, "in process, Delivered is the same as Accepted: run or queued") {
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        CHECK(outcome(bob.send("bob", ping(), {Wait::Delivered})) == "accepted");  // queued: it does not wait
        CHECK(outcome(bob.send("bob", ping(), {Wait::Accepted})) == "accepted");
    });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    CHECK(outcome(alice.send("bob", IntentBox("start", 1), {Wait::Delivered})) == "accepted");
    CHECK(log.text() == "ping, ping");
    CHECK(outcome(alice.send("bob", IntentBox("nobody listens", 1), {Wait::Delivered})) == "accepted");
}

TEST_CASE_FIXTURE(Pair, "no handler is told at once, naming node and intent") {
    const auto sent = alice.send("bob", ping(), until_handled());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().kind == SendError::Kind::BusError);
    CHECK(sent.error().reason == SendError::Reason::NoHandler);
    CHECK(sent.error().message.contains("\"bob\""));
    CHECK(sent.error().message.contains("\"ping\""));
    CHECK_FALSE(sent.error().retryable);
}

TEST_CASE_FIXTURE(Pair, "a throwing handler is caught, counted and reported; the others still run") {
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("first"); });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { throw std::runtime_error("out of paper"); });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("third"); });

    const auto sent = alice.send("bob", ping(), until_handled());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().kind == SendError::Kind::BusError);
    CHECK(sent.error().reason == SendError::Reason::HandlerFailed);
    CHECK(sent.error().message.contains("out of paper"));
    CHECK(log.text() == "first, third");
    CHECK(errors.text() == "bob/ping: out of paper");
    CHECK(bus->statistics().handler_errors == 1);
}

TEST_CASE_FIXTURE(Pair, "who does not wait does not hear of a failure, but it is reported and counted") {
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { throw std::runtime_error("out of paper"); });
    CHECK(outcome(alice.send("bob", ping())) == "accepted");
    CHECK(outcome(alice.send("bob", ping())) == "accepted");
    CHECK(errors.text() == "bob/ping: out of paper, bob/ping: out of paper");
    CHECK(bus->statistics().handler_errors == 2);
    CHECK(bus->statistics().delivered == 2);
}

TEST_CASE_FIXTURE(Pair, "the first of several failures is the one the waiter hears") {
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { throw std::runtime_error("first"); });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { throw 42; });
    const auto sent = alice.send("bob", ping(), until_handled());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().message.contains("first"));
    CHECK(errors.lines().size() == 2);
    CHECK(bus->statistics().handler_errors == 2);
}

TEST_CASE_FIXTURE(Pair, "a failure the handler has already told about is not reported again") {
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { throw ReportedFailure("line 3: no such field"); });
    const auto sent = alice.send("bob", ping(), until_handled());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().message.contains("line 3"));
    CHECK(errors.lines().empty());
    CHECK(bus->statistics().handler_errors == 1);
}

TEST_CASE_FIXTURE(Pair, "a node goes on after its handler has failed, and a nested send's failure stays its own") {
    listen(alice, "start", [&](const IntentBox&, std::string_view) {
        CHECK(outcome(alice.send("bob", ping(), until_handled())) == "handler_failed");
    });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { throw std::runtime_error("no"); });
    for (int i = 0; i < 3; ++i) CHECK(outcome(bob.send("alice", IntentBox("start", 1), until_handled())) == "accepted");
}

TEST_CASE("an error reporter that throws harms nobody") {
    MessageBus::Options options;
    options.on_handler_error = [](std::string_view, std::string_view, std::string_view) { throw 1; };
    const auto bus = make_bus(std::move(options));
    auto alice = open_node(*bus, "alice");
    int calls = 0;
    listen(alice, "ping", [&](const IntentBox&, std::string_view) {
        ++calls;
        throw std::runtime_error("no");
    });
    for (int i = 0; i < 3; ++i) {
        CHECK_NOTHROW(CHECK(outcome(alice.send("alice", ping())) == "accepted"));
        const SendOpts no_time = until_handled(std::chrono::milliseconds(0));
        CHECK_NOTHROW(CHECK(outcome(alice.send("alice", ping(), no_time)) == "handler_failed"));
    }
    CHECK(calls == 6);
}

// Lets a wait that never ends run into its timeout, so that a failure is a failure and not a hang.
class OrTimeout {
public:
    explicit OrTimeout(nya::ManualClock& clock)
        : thread_([this, &clock] {
              if (!is_over_.try_acquire_for(kGuard)) clock.advance(std::chrono::hours(1));
          }) {}
    ~OrTimeout() { is_over_.release(); }
    OrTimeout(const OrTimeout&) = delete;
    OrTimeout& operator=(const OrTimeout&) = delete;

private:
    std::binary_semaphore is_over_{0};
    std::jthread thread_;
};

// ---- Waiting for a node that is busy

TEST_CASE_FIXTURE(Pair, "a waiting sender waits for a busy node until its own envelope has been handled") {
    Gate running, go_on;
    Counter queued;
    count_queued(*bus, queued);
    listen(bob, "wait", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
    });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    listen(bob, "fail", [&](const IntentBox&, std::string_view) { throw std::runtime_error("no"); });

    std::jthread busy([&] { CHECK(alice.send("bob", IntentBox("wait", 1))); });
    running.wait();
    std::vector<std::string> heard(3);
    std::vector<std::jthread> waiters;
    const std::vector<std::string> intents{"ping", "fail", "nobody listens"};
    for (std::size_t i = 0; i < 3; ++i) {
        waiters.emplace_back(
            [&, i] { heard[i] = outcome(alice.send("bob", IntentBox(intents[i], 1), until_handled())); });
    }
    queued.wait_for(3);
    CHECK(log.text().empty());
    go_on.open();
    waiters.clear();
    CHECK(heard == std::vector<std::string>{"accepted", "handler_failed", "no_handler"});
}

TEST_CASE_FIXTURE(Pair, "a waiting sender waits for a node on another thread's executor") {
    const auto thread = std::make_shared<nya::ThreadExecutor>();
    auto carol = open_on(*bus, "carol", thread);
    std::atomic<int> handled{0};
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
    for (int i = 1; i <= 100; ++i) {
        CHECK(outcome(alice.send("carol", ping(), until_handled())) == "accepted");
        CHECK(handled == i);
    }
}

TEST_CASE_FIXTURE(Pair, "a waiting sender on the node's own executor works off what is queued there before it") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto carol = open_on(*bus, "carol", loop);
    listen(carol, "ping", [&](const IntentBox& i, std::string_view) { log.add(std::string(i.payload_text())); });
    std::jthread([&] {
        for (int i = 0; i < 3; ++i) CHECK(alice.send("carol", IntentBox("ping", i)));
    }).join();
    CHECK(outcome(alice.send("carol", IntentBox("ping", 3), until_handled())) == "accepted");
    CHECK(log.text() == "0, 1, 2, 3");
    loop->run_ready();
    CHECK(log.lines().size() == 4);
}

TEST_CASE_FIXTURE(Pair, "the queue before a waiting sender on the node's own executor may be long") {
    // It would wait for ever for an executor that it keeps from running.
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto carol = open_on(*bus, "carol", loop);
    int handled = 0;
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
    std::jthread([&] {
        for (int i = 0; i < 1'000; ++i) CHECK(alice.send("carol", ping()));
    }).join();

    const OrTimeout or_timeout(*clock);
    CHECK(outcome(alice.send("carol", ping(), until_handled())) == "accepted");
    CHECK(handled == 1'001);
}

// ---- What would wait for ever

TEST_CASE_FIXTURE(Pair, "waiting for the node whose handler this is would deadlock, and fails at once") {
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        const auto sent = bob.send("bob", ping(), until_handled());
        REQUIRE_FALSE(sent.has_value());
        CHECK(sent.error().kind == SendError::Kind::BusError);
        CHECK(sent.error().reason == SendError::Reason::WouldDeadlock);
        CHECK(sent.error().message.contains("\"bob\""));
        log.add("refused");
    });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    CHECK(alice.send("bob", IntentBox("start", 1)));
    CHECK(log.text() == "refused");  // and it was not queued either
}

TEST_CASE_FIXTURE(Pair, "waiting for a node that is further down the same stack would deadlock, too") {
    listen(alice, "start", [&](const IntentBox&, std::string_view) {
        CHECK(outcome(alice.send("bob", ping(), until_handled())) == "accepted");
    });
    listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        CHECK(outcome(bob.send("alice", ping(), until_handled())) == "would_deadlock");
        CHECK(outcome(bob.send("alice", IntentBox("later", 1))) == "accepted");  // without waiting it is fine
        log.add("ping");
    });
    listen(alice, "later", [&](const IntentBox&, std::string_view) { log.add("later"); });
    CHECK(bob.send("alice", IntentBox("start", 1)));
    CHECK(log.text() == "ping, later");
}

TEST_CASE_FIXTURE(Pair, "a cycle of waiting handlers across threads ends in Timeout") {
    Counter queued;
    count_queued(*bus, queued);
    Gate both[2];
    const auto wait_for_each_other = [&](LocalNode& self, std::string other, int index) {
        listen(self, "start", [&, other, index](const IntentBox&, std::string_view) {
            both[index].open();
            both[1 - index].wait();
            log.add(outcome(self.send(other, ping(), until_handled(std::chrono::seconds(5)))));
        });
        listen(self, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    };
    wait_for_each_other(alice, "bob", 0);
    wait_for_each_other(bob, "alice", 1);

    auto carol = open_node(*bus, "carol");
    auto dave = open_node(*bus, "dave");
    Counter ended;
    std::jthread one([&] {
        CHECK(carol.send("alice", IntentBox("start", 1)));
        ended.add();
    });
    std::jthread two([&] {
        CHECK(dave.send("bob", IntentBox("start", 1)));
        ended.add();
    });
    queued.wait_for(2);
    clock->advance(std::chrono::seconds(4));
    CHECK(log.text().empty());
    // A sender may not have looked at the clock yet: move on until both have ended.
    while (ended.value() < 2) {
        clock->advance(std::chrono::seconds(1));
        std::this_thread::yield();
    }
    one.join();
    two.join();
    // The first to give up lets the other's message through, perhaps just in time. Both were handled in the end.
    const auto lines = log.lines();
    CHECK(std::ranges::count(lines, "may_have_run") >= 1);
    CHECK(std::ranges::count(lines, "may_have_run") + std::ranges::count(lines, "accepted") == 2);
    CHECK(std::ranges::count(lines, "ping") == 2);
}

TEST_CASE_FIXTURE(Pair, "a timeout tells that the message may have run") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto carol = open_on(*bus, "carol", loop);
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    std::jthread([&] {
        const auto sent = alice.send("carol", ping(), until_handled(std::chrono::milliseconds(0)));
        REQUIRE_FALSE(sent.has_value());
        CHECK(sent.error().reason == SendError::Reason::MayHaveRun);
        CHECK(sent.error().message.contains("\"carol\""));
    }).join();
    loop->run_ready();
    CHECK(log.text() == "ping");
}

TEST_CASE_FIXTURE(Pair, "the longest timeout there is waits as long as it takes") {
    const auto thread = std::make_shared<nya::ThreadExecutor>();
    auto carol = open_on(*bus, "carol", thread);
    Gate go_on;
    Counter queued;
    count_queued(*bus, queued);
    clock->advance(std::chrono::hours(1));
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { go_on.wait(); });
    std::string heard;
    std::jthread waiter(
        [&] { heard = outcome(alice.send("carol", ping(), until_handled(std::chrono::milliseconds::max()))); });
    queued.wait_for(1);
    clock->advance(std::chrono::hours(1));
    go_on.open();
    waiter.join();
    CHECK(heard == "accepted");
}

// ---- Waiting while others need this thread

TEST_CASE_FIXTURE(Pair, "nodes put off by a deep nest are run by others while their thread waits") {
    // At depth 32 carol is put off until the outermost send ends; the wait below it needs her.
    std::vector<LocalNode> chain;
    for (int i = 0; i < 32; ++i) chain.push_back(open_node(*bus, std::to_string(i)));
    auto carol = open_node(*bus, "carol");
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { log.add("carol"); });
    for (std::size_t i = 0; i < 31; ++i) {
        listen(chain[i], "on", [&, i](const IntentBox& intent, std::string_view) {
            CHECK(chain[i].send(std::to_string(i + 1), intent));
        });
    }
    listen(chain[31], "on", [&](const IntentBox&, std::string_view) {
        CHECK(chain[31].send("carol", ping()));
        CHECK(log.text().empty());
        CHECK(outcome(chain[31].send("carol", ping(), until_handled())) == "accepted");
        log.add("waited");
    });
    CHECK(alice.send("0", IntentBox("on", 1)));
    CHECK(log.text() == "carol, carol, waited");
}

TEST_CASE("nodes put off are not lost when there is no executor left to run them while their thread waits") {
    struct Stopped final : nya::Executor {
        bool post(nya::Task) override { return false; }
        bool runs_here() const noexcept override { return false; }
    };
    MessageBus::Options options;
    options.delivery = std::make_shared<Stopped>();
    const auto clock = std::make_shared<nya::ManualClock>();
    options.clock = clock;
    const auto bus = make_bus(std::move(options));
    auto alice = open_node(*bus, "alice");
    std::vector<LocalNode> chain, put_off;
    for (int i = 0; i < 32; ++i) chain.push_back(open_node(*bus, std::to_string(i)));
    for (int i = 0; i < 20; ++i) put_off.push_back(open_node(*bus, "put off " + std::to_string(i)));
    auto last = open_node(*bus, "last");
    int handled = 0, handled_last = 0;
    listen(last, "ping", [&](const IntentBox&, std::string_view) { ++handled_last; });
    for (LocalNode& node : put_off) {
        listen(node, "ping", [&](const IntentBox& intent, std::string_view) {
            ++handled;
            CHECK(node.send("last", intent));
        });
    }
    for (std::size_t i = 0; i < 31; ++i) {
        listen(chain[i], "on", [&, i](const IntentBox& intent, std::string_view) {
            CHECK(chain[i].send(std::to_string(i + 1), intent));
        });
    }
    listen(chain[31], "on", [&](const IntentBox&, std::string_view) {
        for (LocalNode& node : put_off) CHECK(chain[31].send(node.id(), ping()));
        static_cast<void>(chain[31].send("last", ping(), until_handled(std::chrono::milliseconds(0))));
    });
    CHECK(alice.send("0", IntentBox("on", 1)));
    CHECK(handled == 20);
    CHECK(handled_last >= 20);
    CHECK(bus->statistics().queued == 0);
    CHECK(adds_up(bus->statistics()));
}

// A sender on another thread holds a bound node for an instant, to find out that it may not run it. A waiting sender on
// the node's own executor that came in that instant used to wait for the executor it kept from running.
TEST_CASE_FIXTURE(Pair, "a waiting sender on the node's own executor is not held up by one that looks at the node") {
    struct Asked final : nya::Executor {
        bool post(nya::Task task) override { return tasks.post(std::move(task)); }
        bool runs_here() const noexcept override {
            if (std::this_thread::get_id() != owner) on_ask();
            return std::this_thread::get_id() == owner;
        }
        nya::ManualExecutor tasks;
        std::thread::id owner = std::this_thread::get_id();
        std::function<void()> on_ask;
    };
    const auto loop = std::make_shared<Asked>();
    auto carol = open_on(*bus, "carol", loop);
    listen(carol, "ping", [&](const IntentBox& i, std::string_view) { log.add(std::string(i.payload_text())); });
    Gate looking, queued_here;
    bus->set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::Queued && std::this_thread::get_id() == loop->owner) queued_here.open();
    });
    loop->on_ask = [&] {
        looking.open();
        queued_here.wait();
    };
    std::jthread other([&] { CHECK(alice.send("carol", IntentBox("ping", 1))); });
    looking.wait();
    const OrTimeout or_timeout(*clock);
    CHECK(outcome(alice.send("carol", IntentBox("ping", 2), until_handled())) == "accepted");
    other.join();
    loop->tasks.run_ready();
    CHECK(log.text() == "2, 1");
}

// A handler on the delivery thread waits for a node whose runner then hands it to the delivery thread.
TEST_CASE_FIXTURE(Pair, "a handler on the delivery thread may wait for a node that is handed to the delivery thread") {
    Gate running, go_on;
    Counter waiting;
    auto carol = open_node(*bus, "carol");
    listen(bob, "wait", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
    });
    int handled = 0;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
    std::string heard;
    Gate done;
    listen(carol, "arrived", [&](const IntentBox&, std::string_view) {
        bus->set_trace([&](const TraceEvent& event) {
            if (event.step == TraceEvent::Step::Queued && event.from == "carol") waiting.add();
        });
        heard = outcome(carol.send("bob", ping(), until_handled()));
        done.open();
    });

    const OrTimeout or_timeout(*clock);
    std::jthread runner([&] { CHECK(alice.send("bob", IntentBox("wait", 1))); });
    running.wait();
    for (int i = 0; i < 100; ++i) CHECK(alice.send("bob", ping()));
    CHECK(bus->dispatch_to_local("carol", {"far-away", "carol", IntentBox("arrived", 1)}));
    waiting.wait_for(1);
    go_on.open();
    runner.join();  // it has run 64, and handed the rest to the thread on which carol waits
    done.wait();
    CHECK(heard == "accepted");
}
