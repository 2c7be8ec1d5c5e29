// request: who answers, what the asker hears, and what it never waits for.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

struct Pair {
    std::shared_ptr<nya::ManualClock> clock = std::make_shared<nya::ManualClock>();
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.clock = clock;
        return options;
    }());
    LocalNode alice = open_node(*bus, "alice");
    LocalNode bob = open_node(*bus, "bob");
    Log log;
};

IntentBox add(int a, int b) {
    return IntentBox("math.add", {{"a", a}, {"b", b}});
}

nya::Json sum_of(const IntentBox& intent) {
    return intent.payload()["a"].as_integer() + intent.payload()["b"].as_integer();
}

// The answer as text, or the reason there is none.
std::string told(const Answer& answer) {
    return answer ? answer->dump() : std::string(to_string(answer.error().reason));
}

}  // namespace

TEST_CASE_FIXTURE(Pair, "a handler answers with what it returns") {
    listen(bob, "math.add", [](const IntentBox& intent, std::string_view) { return sum_of(intent); });
    CHECK(told(alice.request("bob", add(1, 2))) == "3");
    CHECK(told(bob.request("bob", add(20, 22))) == "42");  // also one's own
}

TEST_CASE_FIXTURE(Pair, "what a handler may return: a value, perhaps a value, a value or an error") {
    listen(bob, "value", [](const IntentBox&, std::string_view) { return nya::Json({{"ok", true}}); });
    listen(bob, "text", [](const IntentEnvelope& envelope) { return "hello " + envelope.from; });
    listen(bob, "null", [](const Arrival& arrival) -> std::optional<nya::Json> {
        CHECK(arrival.is_request());
        return nya::Json();
    });
    listen(bob, "error", [](const IntentBox&, std::string_view) -> Answer {
        return std::unexpected(SendError(SendError::Reason::TooLarge, "three is the limit"));
    });
    CHECK(told(alice.request("bob", IntentBox("value", 1))) == "{\"ok\":true}");
    CHECK(told(alice.request("bob", IntentBox("text", 1))) == "\"hello alice\"");
    CHECK(told(alice.request("bob", IntentBox("null", 1))) == "null");
    const Answer refused = alice.request("bob", IntentBox("error", 1));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().reason == SendError::Reason::TooLarge);
    CHECK(refused.error().message == "three is the limit");
}

TEST_CASE_FIXTURE(Pair, "the first handler that answers wins, and the others still run") {
    listen(bob, "ask", [&](const IntentBox&, std::string_view) { log.add("silent"); });
    listen(bob, "ask", [&](const IntentBox&, std::string_view) -> std::optional<nya::Json> {
        log.add("no answer");
        return std::nullopt;
    });
    listen(bob, "ask", [&](const IntentBox&, std::string_view) {
        log.add("first");
        return 1;
    });
    listen(bob, "ask", [&](const IntentBox&, std::string_view) {
        log.add("second");
        return 2;
    });
    CHECK(told(alice.request("bob", IntentBox("ask", 1))) == "1");
    CHECK(log.text() == "silent, no answer, first, second");
}

TEST_CASE_FIXTURE(Pair, "a plain send runs answering handlers, and nobody hears the answer") {
    listen(bob, "ask", [&](const Arrival& arrival) {
        log.add(arrival.is_request() ? "asked" : "told");
        return 1;
    });
    CHECK(outcome(alice.send("bob", IntentBox("ask", 1))) == "accepted");
    CHECK(outcome(alice.send("bob", IntentBox("ask", 1), until_handled())) == "accepted");
    CHECK(told(alice.request("bob", IntentBox("ask", 1))) == "1");
    CHECK(log.text() == "told, told, asked");
    CHECK(bus->statistics().late_replies == 0);
}

TEST_CASE_FIXTURE(Pair, "that nobody listens, or nobody answers, is told at once") {
    const Answer unheard = alice.request("bob", IntentBox("ask", 1));
    REQUIRE_FALSE(unheard.has_value());
    CHECK(unheard.error().reason == SendError::Reason::NoHandler);
    CHECK(unheard.error().message == "node \"bob\" has no handler for intent \"ask\"");

    listen(bob, "ask", [](const IntentBox&, std::string_view) {});
    const Answer unanswered = alice.request("bob", IntentBox("ask", 1));
    REQUIRE_FALSE(unanswered.has_value());
    CHECK(unanswered.error().reason == SendError::Reason::NoHandler);
    CHECK(unanswered.error().message == "no handler of node \"bob\" for intent \"ask\" returned an answer");

    const Answer lost = alice.request("bbo", IntentBox("ask", 1));
    REQUIRE_FALSE(lost.has_value());
    CHECK(lost.error().reason == SendError::Reason::Unknown);
    CHECK(lost.error().hint == "Did you mean \"bob\"?");
}

TEST_CASE_FIXTURE(Pair, "a handler that fails is no answer, unless another one answers") {
    listen(bob, "ask", [](const IntentBox&, std::string_view) { throw std::runtime_error("out of paper"); });
    const Answer failed = alice.request("bob", IntentBox("ask", 1));
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().reason == SendError::Reason::HandlerFailed);
    CHECK(failed.error().message.contains("out of paper"));
    listen(bob, "ask", [](const IntentBox&, std::string_view) { return "here"; });
    CHECK(told(alice.request("bob", IntentBox("ask", 1))) == "\"here\"");
}

TEST_CASE_FIXTURE(Pair, "a handler may ask others, but not those that wait for it on this thread") {
    auto carol = open_node(*bus, "carol");
    listen(carol, "ask", [&](const IntentBox&, std::string_view) -> Answer {
        log.add(told(carol.request("bob", IntentBox("ask", 1))));
        return nya::Json("carol");
    });
    listen(bob, "ask", [&](const IntentBox&, std::string_view) {
        log.add(told(bob.request("bob", IntentBox("ask", 1))));
        return bob.request("carol", IntentBox("ask", 1));
    });
    CHECK(told(alice.request("bob", IntentBox("ask", 1))) == "\"carol\"");
    CHECK(log.text() == "would_deadlock, would_deadlock");
}

TEST_CASE_FIXTURE(Pair, "a closed asker, and one that closes in its handler's middle") {
    listen(bob, "ask", [&](const IntentBox&, std::string_view) {
        alice.close();
        return 1;
    });
    CHECK(told(alice.request("bob", IntentBox("ask", 1))) == "1");  // it was answered
    CHECK(told(alice.request("bob", IntentBox("ask", 1))) == "closed");
}

TEST_CASE_FIXTURE(Pair, "a target that closes with the request in its queue: closed") {
    Gate inside;
    Gate go_on;
    Counter queued;
    listen(bob, "block", [&](const IntentBox&, std::string_view) {
        inside.open();
        go_on.wait();
        bob.close();
    });
    listen(bob, "ask", [&](const IntentBox&, std::string_view) { return 1; });
    bus->set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::Queued) queued.add();
    });
    auto carol = open_node(*bus, "carol");
    std::thread blocker([&] { CHECK(outcome(carol.send("bob", IntentBox("block", 1))) == "accepted"); });
    inside.wait();
    std::string heard;
    std::thread asker([&] { heard = told(alice.request("bob", IntentBox("ask", 1))); });
    queued.wait_for(1);
    go_on.open();
    asker.join();
    blocker.join();
    CHECK(heard == "closed");
}

TEST_CASE_FIXTURE(Pair, "a request to a busy node waits for its turn; what comes after the timeout is counted") {
    Gate inside;
    Gate go_on;
    Counter queued;
    listen(bob, "block", [&](const IntentBox&, std::string_view) {
        inside.open();
        go_on.wait();
    });
    listen(bob, "math.add", [](const IntentBox& intent, std::string_view) { return sum_of(intent); });
    bus->set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::Queued) queued.add();
    });
    auto carol = open_node(*bus, "carol");
    std::thread blocker([&] { CHECK(outcome(carol.send("bob", IntentBox("block", 1))) == "accepted"); });
    inside.wait();
    Answer patient;
    Answer hasty;
    std::thread first([&] { patient = alice.request("bob", add(1, 2), {.timeout = kGuard}); });
    std::thread second([&] { hasty = alice.request("bob", add(3, 4), {.timeout = std::chrono::milliseconds(100)}); });
    queued.wait_for(2);
    // The hasty one may have queued without having begun its wait: time moves until it has given up.
    std::atomic<bool> is_over{false};
    std::thread time([&] {
        while (!is_over) {
            clock->advance(std::chrono::milliseconds(1));
            std::this_thread::yield();
        }
    });
    second.join();
    is_over = true;
    time.join();
    REQUIRE_FALSE(hasty.has_value());
    CHECK(hasty.error().reason == SendError::Reason::MayHaveRun);
    CHECK(hasty.error().message.contains("did not answer intent \"math.add\" within 100 ms"));
    go_on.open();
    first.join();
    blocker.join();
    CHECK((told(patient) == "3" || told(patient) == "may_have_run"));  // time may have run on for it, too
    CHECK(bus->statistics().late_replies >= 1);
}

TEST_CASE("a node on an executor of another thread answers from there") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_on(*bus, "bob", std::make_shared<nya::ThreadExecutor>("bob"));
    std::thread::id ran_on;
    listen(bob, "ask", [&](const IntentBox&, std::string_view) {
        ran_on = std::this_thread::get_id();
        return "from afar";
    });
    CHECK(told(alice.request("bob", IntentBox("ask", 1), {.timeout = kGuard})) == "\"from afar\"");
    CHECK(ran_on != std::this_thread::get_id());
}

TEST_CASE("many threads ask one node, and each hears its own answer") {
    const auto bus = make_bus();
    auto bob = open_node(*bus, "bob");
    listen(bob, "echo", [](const IntentBox& intent, std::string_view) { return intent.payload(); });
    constexpr int kThreads = 4;
    constexpr int kEach = 500;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            auto node = open_node(*bus, "asker" + std::to_string(t));
            for (int i = 0; i < kEach; ++i) {
                const int number = t * kEach + i;
                const Answer answer = node.request("bob", IntentBox("echo", number), {.timeout = kGuard});
                if (!answer || *answer != nya::Json(number)) ++wrong;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(adds_up(bus->statistics()));
    CHECK(bus->statistics().delivered == kThreads * kEach);
}

TEST_CASE("an arrival from a wire may ask, too: the answer goes to whoever brought it, once") {
    const auto delivery = std::make_shared<nya::ManualExecutor>();
    MessageBus::Options options;
    options.delivery = delivery;
    const auto bus = make_bus(std::move(options));
    auto bob = open_node(*bus, "bob");
    listen(bob, "ask", [](const IntentEnvelope& envelope) { return "hello " + envelope.from; });
    Log log;
    const auto arrive = [&](std::string_view to, std::string_view intent, bool is_request) {
        const IntentEnvelope envelope{"far-away", std::string(to), IntentBox(intent, 1), 0, 1};
        return bus->dispatch_to_local(to, envelope, is_request, [&](const Answer& answer) { log.add(told(answer)); });
    };
    CHECK(outcome(arrive("bob", "ask", true)) == "accepted");
    CHECK(outcome(arrive("bob", "ask", false)) == "accepted");
    CHECK(outcome(arrive("bob", "unheard", false)) == "accepted");
    CHECK(outcome(arrive("nobody", "ask", true)) == "unknown");
    CHECK(log.lines().empty());  // never on the thread that brings it
    delivery->run_ready();
    CHECK(log.text() == "\"hello far-away\", null, no_handler");
    CHECK(outcome(arrive("bob", "ask", true)) == "accepted");
    bob.close();
    CHECK(log.text() == "\"hello far-away\", null, no_handler, closed");
}
