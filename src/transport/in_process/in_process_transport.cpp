#include "transport/in_process/in_process_transport.h"

#include <utility>

namespace nyamesh {

InProcessTransport::InProcessTransport(std::string node_id, std::shared_ptr<MessageBus> bus)
    : node_id_(std::move(node_id)), bus_(std::move(bus)) {}

std::expected<void, SendError> InProcessTransport::send(std::string_view to, const IntentBox&, const SendOpts&) {
    return std::unexpected(bus_->node_not_found(to));
}

void InProcessTransport::request(std::string_view to, const IntentBox&, const SendOpts&, AnswerCallback done) {
    done(std::unexpected(bus_->node_not_found(to)));
}

void InProcessTransport::on_receive(ReceiveCallback) {}  // without a wire nothing arrives

bool InProcessTransport::is_reachable(std::string_view node) const {
    return bus_->has_node(node);
}

}  // namespace nyamesh
