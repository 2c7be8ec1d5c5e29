#include "net/epoll_loop.h"

#include "net/loop_core.h"
#include "net/socket_listener.h"
#include "net/socket_stream.h"

#include <pthread.h>
#include <thread>

namespace nyamesh::net {

EpollLoop::EpollLoop() : impl_(std::make_shared<LoopCore>()) {}

EpollLoop::~EpollLoop() {
    impl_->end();
}

void EpollLoop::run() {
    const auto impl = impl_;  // what is dropped at the end may hold us
    impl->run();
}

void EpollLoop::stop() {
    impl_->stop();
}

bool EpollLoop::post(nya::Task task) {
    return impl_->post(std::move(task));
}

bool EpollLoop::runs_here() const noexcept {
    return impl_->runs_here();
}

const std::shared_ptr<nya::Clock>& EpollLoop::clock() const noexcept {
    return impl_->clock();
}

Loop::TimerId EpollLoop::call_at(nya::Clock::time_point when, nya::Task task) {
    return impl_->call_at(when, std::move(task));
}

void EpollLoop::cancel(TimerId timer) {
    impl_->cancel(timer);
}

std::unique_ptr<Stream> EpollLoop::connect(const Target& target, std::shared_ptr<const TlsContext> tls,
                                           StreamEvents& events) {
    auto stream = std::make_unique<SocketStream>(impl_);
    stream->connect(target, std::move(tls), events);
    return stream;
}

std::expected<std::unique_ptr<Listener>, std::string> EpollLoop::listen(const Address& where,
                                                                        std::shared_ptr<const TlsContext> tls,
                                                                        AcceptCallback on_accept) {
    return SocketListener::listen(impl_, where, std::move(tls), std::move(on_accept));
}

struct LoopThread::Impl {
    std::shared_ptr<EpollLoop> loop = std::make_shared<EpollLoop>();
    std::thread thread;
};

LoopThread::LoopThread(std::string name) : impl_(std::make_unique<Impl>()) {
    impl_->thread = std::thread([loop = impl_->loop, name = name.substr(0, 15)] {
        pthread_setname_np(pthread_self(), name.c_str());
        loop->run();
    });
}

LoopThread::~LoopThread() {
    impl_->loop->stop();
    if (impl_->thread.get_id() == std::this_thread::get_id()) {
        impl_->thread.detach();
    } else {
        impl_->thread.join();
    }
}

const std::shared_ptr<EpollLoop>& LoopThread::loop() const noexcept {
    return impl_->loop;
}

}  // namespace nyamesh::net
