#include "transport/in_process/in_process_transport.h"

#include "support/bus_kit.h"

#include <doctest/doctest.h>

using namespace nyamesh;
using namespace nyamesh::testing;

TEST_CASE("without a wire there is nowhere to send to: NodeNotFound, with the name that was probably meant") {
    const auto bus = make_bus();
    auto robert = open_node(*bus, "robert");
    InProcessTransport transport("alice", bus);
    const auto sent = transport.send("rboert", ping(), {});
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().reason == SendError::Reason::Unknown);
    CHECK(sent.error().hint == "Did you mean \"robert\"?");
}

TEST_CASE("what the bus knows is reachable, nothing else") {
    const auto bus = make_bus();
    InProcessTransport transport("alice", bus);
    CHECK_FALSE(transport.is_reachable("bob"));
    auto bob = open_node(*bus, "bob");
    CHECK(transport.is_reachable("bob"));
}

TEST_CASE("it knows whose transport it is, and closing it changes nothing") {
    InProcessTransport transport("alice", make_bus());
    CHECK(transport.node_id() == "alice");
    CHECK(transport.kind() == TransportKind::InProcess);
    transport.close();
    transport.close();
    CHECK(transport.node_id() == "alice");
}
