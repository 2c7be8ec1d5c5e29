// Executor: where work runs. A GUI loop, the Nyash event loop or a plain thread can be one.
//
// A node bound to an executor has its handlers run there and nowhere else. Executors are injected
// into whatever needs them, so tests and the simulator decide when and where work happens.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace nya {

using Task = std::move_only_function<void()>;

class Executor {
public:
    virtual ~Executor() = default;

    // Runs `task` later, in the order posted, never inside post() itself. Any thread.
    // Returns false, and destroys the task unrun, once the executor no longer accepts work.
    // A task must not throw; what it throws ends the program.
    virtual bool post(Task task) = 0;

    // True when the calling thread is the one this executor runs its tasks on, so that work may be
    // done right here instead of being posted. Any thread. Called on hot paths: keep it cheap.
    virtual bool runs_here() const noexcept = 0;
};

// Runs its tasks on one thread of its own, started at the first post().
// The destructor runs what was posted before it, then joins; called by one of its own tasks it does
// not wait: the thread finishes its queue and ends.
class ThreadExecutor final : public Executor {
public:
    explicit ThreadExecutor(std::string name = "nya-executor");
    ~ThreadExecutor() override;
    ThreadExecutor(const ThreadExecutor&) = delete;
    ThreadExecutor& operator=(const ThreadExecutor&) = delete;

    bool post(Task task) override;
    bool runs_here() const noexcept override;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// Runs its tasks when, and on the thread where, its owner says so: an event loop's core, and the
// executor of choice for tests.
class ManualExecutor final : public Executor {
public:
    ManualExecutor();
    ~ManualExecutor() override;
    ManualExecutor(const ManualExecutor&) = delete;
    ManualExecutor& operator=(const ManualExecutor&) = delete;

    bool post(Task task) override;
    // True on the thread that made this executor or that last called bind_to_this_thread().
    bool runs_here() const noexcept override;

    void bind_to_this_thread() noexcept;
    // Runs the tasks that are queued now and those they post, until none is left. Returns how many
    // ran. Only on the bound thread.
    std::size_t run_ready();
    // Blocks until a task is there, then behaves as run_ready(). Only on the bound thread.
    std::size_t run_next();
    std::size_t pending() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nya
