// InProcessTransport: the transport of a node that has no wire.
//
// What can be reached in this process, the bus reaches; so whatever comes here has nowhere to go, and
// gets the answer that helps: NodeNotFound, with the name that was probably meant.
#pragma once

#include <nyamesh/message_bus.h>
#include <nyamesh/transport.h>

#include <memory>
#include <string>

namespace nyamesh {

class InProcessTransport final : public Transport {
public:
    InProcessTransport(std::string node_id, std::shared_ptr<MessageBus> bus);

    std::string_view node_id() const noexcept override { return node_id_; }
    TransportKind kind() const noexcept override { return TransportKind::InProcess; }
    std::expected<void, SendError> send(std::string_view to, const IntentBox& intent, const SendOpts& opts) override;
    void request(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done) override;
    void on_receive(ReceiveCallback callback) override;
    bool is_reachable(std::string_view node) const override;
    void close() override {}

private:
    const std::string node_id_;
    const std::shared_ptr<MessageBus> bus_;
};

}  // namespace nyamesh
