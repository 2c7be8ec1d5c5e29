// IntentEnvelope: an IntentBox on its way, with what is known about the way.
#pragma once

#include <nyamesh/intent_box.h>

#include <cstdint>
#include <string>

namespace nyamesh {

struct IntentEnvelope {
    std::string from;
    std::string to;
    IntentBox intent;
    // Unique in this process; names the envelope in traces. 0: not yet given.
    std::uint64_t id = 0;
    // How many times it has been handed on: 0 from node to node in one process, plus one per wire.
    std::uint8_t hops = 0;
    // The room it was sent to; empty: straight to the node.
    std::string room = {};
};

}  // namespace nyamesh
