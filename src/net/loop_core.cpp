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

LoopCore::LoopCore() : reactor_(static_cast<ReactorOwner&>(*this)) {}

LoopCore::~LoopCore() = default;

void LoopCore::run() {
    // OpenSSL writes without MSG_NOSIGNAL. Blocked here, the signal of a connection that is gone reaches nobody.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

    const void* const before = std::exchange(t_runs, this);
    reactor_.run();
    t_runs = before;
}

void LoopCore::stop() {
    {
        const nya::Lock lock(mutex_);
        is_stopping_ = true;
    }
    want_turn();
}

void LoopCore::drop_all() {
    std::vector<nya::Task> tasks;
    {
        const nya::Lock lock(mutex_);
        is_stopping_ = true;
        tasks.swap(tasks_);
    }
    tasks.clear();
    timers_.clear();
}

bool LoopCore::post(nya::Task task) {
    {
        const nya::Lock lock(mutex_);
        if (is_stopping_) return false;
        tasks_.push_back(std::move(task));
    }
    want_turn();
    return true;
}

bool LoopCore::runs_here() const noexcept {
    return t_runs == this;
}

// However much is posted, the loop is woken once.
void LoopCore::want_turn() {
    if (!has_turn_.exchange(true, std::memory_order_acq_rel)) reactor_.call_soon();
}

std::uint64_t LoopCore::call_at(nya::Clock::time_point when, nya::Task task) {
    const std::uint64_t id = timers_.add(when, std::move(task));
    if (when < alarm_) set_alarm();
    return id;
}

// An alarm for a timer that has been cancelled since is left alone: it finds nothing, and sets the next one.
void LoopCore::set_alarm() {
    const auto next = timers_.next();
    if (next >= alarm_) return;
    alarm_ = next;
    reactor_.set_alarm(next);
}

void LoopCore::on_alarm() {
    alarm_ = nya::Clock::time_point::max();
    timers_.run_due(clock_->now());
    set_alarm();
}

void LoopCore::at_turns_end(AtTurnsEnd& what) {
    if (what.is_listed()) return;
    what.list_before(dirty_);
    if (!is_turning_) want_turn();
}

void LoopCore::on_turn() {
    has_turn_.store(false, std::memory_order_release);
    is_turning_ = true;
    const bool is_last = run_tasks();
    flush();
    is_turning_ = false;
    if (dirty_.next_ != &dirty_) want_turn();
    if (is_last) reactor_.stop();
}

// True: stop() was called before they were taken.
bool LoopCore::run_tasks() {
    bool is_last = false;
    {
        const nya::Lock lock(mutex_);
        is_last = is_stopping_;
        running_.swap(tasks_);
    }
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
