// What a hub does not take, and what it says then: docs/protocol.md, 11.
#include <doctest/doctest.h>

#include "support/hub_kit.h"

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

// Bytes, without any WebSocket.
class RawClient final : public net::StreamEvents {
public:
    RawClient(HubWorld& world, net::Target target) : world_(world.world), loop_(world.world.loop("raw")) {
        stream_ = loop_->connect(target, nullptr, *this);
        world_.run_until([this] { return is_open; }, 1s);
    }
    explicit RawClient(HubWorld& world) : RawClient(world, world.hub) {}
    void write(std::string_view bytes) {
        stream_->out().append(bytes);
        stream_->flush_later();
    }
    bool is_closed(std::chrono::milliseconds within) {
        return world_.run_until([this] { return !is_open; }, within);
    }
    void on_open() override { is_open = true; }
    void on_data(std::span<char> bytes) override { heard.append(bytes.data(), bytes.size()); }
    void on_closed(const net::StreamEnd&) override { is_open = false; }

    bool is_open = false;
    std::string heard;

private:
    SimWorld& world_;
    std::shared_ptr<SimLoop> loop_;
    std::unique_ptr<net::Stream> stream_;
};

struct Case {
    const char* what;
    std::string frame;
    std::uint16_t code;
    const char* reason;
};

}  // namespace

TEST_CASE("frames that end a connection") {
    const std::vector<Case> cases = {
        {"no JSON", "hello", 4500, "at byte 0"},
        {"a member twice", R"({"t":"m","to":"bob","from":"alice","from":"bob","n":"x"})", 4500, "twice"},
        {"a member twice, spelled differently", R"({"t":"m","to":"bob","from":"alice","fr\u006fm":"bob","n":"x"})",
         4500, "twice"},
        {"an unknown type", R"({"t":"zz","to":"bob","from":"alice"})", 4500, "; do not try again"},
        {"a name with control characters", R"({"t":"resolve","n":"a\u0007"})", 4500, ""},
        {"somebody else's name", R"({"t":"m","to":"alice","from":"bob","n":"x"})", 4501, "bob"},
        {"nobody's name", R"({"t":"m","to":"alice","from":"zoe","n":"x"})", 4501, "zoe"},
        {"a second hello", R"({"t":"hello"})", 4505, "second hello"},
        {"a frame for hubs to send", R"({"t":"welcome","hub":"x"})", 4507, "welcome"},
        {"another one", R"({"t":"peer","n":"bob","state":"gone"})", 4507, "peer"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.what);
        HubWorld world;
        auto bob = world.node("bob");
        auto alice = world.node("alice");
        alice->say(one.frame);
        CHECK(alice->closed() == one.code);
        REQUIRE(alice->end);
        CAPTURE(alice->end->reason);
        CHECK(alice->end->reason.find(one.reason) != std::string::npos);
        CHECK(world.core->counters().closes.at(one.code) == 1);
        CHECK(bob->is_open);
        CHECK(bob->frames.empty());
    }
}

TEST_CASE("binary garbage, bad UTF-8 and oversized messages") {
    HubWorld world;
    auto alice = world.node("alice");
    SUBCASE("garbage") {
        alice->say_binary("\x00\x01\xFF\xFE garbage");
        CHECK(alice->closed() == 4500);
    }
    SUBCASE("bad UTF-8") {
        alice->say("{\"t\":\"m\",\"to\":\"alice\",\"from\":\"alice\",\"n\":\"x\"}\n\"\xC0\x80\"");
        CHECK(alice->closed() == 1007);
    }
    SUBCASE("too long") {
        alice->say(R"({"t":"m","to":"alice","from":"alice","n":"x"})" + std::string("\n\"") +
                   std::string(300 * 1024, 'x') + "\"");
        CHECK(alice->closed() == 1009);
    }
    world.world.run_for(3s);  // the closing handshake
    CHECK(world.core->names().find("alice")->state == wire::PeerState::Away);
}

TEST_CASE("the first frame is hello, and comes in time") {
    HubWorld world;
    auto client = world.client();
    SUBCASE("something else first") {
        client->say(R"({"t":"list"})");
        CHECK(client->closed() == 4505);
    }
    SUBCASE("nothing") {
        CHECK(client->closed(4900ms) == 0);
        REQUIRE(client->closed(1s) == 4014);
        CHECK(client->end->reason.ends_with("; connect again"));
    }
}

TEST_CASE("upgrades that are refused") {
    HubWorld world;
    const auto status = [&](const TestClient::How& how) {
        auto client = world.client(how);
        client->closed();
        return client->end ? client->end->http_status : -1;
    };
    CHECK(status({.subprotocol = "nyamesh.v9"}) == 400);
    CHECK(status({.path = "/?token=abc"}) == 400);
    CHECK(status({.origin = "https://evil.example"}) == 403);
    CHECK(world.core->counters().refused.origin == 1);
    CHECK(world.core->counters().refused.handshake == 2);
    CHECK(world.core->connection_count() == 0);
}

TEST_CASE("a page of the hub's own host, of the allow-list, and no page at all may connect") {
    HubOptions options;
    options.allowed_origins = {"https://chat.example"};
    HubWorld world(1, options);
    for (const char* origin : {"", "http://10.0.0.1:8080", "https://chat.example"}) {
        CAPTURE(origin);
        auto client = world.client({.origin = origin});
        client->say(R"({"t":"hello"})");
        CHECK(client->hears(R"({"t":"welcome")"));
    }
}

TEST_CASE("slowloris: who does not finish a request in five seconds is dropped") {
    HubWorld world;
    RawClient slow(world);
    for (int i = 0; i < 4; ++i) {
        slow.write("GET / HT");
        world.world.run_for(1s);
    }
    CHECK(slow.is_open);
    CHECK(slow.is_closed(1500ms));
    CHECK(world.core->counters().refused.handshake == 1);
}

TEST_CASE("requests that are too long, and what is no HTTP") {
    HubWorld world;
    RawClient one(world);
    SUBCASE("too long") {
        one.write("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'));
        CHECK(one.is_closed(2s));
        CHECK(one.heard.starts_with("HTTP/1.1 431 "));
    }
    SUBCASE("no HTTP") {
        one.write("\x16\x03\x01 garbage\r\n\r\n");
        CHECK(one.is_closed(2s));
        CHECK(one.heard.starts_with("HTTP/1.1 400 "));
    }
}

TEST_CASE("no more connections than allowed, of the hub and of an address") {
    HubOptions options;
    SUBCASE("of the hub") {
        options.limits.connections = 3;
    }
    SUBCASE("of an address") {
        options.limits.connections_per_address = 3;
    }
    HubWorld world(1, options);
    world.world.settings().client_ip = "203.0.113.7";
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(world.node("n" + std::to_string(i)));
    auto last = world.client();
    last->closed();
    REQUIRE(last->end);
    CHECK(last->end->http_status == 503);
    CHECK(world.core->counters().refused.full == 1);
    clients.pop_back();
    world.world.run_for(1s);
    CHECK(world.core->connection_count() <= 3);
    auto next = world.client();
    next->say(R"({"t":"hello"})");
    CHECK(next->hears(R"({"t":"welcome")"));
}

TEST_CASE("a bid without what it needs is refused, and the connection stays") {
    HubWorld world;
    auto client = world.client();
    client->say(R"({"t":"hello","n":"alice"})");
    CHECK(client->hears(R"({"t":"refused","n":"alice","e":"malformed")"));
    client->say(R"({"t":"bind","n":"alice","i":"00000000000000a1","key":"ä"})");
    CHECK(client->hears(R"({"t":"refused","n":"alice","e":"malformed")"));
    client->say(R"({"t":"bind","n":"alice","i":"00000000000000a1","lease":")" + std::string(600, 'x') + "\"}");
    CHECK(client->hears(R"({"t":"refused","n":"alice","e":"malformed")"));
    CHECK(client->is_open);
}

TEST_CASE("addresses are counted apart, of IPv6 by their network, and this machine's not at all") {
    HubOptions options;
    options.limits.connections_per_address = 1;
    HubWorld world(1, options);
    std::vector<std::unique_ptr<TestClient>> kept;
    const auto enters = [&](const char* ip) {
        world.world.settings().client_ip = ip;
        auto client = world.client();
        client->say(R"({"t":"hello"})");
        const bool is_in = client->hears(R"({"t":"welcome")");
        kept.push_back(std::move(client));
        return is_in;
    };
    CHECK(enters("203.0.113.7"));
    CHECK_FALSE(enters("203.0.113.7"));
    CHECK(enters("203.0.113.8"));
    CHECK(enters("2001:db8:0:1::7"));
    CHECK_FALSE(enters("2001:db8:0:1:ffff::8"));
    CHECK(enters("2001:db8:0:2::7"));
    CHECK(enters("127.0.0.1"));
    CHECK(enters("127.0.0.1"));
}
