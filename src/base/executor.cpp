// ThreadExecutor and ManualExecutor.
//
// Both are a queue under a mutex. A runner takes the whole queue at once and runs it unlocked, so a
// post costs one short lock, and wakes the thread only when it sleeps. A ThreadExecutor's thread looks
// around for about two microseconds before it goes to sleep: being woken costs everybody ten times that.
#include <nya/executor.h>

#include "base/mutex.h"
#include "base/pause.h"

#include <pthread.h>
#include <atomic>
#include <thread>
#include <vector>

namespace nya {

// The state outlives the executor object when the object is destroyed by one of its own tasks.
struct ThreadExecutor::Impl {
    explicit Impl(std::string thread_name) : name(std::move(thread_name)) {}

    const std::string name;
    Mutex mutex;
    std::condition_variable wake;
    std::vector<Task> queue NYA_GUARDED_BY(mutex);
    bool is_stopping NYA_GUARDED_BY(mutex) = false;
    bool is_asleep NYA_GUARDED_BY(mutex) = false;
    std::atomic<bool> has_news{false};  // something was posted since the thread last looked
    std::thread thread NYA_GUARDED_BY(mutex);

    void run();
};

namespace {

// Which executor the calling thread works for.
constinit thread_local const void* t_runs_for = nullptr;

void wait_briefly(const std::atomic<bool>& news) noexcept {
    static const bool is_alone = std::thread::hardware_concurrency() < 2;
    for (int i = 0; i < 128 && !is_alone && !news.load(std::memory_order_relaxed); ++i) pause();
}

}  // namespace

void ThreadExecutor::Impl::run() {
    t_runs_for = this;
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    std::vector<Task> batch;
    for (;;) {
        wait_briefly(has_news);
        {
            Lock lock(mutex);
            has_news.store(false, std::memory_order_relaxed);
            while (queue.empty() && !is_stopping) {
                is_asleep = true;
                lock.wait(wake);
                is_asleep = false;
            }
            if (queue.empty()) return;
            batch.swap(queue);
        }
        for (Task& task : batch) {
            task();
            task = nullptr;  // what it captured goes before the next one runs
        }
        batch.clear();
    }
}

ThreadExecutor::ThreadExecutor(std::string name) : impl_(std::make_shared<Impl>(std::move(name))) {}

ThreadExecutor::~ThreadExecutor() {
    std::thread thread;
    {
        Lock lock(impl_->mutex);
        impl_->is_stopping = true;
        thread = std::move(impl_->thread);
    }
    impl_->wake.notify_one();
    if (!thread.joinable()) return;
    if (runs_here()) {
        thread.detach();  // it finishes its queue and ends; run() keeps the state alive
    } else {
        thread.join();
    }
}

bool ThreadExecutor::post(Task task) {
    bool must_wake = false;
    {
        Lock lock(impl_->mutex);
        if (impl_->is_stopping) return false;
        impl_->queue.push_back(std::move(task));
        impl_->has_news.store(true, std::memory_order_relaxed);
        if (!impl_->thread.joinable()) {
            impl_->thread = std::thread([state = impl_] { state->run(); });
        }
        must_wake = impl_->is_asleep;
    }
    if (must_wake) impl_->wake.notify_one();
    return true;
}

bool ThreadExecutor::runs_here() const noexcept {
    return t_runs_for == impl_.get();
}

struct ManualExecutor::Impl {
    mutable Mutex mutex;
    std::condition_variable wake;
    std::vector<Task> queue NYA_GUARDED_BY(mutex);
    std::atomic<std::thread::id> bound{std::this_thread::get_id()};
};

ManualExecutor::ManualExecutor() : impl_(std::make_unique<Impl>()) {}

ManualExecutor::~ManualExecutor() = default;

bool ManualExecutor::post(Task task) {
    {
        Lock lock(impl_->mutex);
        impl_->queue.push_back(std::move(task));
    }
    impl_->wake.notify_one();
    return true;
}

bool ManualExecutor::runs_here() const noexcept {
    return impl_->bound.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

void ManualExecutor::bind_to_this_thread() noexcept {
    impl_->bound = std::this_thread::get_id();
}

std::size_t ManualExecutor::run_ready() {
    std::size_t ran = 0;
    for (;;) {
        std::vector<Task> batch;
        {
            Lock lock(impl_->mutex);
            batch.swap(impl_->queue);
        }
        if (batch.empty()) return ran;
        for (Task& task : batch) {
            task();
            task = nullptr;
            ++ran;
        }
    }
}

std::size_t ManualExecutor::run_next() {
    {
        Lock lock(impl_->mutex);
        while (impl_->queue.empty()) lock.wait(impl_->wake);
    }
    return run_ready();
}

std::size_t ManualExecutor::pending() const {
    Lock lock(impl_->mutex);
    return impl_->queue.size();
}

}  // namespace nya
