// SocketListener: accepts connections, up to 64 at a look, and waits a little when the process is out of descriptors.
#pragma once

#include "net/loop.h"
#include "net/loop_core.h"

namespace nyamesh::net {

class SocketListener final : public Listener, Watcher {
public:
    static constexpr int kMostPerLook = 64;
    static constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);

    static std::expected<std::unique_ptr<Listener>, std::string> listen(std::shared_ptr<LoopCore> core,
                                                                        const Address& where,
                                                                        std::shared_ptr<const TlsContext> tls,
                                                                        Loop::AcceptCallback on_accept);
    SocketListener(std::shared_ptr<LoopCore> core, int descriptor, std::uint16_t port,
                   std::shared_ptr<const TlsContext> tls, Loop::AcceptCallback on_accept);
    ~SocketListener() override;

    std::uint16_t port() const noexcept override { return port_; }
    void replace_tls(std::shared_ptr<const TlsContext> context) override { tls_ = std::move(context); }
    std::uint64_t times_out_of_descriptors() const noexcept override { return times_short_; }
    void pause() override { is_paused_ = true; }
    void resume() override {
        if (std::exchange(is_paused_, false)) watch_.wait_readable();
    }

private:
    void on_readable() override;
    void on_writable() override {}

    const std::shared_ptr<LoopCore> core_;
    const std::uint16_t port_;
    std::shared_ptr<const TlsContext> tls_;
    const std::shared_ptr<Loop::AcceptCallback> on_accept_;  // may destroy the listener while it runs
    bool* gone_ = nullptr;
    std::uint64_t timer_ = 0;
    std::uint64_t times_short_ = 0;
    bool is_paused_ = false;
    Reactor::Watch watch_;
};

}  // namespace nyamesh::net
