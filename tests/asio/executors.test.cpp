// asio_executor: a node's handlers on an io_context, on a strand of a pool; and what happens when those are gone.
#include "asio_kit.h"

#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

TEST_CASE("an io_context is an executor: later, in order, on the thread that runs it, never inside post") {
    net::io_context context;
    const auto executor = asio_executor(context);
    std::vector<int> ran;
    for (int i = 0; i < 3; ++i) {
        CHECK(executor->post([&, i] {
            CHECK(executor->runs_here());
            ran.push_back(i);
            if (i == 0) CHECK(executor->post([&] { ran.push_back(3); }));
            CHECK(ran.size() == static_cast<std::size_t>(i) + 1);
        }));
    }
    CHECK(ran.empty());
    CHECK_FALSE(executor->runs_here());
    context.run();
    CHECK(ran == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("an executor takes tasks while its context is stopped, and refuses them once it is gone") {
    auto context = std::make_unique<net::io_context>();
    const auto executor = asio_executor(*context);
    const auto strand = asio_executor(net::make_strand(*context));
    context->stop();
    int ran = 0;
    CHECK(executor->post([&] { ++ran; }));
    context->run();
    CHECK(ran == 0);
    context->restart();
    context->run();
    CHECK(ran == 1);

    const auto kept = std::make_shared<int>(1);
    CHECK(executor->post([&ran, kept] { ++ran; }));
    CHECK(strand->post([&ran, kept] { ++ran; }));
    context.reset();
    CHECK(kept.use_count() == 1);  // destroyed, unrun
    for (const std::shared_ptr<nya::Executor>& one :
         {std::shared_ptr<nya::Executor>(executor), std::shared_ptr<nya::Executor>(strand)}) {
        CHECK_FALSE(one->post([&ran, kept] { ++ran; }));
        CHECK_FALSE(one->runs_here());
    }
    CHECK(kept.use_count() == 1);
    CHECK(ran == 1);
}

TEST_CASE("an executor may go before its context, with tasks that are still to run") {
    net::io_context context;
    int ran = 0;
    CHECK(asio_executor(context)->post([&] { ++ran; }));
    CHECK(asio_executor(net::make_strand(context))->post([&] { ++ran; }));
    context.run();
    CHECK(ran == 2);
}

TEST_CASE_FIXTURE(Pair, "a node's handlers run where the context runs, whoever sends") {
    auto carol = open("carol", asio_executor(context));
    std::thread::id handled_on;
    CHECK(carol.on("x", [&](const IntentBox&, std::string_view) { handled_on = std::this_thread::get_id(); }));
    CHECK(alice.send("carol", IntentBox("x", 1)));
    CHECK(handled_on == std::thread::id());
    context.poll();
    CHECK(handled_on == std::this_thread::get_id());
}

TEST_CASE_FIXTURE(Pair, "what a coroutine sends to an idle node of its context is handled before send returns") {
    auto carol = open("carol", asio_executor(context));
    int heard = 0;
    CHECK(carol.on("x", [&](const IntentBox&, std::string_view) { ++heard; }));
    runs([&]() -> net::awaitable<void> {
        CHECK(alice.send("carol", IntentBox("x", 1)));
        CHECK(heard == 1);
        const auto sent = co_await async_send(alice, "carol", IntentBox("x", 1), {.wait = Wait::Handled});
        CHECK(sent.has_value());
        CHECK(heard == 2);
    });
}

TEST_CASE_FIXTURE(Pair, "nodes on one context ask each other, in handlers and coroutines, without a second thread") {
    auto carol = open("carol", asio_executor(context));
    auto dave = open("dave", asio_executor(context));
    CHECK(dave.on("ask", [&](const IntentBox&, std::string_view) { return nya::Json("from dave"); }));
    std::string heard;
    CHECK(carol.on("start", [&](const IntentBox&, std::string_view) {
        net::co_spawn(
            context,
            [&]() -> net::awaitable<void> {
                const Answer answer = co_await async_request(carol, "dave", IntentBox("ask", 1));
                if (answer) heard = answer->as_string();
            },
            net::detached);
    }));
    CHECK(alice.send("carol", IntentBox("start", 1)));
    context.run();
    CHECK(heard == "from dave");
}

TEST_CASE_FIXTURE(Pair, "on a pool of threads a strand keeps the nodes that are bound to it one at a time") {
    net::thread_pool pool(4);
    const auto strand = asio_executor(net::make_strand(pool));
    auto carol = open("carol", strand);
    auto dave = open("dave", strand);
    std::atomic<int> inside = 0;
    int heard = 0;  // not atomic: that is what the strand is for
    constexpr int kMessages = 2'000;
    for (P2PBox* node : {&carol, &dave}) {
        CHECK(node->on("x", [&](const IntentBox&, std::string_view) {
            CHECK(++inside == 1);
            ++heard;
            --inside;
        }));
    }
    std::vector<std::jthread> senders;
    for (P2PBox* from : {&alice, &bob}) {
        senders.emplace_back([from] {
            for (int i = 0; i < kMessages; ++i) {
                for (const char* to : {"carol", "dave"}) {
                    while (!from->send(to, IntentBox("x", i))) std::this_thread::yield();  // a full queue
                }
            }
        });
    }
    senders.clear();
    pool.join();
    CHECK(heard == 4 * kMessages);
}

TEST_CASE("sends to a node whose context is gone say so, and closing it does not hang") {
    const auto bus = make_bus();
    auto alice = P2PBox::open("alice", TransportKind::InProcess, {.bus = bus}).value();
    auto context = std::make_unique<net::io_context>();
    auto bob = P2PBox::open("bob", TransportKind::InProcess, {.bus = bus, .executor = asio_executor(*context)}).value();
    CHECK(bob.on("x", [kept = std::make_unique<int>(1)](const IntentBox&, std::string_view) {}));
    context.reset();
    CHECK(reason_of(alice.send("bob", IntentBox("x", 1))) == "closed");
    CHECK(reason_of(alice.request_async("bob", IntentBox("x", 1)).get()) == "closed");
    bob.close();
}

TEST_CASE("messages in the queue of a node whose context goes are told to those who wait for them") {
    const auto bus = make_bus();
    auto alice = P2PBox::open("alice", TransportKind::InProcess, {.bus = bus}).value();
    auto context = std::make_unique<net::io_context>();
    auto bob = P2PBox::open("bob", TransportKind::InProcess, {.bus = bus, .executor = asio_executor(*context)}).value();
    CHECK(bob.on("x", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    auto answer = alice.request_async("bob", IntentBox("x", 1));
    context.reset();
    CHECK(reason_of(answer.get()) == "closed");
    CHECK(reason_of(alice.send("bob", IntentBox("x", 1))) == "closed");
}
