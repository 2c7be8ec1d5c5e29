// Coroutines and contexts of two processes (two buses with connections of their own) that meet at a hub.
#include "asio_kit.h"
#include "e2e/meeting.h"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <thread>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

// A process with one thread, that runs a context.
struct Process {
    explicit Process(const Meeting& meeting) : meeting(meeting) {}
    ~Process() {
        work.reset();
        if (thread.joinable()) thread.join();
    }
    P2PBox open(std::string_view id) {
        auto options = meeting.options(bus);
        options.executor = asio_executor(context);
        return P2PBox::open(id, TransportKind::WebSocket, std::move(options)).value();
    }
    void start() {
        thread = std::thread([this] { context.run(); });
    }

    const Meeting& meeting;
    std::shared_ptr<MessageBus> bus = MessageBus::create();
    net::io_context context;
    net::executor_work_guard<net::io_context::executor_type> work = net::make_work_guard(context);
    std::thread thread;
};

}  // namespace

TEST_CASE_FIXTURE(Meeting, "a question by name to another process: handlers and coroutines on their own contexts") {
    Process here(*this);
    Process there(*this);
    auto alice = here.open("alice");
    auto bob = there.open("bob");
    std::thread::id there_thread;
    CHECK(bob.on("where", [&](const IntentBox&, std::string_view from) {
        CHECK(std::this_thread::get_id() == there_thread);
        return nya::Json("asked by " + std::string(from));
    }));
    net::post(there.context, [&] { there_thread = std::this_thread::get_id(); });
    there.start();
    here.start();
    wait_for(bob);
    std::promise<void> ended;
    net::co_spawn(
        here.context,
        [&]() -> net::awaitable<void> {
            const auto thread = std::this_thread::get_id();
            const Answer answer = co_await async_request(alice, "bob", IntentBox("where", 1));
            CHECK(answer == nya::Json("asked by alice"));
            const auto unheard = co_await async_send(alice, "bob", IntentBox("what", 1), {.wait = Wait::Handled});
            CHECK(reason_of(unheard) == "no_handler");
            const auto sent = co_await async_send(alice, "bob", IntentBox("what", 1), {.wait = Wait::Delivered});
            CHECK(reason_of(sent) == "none");
            CHECK(std::this_thread::get_id() == thread);
        },
        [&](std::exception_ptr problem) {
            CHECK_FALSE(problem);
            ended.set_value();
        });
    ended.get_future().get();
}

TEST_CASE_FIXTURE(Meeting, "hundreds of coroutines ask over one connection, each hears its own answer") {
    Process here(*this);
    Process there(*this);
    auto alice = here.open("alice");
    auto bob = there.open("bob");
    CHECK(bob.on("double", [](const IntentBox& intent, std::string_view) {
        return nya::Json(2 * intent.payload().as_integer());
    }));
    here.start();
    there.start();
    wait_for(bob);
    constexpr int kCalls = 500;
    std::promise<void> all;
    int right = 0;  // on one thread
    int ended = 0;
    const auto ask = [&](int i) -> net::awaitable<void> {
        const Answer answer = co_await async_request(alice, "bob", IntentBox("double", i));
        if (answer == nya::Json(2 * i)) ++right;
        if (++ended == kCalls) all.set_value();
    };
    net::post(here.context, [&] {
        for (int i = 0; i < kCalls; ++i) net::co_spawn(here.context, ask(i), net::detached);
    });
    all.get_future().get();
    CHECK(right == kCalls);
}

TEST_CASE_FIXTURE(Meeting, "the asked node goes while the question is out: who asked hears it") {
    Process here(*this);
    Process there(*this);
    auto alice = here.open("alice");
    auto bob = std::make_unique<P2PBox>(there.open("bob"));
    there.start();
    wait_for(*bob);
    there.context.stop();  // from now on its handlers do not run
    there.thread.join();
    here.start();
    std::promise<std::string> heard;
    std::promise<std::string> arrived;
    async_request(alice, "bob", IntentBox("ask", 1), {.timeout = 60s},
                  net::bind_executor(here.context, [&](const Answer& answer) { heard.set_value(reason_of(answer)); }));
    // Behind the question, so that has arrived, too.
    async_send(alice, "bob", IntentBox("note", 1), {Wait::Delivered, 60s},
               net::bind_executor(here.context, [&](const auto& sent) { arrived.set_value(reason_of(sent)); }));
    CHECK(arrived.get_future().get() == "none");
    bob.reset();
    CHECK(heard.get_future().get() == "gone");
}
