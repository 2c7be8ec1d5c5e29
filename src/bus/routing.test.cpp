// How an intent finds its node: names, references to resolved nodes, and what happens where there is none.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

TEST_CASE("a message to an idle node has been handled when send returns") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    std::string got;
    listen(bob, "chat.message", [&](const IntentBox& intent, std::string_view from) {
        got = std::string(from) + ": " + intent.payload()["text"].as_string();
    });

    REQUIRE(alice.send("bob", IntentBox("chat.message", {{"text", "Hello P2P!"}})));
    CHECK(got == "alice: Hello P2P!");
}

TEST_CASE("the handlers of an idle node run on the sender's thread") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    std::thread::id ran_on;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ran_on = std::this_thread::get_id(); });

    REQUIRE(alice.send("bob", ping()));
    CHECK(ran_on == std::this_thread::get_id());

    std::thread::id sender;
    std::jthread([&] {
        sender = std::this_thread::get_id();
        CHECK(alice.send("bob", ping()));
    }).join();
    CHECK(ran_on == sender);
}

TEST_CASE("a handler may take the whole envelope") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    std::vector<IntentEnvelope> got;
    listen(bob, "ping", [&](const IntentEnvelope& envelope) { got.push_back(envelope); });

    REQUIRE(alice.send("bob", ping()));
    REQUIRE(alice.send("bob", ping()));
    REQUIRE(got.size() == 2);
    CHECK(got[0].from == "alice");
    CHECK(got[0].to == "bob");
    CHECK(got[0].intent.name() == "ping");
    CHECK(got[0].hops == 0);
    CHECK(got[0].id != 0);
    CHECK(got[0].id != got[1].id);
}

TEST_CASE("handlers hear the intents of their name only") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    Log log;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    listen(bob, "pong", [&](const IntentBox&, std::string_view) { log.add("pong"); });

    REQUIRE(alice.send("bob", ping()));
    REQUIRE(alice.send("bob", IntentBox("pin", 1)));
    REQUIRE(alice.send("bob", IntentBox("ping ", 1)));
    CHECK(log.text() == "ping");
}

TEST_CASE("the payload is not copied on its way: the handler sees the sender's own value") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    const IntentBox sent("data", {{"list", nya::Json::array({1, 2, 3})}});
    const nya::Json* seen = nullptr;
    listen(bob, "data", [&](const IntentBox& intent, std::string_view) { seen = &intent.payload(); });

    REQUIRE(alice.send("bob", sent));
    CHECK(seen == &sent.payload());
}

TEST_CASE("a node may send to itself") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    std::string from_whom;
    listen(alice, "ping", [&](const IntentBox&, std::string_view from) { from_whom = from; });
    REQUIRE(alice.send("alice", ping()));
    CHECK(from_whom == "alice");
}

TEST_CASE("handlers may be move-only") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    auto number = std::make_unique<int>(0);
    int* const seen = number.get();
    listen(bob, "ping", [number = std::move(number)](const IntentBox&, std::string_view) { ++*number; });
    REQUIRE(alice.send("bob", ping()));
    CHECK(*seen == 1);
}

// ---- Where there is no such node

TEST_CASE("sending to an unknown node reports NodeNotFound") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    const auto sent = alice.send("bob", ping());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().kind == SendError::Kind::NodeNotFound);
    CHECK(sent.error().reason == SendError::Reason::Unknown);
    CHECK(sent.error().message == "no node \"bob\" in this process");
    CHECK_FALSE(sent.error().hint.empty());
    CHECK(sent.error().retryable);
}

TEST_CASE("a mistyped name is answered with the one that was probably meant") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto robert = open_node(*bus, "robert");
    auto roberta = open_node(*bus, "roberta");

    const auto hint = [&](std::string_view to) { return alice.send(to, ping()).error().hint; };
    CHECK(hint("rboert") == "Did you mean \"robert\"?");
    CHECK(hint("robertaa") == "Did you mean \"roberta\"?");
    CHECK(hint("alcie") == "Did you mean \"alice\"?");
    CHECK(hint("zzz") == "Open a node of that name first, or check the spelling");
}

TEST_CASE("has_node, nodes and resolve know the open nodes and no others") {
    const auto bus = make_bus();
    auto bob = open_node(*bus, "bob");
    auto alice = open_node(*bus, "alice");
    CHECK(bus->has_node("alice"));
    CHECK_FALSE(bus->has_node("alic"));
    CHECK(bus->nodes() == std::vector<std::string>{"alice", "bob"});
    CHECK(bus->nodes(1).size() == 1);
    CHECK(bus->nodes(0).empty());
    CHECK(bus->resolve("bob").has_value());
    CHECK(bus->resolve("bib").error().hint == "Did you mean \"bob\"?");

    bob.close();
    CHECK_FALSE(bus->has_node("bob"));
    CHECK(bus->nodes() == std::vector<std::string>{"alice"});
    CHECK(bus->resolve("bob").error().reason == SendError::Reason::Unknown);
}

TEST_CASE("invalid names are refused at the edge") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    const std::string too_long(256, 'x');
    for (const std::string_view name :
         {std::string_view(""), std::string_view("a\nb"), std::string_view("\xff"), std::string_view(too_long)}) {
        CAPTURE(name);
        CHECK(bus->register_node(name).error().reason == SendError::Reason::InvalidName);
        CHECK(alice.on(name, make_handler([](const IntentEnvelope&) {})).error().reason ==
              SendError::Reason::InvalidName);
        CHECK(alice.on_once(name, make_handler([](const IntentEnvelope&) {})).error().reason ==
              SendError::Reason::InvalidName);
        CHECK(alice.off(name).error().reason == SendError::Reason::InvalidName);
        CHECK(outcome(alice.send(name, ping())) == "invalid_name");
        CHECK_FALSE(bus->has_node(name));
    }
}

TEST_CASE("names as long as allowed find their node") {
    const auto bus = make_bus();
    const std::string longest(255, 'n');
    auto alice = open_node(*bus, longest);
    auto bob = open_node(*bus, longest.substr(1));
    int got = 0;
    std::string from_whom;
    listen(bob, longest, [&](const IntentBox&, std::string_view from) {
        ++got;
        from_whom = from;
    });
    REQUIRE(alice.send(longest.substr(1), IntentBox(longest, 1)));
    REQUIRE(alice.send(longest.substr(1), IntentBox(longest, 1)));
    CHECK(got == 2);
    CHECK(from_whom == longest);
}

// ---- One name, one owner

TEST_CASE("a duplicate node id is refused, and the error names the owner") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    MessageBus::NodeOptions web;
    web.kind = TransportKind::WebSocket;
    auto bob = open_node(*bus, "bob", web);
    int got = 0;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++got; });

    const auto second = bus->register_node("bob");
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().kind == SendError::Kind::BusError);
    CHECK(second.error().reason == SendError::Reason::DuplicateId);
    CHECK(second.error().message.contains("\"bob\""));
    CHECK(second.error().message.contains("websocket"));
    CHECK(second.error().message.contains("instance"));
    CHECK_FALSE(second.error().hint.empty());

    REQUIRE(alice.send("bob", ping()));  // never stolen
    CHECK(got == 1);
}

TEST_CASE("each registration is an instance of its own, drawn from the injected randomness") {
    const auto clash = [](std::uint64_t seed) {
        MessageBus::Options options;
        options.random = nya::Random::seeded(seed);
        const auto bus = make_bus(std::move(options));
        auto alice = open_node(*bus, "alice");
        return bus->register_node("alice").error().message;
    };
    CHECK(clash(1) == clash(1));
    CHECK(clash(1) != clash(2));
}

TEST_CASE("the same name on two buses is two nodes, for a thread that sends on both") {
    const auto one = make_bus();
    const auto two = make_bus();
    auto sender_one = open_node(*one, "alice");
    auto sender_two = open_node(*two, "alice");
    auto bob_one = open_node(*one, "bob");
    auto bob_two = open_node(*two, "bob");
    Log log;
    listen(bob_one, "ping", [&](const IntentBox&, std::string_view) { log.add("one"); });
    listen(bob_two, "ping", [&](const IntentBox&, std::string_view) { log.add("two"); });
    for (int i = 0; i < 2; ++i) {
        REQUIRE(sender_one.send("bob", ping()));
        REQUIRE(sender_two.send("bob", ping()));
    }
    CHECK(log.text() == "one, two, one, two");
}

TEST_CASE("a name that is opened again is the new node, also for those who sent to the old one") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    Log log;
    for (const std::string round : {"first", "second", "third"}) {
        auto bob = open_node(*bus, "bob");
        listen(bob, "ping", [&](const IntentBox&, std::string_view) { log.add(round); });
        REQUIRE(alice.send("bob", ping()));
        REQUIRE(alice.send("bob", ping()));
    }
    CHECK(outcome(alice.send("bob", ping())) == "unknown");
    CHECK(log.text() == "first, first, second, second, third, third");
}

TEST_CASE("a closed name leads nowhere, whoever has taken its place in memory") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    std::string got;
    {
        auto bob = open_node(*bus, "bob");
        listen(bob, "ping", [&](const IntentBox&, std::string_view) { got += "bob "; });
        REQUIRE(alice.send("bob", ping()));
    }
    auto carol = open_node(*bus, "carol");
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { got += "carol "; });
    CHECK(outcome(alice.send("bob", ping())) == "unknown");
    CHECK(got == "bob ");
}

TEST_CASE("thousands of nodes each get what is theirs") {
    const auto bus = make_bus();
    auto sender = open_node(*bus, "sender");
    constexpr std::size_t kNodes = 3'000;
    std::vector<LocalNode> nodes;
    std::vector<int> got(kNodes, 0);
    for (std::size_t i = 0; i < kNodes; ++i) {
        nodes.push_back(open_node(*bus, "node-" + std::to_string(i)));
        listen(nodes.back(), "ping", [&count = got[i]](const IntentBox&, std::string_view) { ++count; });
    }
    for (int round = 1; round <= 2; ++round) {
        for (std::size_t i = 0; i < kNodes; ++i) REQUIRE(sender.send("node-" + std::to_string(i), ping()));
        CHECK(std::ranges::count(got, round) == kNodes);
    }
}

// ---- Resolved nodes

TEST_CASE("a resolved node can be sent to without its name") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    int got = 0;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++got; });
    const NodeRef ref = bus->resolve("bob").value();
    CHECK(ref == bob.ref());
    REQUIRE(alice.send(ref, ping()));
    CHECK(got == 1);
}

TEST_CASE("a resolved node that has closed is gone, also if another node took its name") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    NodeRef ref;
    {
        auto bob = open_node(*bus, "bob");
        ref = bob.ref();
        bob.close();
        CHECK(outcome(alice.send(ref, ping())) == "gone");
    }
    auto bob = open_node(*bus, "bob");
    int got = 0;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++got; });
    const auto sent = alice.send(ref, ping());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().kind == SendError::Kind::NodeNotFound);
    CHECK(sent.error().reason == SendError::Reason::Gone);
    CHECK(got == 0);
    CHECK(ref != bob.ref());
    REQUIRE(alice.send("bob", ping()));
    CHECK(got == 1);
}

TEST_CASE("a reference to nothing, or to a node of another bus, is an error") {
    const auto bus = make_bus();
    const auto other = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*other, "bob");
    CHECK(outcome(alice.send(NodeRef(), ping())) == "unknown");
    CHECK(outcome(alice.send(bob.ref(), ping())) == "unknown");
}

// ---- Routing for others

TEST_CASE("route delivers an envelope made elsewhere as it is") {
    const auto bus = make_bus();
    auto bob = open_node(*bus, "bob");
    std::vector<IntentEnvelope> got;
    listen(bob, "ping", [&](const IntentEnvelope& envelope) { got.push_back(envelope); });
    REQUIRE(bus->route({"far-away", "bob", ping(), 77, 2}));
    REQUIRE(got.size() == 1);
    CHECK(got[0].from == "far-away");
    CHECK(got[0].id == 77);
    CHECK(got[0].hops == 2);
}

TEST_CASE("route to an unknown node is NodeNotFound") {
    const auto bus = make_bus();
    CHECK(outcome(bus->route({"far-away", "bob", ping()})) == "unknown");
}

TEST_CASE("send_if_known leaves unknown nodes to the caller") {
    const auto bus = make_bus();
    auto alice = open_node(*bus, "alice");
    auto bob = open_node(*bus, "bob");
    CHECK(alice.send_if_known("bob", ping()).has_value());
    CHECK_FALSE(alice.send_if_known("carol", ping()).has_value());
    CHECK(bus->statistics().dropped.unknown_node == 0);
}

TEST_CASE("the global bus is one bus") {
    CHECK(MessageBus::global() == MessageBus::global());
}
