// Clocks: the real one, and one that a test moves.
#include <nya/clock.h>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using nya::Clock;
using nya::ManualClock;

namespace {

struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_ready = false;

    bool until(Clock& clock, Clock::time_point deadline) {
        std::unique_lock lock(mutex);
        const bool result = clock.wait_until(lock, changed, deadline, [&] { return is_ready; });
        CHECK(lock.owns_lock());
        return result;
    }
    void make_ready() {
        const std::lock_guard guard(mutex);
        is_ready = true;
        changed.notify_all();
    }
};

}  // namespace

TEST_CASE("the system clock never goes back") {
    auto before = Clock::system()->now();
    for (int i = 0; i < 1'000; ++i) {
        const auto now = Clock::system()->now();
        CHECK(now >= before);
        before = now;
    }
}

TEST_CASE("the system clock ends a wait at its deadline, or when what it waits for is there") {
    Wait wait;
    CHECK_FALSE(wait.until(*Clock::system(), Clock::system()->now()));
    CHECK_FALSE(wait.until(*Clock::system(), Clock::system()->now() + 1ms));
    std::jthread other([&] { wait.make_ready(); });
    CHECK(wait.until(*Clock::system(), Clock::system()->now() + 60s));
}

TEST_CASE("a manual clock stands still until it is moved") {
    ManualClock clock;
    const auto start = clock.now();
    CHECK(clock.now() == start);
    clock.advance(5s);
    CHECK(clock.now() == start + 5s);
    clock.advance(0s);
    CHECK(clock.now() == start + 5s);
}

TEST_CASE("a wait whose deadline has come returns at once, with what is there") {
    ManualClock clock;
    Wait wait;
    CHECK_FALSE(wait.until(clock, clock.now()));
    CHECK_FALSE(wait.until(clock, clock.now() - 1s));
    wait.is_ready = true;
    CHECK(wait.until(clock, clock.now() - 1s));
    CHECK(wait.until(clock, clock.now() + 1h));
}

TEST_CASE("moving a manual clock wakes the waits whose deadline has come, and no others") {
    ManualClock clock;
    Wait early, late;
    std::atomic<bool> early_ended{false};
    std::atomic<bool> late_ended{false};
    const auto start = clock.now();
    std::jthread one([&] {
        CHECK_FALSE(early.until(clock, start + 5s));
        early_ended = true;
    });
    std::jthread two([&] {
        CHECK(late.until(clock, start + 1h));
        late_ended = true;
    });
    clock.advance(4s);
    CHECK_FALSE(early_ended);
    clock.advance(1s);
    one.join();  // whether it began to wait before or after
    CHECK_FALSE(late_ended);
    late.make_ready();
    two.join();
}

TEST_CASE("no wait misses a move of the clock") {
    for (int round = 0; round < 500; ++round) {
        ManualClock clock;
        Wait wait;
        const auto deadline = clock.now() + 1s;
        std::jthread waiter([&] { CHECK_FALSE(wait.until(clock, deadline)); });
        clock.advance(1s);
    }
}

TEST_CASE("several may wait on one clock") {
    ManualClock clock;
    std::vector<Wait> waits(4);
    std::vector<std::jthread> waiters;
    for (Wait& wait : waits)
        waiters.emplace_back([&] { CHECK_FALSE(wait.until(clock, ManualClock::time_point{} + 1s)); });
    clock.advance(2s);
    waiters.clear();
}
