// Handlers come and go: `on` registers until `off` or `close`, in order; what is taken off is not called again.
#include <nyamesh/message_bus.h>

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

struct Pair {
    std::shared_ptr<MessageBus> bus = make_bus();
    LocalNode alice = open_node(*bus, "alice");
    LocalNode bob = open_node(*bus, "bob");
    Log log;

    // A handler of bob's that writes `line`.
    Registration write(std::string line) {
        return listen(bob, "ping", [this, line](const IntentBox&, std::string_view) { log.add(line); });
    }
    void send_ping() { REQUIRE(alice.send("bob", ping())); }
};

}  // namespace

TEST_CASE_FIXTURE(Pair, "handlers run in the order they were registered") {
    for (const std::string line : {"one", "two", "three", "four"}) write(line);
    send_ping();
    CHECK(log.text() == "one, two, three, four");
}

TEST_CASE_FIXTURE(Pair, "the order holds after one in the middle has gone and another has come") {
    write("one");
    auto two = write("two");
    write("three");
    CHECK(two.off());
    write("four");
    send_ping();
    CHECK(log.text() == "one, three, four");
}

TEST_CASE_FIXTURE(Pair, "the result of `on` may be ignored: the handler stays") {
    static_cast<void>(bob.on("ping", make_handler([&](const IntentBox&, std::string_view) { log.add("here"); })));
    send_ping();
    send_ping();
    CHECK(log.text() == "here, here");
}

TEST_CASE_FIXTURE(Pair, "a registration can be taken off, once") {
    auto one = write("one");
    write("two");
    CHECK(one.off());
    CHECK_FALSE(one.off());
    send_ping();
    CHECK(log.text() == "two");
}

TEST_CASE_FIXTURE(Pair, "a copy of a registration stands for the same handler") {
    const auto one = write("one");
    auto copy = one;
    CHECK(copy.off());
    auto again = one;
    CHECK_FALSE(again.off());
    CHECK_FALSE(Registration().off());
}

TEST_CASE_FIXTURE(Pair, "off by name takes all handlers of that intent and says how many") {
    write("one");
    write("two");
    listen(bob, "pong", [&](const IntentBox&, std::string_view) { log.add("pong"); });
    CHECK(bob.off("ping") == 2);
    CHECK(bob.off("ping") == 0);
    send_ping();
    REQUIRE(alice.send("bob", IntentBox("pong", 1)));
    CHECK(log.text() == "pong");
}

TEST_CASE_FIXTURE(Pair, "a scoped registration ends with its scope") {
    {
        const auto scope = write("scoped").scoped();
        send_ping();
    }
    send_ping();
    CHECK(log.text() == "scoped");
}

TEST_CASE_FIXTURE(Pair, "a scoped registration can be handed on and replaced") {
    Registration::Scoped kept;
    {
        auto scope = write("one").scoped();
        kept = std::move(scope);
    }
    send_ping();
    kept = write("two").scoped();
    send_ping();
    kept = Registration::Scoped();
    send_ping();
    CHECK(log.text() == "one, two");
}

TEST_CASE_FIXTURE(Pair, "a registration may outlive its node, whose place another has taken, and its bus") {
    Registration old;
    {
        auto carol = open_node(*bus, "carol");
        old = listen(carol, "ping", [](const IntentBox&, std::string_view) {});
    }
    auto dave = open_node(*bus, "dave");  // in the same slot
    listen(dave, "ping", [&](const IntentBox&, std::string_view) { log.add("dave"); });
    CHECK_FALSE(old.off());
    REQUIRE(alice.send("dave", ping()));
    CHECK(log.text() == "dave");

    std::optional<Registration> of_gone_bus;
    {
        const auto other = make_bus();
        auto erin = open_node(*other, "erin");
        of_gone_bus = listen(erin, "ping", [](const IntentBox&, std::string_view) {});
    }
    CHECK_FALSE(of_gone_bus->off());
}

TEST_CASE_FIXTURE(Pair, "a handler that cannot be called is refused") {
    const auto refused = bob.on("ping", IntentHandler());
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().reason == SendError::Reason::NoHandler);
}

TEST_CASE_FIXTURE(Pair, "a closed node takes no handlers") {
    write("one");
    bob.close();
    const auto refused = bob.on("ping", make_handler([](const IntentEnvelope&) {}));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().reason == SendError::Reason::Closed);
    CHECK(refused.error().message.contains("\"bob\""));
    CHECK(bob.off("ping") == 0);
}

// ---- During a dispatch

TEST_CASE_FIXTURE(Pair, "a handler added during a dispatch is not called for that envelope") {
    listen_once(bob, "ping", [&](const IntentBox&, std::string_view) {
        log.add("adds");
        write("added");
    });
    write("old");
    send_ping();
    CHECK(log.text() == "adds, old");
    send_ping();
    CHECK(log.text() == "adds, old, old, added");
}

TEST_CASE_FIXTURE(Pair, "a handler that an earlier one takes off is not called for that envelope any more") {
    Registration second;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        log.add("first");
        second.off();
    });
    second = write("second");
    write("third");
    send_ping();
    CHECK(log.text() == "first, third");
}

TEST_CASE_FIXTURE(Pair, "a handler may take itself off, by registration or by name, and finish") {
    Registration self;
    auto state = std::make_shared<std::string>("itself");
    self = listen(bob, "ping", [&, state](const IntentBox&, std::string_view) {
        CHECK(self.off());
        log.add(*state);  // what it captured is still there
    });
    listen(bob, "ping", [&, state](const IntentBox&, std::string_view) {
        CHECK(bob.off("ping") == 1);
        log.add(*state);
    });
    send_ping();
    CHECK(state.use_count() == 1);
    send_ping();
    CHECK(log.text() == "itself, itself");
}

TEST_CASE_FIXTURE(Pair, "handlers that come and go inside handlers, a thousand times, keep their order") {
    int round = 0;
    Registration last;
    listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        if (round > 0) CHECK(last.off());
        last = listen(bob, "ping", [&, mine = ++round](const IntentBox&, std::string_view) {
            FAIL_CHECK("handler ", mine, " was taken off before its turn");
        });
    });
    for (int i = 0; i < 1'000; ++i) send_ping();
    CHECK(round == 1'000);
}

TEST_CASE_FIXTURE(Pair, "off also holds for envelopes that wait") {
    // bob is busy with "start"; a "ping" waits when the handler for it is taken off.
    auto registration = write("never");
    listen(bob, "start", [&](const IntentBox&, std::string_view) {
        CHECK(bob.send("bob", ping()));
        CHECK(registration.off());
    });
    REQUIRE(alice.send("bob", IntentBox("start", 1)));
    CHECK(log.text().empty());
    CHECK(bus->statistics().dropped.no_handler == 1);
}

// ---- on_once

TEST_CASE_FIXTURE(Pair, "on_once hears the next intent only") {
    listen_once(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("once"); });
    write("always");
    send_ping();
    send_ping();
    CHECK(log.text() == "once, always, always");
    CHECK(bob.off("ping") == 1);
}

TEST_CASE_FIXTURE(Pair, "on_once does not hear what its own handler sends to its node") {
    listen_once(bob, "ping", [&](const IntentBox&, std::string_view) {
        log.add("once");
        CHECK(bob.send("bob", ping()));
    });
    send_ping();
    CHECK(log.text() == "once");
}

TEST_CASE_FIXTURE(Pair, "on_once can be taken off before, and not after") {
    auto early = listen_once(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("never"); });
    CHECK(early.off());
    auto late = listen_once(bob, "ping", [&](const IntentBox&, std::string_view) { log.add("once"); });
    send_ping();
    CHECK_FALSE(late.off());
    CHECK(log.text() == "once");
}

TEST_CASE_FIXTURE(Pair, "on_once is used up by a handler that throws") {
    listen_once(bob, "ping", [&](const IntentBox&, std::string_view) {
        log.add("once");
        throw std::runtime_error("no");
    });
    send_ping();
    send_ping();
    CHECK(log.text() == "once");
}

TEST_CASE_FIXTURE(Pair, "on_once hears one intent also when several threads send") {
    std::atomic<int> heard{0};
    for (int round = 0; round < 200; ++round) {
        heard = 0;
        listen_once(bob, "ping", [&](const IntentBox&, std::string_view) { ++heard; });
        std::jthread other([&] { CHECK(alice.send("bob", ping())); });
        CHECK(bob.send("bob", ping()));
        other.join();
        REQUIRE(heard == 1);
    }
}

// ---- Other threads

TEST_CASE_FIXTURE(Pair, "off outside handlers returns after a running call has ended") {
    Gate running, go_on;
    std::atomic<bool> has_ended{false};
    auto registration = listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
        has_ended = true;
    });
    std::jthread sender([&] { CHECK(alice.send("bob", ping())); });
    running.wait();

    // A thread that is let in only by off() shows that the call has ended by then, without a clock.
    std::jthread opener([&] { go_on.open(); });
    CHECK(registration.off());
    CHECK(has_ended);
}

TEST_CASE_FIXTURE(Pair, "after off has returned, the handler is not called again by any thread") {
    std::atomic<bool> is_over{false};
    std::jthread sender([&] {
        auto carol = open_node(*bus, "carol");
        while (!is_over) CHECK(carol.send("bob", ping()));
    });
    for (int round = 0; round < 2'000; ++round) {
        auto is_on = std::make_shared<std::atomic<bool>>(true);
        auto registration = listen(bob, "ping", [is_on](const IntentBox&, std::string_view) {
            if (!*is_on) FAIL_CHECK("called after off had returned");
        });
        registration.off();
        *is_on = false;
    }
    is_over = true;
}

TEST_CASE_FIXTURE(Pair, "off inside a handler of another node never waits") {
    Gate running, go_on;
    auto registration = listen(bob, "ping", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
    });
    auto carol = open_node(*bus, "carol");
    listen(carol, "take it off", [&](const IntentBox&, std::string_view) { CHECK(registration.off()); });

    std::jthread sender([&] { CHECK(alice.send("bob", ping())); });
    running.wait();
    REQUIRE(carol.send("carol", IntentBox("take it off", 1)));  // returns though bob's handler runs
    CHECK_FALSE(go_on.is_open());
    go_on.open();
}

TEST_CASE_FIXTURE(Pair, "off of one handler does not wait for the rest of the queue") {
    Gate running, go_on;
    listen(bob, "wait", [&](const IntentBox&, std::string_view) {
        running.open();
        go_on.wait();
    });
    std::atomic<bool> has_returned{false};
    int before = 0;
    listen(bob, "endless", [&](const IntentBox& intent, std::string_view) {
        ++before;
        if (!has_returned) CHECK(bob.send("bob", intent));  // goes on until off() has returned
    });
    auto registration = write("ping");
    std::jthread sender([&] { CHECK(alice.send("bob", IntentBox("wait", 1))); });
    running.wait();
    REQUIRE(alice.send("bob", IntentBox("endless", 1)));
    go_on.open();
    CHECK(registration.off());
    has_returned = true;
    sender.join();
}

TEST_CASE_FIXTURE(Pair, "what a handler holds is destroyed when it is taken off, not later") {
    auto state = std::make_shared<int>(1);
    auto registration = listen(bob, "ping", [state](const IntentBox&, std::string_view) {});
    write("stays");
    CHECK(state.use_count() == 2);
    send_ping();
    CHECK(registration.off());
    CHECK(state.use_count() == 1);
}

TEST_CASE_FIXTURE(Pair, "what a handler holds may use the bus while it is destroyed") {
    auto registration = listen(bob, "ping", [state = Trackable([&] {
                                                 log.add("destroyed");
                                                 CHECK(alice.send("bob", IntentBox("pong", 1)));
                                                 CHECK(bob.off("pong") == 1);
                                             })](const IntentBox&, std::string_view) {});
    listen(bob, "pong", [&](const IntentBox&, std::string_view) { log.add("pong"); });
    CHECK(registration.off());
    CHECK(log.text() == "destroyed, pong");
}

TEST_CASE_FIXTURE(Pair, "a hundred handlers of one intent are all called") {
    std::vector<Registration> all;
    int called = 0;
    for (int i = 0; i < 100; ++i) {
        all.push_back(listen(bob, "ping", [&](const IntentBox&, std::string_view) { ++called; }));
    }
    send_ping();
    CHECK(called == 100);
    for (std::size_t i = 0; i < 100; i += 2) CHECK(all[i].off());
    send_ping();
    CHECK(called == 150);
    CHECK(bob.off("ping") == 50);
}
