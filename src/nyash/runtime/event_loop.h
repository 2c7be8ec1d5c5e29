// EventLoop: the script's executor.
//
// Whatever reaches a script from outside (a message from another thread, a timer) is a task posted
// here, and runs on the script's thread while the script waits or after its end, never in the middle of
// a statement. Nodes of one script are bound to this executor, so a send between them finds itself at
// home and calls the handler directly.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <nya/clock.h>
#include <nya/executor.h>

namespace nyash {

class EventLoop final : public nya::Executor {
public:
    explicit EventLoop(std::shared_ptr<nya::Clock> clock);

    bool post(nya::Task task) override;
    bool runs_here() const noexcept override;

    // The following only on the script's thread, which is the one that made the loop or bound it last.
    void bind_to_this_thread() noexcept;
    // Runs what is queued now, and what that posts, at most `most` tasks. Returns how many ran.
    std::size_t run_ready(std::size_t most = 10'000);
    // Waits for a task until `deadline` and runs it; false when none came, or after wake().
    bool run_one_until(nya::Clock::time_point deadline);
    // Runs tasks until nothing keeps the loop alive.
    void run_until_idle();
    // Ends a wait that is going on, or the next one, without a task. Any thread.
    void wake();
    // From now on nothing is accepted; what is queued is dropped, timers too.
    void close();

    // Timers: `task` runs on the loop at `when` or soon after, those of one moment in the order they were made.
    // Each keeps the script alive until it has run or is cancelled.
    using TimerId = std::uint64_t;
    TimerId call_at(nya::Clock::time_point when, nya::Task task);
    // False when it has run already.
    bool cancel(TimerId id);
    std::size_t timers() const noexcept { return timers_.size(); }
    // Whether anything can still happen by itself: a task, a timer, something kept alive.
    bool has_work() const;

    // As long as one exists, the script does not end: an open network node, a timer, a pending future.
    class KeepAlive {
    public:
        explicit KeepAlive(EventLoop& loop) : loop_(loop) { ++loop_.kept_alive_; }
        ~KeepAlive() { --loop_.kept_alive_; }
        KeepAlive(const KeepAlive&) = delete;
        KeepAlive& operator=(const KeepAlive&) = delete;

    private:
        EventLoop& loop_;
    };

private:
    using TimerKey = std::pair<nya::Clock::time_point, TimerId>;
    bool take(nya::Task& task);
    bool take_timer(nya::Task& task);

    std::shared_ptr<nya::Clock> clock_;
    std::thread::id thread_;
    std::size_t kept_alive_ = 0;
    std::map<TimerKey, nya::Task> timers_;
    std::map<TimerId, nya::Clock::time_point> timer_times_;
    TimerId last_timer_ = 0;
    mutable std::mutex mutex_;  // guards the following; never held while a task runs
    std::condition_variable changed_;
    std::deque<nya::Task> tasks_;
    bool is_woken_ = false;
    bool is_closed_ = false;
};

}  // namespace nyash
