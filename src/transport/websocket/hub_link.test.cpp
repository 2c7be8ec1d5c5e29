#include "transport/websocket/hub_link.h"

#include <doctest/doctest.h>

#include "support/hub_kit.h"

namespace nyamesh::websocket {

using namespace std::chrono_literals;
using testing::HubWorld;

namespace {

constexpr std::uint64_t kFirst = 0xa1;
constexpr std::uint64_t kSecond = 0xa2;

// A node that only counts what it hears of its connection.
struct CountingNode final : LinkedNode {
    explicit CountingNode(std::uint64_t the_instance) : own_instance(the_instance) {}
    const std::string& name() const noexcept override { return own_name; }
    std::uint64_t instance() const noexcept override { return own_instance; }
    const std::string& key() const noexcept override { return own_key; }
    void on_bound(std::size_t) override { ++bound; }
    void on_detached(const SendError&) override { ++detached; }
    void on_failed(const SendError&) override { ++failed; }
    void on_frame(const wire::Frame&, bool) override {}
    void on_peer(std::string_view, const session::PeerNews&) override {}
    void on_hold(std::string_view, bool) override {}
    void pump(session::FrameSink&) override {}

    std::string own_name = "alice";
    std::uint64_t own_instance;
    std::string own_key = "secret";
    int bound = 0;
    int detached = 0;
    int failed = 0;
};

struct LinkWorld : HubWorld {
    LinkWorld() {
        LinkOptions options;
        options.url = net::Url::parse("ws://10.0.0.1:8080").value();
        link = std::make_shared<HubLink>(client_loop, world.random(), std::move(options));
    }
    ~LinkWorld() { client_loop->die(); }

    // In a turn of the link's loop, as all of its calls.
    template <class Action>
    void on_loop(Action action) {
        client_loop->post(std::move(action));
        world.run_for(1s);
    }
    std::shared_ptr<CountingNode> add(std::uint64_t instance) {
        auto node = std::make_shared<CountingNode>(instance);
        on_loop([&] { link->add(node); });
        return node;
    }
    void remove(const std::shared_ptr<CountingNode>& node) {
        on_loop([&] { link->remove(node, [this] { ++gone; }); });
    }

    std::shared_ptr<testing::SimLoop> client_loop = world.loop("client");
    std::shared_ptr<HubLink> link;
    int gone = 0;
};

constexpr std::string_view kHello = R"({"t":"hello","n":"alice","key":"secret","i":"00000000000000)";

}  // namespace

// Went wrong once: the node had failed for ever, because a bind of its own came late, on a connection it had lost.
TEST_CASE("a name that has gone to one's own instance is bound again, and one that has gone to another is not") {
    LinkWorld world;
    const auto alice = world.add(kFirst);
    REQUIRE(alice->bound == 1);
    auto other = world.client();
    SUBCASE("its own") {
        other->say(std::string(kHello) + "a1\"}");
        world.world.run_for(1s);
        CHECK(alice->detached == 1);
        CHECK(alice->bound == 2);
        CHECK(alice->failed == 0);
    }
    SUBCASE("another") {
        world.world.swallow(world.world.connections(*world.client_loop).front());
        other->say(std::string(kHello) + "a2\"}");
        REQUIRE(other->hears(R"({"t":"bound","n":"alice")"));
        world.world.heal(world.world.connections(*world.client_loop).front());
        world.world.run_for(1s);
        CHECK(alice->failed == 1);
        CHECK(alice->bound == 1);
    }
}

// Went wrong once: the link forgot the one that was leaving, and whoever waited for it was never told.
TEST_CASE("a node that is opened while the one before of its name is leaving has its turn when that has left") {
    LinkWorld world;
    const auto first = world.add(kFirst);
    const auto second = world.add(kSecond);
    CHECK(second->bound == 0);
    CHECK(world.core->names().find("alice")->instance == kFirst);

    SUBCASE("and stays") {
        world.remove(first);
        CHECK(world.gone == 1);
        CHECK(second->bound == 1);
        CHECK(world.core->names().find("alice")->instance == kSecond);
        world.remove(second);
        CHECK(world.gone == 2);
    }
    SUBCASE("unless it has left before") {
        world.remove(second);
        CHECK(world.gone == 1);
        world.remove(first);
        CHECK(world.gone == 2);
        CHECK(second->bound == 0);
    }
    CHECK(world.core->names().bound() == 0);
}

}  // namespace nyamesh::websocket
