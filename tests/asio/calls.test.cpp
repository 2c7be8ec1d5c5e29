// async_request and async_send: what a coroutine, a callback or a future of Asio's hears, and where.
#include "asio_kit.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(Pair, "a coroutine waits for an answer, and goes on where it was") {
    CHECK(bob.on("add", [](const IntentBox& intent, std::string_view) {
        return nya::Json(intent.payload()["a"].as_integer() + intent.payload()["b"].as_integer());
    }));
    runs([&]() -> net::awaitable<void> {
        const auto thread = std::this_thread::get_id();
        const IntentBox question("add", nya::Json{{"a", 1}, {"b", 2}});
        const Answer answer = co_await async_request(alice, "bob", question);
        CHECK(answer == nya::Json(3));
        const Answer again = co_await async_request(alice, "bob", question);
        CHECK(again == nya::Json(3));
        CHECK(std::this_thread::get_id() == thread);
    });
}

TEST_CASE_FIXTURE(Pair, "errors are values: nothing is thrown") {
    CHECK(bob.on("fails", [](const IntentBox&, std::string_view) { throw std::runtime_error("broken"); }));
    runs([&]() -> net::awaitable<void> {
        const Answer nobody = co_await async_request(alice, "bbo", IntentBox("x", 1));
        CHECK(reason_of(nobody) == "unknown");
        const Answer unheard = co_await async_request(alice, "bob", IntentBox("x", 1));
        CHECK(reason_of(unheard) == "no_handler");
        const auto failed = co_await async_send(alice, "bob", IntentBox("fails", 1), {.wait = Wait::Handled});
        CHECK(reason_of(failed) == "handler_failed");
        const auto accepted = co_await async_send(alice, "bob", IntentBox("x", 1));
        CHECK(reason_of(accepted) == "none");
        alice.close();
        const auto closed = co_await async_send(alice, "bob", IntentBox("x", 1));
        CHECK(reason_of(closed) == "closed");
    });
}

TEST_CASE_FIXTURE(Pair, "a callback never runs inside the call, and runs on the executor it is bound to") {
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    bool has_run = false;
    auto strand = net::make_strand(context);
    async_request(alice, "bob", IntentBox("ask", 1), net::bind_executor(strand, [&](Answer answer) {
                      CHECK(strand.running_in_this_thread());
                      CHECK(answer == nya::Json(1));
                      has_run = true;
                  }));
    CHECK_FALSE(has_run);
    context.run();
    CHECK(has_run);
}

TEST_CASE_FIXTURE(Pair, "a callback may be move-only, and one without an executor runs on a thread of Asio's") {
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    std::promise<std::thread::id> ran_on;
    async_request(alice, "bob", IntentBox("ask", 1), [kept = std::make_unique<int>(1), &ran_on](const Answer& answer) {
        CHECK(answer.has_value());
        CHECK(*kept == 1);
        ran_on.set_value(std::this_thread::get_id());
    });
    CHECK(ran_on.get_future().get() != std::this_thread::get_id());
}

TEST_CASE_FIXTURE(Pair, "futures and deferred operations; what they are made of need not live on") {
    CHECK(bob.on("ask", [](const IntentBox& intent, std::string_view) { return intent.payload(); }));
    auto future = async_request(alice, "bob", IntentBox("ask", 7), {.timeout = 10s}, net::use_future);
    CHECK(future.get() == nya::Json(7));
    auto later = [&] {
        const std::string to = "bob";
        const IntentBox question("ask",
                                 "a text that is far too long to be kept within the message object itself, surely");
        return async_request(alice, to, question, net::deferred);
    }();
    Answer heard;
    std::move(later)(net::bind_executor(context, [&](Answer answer) { heard = std::move(answer); }));
    context.run();
    REQUIRE(heard.has_value());
    CHECK(heard->as_string().starts_with("a text that is far"));
}

TEST_CASE_FIXTURE(Pair, "the context has work as long as a call is under way") {
    const auto elsewhere = std::make_shared<nya::ThreadExecutor>("bob's");
    auto carol = open("carol", elsewhere);
    Gate gate;
    CHECK(carol.on("ask", [&](const IntentBox&, std::string_view) {
        gate.wait();
        return nya::Json(1);
    }));
    bool has_run = false;
    async_request(alice, "carol", IntentBox("ask", 1),
                  net::bind_executor(context, [&](const Answer& answer) { has_run = answer.has_value(); }));
    context.poll();
    CHECK_FALSE(context.stopped());
    gate.open();
    context.run();
    CHECK(has_run);
    CHECK(context.stopped());
}

TEST_CASE_FIXTURE(Pair, "the wait ends when the node is closed or destroyed, and at the timeout") {
    auto carol = open("carol", std::make_shared<Idle>());
    CHECK(carol.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    auto dave = std::make_unique<P2PBox>(open("dave"));
    runs([&]() -> net::awaitable<void> {
        const Answer late = co_await async_request(alice, "carol", IntentBox("ask", 1), {.timeout = 1ms});
        CHECK(reason_of(late) == "may_have_run");
    });
    context.restart();
    std::string heard;
    async_request(*dave, "carol", IntentBox("ask", 1),
                  net::bind_executor(context, [&](const Answer& answer) { heard = reason_of(answer); }));
    dave.reset();
    CHECK(heard.empty());
    context.run();
    CHECK(heard == "closed");
}

TEST_CASE_FIXTURE(Pair, "cancelling ends the wait, not the message") {
    const auto executor = std::make_shared<nya::ManualExecutor>();
    auto carol = open("carol", executor);
    executor->bind_to_this_thread();
    int asked = 0;
    CHECK(carol.on("ask", [&](const IntentBox&, std::string_view) {
        ++asked;
        return nya::Json(1);
    }));
    net::cancellation_signal signal;
    std::vector<std::string> heard;
    std::thread([&] {  // not on carol's thread: there it would be handled at once
        async_request(alice, "carol", IntentBox("ask", 1),
                      net::bind_cancellation_slot(signal.slot(), net::bind_executor(context, [&](const Answer& answer) {
                                                      heard.push_back(reason_of(answer));
                                                  })));
    })
        .join();
    signal.emit(net::cancellation_type::total);  // cannot be had
    context.poll();
    CHECK(heard.empty());
    signal.emit(net::cancellation_type::terminal);
    context.run();
    CHECK(heard == std::vector<std::string>{"may_have_run"});
    executor->run_ready();
    CHECK(asked == 1);
    signal.emit(net::cancellation_type::all);  // too late, and harmless
    context.restart();
    context.run();
    CHECK(heard.size() == 1);
}

TEST_CASE_FIXTURE(Pair, "whichever comes first: an answer or a timer") {
    using namespace net::experimental::awaitable_operators;
    auto carol = open("carol", std::make_shared<Idle>());
    CHECK(carol.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(2); }));
    runs([&]() -> net::awaitable<void> {
        net::steady_timer timer(context, 1ms);
        const auto slow =
            co_await (async_request(alice, "carol", IntentBox("ask", 1)) || timer.async_wait(net::use_awaitable));
        CHECK(slow.index() == 1);
        timer.expires_after(1h);
        const auto quick =
            co_await (async_request(alice, "bob", IntentBox("ask", 1)) || timer.async_wait(net::use_awaitable));
        REQUIRE(quick.index() == 0);
        CHECK(std::get<0>(quick) == nya::Json(2));
        const auto [one, two] = co_await (async_request(alice, "bob", IntentBox("ask", 1)) &&
                                          async_request(bob, "bob", IntentBox("ask", 1)));
        CHECK(one == two);
    });
}

TEST_CASE_FIXTURE(Pair, "ten thousand coroutines wait at once, on four threads") {
    auto carol = open("carol", std::make_shared<nya::ThreadExecutor>("carol's"));
    CHECK(carol.on("double", [](const IntentBox& intent, std::string_view) {
        return nya::Json(2 * intent.payload().as_integer());
    }));
    constexpr int kCalls = 2'000;
    std::atomic<int> right = 0;
    const auto ask = [&](int i) -> net::awaitable<void> {
        const IntentBox question("double", i);
        for (int round = 0; round < 5; ++round) {
            const Answer answer = co_await async_request(alice, "carol", question);
            if (answer == nya::Json(2 * i)) ++right;
        }
    };
    for (int i = 0; i < kCalls; ++i) net::co_spawn(net::make_strand(context), ask(i), net::detached);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { context.run(); });
    threads.clear();
    CHECK(right == 5 * kCalls);
}

TEST_CASE("a context that is destroyed takes those who wait with it, and what comes later finds nobody") {
    const auto bus = MessageBus::create();
    P2PBoxOptions options{.bus = bus};
    auto alice = P2PBox::open("alice", TransportKind::InProcess, options).value();
    const auto executor = std::make_shared<nya::ManualExecutor>();
    options.executor = executor;
    auto bob = P2PBox::open("bob", TransportKind::InProcess, options).value();
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));

    bool has_gone_on = false;
    std::weak_ptr<int> local;
    {
        net::io_context context;
        std::thread([&] {  // not bob's thread
            net::co_spawn(
                context,
                [&]() -> net::awaitable<void> {
                    const auto kept = std::make_shared<int>(1);
                    local = kept;
                    // A node of its own closes as the frame is destroyed: in the middle of it all.
                    auto carol = P2PBox::open("carol", TransportKind::InProcess, {.bus = bus}).value();
                    const Answer answer = co_await async_request(carol, "bob", IntentBox("ask", 1));
                    has_gone_on = true;
                },
                net::detached);
            async_send(alice, "bob", IntentBox("ask", 1), {.wait = Wait::Handled},
                       net::bind_executor(context, [&](const auto&) { has_gone_on = true; }));
            context.poll();
        })
            .join();
        CHECK_FALSE(local.expired());
    }
    CHECK(local.expired());
    CHECK_FALSE(bus->has_node("carol"));
    executor->run_ready();  // now bob answers
    CHECK_FALSE(has_gone_on);
}

TEST_CASE("contexts come and go while answers are on their way") {
    const auto bus = MessageBus::create();
    P2PBoxOptions options{.bus = bus};
    auto alice = P2PBox::open("alice", TransportKind::InProcess, options).value();
    options.executor = std::make_shared<nya::ThreadExecutor>("bob's");
    auto bob = P2PBox::open("bob", TransportKind::InProcess, options).value();
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    std::atomic<int> answered = 0;
    int asked = 0;
    for (int round = 0; round < 300; ++round) {
        net::io_context context;
        for (int i = 0; i < 20; ++i, ++asked) {
            async_request(alice, "bob", IntentBox("ask", 1),
                          net::bind_executor(context, [&](const Answer&) { ++answered; }));
        }
        context.poll();
    }
    // The last one is waited for: what was on its way to the others is through by then.
    net::io_context context;
    async_request(alice, "bob", IntentBox("ask", 1), net::bind_executor(context, [&](const Answer&) { ++answered; }));
    context.run();
    CHECK(answered >= 1);
    CHECK(answered <= asked + 1);
}
