// request_async: its completion is called exactly once, whatever happens, and where the node's handlers run.
#include <nyamesh/message_bus.h>

#include "bus/pending_calls.h"
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

struct Pair {
    std::shared_ptr<nya::ManualClock> clock = std::make_shared<nya::ManualClock>();
    std::shared_ptr<nya::ManualExecutor> delivery = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.clock = clock;
        options.delivery = delivery;
        options.queue_limit = bus::PendingCalls::kMaxPerNode + 10;
        return options;
    }());
    LocalNode alice = open_node(*bus, "alice");
    LocalNode bob = open_node(*bus, "bob");
    Log log;

    AnswerCallback note() {
        return [this](const Answer& answer) {
            log.add(answer ? answer->dump() : std::string(to_string(answer.error().reason)));
        };
    }
    void ask(LocalNode& from, SendOpts opts = {.timeout = kGuard}) {
        from.request_async("bob", IntentBox("ask", 1), opts, note());
    }
    void answer_with(nya::Json value) {
        listen(bob, "ask", [value = std::move(value)](const IntentBox&, std::string_view) { return value; });
    }
};

}  // namespace

TEST_CASE_FIXTURE(Pair, "what is known at once is told before request_async returns") {
    answer_with(7);
    ask(alice);
    CHECK(log.text() == "7");
    alice.request_async("nobody", IntentBox("ask", 1), {}, note());
    alice.request_async("bob", IntentBox("unheard", 1), {}, note());
    CHECK(log.text() == "7, unknown, no_handler");
    alice.close();
    ask(alice);
    CHECK(log.text() == "7, unknown, no_handler, closed");
    CHECK(delivery->pending() == 0);
}

TEST_CASE_FIXTURE(Pair, "a busy target answers later: the completion runs on the delivery executor") {
    answer_with(7);
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        ask(alice);
        log.add("start ends");
    });
    CHECK(outcome(alice.send("bob", IntentBox("start", 1))) == "accepted");
    CHECK(log.text() == "start ends");  // answered by now, but never in the middle of bob's turn
    CHECK(delivery->run_ready() == 1);
    CHECK(log.text() == "start ends, 7");
}

TEST_CASE_FIXTURE(Pair, "a completion may ask again, also the node that has just answered") {
    answer_with(7);
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        alice.request_async("bob", IntentBox("ask", 1), {.timeout = kGuard}, [&](const Answer&) {
            const Answer again = alice.request("bob", IntentBox("ask", 1));
            log.add(again ? again->dump() : again.error().message);
        });
    });
    CHECK(outcome(alice.send("bob", IntentBox("start", 1))) == "accepted");
    delivery->run_ready();
    CHECK(log.text() == "7");
}

TEST_CASE_FIXTURE(Pair, "a node on an executor hears there and nowhere else") {
    answer_with(7);
    const auto home = std::make_shared<nya::ManualExecutor>();
    auto carol = open_on(*bus, "carol", home);
    ask(carol);
    CHECK(log.text() == "7");  // this thread is the executor's
    std::thread([&] { ask(carol); }).join();
    CHECK(log.text() == "7");
    CHECK(home->run_ready() == 1);
    CHECK(log.text() == "7, 7");
}

TEST_CASE_FIXTURE(Pair, "an executor that has stopped destroys the completion uncalled") {
    class Stopped final : public nya::Executor {
    public:
        bool post(nya::Task) override { return false; }
        bool runs_here() const noexcept override { return false; }
    };
    auto carol = open_on(*bus, "carol", std::make_shared<Stopped>());
    answer_with(7);
    bool is_destroyed = false;
    carol.request_async("bob", IntentBox("ask", 1), {},
                        [this, t = Trackable([&] { is_destroyed = true; })](const Answer&) { log.add("called"); });
    CHECK(is_destroyed);
    CHECK(log.text().empty());
}

TEST_CASE_FIXTURE(Pair, "at the timeout it ends, and the answer that comes after is counted, not told") {
    answer_with(7);
    Counter ended;
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        alice.request_async("bob", IntentBox("ask", 1), {.timeout = std::chrono::milliseconds(100)},
                            [&](const Answer& answer) {
                                REQUIRE_FALSE(answer.has_value());
                                log.add(answer.error().message);
                                ended.add();
                            });
        clock->advance(std::chrono::milliseconds(99));
        CHECK(delivery->pending() == 0);
        clock->advance(std::chrono::milliseconds(1));
        CHECK(delivery->run_next() == 1);  // posted by the thread that watches the clock
    });
    CHECK(outcome(alice.send("bob", IntentBox("start", 1))) == "accepted");
    CHECK(ended.value() == 1);
    CHECK(log.text() ==
          "node \"bob\" did not answer intent \"ask\" within 100 ms; it is still in its queue or running");
    CHECK(bus->statistics().late_replies == 1);
    CHECK(delivery->pending() == 0);
}

TEST_CASE_FIXTURE(Pair, "the earliest deadline comes first, whatever the order they were set in") {
    Log order;
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        for (const int ms : {300, 100, 200}) {
            alice.request_async("bob", IntentBox("unheard", 1), {.timeout = std::chrono::milliseconds(ms)},
                                [&order, ms](const Answer&) { order.add(std::to_string(ms)); });
        }
        for (int i = 0; i < 3; ++i) {
            clock->advance(std::chrono::milliseconds(100));
            delivery->run_next();
        }
    });
    CHECK(outcome(alice.send("bob", IntentBox("start", 1))) == "accepted");
    CHECK(order.text() == "100, 200, 300");
}

TEST_CASE_FIXTURE(Pair, "the asker closes, or the target: told once, as closed") {
    answer_with(7);
    auto carol = open_node(*bus, "carol");
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        ask(alice);
        ask(carol);
        alice.close();
        CHECK(log.text().empty());  // never from inside close()
        delivery->run_ready();
        CHECK(log.text() == "closed");
        bob.close();
    });
    CHECK(outcome(carol.send("bob", IntentBox("start", 1))) == "accepted");
    delivery->run_ready();
    CHECK(log.text() == "closed, closed");
    CHECK(bus->statistics().late_replies == 0);
}

TEST_CASE_FIXTURE(Pair, "a node has at most so many under way; one more is told backpressure") {
    answer_with(7);
    std::size_t answers = 0;
    std::size_t refused = 0;
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        for (std::size_t i = 0; i < bus::PendingCalls::kMaxPerNode + 1; ++i) {
            alice.request_async("bob", IntentBox("ask", 1), {.timeout = kGuard}, [&](const Answer& answer) {
                answer ? ++answers : ++refused;
                if (!answer) CHECK(answer.error().reason == SendError::Reason::Backpressure);
            });
        }
        CHECK(refused == 1);
    });
    CHECK(outcome(alice.send("bob", IntentBox("start", 1))) == "accepted");
    delivery->run_ready();
    CHECK(answers == bus::PendingCalls::kMaxPerNode);
    CHECK(refused == 1);
    ask(alice);  // there is room again
    CHECK(log.text() == "7");
}

TEST_CASE("answers, timeouts and closes meet on several threads: each call is told exactly once") {
    const auto bus = make_bus();
    auto bob = open_on(*bus, "bob", std::make_shared<nya::ThreadExecutor>("bob"));
    listen(bob, "ask", [](const IntentBox& intent, std::string_view) { return intent.payload(); });
    constexpr std::size_t kThreads = 3;
    constexpr std::size_t kEach = 300;
    std::vector<std::atomic<int>> told(kThreads * kEach);
    Counter all;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            auto node = open_node(*bus, "asker" + std::to_string(t));
            for (std::size_t i = 0; i < kEach; ++i) {
                const std::size_t number = t * kEach + i;
                // Some time out at once, some are answered, the rest meet the close at the end.
                const SendOpts opts{.timeout = std::chrono::milliseconds(i % 3 == 0 ? 0 : 10'000)};
                node.request_async("bob", IntentBox("ask", number), opts, [&, number](const Answer&) {
                    told[number].fetch_add(1);
                    all.add();
                });
            }
        });
    }
    for (auto& thread : threads) thread.join();
    all.wait_for(kThreads * kEach);
    for (const auto& times : told) CHECK(times == 1);
}
