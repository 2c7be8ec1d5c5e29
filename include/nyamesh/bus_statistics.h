// BusStatistics: what a bus has done so far. A consistent picture once the bus is at rest:
//
//     routed == delivered + dropped.no_handler + dropped.closed + queued
#pragma once

#include <nyamesh/transport_kind.h>

#include <cstddef>
#include <cstdint>
#include <functional>
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

    // What has gone over wires: all nodes together that go by the same one. Closed nodes stay counted.
    struct Wire {
        TransportKind kind = TransportKind::WebSocket;
        std::string address;           // of its hub, "ws://127.0.0.1:8080"
        std::size_t nodes = 0;         // that go by it now
        std::size_t connected = 0;     // of these, those that the hub knows now
        std::uint64_t connects = 0;    // times that a node came to be known there: once each, and after each break
        std::uint64_t breaks = 0;      // times that one that was connected lost its connection
        std::uint64_t sent = 0;        // messages put on the wire for the first time, answers included
        std::uint64_t sent_again = 0;  // and once more, because nobody had said that they had arrived
        std::uint64_t received = 0;    // messages that have arrived, each counted once
        std::uint64_t duplicates = 0;  // that were here already, and so were refused
        std::uint64_t refused = 0;     // others not taken: for an earlier life of the node, or out of turn or bounds
        std::uint64_t unconfirmed =
            0;                   // accepted, and nobody will ever know whether they were handled (on_unconfirmed)
        std::uint64_t gaps = 0;  // holes in what has arrived (on_gap)
        std::uint64_t backpressure = 0;    // sends refused because too much was on its way (the sender was told)
        std::uint64_t late_replies = 0;    // answers that came when nobody waited for them any more
        std::uint64_t bytes_sent = 0;      // of payloads; of those that were sent again, again
        std::uint64_t bytes_received = 0;  // of payloads
    };

    std::uint64_t routed = 0;          // envelopes taken for a node of this process
    std::uint64_t delivered = 0;       // of these, those some handler has seen
    std::uint64_t handler_errors = 0;  // handler calls that ended in an exception
    std::uint64_t late_replies = 0;    // answers that came when nobody waited for them any more
    Dropped dropped;
    std::size_t nodes = 0;      // open nodes
    std::size_t queued = 0;     // envelopes waiting, over all nodes
    std::vector<Queue> queues;  // the 100 nodes with the most waiting, deepest first
    std::vector<Wire> wires;    // by address, 100 at most; what is beyond is added up in a last one, address "others"
};

// Who tells of one node's wire: its share, `nodes` 1 or, once it has left, 0. Any thread; it locks at most its own.
using WireCounter = std::function<BusStatistics::Wire()>;

}  // namespace nyamesh
