// Statistics and traces of wires: what an operator sees of breaks, repairs and losses. A hub, two processes and the
// network between them, all in virtual time.
#include <nyamesh/nyamesh.h>

#include "support/bus_kit.h"
#include "support/hub_kit.h"
#include "transport/websocket/links.h"
#include "transport/websocket/websocket_transport.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* kUrl = "ws://10.0.0.1:8080";

// A process: a bus, a loop, and what its trace has said of the wire.
struct Process {
    Process(SimWorld& world, const std::string& name)
        : loop(world.loop(name)), links(std::make_shared<websocket::Links>(loop, world.random())) {
        MessageBus::Options options;
        options.delivery = delivery;
        options.clock = world.clock();
        bus = make_bus(std::move(options));
        bus->set_trace([this](const TraceEvent& event) {
            std::string line = std::string(event.from) + ">" + std::string(event.to) + " " +
                               std::string(event.intent.name()) + " " + std::string(to_string(event.step));
            if (event.reason) line += "(" + std::string(to_string(*event.reason)) + ")";
            if (!event.detail.empty()) line += ": " + std::string(event.detail);
            traced.push_back(std::move(line));
        });
    }
    P2PBox open(std::string_view id) {
        WebSocketOptions options;
        options.url = kUrl;
        options.key = "secret";
        auto transport = WebSocketTransport::open(id, links, delivery, options, bus);
        REQUIRE(transport.has_value());
        return P2PBox::open(*std::move(transport), {.bus = bus}).value();
    }
    BusStatistics::Wire wire() const {
        const auto wires = bus->statistics().wires;
        REQUIRE(wires.size() == 1);
        CHECK(wires[0].address == kUrl);
        CHECK(wires[0].kind == TransportKind::WebSocket);
        return wires[0];
    }
    std::size_t traces(std::string_view beginning) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(traced, [&](const std::string& line) { return line.starts_with(beginning); }));
    }

    std::shared_ptr<SimLoop> loop;
    std::shared_ptr<websocket::Links> links;
    std::shared_ptr<nya::ManualExecutor> delivery = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<MessageBus> bus;
    std::vector<std::string> traced;
};

struct Two : HubWorld {
    // Runs the world until that is so.
    void until(const std::function<bool()>& is_so) {
        const bool came = world.run_until(
            [&] {
                here.delivery->run_ready();
                there.delivery->run_ready();
                return is_so();
            },
            60s);
        REQUIRE(came);
    }
    // As in a handler: who closes there does not wait, and the world goes on.
    void in_a_handler(const std::function<void()>& what) const {
        auto node = P2PBox::open("a node", TransportKind::InProcess, {.bus = scratch}).value();
        REQUIRE(node.on("go", [&](const IntentBox&, std::string_view) { what(); }));
        REQUIRE(node.send("a node", IntentBox("go", 1)));
    }
    void meet() {
        alice = here.open("alice");
        bob = there.open("bob");
        REQUIRE(bob->on("n", [this](const IntentBox& intent, std::string_view) {
            heard.push_back(intent.payload().as_integer());
        }));
        until([&] { return bob->state() == ConnectionState::Connected; });
        say(0);
        until([&] { return heard.size() == 1; });
        world.run_for(1s);  // all is acknowledged
    }
    void say(int number) {
        alice->send_async("bob", IntentBox("n", number), {}, [](const auto&) {});
    }
    ~Two() {
        in_a_handler([&] {
            alice.reset();
            bob.reset();
        });
        world.run_for(10s);
    }

    std::shared_ptr<MessageBus> scratch = make_bus();
    Process here{world, "here"};
    Process there{world, "there"};
    std::optional<P2PBox> alice;
    std::optional<P2PBox> bob;
    std::vector<std::int64_t> heard;
};

}  // namespace

TEST_CASE_FIXTURE(Two, "without nodes on a wire there is nothing to tell") {
    auto local = P2PBox::open("local", TransportKind::InProcess, {.bus = here.bus}).value();
    CHECK(here.bus->statistics().wires.empty());
}

TEST_CASE_FIXTURE(Two, "the wire of a bus: its nodes, what they have sent and received, and how much") {
    meet();
    auto carol = std::make_optional(here.open("carol"));
    until([&] { return carol->state() == ConnectionState::Connected; });
    for (int i = 1; i < 10; ++i) say(i);
    until([&] { return heard.size() == 10; });
    carol->send_async("bob", IntentBox("n", 10), {}, [](const auto&) {});
    until([&] { return heard.size() == 11; });
    world.run_for(1s);

    const auto mine = here.wire();
    CHECK(mine.nodes == 2);
    CHECK(mine.connected == 2);
    CHECK(mine.connects == 2);
    CHECK(mine.breaks == 0);
    CHECK(mine.sent == 11);
    CHECK(mine.sent_again == 0);
    CHECK(mine.bytes_sent == 12);  // "0" to "10"
    CHECK(mine.received == 0);
    const auto theirs = there.wire();
    CHECK(theirs.nodes == 1);
    CHECK(theirs.received == 11);
    CHECK(theirs.bytes_received == 12);
    CHECK(theirs.duplicates == 0);
    CHECK(theirs.sent == 0);

    // Closed nodes stay counted.
    in_a_handler([&] { carol.reset(); });
    until([&] { return here.wire().nodes == 1; });
    CHECK(here.wire().connected == 1);
    CHECK(here.wire().sent == 11);
    CHECK(here.wire().connects == 2);
    CHECK(here.traces("carol>ws://10.0.0.1:8080 nyamesh.state disconnected(closed)") == 1);
}

TEST_CASE_FIXTURE(Two, "a break: the trace tells of it, of the way back, and of every message that is sent again") {
    meet();
    CHECK(here.traces("alice>ws://10.0.0.1:8080 nyamesh.state connected") == 1);
    const auto before = here.wire();
    for (int i = 1; i <= 20; ++i) say(i);
    until([&] { return here.wire().sent == before.sent + 20; });  // on the wire, and nothing of it has come back
    world.cut(world.connections().front());                       // hers; what is under way is lost
    until([&] { return heard.size() == 21; });
    for (int i = 0; i <= 20; ++i) CHECK(heard[static_cast<std::size_t>(i)] == i);
    world.run_for(1s);

    const auto after = here.wire();
    CHECK(after.breaks == 1);
    CHECK(after.connects == 2);
    CHECK(after.sent == before.sent + 20);
    CHECK(after.sent_again > 0);
    CHECK(after.bytes_sent > before.bytes_sent + 20);
    CHECK(after.unconfirmed == 0);
    CHECK(here.traces("alice>bob n sent_again: message 2 of session 1") > 0);
    CHECK(here.traces("alice>bob n sent_again") == after.sent_again);
    CHECK(here.traces("alice>ws://10.0.0.1:8080 nyamesh.state disconnected(offline)") == 1);
    CHECK(here.traces("alice>ws://10.0.0.1:8080 nyamesh.state connected") == 2);
    CHECK(there.wire().breaks == 0);
    CHECK(there.wire().received == 21);
}

TEST_CASE_FIXTURE(Two, "a process that is gone for good: what it had not confirmed is counted and traced, one by one") {
    meet();
    world.swallow(world.connections().back());  // bob's: nothing gets through any more
    for (int i = 1; i <= 5; ++i) say(i);
    until([&] { return here.wire().sent == 6; });
    Process again(world, "again");
    auto reborn = std::make_optional(again.open("bob"));  // with his key
    until([&] { return here.wire().unconfirmed > 0; });
    CHECK(here.wire().unconfirmed == 5);
    until([&] { return here.traces("alice>bob n unconfirmed(unconfirmed): it may have been handled") == 5; });
    in_a_handler([&] { reborn.reset(); });
    world.run_for(5s);
}

TEST_CASE_FIXTURE(Two, "sends refused because too much is on its way are counted") {
    meet();
    dynamic_cast<WebSocketTransport&>(alice->transport()).cut();
    std::size_t refused = 0;
    for (int i = 0; i < 5'000; ++i) {
        alice->send_async("bob", IntentBox("n", i), {}, [&](const auto& sent) { refused += sent ? 0 : 1; });
    }
    here.delivery->run_ready();
    CHECK(refused == 5'000 - 4'096);
    CHECK(here.wire().backpressure == refused);
}

TEST_CASE("a bus lists a hundred wires, and adds up the others") {
    const auto bus = make_bus();
    std::vector<std::uint64_t> numbers;
    for (int i = 0; i < 150; ++i) {
        numbers.push_back(bus->add_wire([i] {
            BusStatistics::Wire wire;
            wire.address = "ws://hub-" + std::to_string(i % 120);
            wire.nodes = 1;
            wire.sent = 1;
            return wire;
        }));
    }
    const auto sum = [&] {
        std::size_t nodes = 0;
        std::uint64_t sent = 0;
        for (const auto& wire : bus->statistics().wires) {
            nodes += wire.nodes;
            sent += wire.sent;
        }
        return std::pair(nodes, sent);
    };
    CHECK(bus->statistics().wires.size() == 101);
    CHECK(bus->statistics().wires.back().address == "others");
    CHECK(sum() == std::pair<std::size_t, std::uint64_t>(150, 150));
    for (const std::uint64_t number : numbers) bus->remove_wire(number);
    bus->remove_wire(numbers[0]);
    CHECK(sum() == std::pair<std::size_t, std::uint64_t>(0, 150));
}
