// Whose a name is: docs/protocol.md, 5.
#include <doctest/doctest.h>

#include "support/hub_kit.h"

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kKey = R"(,"key":"alice's secret")";
constexpr std::string_view kFirst = "00000000000000a1";
constexpr std::string_view kSecond = "00000000000000a2";

std::string hello(std::string_view instance, std::string_view members = kKey) {
    return R"({"t":"hello","n":"alice","i":")" + std::string(instance) + "\"" + std::string(members) + "}";
}

// The lease that `client` has just been given.
std::string lease(const TestClient& client) {
    const auto at = client.last.find(R"("lease":)");
    return "," + client.last.substr(at, client.last.find('"', at + 9) - at + 1);
}

}  // namespace

// Went wrong once: a watch that was asked for again while it was the latest fell out of its watcher's list, and
// outlived the watcher.
TEST_CASE("asking twice for the same name leaves nothing behind when the asker goes") {
    HubWorld world;
    auto asker = world.node("asker");
    asker->say(R"({"t":"resolve","n":"alice"})");
    asker->say(R"({"t":"resolve","n":"alice"})");
    world.world.run_for(1s);
    CHECK(world.core->names().watches() == 1);
    asker->cut();
    world.world.run_for(1s);
    CHECK(world.core->names().watches() == 0);
    CHECK(world.core->names().find("alice") == nullptr);
    CHECK(world.node("alice")->is_open);
}

TEST_CASE("the same instance of the same owner takes its name over at once") {
    HubWorld world;
    auto old = world.node("alice", kKey, kFirst);
    auto fresh = world.client();
    fresh->say(hello(kFirst));
    CHECK(fresh->hears(R"({"t":"bound","n":"alice")", 20ms));
    CHECK(old->hears(R"({"t":"unbound","n":"alice","i":"00000000000000a1","e":"name_taken")"));
    CHECK(world.core->names().find("alice")->instance == 0xa1);
}

TEST_CASE("what the old connection sent before it knew is dropped, for five seconds") {
    HubWorld world;
    auto old = world.node("alice", kKey, kFirst);
    auto fresh = world.node("alice", kKey, kFirst);
    old->say(R"({"t":"m","to":"bob","from":"alice","n":"x"})");
    CHECK(old->closed(4s) == 0);
    world.world.run_for(5s);
    old->say(R"({"t":"m","to":"bob","from":"alice","n":"x"})");
    CHECK(old->closed() == 4501);
}

TEST_CASE("another instance of the owner waits while the old connection is asked, and is refused if that lives") {
    HubWorld world;
    auto old = world.node("alice", kKey, kFirst);
    auto fresh = world.client();
    fresh->say(hello(kSecond));
    REQUIRE(fresh->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));
    CHECK(fresh->last.find(R"("retry":true)") != std::string::npos);
    CHECK(old->hears_nothing());
    CHECK(fresh->is_open);
}

// Went wrong once: the third one was refused for good, as if it were somebody else.
TEST_CASE("while one instance of the owner waits, another one is told to try again") {
    HubWorld world;
    auto old = world.node("alice", kKey, kFirst);
    world.world.swallow(old->connection());
    auto second = world.client();
    second->say(hello(kSecond));
    auto third = world.client();
    third->say(hello("00000000000000a3"));
    REQUIRE(third->hears(R"({"t":"refused","n":"alice","e":"name_taken")", 900ms));
    CHECK(third->last.find(R"("retry":true)") != std::string::npos);
    CHECK(second->hears(R"({"t":"bound","n":"alice")"));
}

// Went wrong once: it got the name all the same, and kept it from everybody as long as its connection lived.
TEST_CASE("who waits for a name and gives it up does not get it") {
    HubWorld world;
    auto old = world.node("alice", kKey, kFirst);
    world.world.swallow(old->connection());
    auto second = world.client();
    second->say(hello(kSecond));
    world.world.run_for(100ms);
    second->say(R"({"t":"unbind","n":"alice"})");
    CHECK(!second->hears(R"({"t":"bound")", 3s));
    CHECK(world.core->names().find("alice")->instance == 0xa1);
}

TEST_CASE("a half-open connection loses its name after one second to another instance of its owner") {
    HubWorld world;
    auto watcher = world.node("watcher");
    auto old = world.node("alice", kKey, kFirst);
    watcher->say(R"({"t":"resolve","n":"alice"})");
    world.world.run_for(1s);
    world.world.cut_one_end(old->connection(), SimWorld::Side::Connecting);
    auto fresh = world.client();
    fresh->say(hello(kSecond));
    CHECK_FALSE(fresh->hears(R"({"t":"bound")", 900ms));
    CHECK(fresh->hears(R"({"t":"bound","n":"alice","i":"00000000000000a2")", 500ms));
    CHECK(watcher->hears(R"({"t":"peer","n":"alice","i":"00000000000000a2","state":"here"})"));
}

TEST_CASE("nobody else gets the name: not while it is here, nor while its lease lives") {
    HubWorld world;
    auto alice = world.node("alice", kKey, kFirst);
    auto thief = world.client();
    thief->say(hello(kFirst, R"(,"key":"another")"));
    REQUIRE(thief->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));
    CHECK(thief->last.find("retry") == std::string::npos);

    alice->cut();
    world.world.run_for(60s);
    thief->say(R"({"t":"bind","n":"alice","i":"00000000000000a1","key":"another"})");
    REQUIRE(thief->hears(R"({"t":"refused","n":"alice","e":"name_taken","in":)"));
    CHECK(thief->last.find(R"("retry":true)") != std::string::npos);
    world.world.run_for(61s);
    thief->say(R"({"t":"bind","n":"alice","i":"00000000000000a1","key":"another"})");
    CHECK(thief->hears(R"({"t":"bound","n":"alice")"));
}

TEST_CASE("the owner gets a lost name back at once, as any instance") {
    HubWorld world;
    auto alice = world.node("alice", kKey, kFirst);
    alice->cut();
    world.world.run_for(10s);
    auto fresh = world.client();
    fresh->say(hello(kSecond));
    CHECK(fresh->hears(R"({"t":"bound","n":"alice","i":"00000000000000a2")", 20ms));
}

TEST_CASE("a name given back is free at once") {
    HubWorld world;
    auto alice = world.node("alice", kKey, kFirst);
    SUBCASE("by unbind") {
        alice->say(R"({"t":"unbind","n":"alice"})");
    }
    SUBCASE("by a close with 1000") {
        alice->close(1000);
    }
    SUBCASE("by a close with 1001") {
        alice->close(1001);
    }
    world.world.run_for(1s);
    auto other = world.client();
    other->say(hello(kSecond, R"(,"key":"another")"));
    CHECK(other->hears(R"({"t":"bound","n":"alice")"));
}

TEST_CASE("without a key the owner is the instance alone") {
    HubWorld world;
    auto alice = world.node("alice", "", kFirst);
    alice->cut();
    world.world.run_for(1s);
    auto other = world.client();
    other->say(hello(kSecond, ""));
    CHECK(other->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));
    auto again = world.client();
    again->say(hello(kFirst, ""));
    CHECK(again->hears(R"({"t":"bound","n":"alice")"));
}

TEST_CASE("after a restart the first one gets the name, and loses it to a lease from before") {
    HubWorld world;
    auto alice = world.node("alice", kKey, kFirst);
    const std::string paper = lease(*alice);
    world.restart();

    auto squatter = world.node("alice", R"(,"key":"another")", kSecond);
    auto other = world.client();
    other->say(hello(kFirst));
    CHECK(other->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));  // no lease, no claim

    auto owner = world.client();
    owner->say(hello(kFirst, std::string(kKey) + paper));
    CHECK(owner->hears(R"({"t":"bound","n":"alice","i":"00000000000000a1")"));
    CHECK(squatter->hears(R"({"t":"unbound","n":"alice","i":"00000000000000a1","e":"name_taken")"));
}

TEST_CASE("a lease proves nothing for another key, of another hub, or once somebody has proven better") {
    HubWorld world;
    auto alice = world.node("alice", kKey, kFirst);
    const std::string paper = lease(*alice);
    world.restart();
    auto squatter = world.node("alice", R"(,"key":"another")", kSecond);

    auto thief = world.client();
    thief->say(hello(kFirst, R"(,"key":"a third")" + paper));
    CHECK(thief->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));
    auto forger = world.client();
    forger->say(hello(kFirst, std::string(kKey) + R"(,"lease":"7.a1.00ff")"));
    CHECK(forger->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));
    // The squatter's own lease is of this start: it says nothing about before.
    const std::string young = lease(*squatter);
    auto owner = world.node("alice", std::string(kKey) + paper, kFirst);
    auto again = world.client();
    again->say(hello(kSecond, R"(,"key":"another")" + young));
    CHECK(again->hears(R"({"t":"refused","n":"alice","e":"name_taken")"));
}

TEST_CASE("binding again what one has is answered with bound") {
    HubWorld world;
    auto alice = world.node("alice", kKey, kFirst);
    alice->say(R"({"t":"bind","n":"alice","i":"00000000000000a1","key":"alice's secret"})");
    CHECK(alice->hears(R"({"t":"bound","n":"alice","i":"00000000000000a1","lease":")"));
    CHECK(alice->hears_nothing());
}

TEST_CASE("while the old connection is asked, either side may go away") {
    HubWorld world;
    auto old = world.node("alice", kKey, kFirst);
    world.world.swallow(old->connection());
    auto fresh = world.client();
    fresh->say(hello(kSecond));
    CHECK_FALSE(fresh->hears(R"({"t":"bound")", 100ms));
    SUBCASE("it is cut") {
        old->cut();
        CHECK(fresh->hears(R"({"t":"bound","n":"alice")", 2s));
    }
    SUBCASE("the one who waits goes away") {
        fresh->cut();
        world.world.run_for(100ms);
        CHECK_FALSE(world.core->names().find("alice")->claim);
    }
}

TEST_CASE("names and watches have bounds") {
    HubOptions options;
    options.limits.names_per_connection = 3;
    options.limits.watches_per_connection = 2;
    options.limits.known_names = 6;
    HubWorld world(1, options);
    auto alice = world.node("alice", kKey, kFirst);
    SUBCASE("a name too many closes the connection") {
        for (const char* name : {"b", "c", "d"}) {
            alice->say(R"({"t":"bind","n":")" + std::string(name) + R"(","i":"00000000000000b1"})");
        }
        CHECK(alice->closed() == 4506);
        CHECK(alice->end->reason.find("at most 3 names") != std::string::npos);
    }
    SUBCASE("the watch used longest ago is forgotten") {
        auto bob = world.node("bob", "", kSecond);
        for (const char* name : {"bob", "x", "y"}) {
            alice->say(R"({"t":"resolve","n":")" + std::string(name) + "\"}");
        }
        REQUIRE(alice->hears(R"({"t":"peer","n":"y")"));
        bob->close();
        CHECK(alice->hears_nothing());
        CHECK(alice->loop().name() == "client");
        CHECK(world.core->names().watches() == 2);
        CHECK(world.core->names().find("bob") != nullptr);  // gone, not forgotten
    }
    SUBCASE("the table of names") {
        for (int i = 0; i < 20; ++i)
            alice->say(R"({"t":"bind","n":"x)" + std::to_string(i) + R"(","i":"00000000000000b1"})");
        world.world.run_for(1s);
        CHECK(world.core->names().size() <= 6);
    }
}

TEST_CASE("names that are gone are forgotten, and so are those that were only asked for") {
    HubWorld world;
    auto watcher = world.node("watcher");
    for (int i = 0; i < 50; ++i) {
        auto one = world.node("n" + std::to_string(i));
        watcher->say(R"({"t":"resolve","n":"m)" + std::to_string(i) + "\"}");
        one->close();
        world.world.run_for(10ms);
    }
    world.world.run_for(1s);
    CHECK(world.core->names().size() == 101);
    watcher.reset();
    world.world.run_for(250s);
    CHECK(world.core->names().size() == 0);
    CHECK(world.core->names().watches() == 0);
}

// A name asked for twice in a row lost its place in the asker's list, and outlived it: the hub then told a connection
// that was gone.
TEST_CASE("who asks for the same name again and again is forgotten with its connection") {
    HubWorld world;
    auto bob = world.node("bob");
    auto alice = world.node("alice", "", kSecond);
    for (int i = 0; i < 3; ++i) alice->say(R"({"t":"resolve","n":"bob"})");
    REQUIRE(alice->hears(R"({"t":"peer","n":"bob")"));
    CHECK(world.core->names().watches() == 1);
    alice.reset();
    world.world.run_for(1s);
    CHECK(world.core->names().watches() == 0);
    bob->close();
    world.world.run_for(1s);
}
