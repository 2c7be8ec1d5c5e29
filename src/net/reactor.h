// Reactor: says when a file descriptor is ready, when it is time, and when another thread wants something.
//
// The one place that knows Boost.Asio; an io_context of one thread. Asio tells readiness only: reading and sending
// is done by whoever watches. Waiting costs no allocation in the long run, since Asio reuses a wait's memory for
// the next one.
#pragma once

#include <chrono>
#include <memory>

namespace nyamesh::net {

class Watcher {
public:
    // Readable, or ended, or broken: reading tells which. Both may destroy the Watch.
    virtual void on_readable() = 0;
    virtual void on_writable() = 0;

protected:
    ~Watcher() = default;
};

// What a Reactor works for.
class ReactorOwner {
public:
    virtual void on_turn() = 0;   // after call_soon()
    virtual void on_alarm() = 0;  // set_alarm()'s time has come

protected:
    ~ReactorOwner() = default;
};

class Reactor {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    explicit Reactor(ReactorOwner& owner);
    ~Reactor();

    void run();  // until stop()
    void stop();
    // Calls owner.on_turn() once, behind everything that is ready now. Any thread.
    void call_soon();
    // Replaces the one before.
    void set_alarm(TimePoint when);

    // Watches and owns a descriptor, which is closed with it. Each wait ends with one call.
    class Watch {
    public:
        Watch(Reactor& reactor, int descriptor, Watcher& watcher);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;

        int descriptor() const noexcept;
        void wait_readable();  // nothing happens if it is waited for already
        void wait_writable();

    private:
        struct State;
        std::shared_ptr<State> state_;
    };

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nyamesh::net
