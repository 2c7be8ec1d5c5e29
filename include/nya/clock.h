// Clock: where time comes from. Injected everywhere, so that tests and the simulator own it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

namespace nya {

class Clock {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    virtual ~Clock() = default;

    // Monotonic time. Any thread.
    virtual time_point now() const noexcept = 0;

    // Waits on `changed` until `ready()` holds or this clock reaches `deadline`; returns ready().
    // `lock` is held while ready() runs and on return, as with std::condition_variable.
    virtual bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, time_point deadline,
                            const std::function<bool()>& ready) = 0;

    // The process's real clock, shared. Lives until the program ends.
    static const std::shared_ptr<Clock>& system();
};

// Stands still until told to move. Any thread.
class ManualClock final : public Clock {
public:
    time_point now() const noexcept override;
    bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, time_point deadline,
                    const std::function<bool()>& ready) override;

    // Moves time on and wakes every wait whose deadline has come.
    void advance(duration by);

    ManualClock();
    ~ManualClock() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nya
