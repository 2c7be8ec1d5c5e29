// Nodes of two processes (two buses with connections of their own) talk by name through a hub, on real sockets.
#include "meeting.h"

#include "transport/websocket/websocket_transport.h"

#include <atomic>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(Meeting, "a node is reached by its name, in another process, both ways") {
    const auto here = MessageBus::create();
    const auto there = MessageBus::create();
    auto alice = open(here, "alice");
    auto bob = open(there, "bob");
    std::promise<std::string> heard;
    std::promise<std::string> answered;
    CHECK(bob.on("chat.message", [&](const IntentBox& intent, std::string_view from) {
        heard.set_value(std::string(from) + ": " + intent.payload()["text"].as_string());
        CHECK(bob.send(from, IntentBox("chat.reply", nya::Json{{"text", "hello"}})));
    }));
    CHECK(alice.on("chat.reply", [&](const IntentBox& intent, std::string_view from) {
        answered.set_value(std::string(from) + ": " + intent.payload()["text"].as_string());
    }));
    wait_for(bob);
    CHECK(alice.send("bob", IntentBox("chat.message", nya::Json{{"text", "hi"}})));
    CHECK(heard.get_future().get() == "alice: hi");
    CHECK(answered.get_future().get() == "bob: hello");
}

TEST_CASE_FIXTURE(Meeting, "a request is answered over the wire; nobody of that name is told at once") {
    const auto here = MessageBus::create();
    const auto there = MessageBus::create();
    auto alice = open(here, "alice");
    auto bob = open(there, "bob");
    CHECK(bob.on("add", [](const IntentBox& intent, std::string_view) {
        return nya::Json(intent.payload()["a"].as_integer() + intent.payload()["b"].as_integer());
    }));
    wait_for(bob);
    const auto sum = alice.request("bob", IntentBox("add", nya::Json{{"a", 1}, {"b", 2}}));
    REQUIRE(sum.has_value());
    CHECK(*sum == nya::Json(3));
    const auto none = alice.request("bob", IntentBox("subtract", nya::Json()));
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().reason == SendError::Reason::NoHandler);
    CHECK(alice.send("bob", IntentBox("add", nya::Json{{"a", 1}, {"b", 2}}), {Wait::Handled}));
    const auto unheard = alice.send("bob", IntentBox("unheard", 1), {Wait::Handled});
    REQUIRE_FALSE(unheard.has_value());
    CHECK(unheard.error().reason == SendError::Reason::NoHandler);
    CHECK(alice.send("bob", IntentBox("unheard", 1), {Wait::Delivered}));
}

TEST_CASE_FIXTURE(Meeting, "what was sent while the cable was out arrives, once and in order") {
    const auto here = MessageBus::create();
    const auto there = MessageBus::create();
    auto alice = open(here, "alice");
    auto bob = open(there, "bob");
    std::vector<std::int64_t> heard;
    std::promise<void> all;
    constexpr int kMessages = 300;
    CHECK(bob.on("n", [&](const IntentBox& intent, std::string_view) {
        heard.push_back(intent.payload().as_integer());
        if (heard.size() == kMessages) all.set_value();
    }));
    wait_for(bob);
    for (int i = 0; i < kMessages; ++i) {
        if (i == 100) dynamic_cast<WebSocketTransport&>(alice.transport()).cut();
        if (i == 200) dynamic_cast<WebSocketTransport&>(bob.transport()).cut();
        CHECK(alice.send("bob", IntentBox("n", i)));
    }
    all.get_future().wait();
    for (int i = 0; i < kMessages; ++i) CHECK(heard[static_cast<std::size_t>(i)] == i);
}

TEST_CASE_FIXTURE(Meeting, "a name has one owner: another key is refused, and says whose fault it is") {
    const auto here = MessageBus::create();
    const auto there = MessageBus::create();
    auto alice = open(here, "alice");
    wait_for(alice);
    auto thief = P2PBox::open("alice", TransportKind::WebSocket, options(there, "another key")).value();
    Once<std::string> told;
    CHECK(thief.on_state([&](const StateChange& change) {
        if (change.state != ConnectionState::Connected) told.set(change.problem);
    }));
    CHECK(told.get().contains("alice"));
    const auto sent = thief.send("bob", IntentBox("n", 1));
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().reason == SendError::Reason::NameTaken);
}

TEST_CASE("without a hub a first contact says so, with the address") {
    P2PBoxOptions options;
    options.bus = MessageBus::create();
    options.url = "ws://127.0.0.1:1";
    options.key = "secret";
    auto alice = P2PBox::open("alice", TransportKind::WebSocket, options).value();
    const auto sent = alice.send("bob", IntentBox("n", 1));
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().reason == SendError::Reason::Offline);
    CHECK(sent.error().message.contains("ws://127.0.0.1:1"));
}

TEST_CASE("an address that is none is refused when the node is opened") {
    P2PBoxOptions options;
    options.bus = MessageBus::create();
    options.url = "http://localhost";
    const auto box = P2PBox::open("alice", TransportKind::WebSocket, options);
    REQUIRE_FALSE(box.has_value());
    CHECK(box.error().message.contains("http://localhost"));
    CHECK_FALSE(options.bus->has_node("alice"));
}

TEST_CASE_FIXTURE(Meeting, "close waits until what was sent has been received") {
    const auto here = MessageBus::create();
    const auto there = MessageBus::create();
    auto bob = open(there, "bob");
    std::atomic<int> heard = 0;
    Once<bool> all;
    CHECK(bob.on("n", [&](const IntentBox&, std::string_view) {
        if (++heard == 1000) all.set(true);
    }));
    wait_for(bob);
    {
        auto alice = open(here, "alice");
        for (int i = 0; i < 1000; ++i) CHECK(alice.send("bob", IntentBox("n", i)));
    }
    CHECK(all.get());
    // The name is free again at once, for anybody.
    auto alice = P2PBox::open("alice", TransportKind::WebSocket, options(here, "another key")).value();
    wait_for(alice);
}

TEST_CASE_FIXTURE(Meeting, "a peer that has closed: what it has not handled is told") {
    const auto here = MessageBus::create();
    const auto there = MessageBus::create();
    auto alice = open(here, "alice");
    auto bob = std::make_unique<P2PBox>(open(there, "bob"));
    wait_for(*bob);
    CHECK(alice.send("bob", IntentBox("n", 1), {Wait::Delivered}));
    bob = nullptr;
    const auto sent = alice.send("bob", IntentBox("n", 2), {Wait::Handled, 5s});
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().kind == SendError::Kind::NodeNotFound);
}
