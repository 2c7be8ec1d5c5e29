// What is wanted and what the kernel has been told may differ in one direction: the kernel may tell of what nobody
// waits for just now, because the same is mostly waited for again within the turn. Only when it really does tell of
// it is it told to stop.
#include "net/reactor.h"

#include "base/assert.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

namespace nyamesh::net {

namespace {

constexpr std::uint64_t kWakeMark = ~std::uint64_t{0};

std::uint64_t mark_of(int descriptor, std::uint32_t uses) noexcept {
    return std::uint64_t{uses} << 32 | static_cast<std::uint32_t>(descriptor);
}

// Rounded up, so that nothing is looked at before its time.
int milliseconds_until(Reactor::TimePoint when) {
    if (when == Reactor::TimePoint::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

// Throws for the two things a loop cannot do without; whoever makes one says what that means.
int must(int descriptor, const char* what) {
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
    return descriptor;
}

}  // namespace

Waker::Waker() : descriptor_(must(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {}

Waker::~Waker() {
    ::close(descriptor_);
}

// Here the one flag is set and then the other one looked at; sleep() does it the other way round, so one of both sees
// it.
void Waker::wake() noexcept {
    if (is_woken_.exchange(true) || !sleeps_.load()) return;
    const std::uint64_t one = 1;
    static_cast<void>(::write(descriptor_, &one, sizeof one) == sizeof one);
}

Reactor::Reactor(ReactorOwner& owner, Waker& waker)
    : owner_(owner), waker_(waker), epoll_(must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    // Edge-triggered: each write wakes once, and nobody has to read it away.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = kWakeMark;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, waker.descriptor_, &event);
}

Reactor::~Reactor() {
    ::close(epoll_);
}

void Reactor::run() {
    TimePoint next = TimePoint::min();  // what was posted before is done before anything is waited for
    while (!is_stopped_) {
        const int count = sleep(next);
        for (int i = 0; i < count; ++i) {
            const epoll_event event = events_[static_cast<std::size_t>(i)];
            Watch* watch = watch_of(event.data.u64);
            if (watch == nullptr) continue;
            watch->ready(event.events);
            if (watch->take(EPOLLOUT)) watch->watcher_.on_writable();
            watch = watch_of(event.data.u64);  // it may be gone, even replaced
            if (watch != nullptr && watch->take(EPOLLIN)) watch->watcher_.on_readable();
        }
        next = owner_.on_turn();
    }
}

int Reactor::sleep(TimePoint until) {
    waker_.sleeps_.store(true);
    const bool is_woken = waker_.is_woken_.exchange(false);
    const int timeout = is_woken || until == TimePoint::min() ? 0 : milliseconds_until(until);
    const int count = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
    waker_.sleeps_.store(false);
    waker_.is_woken_.store(false);  // on_turn() comes after this, and sees what it was for
    return count;
}

// Nobody: the waker's mark, or of a descriptor that was closed earlier in this turn.
Reactor::Watch* Reactor::watch_of(std::uint64_t mark) const noexcept {
    if (mark == kWakeMark) return nullptr;
    const Place& place = places_[mark & 0xFFFF'FFFF];
    return place.uses == mark >> 32 ? place.watch : nullptr;
}

// ---- one descriptor -------------------------------------------------------------------------------------------------

Reactor::Watch::Watch(Reactor& reactor, int descriptor, Watcher& watcher)
    : reactor_(reactor), watcher_(watcher), descriptor_(descriptor) {
    const auto number = static_cast<std::size_t>(descriptor);
    if (number >= reactor.places_.size()) reactor.places_.resize(std::max(number + 1, 2 * reactor.places_.size()));
    Place& place = reactor.places_[number];
    place.watch = this;
    ++place.uses;
}

Reactor::Watch::~Watch() {
    reactor_.places_[static_cast<std::size_t>(descriptor_)].watch = nullptr;
    ::close(descriptor_);  // and leaves the epoll by that
}

void Reactor::Watch::wait_readable() {
    want(EPOLLIN);
}

void Reactor::Watch::wait_writable() {
    want(EPOLLOUT);
}

void Reactor::Watch::want(std::uint32_t events) {
    wanted_ |= events;
    if ((watched_ & events) != events) tell_kernel(watched_ | events);
}

// Of what nobody waits for, hanging up is still told, again and again; so then the descriptor leaves.
void Reactor::Watch::tell_kernel(std::uint32_t events) {
    const auto number = static_cast<std::size_t>(descriptor_);
    epoll_event event{};
    event.events = events;
    event.data.u64 = mark_of(descriptor_, reactor_.places_[number].uses);
    const int what = events == 0 ? EPOLL_CTL_DEL : watched_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    const int result = ::epoll_ctl(reactor_.epoll_, what, descriptor_, &event);
    NYA_ASSERT(result == 0 || errno == ENOMEM || errno == ENOSPC);
    watched_ = events;
}

// Notes what the kernel has told, and has it told no more where nobody waits for it. Writability is seldom waited for
// again soon, so of that nothing more is told at once.
void Reactor::Watch::ready(std::uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) events |= EPOLLIN | EPOLLOUT;
    ready_ = events & wanted_;
    const std::uint32_t still = watched_ & ~(events & ~wanted_) & ~(ready_ & EPOLLOUT);
    if (still != watched_) tell_kernel(still);
}

// Whether a wait for it has ended.
bool Reactor::Watch::take(std::uint32_t event) noexcept {
    if ((ready_ & event) == 0) return false;
    ready_ &= ~event;
    wanted_ &= ~event;
    return true;
}

}  // namespace nyamesh::net
