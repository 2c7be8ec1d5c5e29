// The node that a command is for as long as it runs.
#pragma once

#include "commands.h"

#include <expected>
#include <string>

namespace tool {

// Opens the node, and waits for the hub (`timeout`).
std::expected<nyamesh::P2PBox, nyamesh::SendError> open_node(const NodeOptions& options, std::string_view purpose);
// The same in two steps, for a node with handlers: they have to be there before the hub knows its name.
std::expected<nyamesh::P2PBox, nyamesh::SendError> begin_node(const NodeOptions& options, std::string_view purpose);
std::expected<void, nyamesh::SendError> wait_until_connected(nyamesh::P2PBox& box, const NodeOptions& options);
// The intent a user has typed: `payload` is JSON, or a text if it is none; empty: {}.
std::expected<nyamesh::IntentBox, nyamesh::SendError> typed_intent(std::string_view name, std::string_view payload);

}  // namespace tool
