// BusStatistics: what the bus has done, and that it adds up.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

TEST_CASE("a fresh bus has done nothing") {
    const auto s = make_bus()->statistics();
    CHECK(s.routed == 0);
    CHECK(s.delivered == 0);
    CHECK(s.handler_errors == 0);
    CHECK(s.nodes == 0);
    CHECK(s.queued == 0);
    CHECK(s.queues.empty());
}

TEST_CASE("every envelope is counted once, by how it ended") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    listen(bob, "ping", [](const IntentBox&, std::string_view) {});
    listen(bob, "ping", [](const IntentBox&, std::string_view) { throw std::runtime_error("no"); });

    CHECK(alice.send("bob", ping()));
    CHECK(alice.send(bob.ref(), ping()));
    CHECK(alice.send("bob", IntentBox("nobody listens", 1)));
    CHECK_FALSE(alice.send("carol", ping()));
    bus->trace_drop({"far-away", "carol", ping()});

    const auto s = bus->statistics();
    CHECK(s.routed == 3);
    CHECK(s.delivered == 2);
    CHECK(s.handler_errors == 2);
    CHECK(s.dropped.no_handler == 1);
    CHECK(s.dropped.unknown_node == 1);
    CHECK(s.dropped.no_route == 1);
    CHECK(s.dropped.closed == 0);
    CHECK(s.dropped.backpressure == 0);
    CHECK(s.nodes == 2);
    CHECK(adds_up(s));
}

TEST_CASE("what closed nodes have done stays counted") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    for (int i = 0; i < 3; ++i) {
        auto bob = open_node(*bus, "bob");
        listen(bob, "ping", [](const IntentBox&, std::string_view) {});
        CHECK(alice.send("bob", ping()));
        CHECK(alice.send("bob", ping()));
    }
    CHECK(bus->statistics().delivered == 6);
    CHECK(bus->statistics().nodes == 1);
}

TEST_CASE("refused messages do not count as routed") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    CHECK_FALSE(alice.send("nobody", ping()));
    CHECK_FALSE(alice.send("", ping()));
    alice.close();
    CHECK_FALSE(alice.send("nobody", ping()));
    const auto s = bus->statistics();
    CHECK(s.routed == 0);
    CHECK(s.dropped.unknown_node == 1);  // an invalid name or a closed sender is a mistake, not a drop
}

TEST_CASE("queues are listed deepest first") {
    const auto bus = make_bus();
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto alice = open_node(*bus, "alice");
    auto one = open_on(*bus, "one", loop);
    auto three = open_on(*bus, "three", loop);
    auto also_one = open_on(*bus, "also one", loop);
    auto none = open_on(*bus, "none", loop);
    std::jthread([&] {
        for (const std::string_view to : {"one", "three", "three", "also one", "three"}) CHECK(alice.send(to, ping()));
    }).join();

    const auto s = bus->statistics();
    CHECK(s.queued == 5);
    REQUIRE(s.queues.size() == 3);
    CHECK(s.queues[0].node == "three");
    CHECK(s.queues[0].depth == 3);
    CHECK(s.queues[1].node == "also one");
    CHECK(s.queues[2].node == "one");
    CHECK(adds_up(s));

    loop->run_ready();
    CHECK(bus->statistics().queues.empty());
    CHECK(bus->statistics().dropped.no_handler == 5);
}

TEST_CASE("a hundred queues are listed, all of them counted") {
    const auto bus = make_bus();
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto alice = open_node(*bus, "alice");
    std::vector<LocalNode> nodes;
    for (int i = 0; i < 150; ++i) nodes.push_back(open_on(*bus, std::to_string(i), loop));
    std::jthread([&] {
        for (int i = 0; i < 150; ++i) CHECK(alice.send(std::to_string(i), ping()));
    }).join();
    const auto s = bus->statistics();
    CHECK(s.queues.size() == 100);
    CHECK(s.queued == 150);
}

TEST_CASE("a half-worked queue is counted by what is left") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    std::vector<std::size_t> left;
    listen(alice, "start", [&](const IntentBox&, std::string_view) {
        for (int i = 0; i < 3; ++i) CHECK(alice.send("alice", ping()));
    });
    auto small = [&] {
        MessageBus::NodeOptions options;
        options.queue_limit = 16;  // small enough for the count to be exact
        return open_node(*bus, "small", options);
    }();
    listen(small, "start", [&](const IntentBox&, std::string_view) {
        for (int i = 0; i < 3; ++i) CHECK(small.send("small", ping()));
    });
    listen(small, "ping", [&](const IntentBox&, std::string_view) { left.push_back(bus->statistics().queued); });
    REQUIRE(alice.send("small", IntentBox("start", 1)));
    CHECK(left == std::vector<std::size_t>{2, 1, 0});
}
