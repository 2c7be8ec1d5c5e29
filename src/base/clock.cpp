#include <nya/clock.h>

#include <atomic>
#include <list>

namespace nya {

namespace {

class SystemClock final : public Clock {
public:
    time_point now() const noexcept override { return std::chrono::steady_clock::now(); }

    bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, time_point deadline,
                    const std::function<bool()>& ready) override {
        return changed.wait_until(lock, deadline, ready);
    }
};

}  // namespace

const std::shared_ptr<Clock>& Clock::system() {
    static const std::shared_ptr<Clock> clock = std::make_shared<SystemClock>();
    return clock;
}

// A waiter registers what to notify; advance() moves time and notifies them all. advance() takes each
// waiter's mutex (after its own) before it notifies, so that no waiter can miss the news between its
// check and its wait; so a waiter lets go of its mutex while it registers.
struct ManualClock::Impl {
    struct Waiter {
        std::mutex* mutex;
        std::condition_variable* changed;
    };
    std::atomic<time_point> now{time_point{}};
    std::mutex mutex;
    std::list<Waiter> waiters;
};

ManualClock::ManualClock() : impl_(std::make_unique<Impl>()) {}

ManualClock::~ManualClock() = default;

Clock::time_point ManualClock::now() const noexcept {
    return impl_->now;
}

bool ManualClock::wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, time_point deadline,
                             const std::function<bool()>& ready) {
    lock.unlock();
    std::list<Impl::Waiter>::iterator self;
    {
        const std::lock_guard guard(impl_->mutex);
        self = impl_->waiters.insert(impl_->waiters.end(), {lock.mutex(), &changed});
    }
    lock.lock();
    changed.wait(lock, [&] { return ready() || now() >= deadline; });
    lock.unlock();
    {
        const std::lock_guard guard(impl_->mutex);
        impl_->waiters.erase(self);
    }
    lock.lock();
    return ready();
}

void ManualClock::advance(duration by) {
    const std::lock_guard guard(impl_->mutex);
    impl_->now = now() + by;
    for (const Impl::Waiter& waiter : impl_->waiters) {
        {
            const std::lock_guard wait_for_its_check(*waiter.mutex);
        }
        waiter.changed->notify_all();
    }
}

}  // namespace nya
