// Reactor: says when a file descriptor is ready, when it is time, and when another thread wants something.
//
// The one place that knows epoll. Level-triggered, and what is watched stays so between two waits: a connection that is
// read again and again costs not one epoll_ctl per message. (Asio asks the kernel anew for every wait that does not
// read by itself: as many calls to epoll_ctl as to recv.)
//
//   turn: sleep until something is ready → its watchers → owner.on_turn()
#pragma once

#include <sys/epoll.h>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

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
    using TimePoint = std::chrono::steady_clock::time_point;
    // At the end of each turn. Returns when the next one must come if nothing is ready; the largest time: never.
    virtual TimePoint on_turn() = 0;

protected:
    ~ReactorOwner() = default;
};

// Another turn, at once. Its own object, because who wakes a reactor may live longer than it. Any thread.
class Waker {
public:
    Waker();  // throws std::system_error if the process has no descriptor left
    ~Waker();
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

    // However often it is called before the turn, the kernel is asked at most once, and only if the reactor sleeps.
    void wake() noexcept;

private:
    friend class Reactor;
    const int descriptor_;  // an eventfd
    std::atomic<bool> is_woken_{false};
    std::atomic<bool> sleeps_{false};
};

class Reactor {
public:
    using TimePoint = ReactorOwner::TimePoint;

    Reactor(ReactorOwner& owner, Waker& waker);  // throws as Waker does
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    void run();                                   // until stop(), on the calling thread
    void stop() noexcept { is_stopped_ = true; }  // in a callback
    // Watches and owns a descriptor, which is closed with it. Each wait ends with one call.
    class Watch {
    public:
        Watch(Reactor& reactor, int descriptor, Watcher& watcher);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;

        int descriptor() const noexcept { return descriptor_; }
        void wait_readable();  // nothing happens if it is waited for already
        void wait_writable();

    private:
        friend class Reactor;
        void want(std::uint32_t events);
        void tell_kernel(std::uint32_t events);
        void ready(std::uint32_t events);
        bool take(std::uint32_t event) noexcept;

        Reactor& reactor_;
        Watcher& watcher_;
        const int descriptor_;
        std::uint32_t wanted_ = 0;   // of EPOLLIN and EPOLLOUT
        std::uint32_t ready_ = 0;    // of this turn's look
        std::uint32_t watched_ = 0;  // what the kernel has been told; 0: the descriptor is not in the epoll
    };

private:
    // Who watches a descriptor. The count tells a closed descriptor's last events from those of the next one with
    // its number, which may be accepted before they are looked at.
    struct Place {
        Watch* watch = nullptr;
        std::uint32_t uses = 0;
    };
    static constexpr std::size_t kMostEvents = 512;  // per look
    int sleep(TimePoint until);
    Watch* watch_of(std::uint64_t mark) const noexcept;

    ReactorOwner& owner_;
    Waker& waker_;
    const int epoll_;
    bool is_stopped_ = false;
    std::vector<Place> places_;  // by descriptor
    std::array<epoll_event, kMostEvents> events_;
};

}  // namespace nyamesh::net
