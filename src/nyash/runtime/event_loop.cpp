#include "nyash/runtime/event_loop.h"

#include <algorithm>
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

// The first timer whose time has come.
bool EventLoop::take_timer(nya::Task& task) {
    if (timers_.empty() || timers_.begin()->first.first > clock_->now()) return false;
    auto first = timers_.extract(timers_.begin());
    timer_times_.erase(first.key().second);
    task = std::move(first.mapped());
    return true;
}

std::size_t EventLoop::run_ready(std::size_t most) {
    std::size_t ran = 0;
    for (nya::Task task; ran < most && (take_timer(task) || take(task)); ++ran) std::exchange(task, {})();
    return ran;
}

bool EventLoop::run_one_until(nya::Clock::time_point deadline) {
    if (!timers_.empty()) deadline = std::min(deadline, timers_.begin()->first.first);
    {
        std::unique_lock lock(mutex_);
        clock_->wait_until(lock, changed_, deadline, [this] { return !tasks_.empty() || is_woken_; });
        if (std::exchange(is_woken_, false) && tasks_.empty()) return false;
    }
    return run_ready(1) == 1;
}

void EventLoop::run_until_idle() {
    while (true) {
        run_ready();
        if (!has_work()) return;
        run_one_until(nya::Clock::time_point::max());
    }
}

bool EventLoop::has_work() const {
    if (kept_alive_ > 0 || !timers_.empty()) return true;
    const std::lock_guard lock(mutex_);
    return !tasks_.empty();
}

void EventLoop::wake() {
    {
        const std::lock_guard lock(mutex_);
        is_woken_ = true;
    }
    changed_.notify_one();
}

EventLoop::TimerId EventLoop::call_at(nya::Clock::time_point when, nya::Task task) {
    timer_times_[++last_timer_] = when;
    timers_.emplace(TimerKey{when, last_timer_}, std::move(task));
    return last_timer_;
}

bool EventLoop::cancel(TimerId id) {
    const auto found = timer_times_.find(id);
    if (found == timer_times_.end()) return false;
    const auto timer = timers_.extract(TimerKey{found->second, id});  // its state goes last: that may run code
    timer_times_.erase(found);
    return true;
}

void EventLoop::close() {
    const auto timers = std::move(timers_);
    timers_.clear();
    timer_times_.clear();
    std::deque<nya::Task> dropped;  // destroyed after the lock is gone: a task's state may post
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    dropped.swap(tasks_);
}

}  // namespace nyash
