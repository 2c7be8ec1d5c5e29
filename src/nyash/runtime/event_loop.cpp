#include "nyash/runtime/event_loop.h"

#include <utility>

namespace nyash {

EventLoop::EventLoop(std::shared_ptr<nya::Clock> clock)
    : clock_(std::move(clock)), thread_(std::this_thread::get_id()) {}

bool EventLoop::post(nya::Task task) {
    {
        const std::lock_guard lock(mutex_);
        if (is_closed_) return false;
        tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
    return true;
}

bool EventLoop::runs_here() const noexcept {
    return thread_ == std::this_thread::get_id();
}

void EventLoop::bind_to_this_thread() noexcept {
    thread_ = std::this_thread::get_id();
}

bool EventLoop::take(nya::Task& task) {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return false;
    task = std::move(tasks_.front());
    tasks_.pop_front();
    return true;
}

std::size_t EventLoop::run_ready(std::size_t most) {
    std::size_t ran = 0;
    for (nya::Task task; ran < most && take(task); ++ran) std::exchange(task, {})();
    return ran;
}

bool EventLoop::run_one_until(nya::Clock::time_point deadline) {
    {
        std::unique_lock lock(mutex_);
        if (!clock_->wait_until(lock, changed_, deadline, [this] { return !tasks_.empty(); })) return false;
    }
    return run_ready(1) == 1;
}

void EventLoop::run_until_idle() {
    while (true) {
        run_ready();
        if (kept_alive_ == 0) {
            const std::lock_guard lock(mutex_);
            if (tasks_.empty()) return;
            continue;
        }
        run_one_until(nya::Clock::time_point::max());
    }
}

void EventLoop::close() {
    std::deque<nya::Task> dropped;  // destroyed after the lock is gone: a task's state may post
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    dropped.swap(tasks_);
}

}  // namespace nyash
