#include "net/loop_core.h"

#include <csignal>

namespace nyamesh::net {

namespace {

constinit thread_local const void* t_runs = nullptr;  // the core whose thread this is

}  // namespace

LoopCore::Anchor::Anchor() {
    next_ = previous_ = this;
}

// Streams that outlive the loop stay listed nowhere.
LoopCore::Anchor::~Anchor() {
    while (next_ != this) {
        AtTurnsEnd* const first = next_;
        next_ = first->next_;
        first->next_ = first->previous_ = nullptr;
    }
    next_ = previous_ = nullptr;
}

// ---- what other threads have ----------------------------------------------------------------------------------------

bool Inbox::post(nya::Task task) {
    {
        const nya::Lock lock(mutex_);
        if (is_closed_) return false;
        tasks_.push_back(std::move(task));
    }
    waker_.wake();
    return true;
}

void Inbox::close() {
    {
        const nya::Lock lock(mutex_);
        is_closed_ = true;
    }
    waker_.wake();
}

bool Inbox::take(std::vector<nya::Task>& tasks) {
    const nya::Lock lock(mutex_);
    tasks.swap(tasks_);
    return is_closed_;
}

// ---- the loop -------------------------------------------------------------------------------------------------------

void LoopCore::run() {
    // OpenSSL writes without MSG_NOSIGNAL. Blocked here, the signal of a connection that is gone reaches nobody.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

    const void* const before = std::exchange(t_runs, this);
    reactor_.run();
    end();
    t_runs = before;
}

void LoopCore::end() {
    has_ended_ = true;
    inbox_->close();
    std::vector<nya::Task> tasks;
    inbox_->take(tasks);
    tasks.clear();
    timers_.clear();
}

bool LoopCore::runs_here() const noexcept {
    return t_runs == this;
}

std::uint64_t LoopCore::call_at(nya::Clock::time_point when, nya::Task task) {
    return has_ended_ ? 0 : timers_.add(when, std::move(task));
}

LoopCore::TimePoint LoopCore::on_turn() {
    const bool is_last = run_tasks();
    if (is_last) {
        reactor_.stop();
    } else if (timers_.next() != TimePoint::max()) {
        timers_.run_due(clock_->now());
    }
    flush();
    return dirty_.next_ != &dirty_ ? TimePoint::min() : timers_.next();
}

// True: stop() was called before they were taken.
bool LoopCore::run_tasks() {
    const bool is_last = inbox_->take(running_);
    for (nya::Task& task : running_) {
        task();
        task = nullptr;  // what it captured goes before the next one runs
    }
    running_.clear();
    return is_last;
}

// Who is listed while this goes on comes with the next turn.
void LoopCore::flush() {
    Anchor now;
    while (dirty_.next_ != &dirty_) {
        AtTurnsEnd& one = *dirty_.next_;
        one.unlist();
        one.list_before(now);
    }
    while (now.next_ != &now) {
        AtTurnsEnd& one = *now.next_;
        one.unlist();
        one.finish_turn();
    }
}

}  // namespace nyamesh::net
