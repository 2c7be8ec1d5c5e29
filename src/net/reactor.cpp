#include "net/reactor.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace nyamesh::net {

using boost::asio::posix::stream_descriptor;
using ErrorCode = boost::system::error_code;

struct Reactor::Impl {
    explicit Impl(ReactorOwner& the_owner) : owner(the_owner) {}

    ReactorOwner& owner;
    boost::asio::io_context context{1};  // one thread runs it: what it posts to itself takes no lock
    boost::asio::steady_timer alarm{context};
};

Reactor::Reactor(ReactorOwner& owner) : impl_(std::make_unique<Impl>(owner)) {}

Reactor::~Reactor() = default;

void Reactor::run() {
    const auto stays = boost::asio::make_work_guard(impl_->context);
    impl_->context.run();
}

void Reactor::stop() {
    impl_->context.stop();
}

// Asio puts it behind the handlers of all that the last look at the descriptors found.
void Reactor::call_soon() {
    boost::asio::post(impl_->context, [impl = impl_.get()] { impl->owner.on_turn(); });
}

void Reactor::set_alarm(TimePoint when) {
    impl_->alarm.expires_at(when);
    impl_->alarm.async_wait([impl = impl_.get()](const ErrorCode& error) {
        if (!error) impl->owner.on_alarm();
    });
}

// Outlives its Watch until the waits under way have been called off.
struct Reactor::Watch::State {
    State(boost::asio::io_context& context, int descriptor, Watcher& the_watcher)
        : stream(context, descriptor), watcher(&the_watcher) {}

    stream_descriptor stream;
    Watcher* watcher;
    bool waits_readable = false;
    bool waits_writable = false;
};

Reactor::Watch::Watch(Reactor& reactor, int descriptor, Watcher& watcher)
    : state_(std::make_shared<State>(reactor.impl_->context, descriptor, watcher)) {}

Reactor::Watch::~Watch() {
    state_->watcher = nullptr;
    ErrorCode ignored;
    state_->stream.close(ignored);
}

int Reactor::Watch::descriptor() const noexcept {
    return state_->stream.native_handle();
}

void Reactor::Watch::wait_readable() {
    if (std::exchange(state_->waits_readable, true)) return;
    state_->stream.async_wait(stream_descriptor::wait_read, [state = state_](const ErrorCode&) {
        state->waits_readable = false;
        if (state->watcher != nullptr) state->watcher->on_readable();
    });
}

void Reactor::Watch::wait_writable() {
    if (std::exchange(state_->waits_writable, true)) return;
    state_->stream.async_wait(stream_descriptor::wait_write, [state = state_](const ErrorCode&) {
        state->waits_writable = false;
        if (state->watcher != nullptr) state->watcher->on_writable();
    });
}

}  // namespace nyamesh::net
