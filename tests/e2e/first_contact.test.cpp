// Nodes of two processes (two buses with connections of their own) talk by name through a hub, on real sockets.
#include <nyamesh/hub.h>
#include <nyamesh/p2p_box.h>

#include "transport/websocket/websocket_transport.h"

#include <doctest/doctest.h>

#include <future>
#include <mutex>
#include <string>
#include <vector>

using namespace nyamesh;
using namespace std::chrono_literals;

namespace {

struct Meeting {
    std::unique_ptr<Hub> hub = Hub::start({.listen = {"127.0.0.1:0"}}).value();

    P2PBoxOptions options(const std::shared_ptr<MessageBus>& bus, std::string key = "secret") const {
        P2PBoxOptions made;
        made.bus = bus;
        made.url = hub->url();
        made.key = std::move(key);
        return made;
    }
    P2PBox open(const std::shared_ptr<MessageBus>& bus, std::string_view id) const {
        return P2PBox::open(id, TransportKind::WebSocket, options(bus)).value();
    }
};

void wait_connected(P2PBox& box) {
    std::promise<void> connected;
    std::once_flag once;
    auto news = box.on_state([&](const StateChange& change) {
        if (change.state == ConnectionState::Connected) std::call_once(once, [&] { connected.set_value(); });
    });
    REQUIRE(news.has_value());
    if (box.state() == ConnectionState::Connected) std::call_once(once, [&] { connected.set_value(); });
    connected.get_future().wait();
    news->off();
}

}  // namespace

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
    wait_connected(bob);
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
    wait_connected(bob);
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
    wait_connected(bob);
    for (int i = 0; i < kMessages; ++i) {
        if (i == 100) dynamic_cast<WebSocketTransport&>(alice.transport()).cut();
        if (i == 200) dynamic_cast<WebSocketTransport&>(bob.transport()).cut();
        CHECK(alice.send("bob", IntentBox("n", i)));
    }
    all.get_future().wait();
    for (int i = 0; i < kMessages; ++i) CHECK(heard[static_cast<std::size_t>(i)] == i);
}
