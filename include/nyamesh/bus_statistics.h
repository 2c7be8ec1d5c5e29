// BusStatistics: what a bus has done so far. A consistent picture once the bus is at rest:
//
//     routed == delivered + dropped.no_handler + dropped.closed + queued
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nyamesh {

struct BusStatistics {
    struct Dropped {
        std::uint64_t no_handler = 0;    // the node had no handler for that intent
        std::uint64_t closed = 0;        // the node was closed with the envelope in its queue
        std::uint64_t backpressure = 0;  // refused: the node's queue was full (the sender was told)
        std::uint64_t unknown_node = 0;  // refused: no such node (the sender was told)
        std::uint64_t no_route = 0;      // came from a wire for a node that is not here (trace_drop)
    };
    struct Queue {
        std::string node;
        std::size_t depth = 0;
    };

    std::uint64_t routed = 0;          // envelopes taken for a node of this process
    std::uint64_t delivered = 0;       // of these, those some handler has seen
    std::uint64_t handler_errors = 0;  // handler calls that ended in an exception
    std::uint64_t late_replies = 0;    // answers that came when nobody waited for them any more
    Dropped dropped;
    std::size_t nodes = 0;      // open nodes
    std::size_t queued = 0;     // envelopes waiting, over all nodes
    std::vector<Queue> queues;  // the 100 nodes with the most waiting, deepest first
};

}  // namespace nyamesh
