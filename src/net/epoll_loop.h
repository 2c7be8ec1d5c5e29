// EpollLoop: the real Loop, over epoll. One thread runs it.
//
// It reads into one buffer per loop and sends out of one per connection (see docs/design/hub.md for what that wins).
// Timers are as precise as epoll_wait: they run up to a millisecond late, never early.
//
// Boost.Asio would do as well, with one epoll_ctl more per message.
#pragma once

#include "net/loop.h"

#include <memory>

namespace nyamesh::net {

class LoopCore;

class EpollLoop final : public Loop {
public:
    EpollLoop();
    ~EpollLoop() override;  // after run() has returned

    // Works until stop(), on the calling thread, which becomes the loop's. What was posted before stop() still runs;
    // timers that are left are dropped, on this thread, so what they hold does not keep the loop alive.
    void run();
    void stop();  // any thread

    bool post(nya::Task task) override;
    bool runs_here() const noexcept override;
    const std::shared_ptr<nya::Clock>& clock() const noexcept override;
    TimerId call_at(nya::Clock::time_point when, nya::Task task) override;
    void cancel(TimerId timer) override;
    std::unique_ptr<Stream> connect(const Target& target, std::shared_ptr<const TlsContext> tls,
                                    StreamEvents& events) override;
    std::expected<std::unique_ptr<Listener>, std::string> listen(const Address& where,
                                                                 std::shared_ptr<const TlsContext> tls,
                                                                 AcceptCallback on_accept) override;

private:
    const std::shared_ptr<LoopCore> impl_;
};

// A thread that runs a loop for as long as this lives: what a process with networked nodes has one of.
class LoopThread {
public:
    explicit LoopThread(std::string name);
    ~LoopThread();  // stops and joins; destroyed on its own thread it detaches
    const std::shared_ptr<EpollLoop>& loop() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nyamesh::net
