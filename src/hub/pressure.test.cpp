// Clients that take too little or bring too much: docs/protocol.md, 6 (Hold) and 12.
#include <doctest/doctest.h>

#include "support/hub_kit.h"

#include <algorithm>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kPayload = 60'000;

std::string frame(std::string_view from, std::string_view to, std::uint64_t number, std::size_t size = kPayload) {
    std::string text = "{\"t\":\"m\",\"to\":\"" + std::string(to) + "\",\"from\":\"" + std::string(from) +
                       "\",\"n\":\"n" + std::to_string(number) + "\"}\n\"";
    return text + std::string(size, 'x') + "\"";
}

const hub::Connection& holder(const HubWorld& world, std::string_view name) {
    return static_cast<const hub::Connection&>(*world.core->names().find(name)->holder);
}

// Sends until the hub has that much waiting for bob; how many it took.
std::uint64_t fill(HubWorld& world, TestClient& alice, std::size_t until, std::uint64_t from = 0) {
    std::uint64_t sent = from;
    while (holder(world, "bob").waiting() < until) {
        alice.say(frame("alice", "bob", sent++));
        world.world.run_for(5ms);
    }
    return sent - from;
}

constexpr std::size_t kMiB = 1024 * 1024;

}  // namespace

TEST_CASE("hold at half of the out-queue, go at a quarter, nothing lost or disordered") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    auto carol = world.node("carol");
    carol->say(R"({"t":"resolve","n":"bob"})");
    REQUIRE(carol->hears(R"({"t":"peer","n":"bob")"));
    bob->socket().pause_reading();

    std::uint64_t sent = fill(world, *alice, 3 * kMiB);
    CHECK(alice->frames.empty());
    sent += fill(world, *alice, 4 * kMiB + kPayload, sent);
    CHECK(alice->hears(R"({"t":"hold","n":"bob"})"));
    CHECK(carol->hears(R"({"t":"hold","n":"bob"})"));  // all who watch it
    CHECK(world.core->counters().holds == 1);
    SUBCASE("who comes to watch later is told, too") {
        auto dave = world.node("dave");
        dave->say(frame("dave", "bob", 0, 10));
        CHECK(dave->hears(R"({"t":"hold","n":"bob"})"));
        ++sent;
    }
    CHECK(alice->hears_nothing());

    bob->socket().resume_reading();
    REQUIRE(alice->hears(R"({"t":"go","n":"bob"})"));
    CHECK(carol->hears(R"({"t":"go","n":"bob"})"));
    CHECK(holder(world, "bob").waiting() <= 2 * kMiB);
    world.world.run_for(5s);
    const auto relayed = std::ranges::count_if(bob->frames, [](auto& f) { return f.starts_with("{\"t\":\"m\""); });
    CHECK(static_cast<std::uint64_t>(relayed) == sent);
    std::uint64_t next = 0;
    for (const std::string& one : bob->frames) {
        if (one.find("\"from\":\"alice\"") == std::string::npos) continue;
        CHECK(one.find("\"n\":\"n" + std::to_string(next++) + "\"") != std::string::npos);
    }
    CHECK(world.core->counters().dropped.slow == 0);
}

// Went wrong once: it was never told "go", and its messages for bob waited until it connected again.
TEST_CASE("who is told no more of a name is not kept holding") {
    HubOptions options;
    options.limits.watches_per_connection = 1;
    HubWorld world(1, options);
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    bob->socket().pause_reading();
    fill(world, *alice, 4 * kMiB + kPayload);
    REQUIRE(alice->hears(R"({"t":"hold","n":"bob"})"));
    alice->say(R"({"t":"resolve","n":"carol"})");
    CHECK(alice->hears(R"({"t":"go","n":"bob"})"));
}

TEST_CASE("beyond 8 MiB frames are dropped and counted; the queue grows no further") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    bob->socket().pause_reading();
    for (std::uint64_t i = 0; i < 200; ++i) {  // 12 MB
        alice->say(frame("alice", "bob", i));
        world.world.run_for(5ms);
    }
    CHECK(world.core->counters().dropped.slow > 0);
    CHECK(holder(world, "bob").waiting() <= 8 * kMiB + 16);
    CHECK(holder(world, "bob").waiting() > 8 * kMiB - 2 * kPayload);
    bob->socket().resume_reading();
    CHECK(alice->hears(R"({"t":"go","n":"bob"})"));
    alice->say(frame("alice", "bob", 200, 10));
    CHECK(bob->hears(R"({"t":"m","to":"bob","from":"alice","n":"n200"})"));
}

TEST_CASE("a client whose socket takes no byte for ten seconds is cut, and only that one") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob", R"(,"key":"k")");
    auto carol = world.node("carol");
    bob->socket().pause_reading();
    fill(world, *alice, kMiB);
    const auto begin = world.world.now();
    for (std::uint64_t i = 0; i < 90; ++i) {
        alice->say(frame("alice", "carol", i, 100));
        CHECK(carol->hears(R"({"t":"m","to":"carol")", 100ms));
        world.world.run_until(begin + 100ms * (i + 1));
    }
    CHECK(world.core->counters().slow_consumers == 0);
    world.world.run_for(5s);
    CHECK(world.core->counters().slow_consumers == 1);
    CHECK(world.core->counters().closes.at(4008) == 1);
    CHECK(world.core->names().find("bob")->state == wire::PeerState::Away);
    CHECK(alice->hears(R"({"t":"peer","n":"bob")"));
    CHECK(alice->is_open);
    CHECK(carol->is_open);
}

TEST_CASE("a slow client that does take bytes is not cut") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    bob->socket().pause_reading();
    fill(world, *alice, 3 * kMiB);
    for (int i = 0; i < 30; ++i) {
        bob->socket().resume_reading();
        world.world.run_for(1ms);
        bob->socket().pause_reading();
        world.world.run_for(1s);
        if (holder(world, "bob").waiting() < kMiB) fill(world, *alice, 3 * kMiB);
    }
    CHECK(bob->is_open);
    CHECK(world.core->counters().slow_consumers == 0);
}

TEST_CASE("who brings more than its rate is read more slowly, and loses nothing") {
    HubOptions options;
    SUBCASE("messages") {
        options.limits.messages_per_second = 100;
    }
    SUBCASE("bytes") {
        options.limits.bytes_per_second = 6'000;
    }
    HubWorld world(1, options);
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    const auto begin = world.world.now();
    for (std::uint64_t i = 0; i < 500; ++i) alice->say(frame("alice", "bob", i, 10));
    world.world.run_for(500ms);
    CHECK(bob->frame_count < 250);
    REQUIRE(world.world.run_until([&] { return bob->frame_count >= 502; }, 30s));
    CHECK(world.world.now() - begin > 3s);
    CHECK(world.core->counters().pauses > 0);
    std::uint64_t next = 0;
    for (const std::string& one : bob->frames) {
        CHECK(one.find("\"n\":\"n" + std::to_string(next++) + "\"") != std::string::npos);
    }
    CHECK(next == 500);
    CHECK(alice->is_open);
}

TEST_CASE("a storm of connections is let in at its rate, and all of it") {
    HubOptions options;
    options.limits.accepts_per_second = 50;
    HubWorld world(1, options);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 150; ++i) clients.push_back(world.client());
    world.world.run_for(500ms);
    CHECK(world.core->connection_count() >= 50);
    CHECK(world.core->connection_count() < 100);
    world.world.run_for(3s);
    CHECK(world.core->connection_count() == 150);
}

TEST_CASE("who opens sockets and says nothing takes no room from others") {
    HubOptions options;
    options.limits.connections_per_address = 4;
    HubWorld world(1, options);
    world.world.settings().client_ip = "203.0.113.7";
    class Mute final : public net::StreamEvents {
    public:
        void on_data(std::span<char>) override {}
        void on_closed(const net::StreamEnd&) override { is_closed = true; }
        bool is_closed = false;
    };
    std::deque<Mute> mutes(10);
    auto loop = world.world.loop("mute");
    std::vector<std::unique_ptr<net::Stream>> streams;
    for (Mute& mute : mutes) streams.push_back(loop->connect(world.hub, nullptr, mute));
    world.world.run_for(1s);
    CHECK(std::ranges::count_if(mutes, &Mute::is_closed) == 6);
    CHECK(world.core->counters().refused.full == 6);
    world.world.run_for(5s);  // the others have not finished their request
    CHECK(std::ranges::count_if(mutes, &Mute::is_closed) == 10);
    auto client = world.client();
    client->say(R"({"t":"hello"})");
    CHECK(client->hears(R"({"t":"welcome")"));
}

TEST_CASE("news for a client whose own queue is full are not queued: it hears the latest when there is room") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    auto carol = world.node("carol", R"(,"key":"k")");
    bob->say(R"({"t":"resolve","n":"carol"})");
    REQUIRE(bob->hears(R"({"t":"peer","n":"carol")"));
    bob->socket().pause_reading();
    fill(world, *alice, 8 * kMiB - kPayload);
    for (int i = 0; i < 3000 && holder(world, "bob").waiting() <= 8 * kMiB; ++i) {  // up to the brim
        const std::size_t left = 8 * kMiB - std::min<std::size_t>(8 * kMiB, holder(world, "bob").waiting());
        alice->say(frame("alice", "bob", 0, left > 200 ? left - 60 : 1));
        if (left < 200)
            carol->say(R"({"t":"unbind","n":"carol"})"),
                carol->say(R"({"t":"bind","n":"carol","i":"00000000000000a1","key":"k"})");
        world.world.run_for(5ms);
    }
    const std::size_t full = holder(world, "bob").waiting();
    REQUIRE(full > 8 * kMiB);
    for (int i = 0; i < 1000; ++i) {
        carol->say(R"({"t":"unbind","n":"carol"})");
        carol->say(R"({"t":"bind","n":"carol","i":"00000000000000a1","key":"k"})");
    }
    carol->say(R"({"t":"unbind","n":"carol"})");
    world.world.run_for(500ms);
    CHECK(holder(world, "bob").waiting() == full);
    bob->socket().resume_reading();
    CHECK(bob->hears(R"({"t":"peer","n":"carol","i":"00000000000000a1","state":"gone"})", 5s));
}

TEST_CASE("who sends to nobody, and does not read the answers, is not read either") {
    HubOptions options;
    options.limits.out_queue_bytes = 1024 * 1024;
    HubWorld world(1, options);
    auto alice = world.node("alice");
    alice->socket().pause_reading();
    const std::string name(200, 'n');
    for (std::uint64_t i = 0; i < 20'000; ++i) alice->say(frame("alice", name + std::to_string(i), i, 10));
    world.world.run_for(5s);
    CHECK(holder(world, "alice").is_paused());
    CHECK(holder(world, "alice").waiting() < 1024 * 1024 + 1024);
    CHECK(world.core->counters().messages_received < 20'000);
    alice->socket().resume_reading();
    world.world.run_for(10s);
    CHECK(world.core->counters().messages_received == 20'001);
    CHECK(alice->frame_count == 20'002);
}

TEST_CASE("names that are only wished for make room for those that are bound") {
    HubOptions options;
    options.limits.known_names = 20;
    HubWorld world(1, options);
    auto alice = world.node("alice");
    for (int i = 0; i < 30; ++i) alice->say(R"({"t":"resolve","n":"w)" + std::to_string(i) + "\"}");
    world.world.run_for(100ms);
    CHECK(world.core->names().size() == 20);
    std::vector<std::unique_ptr<TestClient>> nodes;
    for (int i = 0; i < 19; ++i) nodes.push_back(world.node("n" + std::to_string(i)));
    CHECK(world.core->names().bound() == 20);
    CHECK(world.core->names().watches() == 0);
    auto last = world.client();
    last->say(R"({"t":"hello","n":"last","i":"00000000000000a1"})");
    CHECK(last->hears(R"({"t":"refused","n":"last","e":"backpressure")"));
}

TEST_CASE("a client that says nothing for eight seconds is given up") {
    HubWorld world;
    auto alice = world.node("alice");
    world.world.swallow(alice->connection());
    world.world.run_for(7s);
    CHECK(world.core->connection_count() == 1);
    world.world.run_for(11s);
    CHECK(world.core->connection_count() == 0);
    CHECK(world.core->counters().closes.at(4012) == 1);
}
