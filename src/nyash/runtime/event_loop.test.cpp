#include "nyash/runtime/event_loop.h"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

using nyash::EventLoop;

TEST_CASE("tasks run in the order posted, those they post included") {
    EventLoop loop(nya::Clock::system());
    std::vector<int> ran;
    CHECK(loop.post([&] {
        ran.push_back(1);
        loop.post([&] { ran.push_back(3); });
    }));
    CHECK(loop.post([&] { ran.push_back(2); }));
    CHECK(ran.empty());
    CHECK(loop.run_ready() == 3);
    CHECK(ran == std::vector{1, 2, 3});
}

TEST_CASE("the loop belongs to one thread, any thread may post") {
    EventLoop loop(nya::Clock::system());
    CHECK(loop.runs_here());
    bool elsewhere = true;
    std::atomic<int> ran = 0;
    std::thread([&] {
        elsewhere = loop.runs_here();
        loop.post([&] { ++ran; });
    }).join();
    CHECK(!elsewhere);
    loop.run_until_idle();
    CHECK(ran == 1);
}

TEST_CASE("run_until_idle waits while something keeps the loop alive") {
    EventLoop loop(nya::Clock::system());
    std::optional<EventLoop::KeepAlive> node(std::in_place, loop);
    bool arrived = false;
    std::thread sender([&] {
        loop.post([&] {
            arrived = true;
            node.reset();
        });
    });
    loop.run_until_idle();
    sender.join();
    CHECK(arrived);
}

TEST_CASE("waiting ends at the deadline") {
    auto clock = std::make_shared<nya::ManualClock>();
    EventLoop loop(clock);
    CHECK(!loop.run_one_until(clock->now()));
    loop.post([] {});
    CHECK(loop.run_one_until(clock->now()));
}

TEST_CASE("a closed loop refuses and drops") {
    EventLoop loop(nya::Clock::system());
    auto kept = std::make_shared<int>(1);
    loop.post([kept] {});
    loop.close();
    CHECK(kept.use_count() == 1);
    CHECK(!loop.post([kept] {}));
    CHECK(kept.use_count() == 1);
    CHECK(loop.run_ready() == 0);
}
