// LoopCore: what the streams and listeners of one EpollLoop share. It lives as long as the last of them.
//
// A turn: the reactor calls whoever's descriptor is ready, and then on_turn(). There tasks and timers run, and at last
// every dirty stream sends once.
#pragma once

#include <nya/clock.h>
#include <nya/executor.h>

#include "base/mutex.h"
#include "net/reactor.h"
#include "net/timers.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace nyamesh::net {

// Something that has work for the end of the turn: a link in a list, so that noting it allocates nothing.
class AtTurnsEnd {
public:
    AtTurnsEnd(const AtTurnsEnd&) = delete;
    AtTurnsEnd& operator=(const AtTurnsEnd&) = delete;
    bool is_listed() const noexcept { return next_ != nullptr; }

protected:
    AtTurnsEnd() = default;
    virtual ~AtTurnsEnd() { unlist(); }
    void unlist() noexcept {
        if (next_ == nullptr) return;
        next_->previous_ = previous_;
        previous_->next_ = next_;
        next_ = previous_ = nullptr;
    }

private:
    friend class LoopCore;
    virtual void finish_turn() {}
    void list_before(AtTurnsEnd& place) noexcept {
        next_ = &place;
        previous_ = place.previous_;
        previous_->next_ = this;
        place.previous_ = this;
    }

    AtTurnsEnd* next_ = nullptr;
    AtTurnsEnd* previous_ = nullptr;
};

// What other threads have for a loop. One of them may hold it longer than the loop lives, and drop it last: it refers
// to nothing then.
class Inbox {
public:
    bool post(nya::Task task);  // false, and the task is gone: closed. Any thread.
    void close();               // Any thread. What is in it is still taken.
    // Swaps what there is into `tasks`, which is empty; whether it was closed before.
    bool take(std::vector<nya::Task>& tasks);
    Waker& waker() noexcept { return waker_; }

private:
    Waker waker_;
    nya::Mutex mutex_;
    std::vector<nya::Task> tasks_ NYA_GUARDED_BY(mutex_);
    bool is_closed_ NYA_GUARDED_BY(mutex_) = false;
};

class LoopCore final : ReactorOwner {
public:
    static constexpr std::size_t kReadBufferBytes = 128 * 1024;

    LoopCore() = default;
    void run();
    void stop() { inbox_->close(); }
    // Drops tasks and timers that have not run: they may hold who holds us. Nothing is taken any more.
    void end();

    bool post(nya::Task task) { return inbox_->post(std::move(task)); }
    const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }
    bool runs_here() const noexcept;
    const std::shared_ptr<nya::Clock>& clock() const noexcept { return clock_; }
    std::uint64_t call_at(nya::Clock::time_point when, nya::Task task);
    std::uint64_t call_after(nya::Clock::duration delay, nya::Task task) {
        return call_at(clock_->now() + delay, std::move(task));
    }
    void cancel(std::uint64_t timer) { timers_.cancel(timer); }
    void at_turns_end(AtTurnsEnd& what) {
        if (!what.is_listed()) what.list_before(dirty_);
    }

    Reactor& reactor() noexcept { return reactor_; }
    char* read_buffer() noexcept { return read_buffer_.get(); }  // kReadBufferBytes; valid until the next read

private:
    TimePoint on_turn() override;
    bool run_tasks();
    void flush();

    struct Anchor final : AtTurnsEnd {
        Anchor();
        ~Anchor() override;
    };

    const std::shared_ptr<nya::Clock> clock_ = nya::Clock::system();
    const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
    const std::unique_ptr<char[]> read_buffer_ = std::make_unique_for_overwrite<char[]>(kReadBufferBytes);
    Anchor dirty_;
    Timers timers_;
    std::vector<nya::Task> running_;
    bool has_ended_ = false;
    Reactor reactor_{static_cast<ReactorOwner&>(*this), inbox_->waker()};
};

}  // namespace nyamesh::net
