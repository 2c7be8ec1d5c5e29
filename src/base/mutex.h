// Mutex and Lock: std::mutex with the annotations clang's thread-safety analysis checks.
//
// Members protected by one are declared `NYA_GUARDED_BY(mutex_)`; under `--preset clang` touching
// them without the lock does not compile. Never call out (handler, hook, executor, destructor of a
// user's object) while holding one.
#pragma once

#include <pthread.h>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define NYA_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define NYA_THREAD_ANNOTATION(x)
#endif
#define NYA_CAPABILITY(x) NYA_THREAD_ANNOTATION(capability(x))
#define NYA_SCOPED_CAPABILITY NYA_THREAD_ANNOTATION(scoped_lockable)
#define NYA_GUARDED_BY(x) NYA_THREAD_ANNOTATION(guarded_by(x))
#define NYA_REQUIRES(...) NYA_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define NYA_ACQUIRE(...) NYA_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define NYA_RELEASE(...) NYA_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define NYA_NO_THREAD_SAFETY_ANALYSIS NYA_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace nya {

class NYA_CAPABILITY("mutex") Mutex {
public:
    void lock() NYA_ACQUIRE() { mutex_.lock(); }
    void unlock() NYA_RELEASE() { mutex_.unlock(); }

private:
    friend class Lock;
    std::mutex mutex_;
};

// Holds a Mutex for a scope; can wait on a condition, and let go early.
class NYA_SCOPED_CAPABILITY Lock {
public:
    explicit Lock(Mutex& mutex) NYA_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
    ~Lock() NYA_RELEASE() {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    void unlock() NYA_RELEASE() { lock_.unlock(); }
    void lock() NYA_ACQUIRE() { lock_.lock(); }

    // As std::condition_variable::wait: call it in a loop that checks the condition.
    void wait(std::condition_variable& changed) { changed.wait(lock_); }

private:
    std::unique_lock<std::mutex> lock_;
};

// For locks that are held for nanoseconds and fought over: spins for a moment before it sleeps. It
// has no condition variable.
class NYA_CAPABILITY("mutex") SpinningMutex {
public:
    SpinningMutex() noexcept = default;
    SpinningMutex(const SpinningMutex&) = delete;
    SpinningMutex& operator=(const SpinningMutex&) = delete;

    void lock() NYA_ACQUIRE() { pthread_mutex_lock(&mutex_); }
    void unlock() NYA_RELEASE() { pthread_mutex_unlock(&mutex_); }

private:
#if defined(PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP)
    pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
#endif
};

class NYA_SCOPED_CAPABILITY SpinningLock {
public:
    explicit SpinningLock(SpinningMutex& mutex) NYA_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~SpinningLock() NYA_RELEASE() { mutex_.unlock(); }
    SpinningLock(const SpinningLock&) = delete;
    SpinningLock& operator=(const SpinningLock&) = delete;

private:
    SpinningMutex& mutex_;
};

}  // namespace nya
