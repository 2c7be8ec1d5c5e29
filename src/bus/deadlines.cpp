#include "bus/deadlines.h"

#include <pthread.h>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace nyamesh::bus {

// Shared with the thread, which may outlive the Deadlines it destroys.
struct Deadlines::Impl {
    explicit Impl(std::shared_ptr<nya::Clock> the_clock) : clock(std::move(the_clock)) {}

    const std::shared_ptr<nya::Clock> clock;
    std::mutex mutex;  // guards the following
    std::condition_variable changed;
    std::map<Key, std::weak_ptr<Expiring>> waiting;
    std::uint64_t last_number = 0;
    bool is_stopping = false;
    bool has_earlier = false;  // than the one the thread sleeps for
    std::thread thread;

    void run();
};

Deadlines::Deadlines(std::shared_ptr<nya::Clock> clock) : impl_(std::make_shared<Impl>(std::move(clock))) {}

Deadlines::~Deadlines() {
    std::thread thread;
    {
        const std::lock_guard guard(impl_->mutex);
        impl_->is_stopping = true;
        thread.swap(impl_->thread);
    }
    impl_->changed.notify_all();
    if (!thread.joinable()) return;
    if (thread.get_id() == std::this_thread::get_id()) {
        thread.detach();
    } else {
        thread.join();
    }
}

Deadlines::Key Deadlines::add(nya::Clock::time_point when, std::weak_ptr<Expiring> what) {
    const std::lock_guard guard(impl_->mutex);
    const Key key{when, ++impl_->last_number};
    const auto place = impl_->waiting.emplace(key, std::move(what)).first;
    if (place == impl_->waiting.begin()) {
        impl_->has_earlier = true;
        impl_->changed.notify_all();
    }
    if (!impl_->thread.joinable()) {
        impl_->thread = std::thread([impl = impl_] { impl->run(); });
        pthread_setname_np(impl_->thread.native_handle(), "nya-deadlines");
    }
    return key;
}

void Deadlines::take_back(const Key& key) {
    const std::lock_guard guard(impl_->mutex);
    impl_->waiting.erase(key);
}

void Deadlines::Impl::run() {
    std::unique_lock lock(mutex);
    while (!is_stopping) {
        const auto next = waiting.empty() ? nya::Clock::time_point::max() : waiting.begin()->first.first;
        has_earlier = false;
        clock->wait_until(lock, changed, next, [this] { return is_stopping || has_earlier; });
        if (is_stopping) return;
        while (!waiting.empty() && waiting.begin()->first.first <= clock->now()) {
            const auto what = std::move(waiting.begin()->second);
            waiting.erase(waiting.begin());
            lock.unlock();
            if (const auto alive = what.lock()) alive->expire();
            lock.lock();
        }
    }
}

}  // namespace nyamesh::bus
