// What attackers try first, one after the other, and what the hub does: docs/protocol.md, 1, 2, 4 and 11. In every case
// the others, who talk to each other meanwhile, notice nothing.
#include <doctest/doctest.h>

#include "support/hub_kit.h"

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

const HubKey kKey{.id = "k1", .algorithm = "HS256", .value = "0123456789abcdef0123456789abcdef"};

std::string token(const HubToken& token) {
    return make_token(token, kKey).value();
}

std::string hello(std::string_view name, const std::string& token) {
    return R"({"t":"hello","n":")" + std::string(name) + R"(","i":"00000000000000a1","token":")" + token + "\"}";
}

// A hub that wants tokens, and two honest nodes on it.
struct Street : HubWorld {
    Street() : HubWorld(1, options()) {
        const auto begin = world.now();
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        const auto start_time = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
        settings.unix_time = [this, begin, start_time] {
            return start_time + std::chrono::duration_cast<std::chrono::seconds>(world.now() - begin).count();
        };
        restart();
        world.run_for(6s);
        for (auto* const one : {&alice, &bob}) *one = client();
        alice->say(hello("alice", token({.subject = "alice"})));
        bob->say(hello("bob", token({.subject = "bob"})));
        CHECK(alice->hears(R"({"t":"bound")"));
        CHECK(bob->hears(R"({"t":"bound")"));
    }
    ~Street() {
        CHECK(alice->is_open);
        alice->say("{\"t\":\"m\",\"to\":\"bob\",\"from\":\"alice\",\"n\":\"still\"}\n1");
        CHECK(bob->hears(R"({"t":"m","to":"bob","from":"alice","n":"still"})"));
        CHECK(bob->frames.empty());
        CHECK(alice->frames.empty());
    }
    static HubOptions options() {
        HubOptions made;
        made.auth = {.is_required = true, .keys = {kKey}, .audience = {}};
        return made;
    }
    std::unique_ptr<TestClient> mallory() {
        auto made = client();
        made->say(hello("mallory", token({.subject = "mallory"})));
        CHECK(made->hears(R"({"t":"bound")"));
        return made;
    }
    // The code with which Mallory is closed who says that.
    std::uint16_t says(std::string_view frame) {
        auto one = mallory();
        one->say(frame);
        return one->closed();
    }
    // …and of one who says only that.
    std::uint16_t begins_with(std::string_view frame) {
        auto one = client();
        one->say(frame);
        return one->closed();
    }
    int http_status(const TestClient::How& how) {
        auto one = client(how);
        one->closed();
        return one->end ? one->end->http_status : 0;
    }

    std::unique_ptr<TestClient> alice;
    std::unique_ptr<TestClient> bob;
};

struct Dribbler final : net::StreamEvents {
    void on_data(std::span<char> bytes) override { heard.append(bytes.data(), bytes.size()); }
    void on_closed(const net::StreamEnd&) override { is_closed = true; }
    std::string heard;
    bool is_closed = false;
};

}  // namespace

TEST_CASE_FIXTURE(Street, "slowloris: a request that comes byte by byte is dropped after 5 s") {
    Dribbler events;
    const auto loop = world.loop("slowloris");
    const auto stream = loop->connect(hub, nullptr, events);
    for (int i = 0; i < 49; ++i) {
        world.run_for(100ms);
        stream->out().append("G");
        stream->flush_later();
    }
    CHECK_FALSE(events.is_closed);
    world.run_for(300ms);
    CHECK(events.is_closed);
    CHECK(events.heard == "");
}

TEST_CASE_FIXTURE(Street, "slowloris behind the upgrade: no hello in 5 s, 4014") {
    auto one = client();
    CHECK(one->closed(6s) == 4014);
}

TEST_CASE_FIXTURE(Street, "a frame longer than max: 1009, at once and not after all of it has come") {
    auto one = mallory();
    one->say("{\"t\":\"m\",\"to\":\"bob\",\"from\":\"mallory\",\"n\":\"x\"}\n" + std::string(256 * 1024, ' ') + "1");
    CHECK(one->closed() == 1009);
    CHECK(core->counters().bytes_received < 10'000);
}

TEST_CASE_FIXTURE(Street, "a head longer than 16 KiB: 4500") {
    CHECK(says("{\"t\":\"m\",\"to\":\"bob\",\"from\":\"mallory\",\"n\":\"x\",\"y\":\"" + std::string(16'384, 'x') +
               "\"}") == 4500);
}

TEST_CASE_FIXTURE(Street, "text that is not UTF-8: 1007") {
    CHECK(says("{\"t\":\"m\",\"to\":\"bob\",\"from\":\"mallory\",\"n\":\"x\"}\n\"\xED\xA0\x80\"") == 1007);
}

TEST_CASE_FIXTURE(Street, "a head that is not UTF-8, in a binary message: 4500, or the receiver's business") {
    auto one = mallory();
    one->say_binary("{\"t\":\"m\",\"to\":\"bo\xC0\",\"from\":\"mallory\",\"n\":\"x\"}");
    CHECK(one->closed() == 4500);
}

TEST_CASE_FIXTURE(Street, "another subprotocol, or none: HTTP 400") {
    CHECK(http_status({.subprotocol = "chat"}) == 400);
    CHECK(http_status({.subprotocol = "nyamesh.v2"}) == 400);
    CHECK(http_status({.subprotocol = ""}) == 400);
}

TEST_CASE_FIXTURE(Street, "a page of a foreign origin: HTTP 403") {
    CHECK(http_status({.origin = "https://evil.example"}) == 403);
    CHECK(http_status({.origin = "null"}) == 403);
    CHECK(http_status({.origin = "http://10.0.0.1:8080.evil.example"}) == 403);
}

TEST_CASE_FIXTURE(Street, "a forged from: 4501") {
    CHECK(says(R"({"t":"m","to":"bob","from":"alice","n":"x"})") == 4501);
    CHECK(says(R"({"t":"a","to":"bob","from":"alice","a":"00000000000000a1.1"})") == 4501);
    CHECK(says(R"({"t":"m","to":"bob","from":"nobody","n":"x"})") == 4501);
}

TEST_CASE_FIXTURE(Street, "the reason of a close is UTF-8, whatever the name in it is made of") {
    auto one = mallory();
    std::string forged;
    for (int i = 0; i < 60; ++i) forged += "猫";
    one->say(R"({"t":"m","to":"bob","from":")" + forged + R"(","n":"x"})");
    CHECK(one->closed() == 4501);
    one = mallory();
    one->say(
        R"({"t":"resolve","n":"x","猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫":1,"猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫猫":2})");
    CHECK(one->closed() == 4500);
}

TEST_CASE_FIXTURE(Street, "a member twice, however it is spelled: 4500") {
    CHECK(says(R"({"t":"m","to":"bob","from":"mallory","from":"alice","n":"x"})") == 4500);
    CHECK(says(R"({"t":"m","to":"bob","from":"mallory","\u0066rom":"alice","n":"x"})") == 4500);
    CHECK(says(R"({"t":"m","to":"bob","from":"mallory","n":"x","t":"bye"})") == 4500);
    CHECK(says(R"({"t":"m","to":"bob","to":"alice","from":"mallory","n":"x"})") == 4500);
    CHECK(says(R"({"t":"m","to":"bob","from":"mallory","n":"x","zz":1,"\u007az":2,"n":"y"})") == 4500);
}

TEST_CASE_FIXTURE(Street, "binary garbage: 4500") {
    auto one = mallory();
    one->say_binary(std::string("\x00\x01\x02\xFF\xFE\x0A\x00", 7));
    CHECK(one->closed() == 4500);
}

TEST_CASE_FIXTURE(Street, "garbage in place of WebSocket frames: 1002") {
    auto one = mallory();
    one->socket().stream().out().append("GET / HTTP/1.1\r\n\r\n");  // unmasked, with reserved bits
    one->socket().stream().flush_later();
    CHECK(one->closed() == 1002);
    world.run_for(3s);  // the closing handshake
    CHECK(core->counters().closes[1002] == 1);
}

TEST_CASE_FIXTURE(Street, "no token, one of another key, an expired one, one used before: refused, 4502") {
    CHECK(begins_with(R"({"t":"hello","n":"mallory","i":"00000000000000a1"})") == 4502);
    HubKey other = kKey;
    other.value[0] = 'x';
    CHECK(begins_with(hello("mallory", make_token({.subject = "mallory"}, other).value())) == 4502);
    CHECK(begins_with(hello("mallory", token({.subject = "mallory", .lifetime = -1s}))) == 4502);

    const std::string once = token({.subject = "mallory", .is_for_one_connection = true});
    auto first = client();
    first->say(hello("mallory", once));
    CHECK(first->hears(R"({"t":"bound","n":"mallory")"));
    CHECK(begins_with(hello("mallory", once)) == 4502);
    first->close();
    world.run_for(1s);
    CHECK(begins_with(hello("mallory", once)) == 4502);
    CHECK(core->counters().auth_failures == 5);
}

TEST_CASE_FIXTURE(Street, "a good token, somebody else's name: refused, and no more") {
    auto one = client();
    one->say(hello("alice", token({.subject = "mallory"})));
    CHECK(one->hears(R"({"t":"refused","n":"alice","e":"unauthorized")"));
    one->say(R"({"t":"unbind","n":"alice"})");
    CHECK(one->hears_nothing());
    CHECK(core->names().find("alice")->holder != nullptr);
}

TEST_CASE_FIXTURE(Street, "what only hubs say: 4507; something else than hello first, or hello twice: 4505") {
    CHECK(says(R"({"t":"unbound","n":"bob","e":"name_taken"})") == 4507);
    CHECK(begins_with(R"({"t":"m","to":"bob","from":"alice","n":"x"})") == 4505);
    CHECK(says(R"({"t":"hello"})") == 4505);
}

TEST_CASE_FIXTURE(Street, "more names than a connection may have: 4506") {
    auto one = client();
    one->say(hello("n0", token({.subject = "mallory", .names = {"n*"}})));
    for (int i = 1; i <= 1000; ++i) {
        one->say(R"({"t":"bind","n":"n)" + std::to_string(i) + R"(","i":"00000000000000a1"})");
    }
    CHECK(one->closed() == 4506);
    CHECK(core->names().bound() == 2);
}
