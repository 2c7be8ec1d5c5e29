// TransportKind: the wires a node can be opened on.
#pragma once

#include <nyamesh/send_error.h>

#include <cstdint>
#include <expected>
#include <string_view>

namespace nyamesh {

enum class TransportKind : std::uint8_t { InProcess, WebSocket, WebRTC };

// "inprocess", "websocket", "webrtc": as scripts spell them.
std::string_view to_string(TransportKind kind) noexcept;
// The reverse, or SerializationError(invalid_name) that lists the known ones.
std::expected<TransportKind, SendError> parse_transport_kind(std::string_view name);

}  // namespace nyamesh
