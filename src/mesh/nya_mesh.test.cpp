// NyaMesh: rooms as applications use them. First the guide's sample, then what a room promises.
#include <nyamesh/nyamesh.h>

#include "mesh/rooms.h"
#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

struct OneBus {
    std::shared_ptr<nya::ManualExecutor> delivery = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.delivery = delivery;
        return options;
    }());
    Log log;

    NyaMesh open(std::string_view id, std::size_t queue_limit = 0) {
        auto mesh = NyaMesh::open(id, {.bus = bus, .queue_limit = queue_limit});
        REQUIRE(mesh.has_value());
        return *std::move(mesh);
    }
    NyaMesh open_in(std::string_view id, std::string_view room) {
        auto mesh = open(id);
        REQUIRE(mesh.join(room).has_value());
        return mesh;
    }
    // Notes what the member hears, as "bob: alice> hello @lobby".
    void write(NyaMesh& mesh) {
        for (const std::string event : {"message", "join", "leave", "gap"}) {
            const auto registered =
                mesh.on(event, [this, event, id = std::string(mesh.node_id())](const MeshMessage& message) {
                    log.add(id + ": " + std::string(message.from) + (event == "message" ? "> " : " " + event + " ") +
                            std::string(message.intent.payload_text()) +
                            (message.room.empty() ? "" : " @" + std::string(message.room)));
                });
            REQUIRE(registered.has_value());
        }
    }
};

}  // namespace

TEST_CASE_FIXTURE(OneBus, "the guide's sample") {
    auto other = open_in("other", "chat_room");
    auto mesh = open("my_node");
    CHECK(outcome(mesh.join("chat_room")) == "accepted");
    CHECK(outcome(mesh.send("Hello everyone!")) == "accepted");
    mesh.on("message",
            [&](const nya::Json& msg, std::string_view from) { log.add(std::string(from) + ": " + msg.as_string()); });
    CHECK(log.lines().empty());  // one does not hear oneself
    CHECK(outcome(other.send("Hello you!")) == "accepted");
    CHECK(log.text() == "other: Hello you!");
}

TEST_CASE_FIXTURE(OneBus, "members come and go, and the others are told") {
    auto alice = open_in("alice", "lobby");
    write(alice);
    auto bob = open_in("bob", "lobby");
    write(bob);
    CHECK(outcome(bob.join("lobby")) == "accepted");  // is in already
    CHECK(bob.members("lobby") == std::vector<std::string>{"alice", "bob"});
    CHECK(bob.rooms() == std::vector<std::string>{"lobby"});
    CHECK(outcome(bob.leave("lobby")) == "accepted");
    CHECK(outcome(bob.leave("lobby")) == "unknown");
    CHECK(alice.members("lobby") == std::vector<std::string>{"alice"});
    CHECK(outcome(bob.join("lobby")) == "accepted");
    bob.close();
    bob.close();
    {
        auto carol = open_in("carol", "lobby");
    }  // a member that is destroyed leaves
    CHECK(log.text() ==
          "alice: bob join \"lobby\" @lobby, alice: bob leave \"lobby\" @lobby, "
          "alice: bob join \"lobby\" @lobby, alice: bob leave \"lobby\" @lobby, "
          "alice: carol join \"lobby\" @lobby, alice: carol leave \"lobby\" @lobby");
    CHECK(alice.members("nowhere").empty());
}

TEST_CASE_FIXTURE(OneBus, "a message goes to one room, to all of one's rooms, or straight to a member") {
    auto alice = open_in("alice", "red");
    auto bob = open_in("bob", "red");
    auto carol = open_in("carol", "blue");
    REQUIRE(alice.join("blue").has_value());
    write(bob);
    write(carol);
    CHECK(outcome(alice.send("red", 1)) == "accepted");
    CHECK(outcome(alice.send({{"all", true}})) == "accepted");
    CHECK(outcome(alice.send_to("bob", "psst")) == "accepted");
    CHECK(log.text() ==
          "bob: alice> 1 @red, carol: alice> {\"all\":true} @blue, bob: alice> {\"all\":true} @red, "
          "bob: alice> \"psst\"");
}

TEST_CASE_FIXTURE(OneBus, "intents of other names reach the handlers of that name, also from a plain node") {
    auto alice = open_in("alice", "lobby");
    auto bob = open_in("bob", "lobby");
    bob.on("chat.move",
           [&](const nya::Json& msg, std::string_view from) { log.add(std::string(from) + " " + msg.dump()); });
    CHECK(outcome(alice.send("lobby", IntentBox("chat.move", 1))) == "accepted");
    CHECK(outcome(alice.send_to("bob", IntentBox("chat.move", 2))) == "accepted");
    auto plain = P2PBox::open("plain", TransportKind::InProcess, {.bus = bus}).value();
    CHECK(outcome(plain.send("bob", IntentBox("chat.move", 3))) == "accepted");
    CHECK(log.text() == "alice 1, alice 2, plain 3");
}

TEST_CASE_FIXTURE(OneBus, "only rooms say join, leave and gap") {
    auto alice = open_in("alice", "lobby");
    auto bob = open_in("bob", "lobby");
    write(bob);
    for (const auto* name : {"join", "leave", "gap"}) {
        const auto sent = alice.send("lobby", IntentBox(name, 1));
        REQUIRE_FALSE(sent.has_value());
        CHECK(sent.error().reason == SendError::Reason::InvalidName);
        CHECK(outcome(alice.send_to("bob", IntentBox(name, 1))) == "invalid_name");
        auto plain = P2PBox::open("plain", TransportKind::InProcess, {.bus = bus}).value();
        CHECK(outcome(plain.send("bob", IntentBox(name, 1))) == "accepted");
    }
    CHECK(log.lines().empty());
}

TEST_CASE_FIXTURE(OneBus, "errors say what, where and what to do") {
    auto alice = open("alice");
    const auto nowhere = alice.send("hello");
    REQUIRE_FALSE(nowhere.has_value());
    CHECK(nowhere.error().to_string() ==
          "NodeNotFound(unknown): member \"alice\" is in no room. Join one first, or name a member with send_to()");
    const auto not_in = alice.send("lobby", "hello");
    REQUIRE_FALSE(not_in.has_value());
    CHECK(not_in.error().message == "member \"alice\" is not in room \"lobby\"");
    CHECK(outcome(alice.join("")) == "invalid_name");
    CHECK(outcome(alice.join("two\nlines")) == "invalid_name");
    CHECK(outcome(alice.send_to("nobody", 1)) == "unknown");
    CHECK(NyaMesh::open("alice", {.bus = bus}).error().reason == SendError::Reason::DuplicateId);
    alice.close();
    CHECK_FALSE(alice.is_open());
    CHECK(outcome(alice.join("lobby")) == "closed");
    CHECK(outcome(alice.leave("lobby")) == "closed");
    CHECK(outcome(alice.send("hello")) == "closed");
    CHECK(outcome(alice.send("lobby", "hello")) == "closed");
    CHECK(outcome(alice.send_to("alice", "hello")) == "closed");
}

TEST_CASE_FIXTURE(OneBus, "all members see one order, also of what handlers send meanwhile") {
    auto alice = open_in("alice", "lobby");
    auto bob = open_in("bob", "lobby");
    auto carol = open_in("carol", "lobby");
    bob.on("message", [&](const nya::Json& msg, std::string_view) {
        if (msg == nya::Json("question")) CHECK(outcome(bob.send("lobby", "answer")) == "accepted");
    });
    write(carol);
    write(alice);
    CHECK(outcome(alice.send("lobby", "question")) == "accepted");
    // bob answers before carol has seen the question; she still sees it first.
    CHECK(log.text() ==
          "carol: alice> \"question\" @lobby, alice: bob> \"answer\" @lobby, carol: bob> \"answer\" @lobby");
}

TEST_CASE_FIXTURE(OneBus, "who has left in the meantime hears nothing more of the room") {
    auto alice = open_in("alice", "lobby");
    auto bob = open_in("bob", "lobby");
    write(bob);
    bob.on("leave now", [&](const nya::Json&, std::string_view) {
        CHECK(outcome(alice.send("lobby", "queued")) == "accepted");  // bob is busy: it waits in his queue
        CHECK(outcome(bob.leave("lobby")) == "accepted");
    });
    CHECK(outcome(alice.send_to("bob", IntentBox("leave now", 1))) == "accepted");
    CHECK(log.lines().empty());
}

TEST_CASE_FIXTURE(OneBus, "a slow member misses messages, is told how many, and holds up nobody") {
    auto alice = open_in("alice", "lobby");
    auto slow = open("slow", 2);
    REQUIRE(slow.join("lobby").has_value());
    auto bob = open_in("bob", "lobby");
    std::size_t heard = 0;
    bob.on("message", [&](const nya::Json&, std::string_view) { ++heard; });
    write(slow);
    slow.on("block", [&](const nya::Json&, std::string_view) {
        for (int i = 1; i <= 5; ++i) CHECK(outcome(alice.send("lobby", i)) == "accepted");
        CHECK(heard == 5);
    });
    CHECK(outcome(alice.send_to("slow", IntentBox("block", 1))) == "accepted");
    CHECK(outcome(alice.send("lobby", 6)) == "accepted");
    CHECK(log.text() ==
          "slow: alice> 1 @lobby, slow: alice> 2 @lobby, slow: lobby gap 3 @lobby, slow: alice> 6 @lobby");
    CHECK(heard == 6);
}

TEST_CASE_FIXTURE(OneBus, "what waits in a room is bounded") {
    auto alice = open_in("alice", "lobby");
    auto bob = open_in("bob", "lobby");
    std::size_t accepted = 0;
    std::size_t heard = 0;
    bob.on("message", [&](const nya::Json&, std::string_view) { ++heard; });
    bob.on("flood", [&](const nya::Json&, std::string_view) {});
    auto carol = open_in("carol", "lobby");
    carol.on("flood", [&](const nya::Json&, std::string_view) {
        // The room is being told right now: all this waits.
        while (true) {
            const auto sent = alice.send("lobby", 1);
            if (!sent) {
                CHECK(sent.error().reason == SendError::Reason::Backpressure);
                break;
            }
            ++accepted;
        }
        CHECK(outcome(carol.leave("lobby")) == "accepted");  // leaving is never refused
    });
    CHECK(outcome(alice.send("lobby", IntentBox("flood", 1))) == "accepted");
    CHECK(accepted == NyaMesh::kMaxWaiting);
    CHECK(heard == mesh::Rooms::kMaxPerTurn - 1);  // this thread has done its share
    while (delivery->run_ready() > 0) {
    }
    CHECK(heard == accepted);
}

TEST_CASE_FIXTURE(OneBus, "rooms belong to one bus") {
    const auto elsewhere = make_bus();
    auto alice = open_in("alice", "lobby");
    auto twin = NyaMesh::open("bob", {.bus = elsewhere}).value();
    REQUIRE(twin.join("lobby").has_value());
    CHECK(alice.members("lobby") == std::vector<std::string>{"alice"});
    CHECK(twin.members("lobby") == std::vector<std::string>{"bob"});
}

TEST_CASE_FIXTURE(OneBus, "a handler may destroy its own member") {
    auto alice = open_in("alice", "lobby");
    auto bob = std::make_unique<NyaMesh>(open_in("bob", "lobby"));
    bob->on("message", [&](const nya::Json&, std::string_view) { bob.reset(); });
    CHECK(outcome(alice.send("lobby", 1)) == "accepted");
    CHECK(bob == nullptr);
    CHECK(alice.members("lobby") == std::vector<std::string>{"alice"});
}

TEST_CASE("threads send, join and leave: every member sees one order, and join before the first message") {
    const auto bus = make_bus();
    constexpr int kThreads = 3;
    constexpr int kEach = 200;
    struct Witness {
        explicit Witness(const std::shared_ptr<MessageBus>& bus, std::string_view id)
            : mesh(NyaMesh::open(id, {.bus = bus, .queue_limit = 100'000}).value()) {
            for (const std::string event : {"message", "join", "leave", "gap"}) {
                REQUIRE(mesh.on(event,
                                [this, event](const nya::Json& msg, std::string_view from) {
                                    seen.push_back(std::string(from) + " " + event + " " + msg.dump());
                                    if (seen.size() == kThreads * (kEach + 2)) done.open();
                                })
                            .has_value());
            }
            REQUIRE(mesh.join("lobby").has_value());
        }
        std::vector<std::string> seen;
        Gate done;
        NyaMesh mesh;
    };
    Witness first(bus, "first");
    const std::size_t before = first.seen.size();
    CHECK(before == 0);
    std::optional<Witness> second;
    second.emplace(bus, "second");
    first.seen.clear();  // of the second's join
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            auto member = NyaMesh::open("member" + std::to_string(t), {.bus = bus}).value();
            if (!member.join("lobby")) return;
            for (int i = 0; i < kEach;) {
                if (member.send("lobby", i)) ++i;
            }
            member.close();
        });
    }
    for (auto& thread : threads) thread.join();
    first.done.wait();
    second->done.wait();
    CHECK(first.seen == second->seen);
    for (int t = 0; t < kThreads; ++t) {
        const std::string id = "member" + std::to_string(t);
        std::vector<std::string> own;
        for (const auto& line : first.seen) {
            if (line.starts_with(id + " ")) own.push_back(line);
        }
        REQUIRE(own.size() == kEach + 2);
        CHECK(own.front() == id + " join \"lobby\"");
        for (int i = 0; i < kEach; ++i)
            CHECK(own[static_cast<std::size_t>(i) + 1] == id + " message " + std::to_string(i));
        CHECK(own.back() == id + " leave \"lobby\"");
    }
}
