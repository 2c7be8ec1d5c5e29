// AsioLoop: the real Loop, over Boost.Asio's reactor. One thread runs it.
//
// Asio only tells readiness; we read and send ourselves, into one buffer per loop and out of one per connection (see
// docs/design/hub.md for what that wins).
#pragma once

#include "net/loop.h"

#include <memory>

namespace nyamesh::net {

class AsioLoop final : public Loop {
public:
    AsioLoop();
    ~AsioLoop() override;  // after run() has returned

    // Works until stop(), on the calling thread, which becomes the loop's. Runs what was posted before it.
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
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// A thread that runs a loop for as long as this lives: what a process with networked nodes has one of.
class LoopThread {
public:
    explicit LoopThread(std::string name);
    ~LoopThread();  // stops and joins; destroyed on its own thread it detaches
    const std::shared_ptr<AsioLoop>& loop() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nyamesh::net
