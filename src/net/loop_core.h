// LoopCore: what the streams and listeners of one AsioLoop share. It lives as long as the last of them.
//
// A turn: Asio calls whoever's descriptor is ready; the first of them that wants something sent asks for on_turn(),
// which comes behind all others that were ready at the same look. There tasks and timers run, and at last every dirty
// stream sends once.
#pragma once

#include <nya/clock.h>
#include <nya/executor.h>

#include "base/mutex.h"
#include "net/reactor.h"
#include "net/timers.h"

#include <atomic>
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

class LoopCore : ReactorOwner {
public:
    static constexpr std::size_t kReadBufferBytes = 128 * 1024;

    LoopCore();
    virtual ~LoopCore();
    void run();
    void stop();
    void drop_all();  // tasks and timers, unrun

    bool post(nya::Task task);
    bool runs_here() const noexcept;
    const std::shared_ptr<nya::Clock>& clock() const noexcept { return clock_; }
    std::uint64_t call_at(nya::Clock::time_point when, nya::Task task);
    std::uint64_t call_after(nya::Clock::duration delay, nya::Task task) {
        return call_at(clock_->now() + delay, std::move(task));
    }
    void cancel(std::uint64_t timer) { timers_.cancel(timer); }
    void at_turns_end(AtTurnsEnd& what);

    Reactor& reactor() noexcept { return reactor_; }
    char* read_buffer() noexcept { return read_buffer_.get(); }  // kReadBufferBytes; valid until the next read

private:
    void on_turn() override;
    void on_alarm() override;
    void want_turn();
    void set_alarm();
    bool run_tasks();
    void flush();

    struct Anchor final : AtTurnsEnd {
        Anchor();
        ~Anchor() override;
    };

    const std::shared_ptr<nya::Clock> clock_ = nya::Clock::system();
    const std::unique_ptr<char[]> read_buffer_ = std::make_unique_for_overwrite<char[]>(kReadBufferBytes);
    Anchor dirty_;
    Timers timers_;
    nya::Clock::time_point alarm_ = nya::Clock::time_point::max();
    std::vector<nya::Task> running_;
    bool is_turning_ = false;  // in on_turn(), which flushes at its end

    std::atomic<bool> has_turn_{false};  // on_turn() is on its way
    nya::Mutex mutex_;
    std::vector<nya::Task> tasks_ NYA_GUARDED_BY(mutex_);
    bool is_stopping_ NYA_GUARDED_BY(mutex_) = false;

    Reactor reactor_;  // goes first: what it still holds may refer to the rest
};

}  // namespace nyamesh::net
