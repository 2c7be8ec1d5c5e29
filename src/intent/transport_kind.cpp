#include <nyamesh/transport_kind.h>

#include "intent/quote.h"

namespace nyamesh {

std::string_view to_string(TransportKind kind) noexcept {
    switch (kind) {
        case TransportKind::InProcess:
            return "inprocess";
        case TransportKind::WebSocket:
            return "websocket";
        case TransportKind::WebRTC:
            return "webrtc";
    }
    return "?";
}

std::expected<TransportKind, SendError> parse_transport_kind(std::string_view name) {
    for (const auto kind : {TransportKind::InProcess, TransportKind::WebSocket, TransportKind::WebRTC}) {
        if (to_string(kind) == name) return kind;
    }
    return std::unexpected(SendError(SendError::Reason::InvalidName, "there is no transport " + quote(name),
                                     "Use \"inprocess\", \"websocket\" or \"webrtc\""));
}

}  // namespace nyamesh
