// Executors: where work runs, in the order posted, never inside post().
#include <nya/executor.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using nya::ManualExecutor;
using nya::ThreadExecutor;

namespace {

// Runs what has been posted so far.
void finish(ThreadExecutor& executor) {
    std::promise<void> done;
    REQUIRE(executor.post([&] { done.set_value(); }));
    REQUIRE(done.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
}

// Tells when it is destroyed.
struct Witness {
    explicit Witness(std::atomic<int>& count) : gone(&count) {}
    Witness(Witness&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
    ~Witness() {
        if (gone != nullptr) ++*gone;
    }
    std::atomic<int>* gone;
};

}  // namespace

// ---- ManualExecutor

TEST_CASE("a manual executor runs nothing until told to, and then in the order posted") {
    ManualExecutor executor;
    std::string log;
    for (const char c : {'a', 'b', 'c'}) REQUIRE(executor.post([&, c] { log += c; }));
    CHECK(log.empty());
    CHECK(executor.pending() == 3);
    CHECK(executor.run_ready() == 3);
    CHECK(log == "abc");
    CHECK(executor.run_ready() == 0);
}

TEST_CASE("run_ready also runs what the tasks post") {
    ManualExecutor executor;
    int runs = 0;
    std::function<void()> again = [&] {
        if (++runs < 5) executor.post(again);
    };
    executor.post(again);
    CHECK(executor.run_ready() == 5);
    CHECK(runs == 5);
}

TEST_CASE("a manual executor runs here on the thread it was made on, or bound to last") {
    ManualExecutor executor;
    CHECK(executor.runs_here());
    std::jthread([&] {
        CHECK_FALSE(executor.runs_here());
        executor.bind_to_this_thread();
        CHECK(executor.runs_here());
    }).join();
    CHECK_FALSE(executor.runs_here());
}

TEST_CASE("run_next waits for a task from another thread") {
    ManualExecutor executor;
    int ran = 0;
    std::jthread other([&] { executor.post([&] { ++ran; }); });
    CHECK(executor.run_next() == 1);
    CHECK(ran == 1);
}

TEST_CASE("a manual executor destroys tasks that were never run, and each task right after its run") {
    std::atomic<int> gone{0};
    {
        ManualExecutor executor;
        executor.post([w = Witness(gone)] {});
        executor.post([&, w = Witness(gone)] { CHECK(gone == 1); });
        executor.run_ready();
        CHECK(gone == 2);
        executor.post([w = Witness(gone)] {});
    }
    CHECK(gone == 3);
}

// ---- ThreadExecutor

TEST_CASE("a thread executor runs its tasks on one thread of its own, in the order posted") {
    ThreadExecutor executor;
    CHECK_FALSE(executor.runs_here());
    std::vector<int> order;
    std::thread::id thread;
    bool was_here = true;
    for (int i = 0; i < 1'000; ++i) {
        REQUIRE(executor.post([&, i] {
            order.push_back(i);
            was_here = was_here && executor.runs_here();
            if (i == 0) thread = std::this_thread::get_id();
            was_here = was_here && thread == std::this_thread::get_id();
        }));
    }
    finish(executor);
    REQUIRE(order.size() == 1'000);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK(was_here);
    CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("tasks of several threads all run, each thread's in its order") {
    ThreadExecutor executor;
    std::vector<int> last(3, -1);
    bool in_order = true;
    {
        std::vector<std::jthread> posters;
        for (std::size_t p = 0; p < last.size(); ++p) {
            posters.emplace_back([&, p] {
                for (int i = 0; i < 2'000; ++i) {
                    executor.post([&, p, i] {
                        in_order = in_order && last[p] == i - 1;
                        last[p] = i;
                    });
                }
            });
        }
    }
    finish(executor);
    CHECK(in_order);
    CHECK(last == std::vector<int>(3, 1'999));
}

TEST_CASE("two thread executors do not take each other's threads for their own") {
    ThreadExecutor one, two;
    bool mixed_up = true;
    one.post([&] { mixed_up = two.runs_here() || !one.runs_here(); });
    finish(one);
    CHECK_FALSE(mixed_up);
}

TEST_CASE("the destructor runs what was posted before it") {
    std::atomic<int> ran{0};
    {
        ThreadExecutor executor;
        for (int i = 0; i < 100; ++i) executor.post([&] { ++ran; });
    }
    CHECK(ran == 100);
}

TEST_CASE("an executor nobody posts to starts no thread, and ends") {
    ThreadExecutor executor;
    CHECK_FALSE(executor.runs_here());
}

TEST_CASE("once it ends it accepts no more work, and destroys what is posted unrun") {
    std::atomic<int> gone{0};
    std::atomic<int> ran{0};
    auto executor = std::make_unique<ThreadExecutor>();
    ThreadExecutor* const raw = executor.get();
    std::promise<void> ending;
    bool accepted = true;
    // A task of the executor that is being destroyed posts until it is refused.
    raw->post([&] {
        ending.get_future().wait();
        while (raw->post([] {})) std::this_thread::yield();
        accepted = raw->post([&, w = Witness(gone)] { ++ran; });
    });
    std::jthread destroyer([&] {
        ending.set_value();
        executor.reset();
    });
    destroyer.join();
    CHECK_FALSE(accepted);
    CHECK(gone == 1);
    CHECK(ran == 0);
}

TEST_CASE("an executor may be destroyed by one of its own tasks, and still runs what was posted before") {
    std::promise<void> last_ran;
    std::atomic<int> ran{0};
    auto executor = std::make_unique<ThreadExecutor>();
    std::promise<void> posted;
    ThreadExecutor* const raw = executor.get();
    raw->post([&, owned = std::move(executor)]() mutable {
        posted.get_future().wait();
        owned.reset();
        ++ran;
    });
    raw->post([&] { ++ran; });
    raw->post([&] {
        ++ran;
        last_ran.set_value();
    });
    posted.set_value();
    REQUIRE(last_ran.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
    CHECK(ran == 3);
}

TEST_CASE("what a task captured is destroyed before the next one runs") {
    std::atomic<int> gone{0};
    int gone_before_second = -1;
    ThreadExecutor executor;
    executor.post([w = Witness(gone)] {});
    executor.post([&] { gone_before_second = gone; });
    finish(executor);
    CHECK(gone_before_second == 1);
}
