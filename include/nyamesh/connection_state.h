// ConnectionState: where a networked node stands with its hub.
#pragma once

#include <cstdint>
#include <string_view>

namespace nyamesh {

enum class ConnectionState : std::uint8_t {
    Connecting,    // the first connection is being made
    Connected,     // the hub knows the node's name: messages flow. Always, for a node without a wire
    Reconnecting,  // it was lost, or could not be made; tried again with growing pauses. What is sent waits
    Failed,        // for good: the hub refused the node (name taken, unauthorized)
    Closed,        // by close()
};

// "connecting", as scripts see it.
std::string_view to_string(ConnectionState state) noexcept;

}  // namespace nyamesh
