// Queues are bounded: full is an error at send, never a silent drop.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

// bob runs on an executor that only run() works off, and has room for four; senders are elsewhere.
struct SmallQueue {
    std::shared_ptr<nya::ManualExecutor> loop = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<nya::ManualClock> clock = std::make_shared<nya::ManualClock>();
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.clock = clock;
        return options;
    }());
    LocalNode alice = open_node(*bus, "alice");
    LocalNode bob = [this] {
        MessageBus::NodeOptions options;
        options.executor = loop;
        options.queue_limit = 4;
        return open_node(*bus, "bob", options);
    }();
    Log log;

    SmallQueue() {
        listen(bob, "ping", [this](const IntentBox& i, std::string_view) { log.add(std::string(i.payload_text())); });
    }
    std::string send(int number, SendOpts opts = {}) {
        std::string result;
        std::jthread([&] { result = outcome(alice.send("bob", IntentBox("ping", number), opts)); }).join();
        return result;
    }
};

}  // namespace

TEST_CASE_FIXTURE(SmallQueue, "a full queue refuses the message, and says whose queue and what to do") {
    for (int i = 0; i < 4; ++i) CHECK(send(i) == "accepted");
    std::jthread([&] {
        const auto sent = alice.send("bob", IntentBox("ping", 4));
        REQUIRE_FALSE(sent.has_value());
        CHECK(sent.error().kind == SendError::Kind::BusError);
        CHECK(sent.error().reason == SendError::Reason::Backpressure);
        CHECK(sent.error().message.contains("\"bob\""));
        CHECK_FALSE(sent.error().hint.empty());
        CHECK(sent.error().retryable);
    }).join();
    CHECK(bus->statistics().queued == 4);
    CHECK(bus->statistics().dropped.backpressure == 1);
}

TEST_CASE_FIXTURE(SmallQueue, "what was accepted is handled, what was refused is not, and then there is room again") {
    for (int i = 0; i < 6; ++i) CHECK(send(i) == (i < 4 ? "accepted" : "backpressure"));
    loop->run_ready();
    CHECK(log.text() == "0, 1, 2, 3");
    CHECK(send(6) == "accepted");
    loop->run_ready();
    CHECK(log.text() == "0, 1, 2, 3, 6");
}

TEST_CASE_FIXTURE(SmallQueue, "an arrival from a wire is refused by a full queue like any other") {
    for (int i = 0; i < 4; ++i) CHECK(send(i) == "accepted");
    CHECK(outcome(bus->dispatch_to_local("bob", {"far-away", "bob", ping()})) == "backpressure");
    CHECK(bus->statistics().dropped.backpressure == 1);
}

TEST_CASE_FIXTURE(SmallQueue, "a sender that waits for Handled is refused by a full queue like any other") {
    const SendOpts no_time = until_handled(std::chrono::milliseconds(0));
    for (int i = 0; i < 4; ++i) CHECK(send(i, no_time) == "may_have_run");
    for (int i = 4; i < 8; ++i) CHECK(send(i, no_time) == "backpressure");
    CHECK(bus->statistics().queued == 4);
    CHECK(loop->pending() == 1);  // at most one drain is posted, whoever sends
    loop->run_ready();
    CHECK(log.text() == "0, 1, 2, 3");
}

TEST_CASE_FIXTURE(SmallQueue, "a node that fills its own queue inside a handler is told, too") {
    auto carol = [&] {
        MessageBus::NodeOptions options;
        options.queue_limit = 3;
        return open_node(*bus, "carol", options);
    }();
    std::string results;
    int handled = 0;
    listen(carol, "start", [&](const IntentBox&, std::string_view) {
        for (int i = 0; i < 5; ++i) results += outcome(carol.send("carol", ping())) + " ";
    });
    listen(carol, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
    REQUIRE(alice.send("carol", IntentBox("start", 1)));
    CHECK(results == "accepted accepted accepted backpressure backpressure ");
    CHECK(handled == 3);
}

TEST_CASE("a node without a limit of its own has the bus's, and no limit is below one") {
    MessageBus::Options options;
    options.queue_limit = 2;
    const auto bus = make_bus(std::move(options));
    MessageBus::NodeOptions roomy;
    roomy.queue_limit = 3;
    auto small = open_node(*bus, "small");
    auto large = open_node(*bus, "large", roomy);
    const auto room_in = [](LocalNode& node) {
        int accepted = 0;
        listen(node, "start", [&](const IntentBox&, std::string_view) {
            while (node.send(node.id(), ping())) ++accepted;
        });
        REQUIRE(node.send(node.id(), IntentBox("start", 1)));
        return accepted;
    };
    CHECK(room_in(small) == 2);
    CHECK(room_in(large) == 3);

    MessageBus::Options none;
    none.queue_limit = 0;
    const auto strict = make_bus(std::move(none));
    auto node = open_node(*strict, "node");
    CHECK(room_in(node) == 1);
}

TEST_CASE("under saturation every message is either handled or refused to its sender") {
    MessageBus::Options options;
    options.queue_limit = 8;
    const auto bus = make_bus(std::move(options));
    const auto thread = std::make_shared<nya::ThreadExecutor>();
    auto bob = open_on(*bus, "bob", thread);
    std::atomic<int> handled{0};
    listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
    std::atomic<int> accepted{0};
    std::vector<std::jthread> senders;
    for (int s = 0; s < 2; ++s) {
        senders.emplace_back([&, s] {
            auto node = open_node(*bus, "sender-" + std::to_string(s));
            for (int i = 0; i < 20'000; ++i) accepted += node.send("bob", ping()) ? 1 : 0;
            CHECK(outcome(node.send("bob", ping(), until_handled())) != "may_have_run");
        });
    }
    senders.clear();
    bob.close();
    const auto s = bus->statistics();
    CHECK(accepted + 2 >= handled);
    CHECK(static_cast<int>(s.delivered) == handled);
    CHECK(adds_up(s));
}
