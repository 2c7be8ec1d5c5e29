// What a hub does with frames from node to node.
#include <doctest/doctest.h>

#include "support/hub_kit.h"

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

TEST_CASE("a frame goes to the connection that has its target's name, unchanged and in order") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    const std::string first =
        "{\"t\":\"m\",\"to\":\"bob\",\"from\":\"alice\",\"n\":\"chat\"}\n{\"text\": \"\xF0\x9F\x90\xB1\"}";
    const std::string second = R"({"t":"ping","to":"bob","from":"alice","i":"00000000000000a1","q":1})";
    alice->say(first);
    alice->say(second);
    REQUIRE(bob->hears("{\"t\":\"m\""));
    CHECK(bob->last == first);
    REQUIRE(bob->hears("{\"t\":\"ping\""));
    CHECK(bob->last == second);
    CHECK(alice->hears_nothing());
}

TEST_CASE("a head in any other order is relayed as it is") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob");
    const std::string frame = R"({"n":"x", "from":"al\u0069ce", "unknown":[1], "t":"m", "to":"b\u006fb"})";
    alice->say(frame);
    REQUIRE(bob->hears("{\"n\""));
    CHECK(bob->last == frame);
}

TEST_CASE("binary frames stay binary, and a connection can send to itself") {
    HubWorld world;
    auto alice = world.node("alice");
    const std::string frame = "{\"t\":\"m\",\"to\":\"alice\",\"from\":\"alice\",\"n\":\"raw\"}\n\x00\xFF";
    alice->say_binary(frame);
    REQUIRE(alice->hears("{\"t\":\"m\""));
    CHECK(alice->last == frame);
}

TEST_CASE("a connection carries several names") {
    HubWorld world;
    auto both = world.node("alice");
    both->say(R"({"t":"bind","n":"bob","i":"00000000000000b1"})");
    REQUIRE(both->hears(R"({"t":"bound","n":"bob","i":"00000000000000b1","lease":")"));
    both->say(R"({"t":"m","to":"bob","from":"alice","n":"x"})");
    CHECK(both->hears(R"({"t":"m","to":"bob","from":"alice")"));
    both->say(R"({"t":"m","to":"alice","from":"bob","n":"x"})");
    CHECK(both->hears(R"({"t":"m","to":"alice","from":"bob")"));
}

TEST_CASE("who sends to a name that is not here is told, once a turn") {
    HubWorld world;
    auto alice = world.node("alice");
    auto carol = world.node("carol");
    alice->say(R"({"t":"m","to":"carlo","from":"alice","n":"x"})");
    alice->say(R"({"t":"m","to":"carlo","from":"alice","n":"x"})");
    CHECK(alice->hears(R"({"t":"peer","n":"carlo","state":"unknown","hint":"Did you mean \"carol\"?"})"));
    world.world.run_for(1s);
    CHECK(alice->frames.size() <= 1);
    CHECK(world.core->counters().dropped.absent == 2);
}

TEST_CASE("right after its start a hub says: later") {
    HubWorld world(1, {}, false);
    auto alice = world.node("alice");
    alice->say(R"({"t":"resolve","n":"bob"})");
    REQUIRE(alice->hears(R"({"t":"peer","n":"bob","state":"later","in":4)"));
    auto bob = world.node("bob");
    CHECK(alice->hears(R"({"t":"peer","n":"bob","i":"00000000000000a1","state":"here"})"));
    world.world.run_for(6s);
    alice->say(R"({"t":"resolve","n":"zoe"})");
    CHECK(alice->hears(R"({"t":"peer","n":"zoe","state":"unknown"})"));
}

TEST_CASE("who has sent to a name hears when it is away, here again, and gone") {
    HubWorld world;
    auto alice = world.node("alice");
    auto bob = world.node("bob", R"(,"key":"k")", "00000000000000b1");
    alice->say(R"({"t":"m","to":"bob","from":"alice","n":"x"})");
    REQUIRE(bob->hears("{\"t\":\"m\""));
    bob->cut();
    REQUIRE(alice->hears(R"({"t":"peer","n":"bob","i":"00000000000000b1","state":"away","in":120000})", 1s));
    bob = world.node("bob", R"(,"key":"k")", "00000000000000b2");
    CHECK(alice->hears(R"({"t":"peer","n":"bob","i":"00000000000000b2","state":"here"})"));
    bob->close();
    CHECK(alice->hears(R"({"t":"peer","n":"bob","i":"00000000000000b2","state":"gone"})"));
    world.world.run_for(121s);
    alice->say(R"({"t":"resolve","n":"bob"})");
    CHECK(alice->hears(R"({"t":"peer","n":"bob","state":"unknown"})"));
}

TEST_CASE("list gives the names that begin so, sorted") {
    HubWorld world;
    auto one = world.node("bob");
    auto two = world.node("build-1");
    auto three = world.node("alice");
    one->say(R"({"t":"list","n":"b"})");
    REQUIRE(one->hears("{\"t\":\"nodes\""));
    CHECK(one->last == "{\"t\":\"nodes\",\"n\":\"b\"}\n[\"bob\",\"build-1\"]");
}
