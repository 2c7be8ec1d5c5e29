// The trace hook sees every step of every envelope.
#include <nyamesh/message_bus.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

struct Traced {
    std::shared_ptr<nya::ManualClock> clock = std::make_shared<nya::ManualClock>();
    std::shared_ptr<nya::ManualExecutor> delivery = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.clock = clock;
        options.delivery = delivery;
        return options;
    }());
    LocalNode alice = open_node(*bus, "alice");
    LocalNode bob = open_node(*bus, "bob");
    Log log;
    std::map<std::string, std::set<std::uint64_t>> ids;  // by intent name
    std::mutex mutex;

    Traced() {
        bus->set_trace([this](const TraceEvent& event) {
            std::string line =
                std::string(event.from) + ">" + std::string(event.to) + " " + std::string(to_string(event.step));
            if (event.reason) line += "(" + std::string(to_string(*event.reason)) + ")";
            log.add(line);
            const std::lock_guard guard(mutex);
            ids[std::string(event.intent.name())].insert(event.envelope_id);
        });
    }
    void listen_to_ping() {
        listen(bob, "ping", [](const IntentBox&, std::string_view) {});
    }
};

}  // namespace

TEST_CASE_FIXTURE(Traced, "an envelope that runs at once is sent, delivering, handled") {
    listen_to_ping();
    CHECK(alice.send("bob", ping()));
    CHECK(log.text() == "alice>bob sent, alice>bob delivering, alice>bob handled");
}

TEST_CASE_FIXTURE(Traced, "an envelope for a busy node is queued on its way") {
    listen(bob, "start", [&](const IntentBox&, std::string_view) { CHECK(alice.send("bob", ping())); });
    listen_to_ping();
    CHECK(alice.send("bob", IntentBox("start", 1)));
    CHECK(log.text() ==
          "alice>bob sent, alice>bob delivering, "     // start
          "alice>bob sent, alice>bob queued, "         // ping
          "alice>bob handled, "                        // start
          "alice>bob delivering, alice>bob handled");  // ping
}

TEST_CASE_FIXTURE(Traced, "all steps of one envelope carry one id, and different envelopes different ones") {
    listen(bob, "start", [&](const IntentBox&, std::string_view) { CHECK(alice.send("bob", ping())); });
    listen_to_ping();
    CHECK(alice.send("bob", IntentBox("start", 1)));
    CHECK(ids["start"].size() == 1);
    CHECK(ids["ping"].size() == 1);
    CHECK(ids["start"] != ids["ping"]);
    CHECK_FALSE(ids["ping"].contains(0));
}

TEST_CASE_FIXTURE(Traced, "ids stay unique over threads") {
    listen_to_ping();
    std::vector<std::jthread> senders;
    for (int s = 0; s < 3; ++s) {
        senders.emplace_back([&] {
            for (int i = 0; i < 200; ++i) CHECK(alice.send("bob", ping()));
        });
    }
    senders.clear();
    delivery->run_ready();
    CHECK(ids["ping"].size() == 600);
}

TEST_CASE_FIXTURE(Traced, "the handler sees the id the trace shows") {
    std::uint64_t seen = 0;
    listen(bob, "ping", [&](const IntentEnvelope& envelope) { seen = envelope.id; });
    CHECK(alice.send("bob", ping()));
    CHECK(ids["ping"] == std::set<std::uint64_t>{seen});
}

TEST_CASE_FIXTURE(Traced, "an envelope nobody listens to is dropped: no_handler") {
    CHECK(alice.send("bob", ping()));
    CHECK(log.text() == "alice>bob sent, alice>bob delivering, alice>bob dropped(no_handler)");
}

TEST_CASE_FIXTURE(Traced, "a failing handler is seen with what it said") {
    std::string said;
    bus->set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::HandlerFailed) said = event.detail;
    });
    listen(bob, "ping", [](const IntentBox&, std::string_view) { throw std::runtime_error("out of paper"); });
    CHECK(alice.send("bob", ping()));
    CHECK(said == "out of paper");
}

TEST_CASE_FIXTURE(Traced, "an envelope for an unknown node is sent and dropped: unknown, with one id") {
    CHECK_FALSE(alice.send("carol", ping()));
    CHECK(log.text() == "alice>carol sent, alice>carol dropped(unknown)");
    CHECK(ids["ping"].size() == 1);
}

TEST_CASE_FIXTURE(Traced, "an envelope for a resolved node that has gone is sent and dropped: gone") {
    const NodeRef ref = bob.ref();
    bob.close();
    CHECK_FALSE(alice.send(ref, ping()));
    REQUIRE(log.lines().size() == 2);
    CHECK(log.lines()[0].ends_with("sent"));
    CHECK(log.lines()[1].ends_with("dropped(gone)"));
    CHECK(ids["ping"].size() == 1);
}

TEST_CASE_FIXTURE(Traced, "a name that has just changed hands is sent to once in the trace") {
    listen_to_ping();
    CHECK(alice.send("bob", ping()));  // this thread knows the way to the old bob
    bob.close();
    const std::size_t before = log.lines().size();
    SUBCASE("and has a new owner") {
        auto again = open_node(*bus, "bob");
        listen(again, "again", [](const IntentBox&, std::string_view) {});
        CHECK(alice.send("bob", IntentBox("again", 1)));
        REQUIRE(log.lines().size() == before + 3);
        CHECK(log.lines()[before] == "alice>bob sent");
        CHECK(log.lines()[before + 1] == "alice>bob delivering");
        CHECK(ids["again"].size() == 1);
    }
    SUBCASE("and has none") {
        CHECK_FALSE(alice.send("bob", IntentBox("again", 1)));
        REQUIRE(log.lines().size() == before + 2);
        CHECK(log.lines()[before] == "alice>bob sent");
        CHECK(log.lines()[before + 1] == "alice>bob dropped(unknown)");
        CHECK(ids["again"].size() == 1);
    }
}

TEST_CASE_FIXTURE(Traced, "an envelope in a closed node's queue is dropped: closed") {
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        CHECK(alice.send("bob", ping()));
        bob.close();
    });
    CHECK(alice.send("bob", IntentBox("start", 1)));
    CHECK(log.lines().back() == "alice>bob dropped(closed)");
    CHECK(ids["ping"].size() == 1);
}

TEST_CASE_FIXTURE(Traced, "an envelope refused by a full queue is dropped: backpressure") {
    auto small = [&] {
        MessageBus::NodeOptions options;
        options.queue_limit = 1;
        return open_node(*bus, "small", options);
    }();
    listen(small, "start", [&](const IntentBox&, std::string_view) {
        CHECK(alice.send("small", ping()));
        CHECK_FALSE(alice.send("small", IntentBox("one too many", 1)));
    });
    CHECK(alice.send("small", IntentBox("start", 1)));
    bool was_seen = false;
    for (const auto& line : log.lines()) was_seen = was_seen || line == "alice>small dropped(backpressure)";
    CHECK(was_seen);
    CHECK(ids["one too many"].size() == 1);
}

TEST_CASE_FIXTURE(Traced, "an arrival from a wire keeps its id: arrived, queued, delivering, handled") {
    listen_to_ping();
    CHECK(bus->dispatch_to_local("bob", {"far-away", "bob", ping(), 4711}));
    delivery->run_ready();
    CHECK(log.text() == "far-away>bob arrived, far-away>bob queued, far-away>bob delivering, far-away>bob handled");
    CHECK(ids["ping"] == std::set<std::uint64_t>{4711});
}

TEST_CASE_FIXTURE(Traced, "an arrival for nobody here is dropped: trace_drop") {
    bus->trace_drop({"far-away", "carol", ping(), 4711});
    CHECK(log.text() == "far-away>carol dropped(unknown)");
    CHECK(ids["ping"] == std::set<std::uint64_t>{4711});
}

TEST_CASE_FIXTURE(Traced, "a send by a transport is seen, too") {
    bus->trace_transport("alice", "far-away", ping(), {});
    CHECK(log.text() == "alice>far-away sent, alice>far-away to_transport");
    CHECK(ids["ping"].size() == 1);
    bus->trace_transport("alice", "far-away", IntentBox("lost", 1),
                         std::unexpected(SendError(SendError::Reason::Offline, "no hub")));
    CHECK(log.lines().back() == "alice>far-away dropped(offline)");
}

TEST_CASE_FIXTURE(Traced, "each event has the bus's time") {
    std::vector<nya::Clock::time_point> times;
    bus->set_trace([&](const TraceEvent& event) { times.push_back(event.at); });
    clock->advance(std::chrono::seconds(7));
    CHECK(alice.send("bob", ping()));
    REQUIRE_FALSE(times.empty());
    CHECK(times[0] == clock->now());
}

TEST_CASE_FIXTURE(Traced, "the hook runs on the thread where the step happens") {
    std::set<std::thread::id> threads;
    bus->set_trace([&](const TraceEvent&) { threads.insert(std::this_thread::get_id()); });
    CHECK(alice.send("bob", ping()));
    CHECK(threads == std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST_CASE_FIXTURE(Traced, "a replaced hook sees nothing more, and an empty one ends tracing") {
    Log second;
    bus->set_trace([&](const TraceEvent& event) { second.add(std::string(to_string(event.step))); });
    CHECK(alice.send("bob", ping()));
    bus->set_trace({});
    CHECK(alice.send("bob", ping()));
    CHECK(log.text().empty());
    CHECK(second.text() == "sent, delivering, dropped");
}

TEST_CASE_FIXTURE(Traced, "a hook may be set and taken away while others send") {
    listen_to_ping();
    bus->set_trace({});
    std::atomic<bool> is_over{false};
    std::jthread sender([&] {
        while (!is_over) CHECK(alice.send("bob", ping()));
    });
    std::atomic<int> seen{0};
    for (int i = 0; i < 1'000; ++i) {
        bus->set_trace([&](const TraceEvent&) { ++seen; });
        bus->set_trace({});
    }
    is_over = true;
    sender.join();
    CHECK(adds_up(bus->statistics()));
}

TEST_CASE_FIXTURE(Traced, "order and inline delivery are the same with a hook as without") {
    Log with, without;
    for (Log* written : {&with, &without}) {
        auto carol = open_node(*bus, "carol");
        listen(carol, "ping", [&, written](const IntentBox& intent, std::string_view) {
            written->add(std::string(intent.payload_text()));
            if (intent.payload() == nya::Json(0)) {
                CHECK(carol.send("carol", IntentBox("ping", 1)));
                written->add("sent");
            }
        });
        CHECK(alice.send("carol", IntentBox("ping", 0)));
        bus->set_trace({});
    }
    CHECK(with.text() == "0, sent, 1");
    CHECK(without.text() == with.text());
}
