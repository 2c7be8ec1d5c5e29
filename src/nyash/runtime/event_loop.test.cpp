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

TEST_CASE("timers run when their time has come, those of one moment in the order they were made") {
    auto clock = std::make_shared<nya::ManualClock>();
    EventLoop loop(clock);
    std::vector<int> ran;
    const auto at = [&](int ms, int number) {
        return loop.call_at(clock->now() + std::chrono::milliseconds(ms), [&ran, number] { ran.push_back(number); });
    };
    at(20, 3);
    at(10, 1);
    at(10, 2);
    CHECK(loop.run_ready() == 0);
    clock->advance(std::chrono::milliseconds(10));
    CHECK(loop.run_ready() == 2);
    clock->advance(std::chrono::milliseconds(10));
    CHECK(loop.run_ready() == 1);
    CHECK(ran == std::vector{1, 2, 3});
}

TEST_CASE("a timer keeps the loop alive until it has run or is cancelled") {
    auto clock = std::make_shared<nya::ManualClock>();
    EventLoop loop(clock);
    CHECK(!loop.has_work());
    const auto first = loop.call_at(clock->now(), [] {});
    const auto second = loop.call_at(clock->now(), [] { FAIL("cancelled, and ran all the same"); });
    CHECK(loop.has_work());
    CHECK(loop.cancel(second));
    CHECK(!loop.cancel(second));
    loop.run_until_idle();
    CHECK(!loop.has_work());
    CHECK(!loop.cancel(first));
}

TEST_CASE("a timer may cancel another one of the same moment, and make new ones") {
    auto clock = std::make_shared<nya::ManualClock>();
    EventLoop loop(clock);
    int ran = 0;
    EventLoop::TimerId other = 0;
    loop.call_at(clock->now(), [&] {
        CHECK(loop.cancel(other));
        loop.call_at(clock->now(), [&] { ++ran; });
    });
    other = loop.call_at(clock->now(), [&] { FAIL("cancelled, and ran all the same"); });
    loop.run_until_idle();
    CHECK(ran == 1);
}

TEST_CASE("waiting for a task ends when the next timer is due") {
    EventLoop loop(nya::Clock::system());
    bool ran = false;
    loop.call_at(nya::Clock::system()->now() + std::chrono::milliseconds(1), [&] { ran = true; });
    CHECK(loop.run_one_until(nya::Clock::time_point::max()));
    CHECK(ran);
}

TEST_CASE("wake ends a wait without a task, also the next one if none is going on") {
    EventLoop loop(nya::Clock::system());
    loop.wake();
    CHECK(!loop.run_one_until(nya::Clock::time_point::max()));
    std::thread other([&] { loop.wake(); });
    CHECK(!loop.run_one_until(nya::Clock::time_point::max()));
    other.join();
}

TEST_CASE("a task that came with the wake is not lost") {
    EventLoop loop(nya::Clock::system());
    bool ran = false;
    loop.post([&] { ran = true; });
    loop.wake();
    CHECK(loop.run_one_until(nya::Clock::time_point::max()));
    CHECK(ran);
}

TEST_CASE("closing drops timers with what they hold") {
    auto clock = std::make_shared<nya::ManualClock>();
    EventLoop loop(clock);
    auto kept = std::make_shared<int>(1);
    loop.call_at(clock->now(), [kept] {});
    loop.close();
    CHECK(kept.use_count() == 1);
    CHECK(loop.run_ready() == 0);
    CHECK(!loop.has_work());
}
