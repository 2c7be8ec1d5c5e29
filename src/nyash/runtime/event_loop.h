// EventLoop: the script's executor.
//
// Whatever reaches a script from outside (a message from another thread, a timer) is a task posted
// here, and runs on the script's thread while the script waits or after its end, never in the middle of
// a statement. Nodes of one script are bound to this executor, so a send between them finds itself at
// home and calls the handler directly.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

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
    // Waits for a task until `deadline` and runs it; false when none came.
    bool run_one_until(nya::Clock::time_point deadline);
    // Runs tasks until nothing keeps the loop alive.
    void run_until_idle();
    // From now on nothing is accepted; what is queued is dropped.
    void close();

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
    bool take(nya::Task& task);

    std::shared_ptr<nya::Clock> clock_;
    std::thread::id thread_;
    std::size_t kept_alive_ = 0;
    mutable std::mutex mutex_;  // guards the following; never held while a task runs
    std::condition_variable changed_;
    std::deque<nya::Task> tasks_;
    bool is_closed_ = false;
};

}  // namespace nyash
