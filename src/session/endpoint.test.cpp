// Sessions between nodes, sentence by sentence (docs/protocol.md, "Sessions").
#include "session/endpoint.h"

#include "support/session_kit.h"

#include <doctest/doctest.h>

#include <string>

using namespace nyamesh;
using namespace nyamesh::session;
using namespace nyamesh::testing;
using wire::FrameType;
using wire::PeerState;

namespace {

struct Two {
    SessionNet net;
    SessionNode& alice = net.open("alice");
    SessionNode& bob = net.open("bob");

    void send(int first, int last) {
        for (int i = first; i <= last; ++i) REQUIRE(net.send(alice, "bob", i));
    }
    // From now on nothing of that type gets from that node to anybody.
    void lose(const SessionNode& from, FrameType type) {
        net.loses = [&from, type](const wire::Head& head, auto) {
            return head.type == type && (head.from.empty() || head.from == from.name);
        };
    }
    void lose_nothing() {
        net.loses = [](auto&, auto) { return false; };
    }
    static SendError error(SendError::Reason reason) { return {reason, ""}; }
};

}  // namespace

// ---- first contact ----

TEST_CASE_FIXTURE(Two, "a first contact asks the hub once, and then messages flow in order") {
    CHECK(net.send(alice, "bob", 1) == Endpoint::Taken::Waiting);
    CHECK(net.send(alice, "bob", 2) == Endpoint::Taken::Accepted);
    CHECK(net.count(R"("t":"resolve")") == 1);
    CHECK(bob.received == "1 2");
    CHECK(alice.endpoint->is_reachable("bob"));
}

TEST_CASE_FIXTURE(Two, "an unknown name is told at once: to the token, or as an unconfirmed message") {
    net.send(alice, "carol", 1, Waits::Accepted, 7);
    net.send(alice, "carol", 2);
    CHECK(alice.settled == "7:unknown");
    CHECK(alice.unconfirmed == "carol:2:unknown");
    CHECK(alice.endpoint->buffered_messages() == 0);
}

TEST_CASE_FIXTURE(Two, "waiting for Accepted ends when the name is known") {
    CHECK(net.send(alice, "bob", 1, Waits::Accepted, 7) == Endpoint::Taken::Waiting);
    CHECK(alice.settled == "7:null");
    CHECK(net.send(alice, "bob", 2, Waits::Accepted, 8) == Endpoint::Taken::Accepted);
    CHECK(alice.settled == "7:null");  // 8 is not settled: Accepted was the answer
}

TEST_CASE_FIXTURE(Two, "a peer that speaks first is known, and whoever waited for that is told") {
    net.loses = [](const wire::Head& head, auto) { return head.type == FrameType::Resolve && head.name == "bob"; };
    net.send(alice, "bob", 1, Waits::Accepted, 7);
    CHECK(alice.settled.empty());
    net.send(bob, "alice", 2);
    CHECK(alice.settled == "7:null");
    CHECK(bob.received == "1");
}

TEST_CASE("offline and never reached: refused at once; while connecting it waits, and is told") {
    SessionNet net;
    Endpoint endpoint("alice", 1, {});
    REQUIRE(endpoint.submit("bob", {IntentBox("m", 1), Waits::Handled, false, 7}, net.now) == Endpoint::Taken::Waiting);
    endpoint.set_connecting(false, net.now);
    const auto events = endpoint.take_events();
    REQUIRE(events.size() == 1);
    CHECK(std::get<Settled>(events[0]).result.error() == SendError(SendError::Reason::Offline, ""));
    const auto refused = endpoint.submit("bob", {IntentBox("m", 2)}, net.now);
    CHECK(refused.error() == SendError(SendError::Reason::Offline, ""));
}

TEST_CASE("a hub that has just started says \"later\", and is asked again") {
    SessionNet net;
    net.restart_relay();
    auto& alice = net.open("alice");
    net.send(alice, "bob", 1, Waits::Delivered, 7);
    CHECK(net.count(R"("t":"resolve")") == 1);
    auto& bob = net.open("bob");
    CHECK(bob.received == "1");
    net.send(alice, "carol", 2, Waits::Delivered, 8);
    CHECK(alice.settled == "7:null");
    net.advance(5'100ms);
    CHECK(alice.settled == "7:null 8:unknown");
}

TEST_CASE_FIXTURE(Two, "a first contact that nobody answers ends as not sent") {
    lose(alice, FrameType::Resolve);
    net.send(alice, "bob", 1, Waits::Handled, 7, net.now + 5s);
    net.advance(6s);
    CHECK(alice.settled == "7:not_sent");
    lose_nothing();
    net.detach(alice);
    net.attach(alice);
    CHECK(bob.received.empty());  // it was taken back
}

// ---- r and h ----

TEST_CASE_FIXTURE(Two, "Delivered ends when the message is received, Handled when its handlers have returned") {
    bob.holds_handlers = true;
    net.send(alice, "bob", 1, Waits::Delivered, 1);
    net.send(alice, "bob", 2, Waits::Handled, 2);
    CHECK(alice.settled == "1:null");
    net.handle_first(bob);
    CHECK(alice.settled == "1:null");
    net.handle_first(bob);
    CHECK(alice.settled == "1:null 2:null");
}

TEST_CASE_FIXTURE(Two, "how a handler failed is told to whoever waits, also when that news is lost at first") {
    bob.answers = [](auto&) { return std::unexpected(error(SendError::Reason::NoHandler)); };
    net.send(alice, "bob", 1, Waits::Handled, 1);
    CHECK(alice.settled == "1:no_handler");
    lose(bob, FrameType::Ack);
    net.send(alice, "bob", 2, Waits::Handled, 2);
    CHECK(alice.settled == "1:no_handler");
    lose_nothing();
    net.advance(2s);
    CHECK(alice.settled == "1:no_handler 2:no_handler");
    CHECK(bob.received == "1 2");
}

TEST_CASE_FIXTURE(Two, "failures are dropped once the sender has confirmed that it knows") {
    bob.answers = [](auto&) { return std::unexpected(error(SendError::Reason::HandlerFailed)); };
    net.send(alice, "bob", 1, Waits::Handled, 1);
    CHECK(net.count(R"("handler_failed")") >= 1);
    net.advance(1s);
    net.frames.clear();
    bob.answers = nullptr;
    net.send(alice, "bob", 2, Waits::Handled, 2);
    CHECK(net.count(R"("handler_failed")") == 0);
}

TEST_CASE_FIXTURE(Two, "counters wait for 64 messages or 20 ms, and travel with messages where they can") {
    send(1, 2);
    net.advance(100ms);
    net.frames.clear();
    send(3, 12);
    CHECK(net.count(R"("t":"a")") == 0);
    net.advance(20ms);
    CHECK(net.count(R"("t":"a")") == 1);
    net.frames.clear();
    send(13, 75);
    CHECK(net.count(R"("t":"a")") == 0);
    send(76, 76);
    CHECK(net.count(R"("t":"a")") == 1);
    net.advance(100ms);
    net.frames.clear();
    send(77, 77);
    net.send(bob, "alice", 100);
    CHECK(net.count(R"("t":"m","to":"alice")") == 1);
    CHECK(net.count(R"("r":77)") >= 1);
}

// ---- repair ----

TEST_CASE_FIXTURE(Two, "what is lost in a cut is sent again after the attach, before what is new") {
    send(1, 3);
    lose(alice, FrameType::Message);
    send(4, 6);
    net.detach(alice);
    lose_nothing();
    send(7, 8);
    net.attach(alice);
    CHECK(bob.received == "1 2 3 4 5 6 7 8");
    CHECK(alice.endpoint->statistics().sent_again == 3);
    CHECK(alice.unconfirmed.empty());
}

TEST_CASE_FIXTURE(Two, "the receiver's cut is repaired likewise") {
    send(1, 3);
    net.detach(bob);
    send(4, 6);
    net.attach(bob);
    CHECK(bob.received == "1 2 3 4 5 6");
}

TEST_CASE_FIXTURE(Two, "a restarted hub that knows nobody is no reason to lose anything") {
    send(1, 3);
    net.restart_relay();
    send(4, 5);
    net.attach(alice);
    CHECK(bob.received == "1 2 3");
    net.attach(bob);
    net.advance(5s);
    CHECK(bob.received == "1 2 3 4 5");
    CHECK(alice.unconfirmed.empty());
}

TEST_CASE_FIXTURE(Two, "a lost tail is found after a second; then the pauses double up to ten") {
    send(1, 1);
    net.advance(100ms);
    lose(alice, FrameType::Message);
    send(2, 3);
    net.frames.clear();
    net.advance(990ms);
    CHECK(net.count(R"("t":"sync")") == 0);
    lose_nothing();
    net.advance(10ms);
    CHECK(bob.received == "1 2 3");

    net.advance(1s);
    net.loses = [](const wire::Head& head, auto) { return head.from == "bob"; };
    send(4, 4);
    for (const auto pause : {1s, 1s, 2s, 4s, 8s, 10s, 10s}) {
        net.frames.clear();
        net.advance(pause - 10ms);
        CHECK(net.count(R"("t":"sync","to":"bob")") == 0);
        net.advance(10ms);
        CHECK(net.count(R"("t":"sync","to":"bob")") == 1);
    }
}

TEST_CASE_FIXTURE(Two, "what arrives twice is handled once") {
    lose(bob, FrameType::Ack);
    send(1, 5);
    net.detach(alice);
    lose(bob, FrameType::Sync);
    net.attach(alice);
    lose_nothing();
    net.advance(2s);
    CHECK(bob.received == "1 2 3 4 5");
}

TEST_CASE_FIXTURE(Two, "who observes hears what is sent again and what is not taken; nobody else pays for it") {
    const auto break_it = [&](int first) {
        send(first, first);
        lose(alice, FrameType::Message);
        send(first + 1, first + 2);
        net.detach(alice);
        lose_nothing();
        net.attach(alice);
    };
    break_it(1);
    CHECK(alice.endpoint->statistics().sent_again == 2);
    CHECK(alice.observed.empty());
    alice.endpoint->observe(true);
    break_it(4);
    CHECK(alice.endpoint->statistics().sent_again == 4);
    CHECK(alice.observed == "again:5#5 again:6#6");

    bob.endpoint->observe(true);
    net.advance(1s);
    net.repeat(R"("q":6,)");
    CHECK(bob.observed == "refused:6 (it is a duplicate)");
    CHECK(bob.endpoint->statistics().duplicates == 1);
    CHECK(bob.received == "1 2 3 4 5 6");
    CHECK(bob.endpoint->statistics().bytes_received == 6);
    CHECK(alice.endpoint->statistics().bytes_sent == 10);
}

TEST_CASE_FIXTURE(Two, "what overtakes waits for what is missing") {
    send(1, 1);
    net.loses = [](const wire::Head& head, std::string_view payload) {
        return head.type == FrameType::Message && payload == "2";
    };
    send(2, 4);
    CHECK(bob.received == "1");
    lose_nothing();
    net.advance(1s);
    CHECK(bob.received == "1 2 3 4");
}

// ---- instances ----

TEST_CASE_FIXTURE(Two, "another instance: what was on a wire is unconfirmed, what never was goes to the new one") {
    bob.holds_handlers = true;
    send(1, 2);
    net.kill(bob);
    send(3, 4);  // away: these wait
    auto& again = net.open("bob");
    CHECK(alice.unconfirmed == "bob:1:unconfirmed bob:2:unconfirmed");
    CHECK(again.received == "3 4");
    CHECK(again.gaps.empty());
}

TEST_CASE_FIXTURE(Two, "frames for another instance are refused, and the sender learns who is there") {
    send(1, 1);
    net.advance(100ms);
    Endpoint other("bob", 99, {});
    other.on_attached(net.now);
    wire::Head head;
    head.from = "alice";
    head.to = "bob";
    head.name = "m";
    head.session = {alice.instance, 1};
    head.instance = bob.instance;
    head.sequence = 2;
    other.on_frame({head, "2"}, false, net.now);
    CHECK(other.take_events().empty());
    CHECK(other.statistics().refused == 1);

    wire::Head reset;
    reset.type = FrameType::Reset;
    reset.from = "bob";
    reset.to = "alice";
    reset.session = head.session;
    reset.own_instance = 99;
    lose(alice, FrameType::Message);
    send(2, 2);
    alice.endpoint->on_frame({reset, {}}, false, net.now);
    net.run();
    CHECK(alice.unconfirmed == "bob:2:unconfirmed");
}

TEST_CASE_FIXTURE(Two, "a reset that is not about the live session changes nothing") {
    send(1, 1);
    wire::Head reset;
    reset.type = FrameType::Reset;
    reset.from = "bob";
    reset.to = "alice";
    reset.session = {alice.instance, 7};
    reset.own_instance = 99;
    alice.endpoint->on_frame({reset, {}}, false, net.now);
    send(2, 2);
    CHECK(bob.received == "1 2");
    CHECK(net.count(R"("t":"resolve")") == 1);
}

TEST_CASE_FIXTURE(Two, "late frames of an instance that is over are ignored") {
    send(1, 1);
    net.kill(bob);
    auto& again = net.open("bob");
    send(2, 2);
    wire::Head late;
    late.from = "bob";
    late.to = "alice";
    late.name = "m";
    late.session = {bob.instance, 1};
    late.instance = alice.instance;
    late.sequence = 1;
    late.is_opening = true;
    alice.endpoint->on_frame({late, "1"}, false, net.now);
    net.run();
    CHECK(alice.received.empty());
    send(3, 3);
    CHECK(again.received == "2 3");
}

// ---- away, gone, the window ----

TEST_CASE_FIXTURE(Two, "away is not gone: for two minutes sends are kept, and then told") {
    send(1, 1);
    net.advance(1s);
    net.leave(bob);
    CHECK(net.send(alice, "bob", 2) == Endpoint::Taken::Accepted);
    CHECK_FALSE(alice.endpoint->is_reachable("bob"));
    net.advance(119s);
    CHECK(alice.unconfirmed.empty());
    net.advance(2s);
    CHECK(alice.unconfirmed == "bob:2:not_sent");
    net.send(alice, "bob", 3);
    CHECK(alice.unconfirmed == "bob:2:not_sent bob:3:gone");
}

TEST_CASE_FIXTURE(Two, "without a session a name that has gone is told at once") {
    CHECK(net.send(alice, "carol", 1) == Endpoint::Taken::Waiting);
    CHECK(alice.unconfirmed == "carol:1:unknown");
    net.send(alice, "carol", 2);
    CHECK(alice.unconfirmed == "carol:1:unknown carol:2:unknown");
}

TEST_CASE_FIXTURE(Two, "after the window the receiver is told of one gap, with the exact number") {
    send(1, 2);
    net.advance(1s);
    lose(alice, FrameType::Message);
    send(3, 5);
    net.detach(alice);
    net.advance(121s);
    CHECK(alice.unconfirmed == "bob:3:unconfirmed bob:4:unconfirmed bob:5:unconfirmed");
    lose_nothing();
    net.attach(alice);
    CHECK(bob.gaps.empty());
    send(6, 7);
    CHECK(bob.received == "1 2 6 7");
    CHECK(bob.gaps == "alice:3");
}

// It was taken for here and unknown at once: the next message waited for an answer of the hub that nobody had asked
// for.
TEST_CASE("a peer that speaks first after the window was over is reached again") {
    Settings patient;
    patient.resume_window = 1h;
    SessionNet net;
    auto& alice = net.open("alice");
    auto& bob = net.open("bob", patient);
    net.send(alice, "bob", 1);
    net.advance(1s);
    net.loses = [](const wire::Head& head, auto) { return head.from == "alice"; };
    net.send(alice, "bob", 2);
    net.detach(alice);
    net.detach(bob);
    net.advance(121s);
    CHECK(alice.unconfirmed == "bob:2:unconfirmed");
    net.loses = [](auto&, auto) { return false; };
    net.attach(alice);
    net.attach(bob);  // asks alice where she stands
    net.send(alice, "bob", 3, Waits::Nothing, 7, net.now + 5s);
    CHECK(bob.received == "1 3");
    CHECK(alice.settled != "7:not_sent");
    CHECK(bob.gaps == "alice:1");
}

TEST_CASE_FIXTURE(Two, "what was received after all is no gap; several dead sessions are told together") {
    lose(bob, FrameType::Ack);
    send(1, 2);
    net.detach(alice);
    net.advance(121s);
    CHECK(alice.unconfirmed == "bob:1:unconfirmed bob:2:unconfirmed");
    lose(alice, FrameType::Message);
    net.attach(alice);
    send(3, 5);
    net.detach(alice);
    net.advance(121s);
    lose_nothing();
    net.attach(alice);
    send(6, 6);
    CHECK(bob.received == "1 2 6");
    CHECK(bob.gaps == "alice:3");
}

TEST_CASE_FIXTURE(Two, "a receiver that has forgotten a session says so, and the next one tells of the hole") {
    Settings small;
    small.max_peers = 1;
    small.max_put_away = 0;
    small.resume_window = 1s;
    SessionNet tight;
    auto& sender = tight.open("sender");
    auto& target = tight.open("target", small);
    auto& third = tight.open("third");
    tight.send(sender, "target", 1);
    tight.advance(3s);
    tight.send(third, "target", 2);
    tight.advance(12s);
    CHECK(target.received == "1 2");
    tight.send(sender, "target", 3);
    tight.advance(3s);
    tight.send(sender, "target", 4);
    tight.advance(3s);
    CHECK(target.received.starts_with("1 2"));
    CHECK(sender.endpoint->buffered_messages() == 0);
}

// ---- the end ----

TEST_CASE_FIXTURE(Two, "closing: everything accepted goes out, and the farewell says how far it got") {
    bob.holds_handlers = true;
    send(1, 3);
    net.handle_first(bob);
    bob.endpoint->begin_close(net.now);
    for (auto& event : bob.held) net.handle(bob, event, std::unexpected(error(SendError::Reason::Closed)));
    CHECK(bob.endpoint->is_flushed());
    bob.endpoint->finish_close(net.now);
    net.run();
    net.leave(bob);
    CHECK(alice.unconfirmed == "bob:2:gone bob:3:gone");
    CHECK(net.send(bob, "alice", 1).error() == error(SendError::Reason::Closed));
    net.send(alice, "bob", 4);
    CHECK(alice.unconfirmed == "bob:2:gone bob:3:gone bob:4:gone");
}

TEST_CASE_FIXTURE(Two, "a closed node tells everybody who waits") {
    net.send(alice, "bob", 1);
    net.detach(alice);
    net.send(alice, "bob", 2, Waits::Handled, 2);
    CHECK_FALSE(alice.endpoint->is_flushed());
    alice.endpoint->begin_close(net.now);
    alice.endpoint->finish_close(net.now);
    net.run();
    CHECK(alice.settled == "2:closed");
}

// ---- bounds ----

TEST_CASE("a full buffer is backpressure at send, and never ends the session") {
    SessionNet net;
    Settings settings;
    settings.outbound.messages = 10;
    auto& alice = net.open("alice", settings);
    auto& bob = net.open("bob");
    net.send(alice, "bob", 0);
    net.advance(1s);
    net.detach(alice);
    for (int i = 1; i <= 10; ++i) REQUIRE(net.send(alice, "bob", i));
    CHECK(net.send(alice, "bob", 11).error() == SendError(SendError::Reason::Backpressure, ""));
    net.attach(alice);
    net.advance(20ms);
    CHECK(net.send(alice, "bob", 12));
    CHECK(bob.received == "0 1 2 3 4 5 6 7 8 9 10 12");
    CHECK(alice.endpoint->statistics().sessions_ended == 0);
}

TEST_CASE("all sessions of a process share one budget, and give it back") {
    SessionNet net;
    Settings settings;
    settings.send_budget = std::make_shared<ByteBudget>(500);
    auto& alice = net.open("alice", settings);
    auto& bob = net.open("bob");
    net.send(alice, "bob", 0);
    net.detach(alice);
    int taken = 0;
    while (net.send(alice, "bob", std::string(50, '.'))) ++taken;
    CHECK(taken == 4);
    net.attach(alice);
    net.advance(1s);
    CHECK(settings.send_budget->used() == 0);
    net.detach(alice);
    net.send(alice, "bob", 1);
    CHECK(settings.send_budget->used() > 0);
    net.kill(bob);
    alice.endpoint.reset();
    CHECK(settings.send_budget->used() == 0);
}

TEST_CASE("a receiver takes no more than its window, and none of it is lost") {
    SessionNet net;
    auto& alice = net.open("alice");
    auto& bob = net.open("bob");
    bob.holds_handlers = true;
    for (int i = 0; i < 3000; ++i) REQUIRE(net.send(alice, "bob", i));
    CHECK(bob.held.size() <= Inbound::kWindow);
    while (!bob.held.empty()) net.handle_first(bob);
    net.advance(2s);
    while (!bob.held.empty()) net.handle_first(bob);
    net.advance(2s);
    CHECK(bob.endpoint->statistics().received == 3000);
    CHECK(alice.endpoint->buffered_messages() == 0);
}

TEST_CASE("a process that has no memory left takes nothing, and the sender repeats it later") {
    SessionNet net;
    Settings settings;
    settings.receive_budget = std::make_shared<ByteBudget>(1000);
    auto& alice = net.open("alice");
    auto& bob = net.open("bob", settings);
    bob.holds_handlers = true;
    for (int i = 0; i < 20; ++i) net.send(alice, "bob", std::string(100, '.'));
    CHECK(settings.receive_budget->used() <= 1000);
    CHECK(bob.held.size() < 20);
    for (int round = 0; round < 20; ++round) {
        while (!bob.held.empty()) net.handle_first(bob);
        net.advance(2s);
    }
    CHECK(bob.endpoint->statistics().received == 20);
    CHECK(settings.receive_budget->used() == 0);
}

TEST_CASE_FIXTURE(Two, "too large, measured with the head, is refused at once") {
    alice.endpoint->set_max_frame_bytes(2000);
    CHECK(net.send(alice, "bob", std::string(1900, '.')).error() == error(SendError::Reason::TooLarge));
    CHECK(net.send(alice, "bob", std::string(500, '.')));
}

TEST_CASE("the peer idle for longest makes place, and is recognised when it comes back") {
    SessionNet net;
    Settings settings;
    settings.max_peers = 2;
    auto& hub = net.open("centre", settings);
    std::vector<SessionNode*> others;
    for (const char* name : {"a", "b", "c", "d"}) others.push_back(&net.open(name));
    for (int round = 0; round < 3; ++round) {
        for (SessionNode* other : others) {
            REQUIRE(net.send(*other, "centre", round));
            net.advance(1s);
            REQUIRE(net.send(hub, other->name, round));
            net.advance(1s);
        }
    }
    CHECK(hub.endpoint->peers() == 2);
    CHECK(hub.received == "0 0 0 0 1 1 1 1 2 2 2 2");
    for (const SessionNode* other : others) CHECK(other->received == "0 1 2");
    CHECK(hub.endpoint->statistics().duplicates == 0);
}

// ---- holds ----

TEST_CASE_FIXTURE(Two, "while the hub asks for patience nothing is sent; then all of it, in order") {
    send(1, 1);
    net.relay().set_full("bob", true, net.now);
    net.run();
    send(2, 4);
    CHECK(bob.received == "1");
    net.relay().set_full("bob", false, net.now);
    net.run();
    CHECK(bob.received == "1 2 3 4");
}

TEST_CASE_FIXTURE(Two, "a hold does not outlive its connection") {
    send(1, 1);
    net.relay().set_full("bob", true, net.now);
    net.run();
    send(2, 2);
    net.detach(alice);
    net.relay().set_full("bob", false, net.now);
    net.attach(alice);
    CHECK(bob.received == "1 2");
}

// ---- requests ----

TEST_CASE_FIXTURE(Two, "a request is answered once, with a value or with the handler's error") {
    bob.answers = [](const Deliver& event) -> Answer {
        if (event.intent.payload().as_integer() == 1) return nya::Json("yes");
        return std::unexpected(SendError(SendError::Reason::HandlerFailed, "no"));
    };
    net.send(alice, "bob", 1, Waits::Answer, 1);
    net.send(alice, "bob", 2, Waits::Answer, 2);
    CHECK(alice.settled == R"(1:"yes" 2:handler_failed)");
}

TEST_CASE_FIXTURE(Two, "answers survive cuts; a request is not run twice") {
    bob.answers = [](const Deliver&) { return nya::Json("yes"); };
    lose(bob, FrameType::Message);
    net.send(alice, "bob", 1, Waits::Answer, 1);
    CHECK(alice.settled.empty());
    net.detach(alice);
    lose_nothing();
    net.attach(alice);
    net.advance(2s);
    CHECK(alice.settled == R"(1:"yes")");
    CHECK(bob.received == "1");
}

TEST_CASE_FIXTURE(Two, "a late answer is counted, and goes nowhere") {
    bob.holds_handlers = true;
    net.send(alice, "bob", 1, Waits::Answer, 1, net.now + 1s);
    net.advance(2s);
    CHECK(alice.settled == "1:may_have_run");
    net.handle_first(bob, nya::Json("yes"));
    CHECK(alice.settled == "1:may_have_run");
    CHECK(alice.endpoint->statistics().late_replies == 1);
}

TEST_CASE_FIXTURE(Two, "when the session dies a request ends as unconfirmed, also if only its answer is lost") {
    bob.answers = [](const Deliver&) { return nya::Json("yes"); };
    lose(bob, FrameType::Message);
    net.send(alice, "bob", 1, Waits::Answer, 1);
    CHECK(bob.received == "1");
    net.kill(bob);
    lose_nothing();
    net.open("bob");
    CHECK(alice.settled == "1:unconfirmed");
}

TEST_CASE_FIXTURE(Two, "payloads that are not JSON are handled as failures, and do not stop what follows") {
    send(1, 1);
    net.advance(1s);
    wire::Head head;
    head.from = "alice";
    head.to = "bob";
    head.name = "m";
    head.session = {alice.instance, 1};
    head.instance = bob.instance;
    head.sequence = 2;
    bob.endpoint->on_frame({head, "{broken"}, false, net.now);
    head.sequence = 3;
    bob.endpoint->on_frame({head, "3"}, false, net.now);
    net.run();
    CHECK(bob.received == "1 3");
}

TEST_CASE_FIXTURE(Two, "pings are answered by the node itself, and survive a cut") {
    bob.holds_handlers = true;
    REQUIRE(alice.endpoint->ping("bob", 1, net.now + 5s, net.now));
    net.run();
    CHECK(alice.settled == "1:null");
    lose(bob, FrameType::Pong);
    REQUIRE(alice.endpoint->ping("bob", 2, net.now + 50s, net.now));
    net.run();
    net.detach(alice);
    lose_nothing();
    net.attach(alice);
    CHECK(alice.settled == "1:null 2:null");
    REQUIRE(alice.endpoint->ping("carol", 3, net.now + 5s, net.now));
    net.run();
    CHECK(alice.settled == "1:null 2:null 3:unknown");
}

TEST_CASE_FIXTURE(Two, "giving up takes back what has not been sent") {
    send(1, 1);
    net.detach(alice);
    net.send(alice, "bob", 2, Waits::Handled, 2);
    CHECK(alice.endpoint->give_up(2) == Outbound::GivenUp::TakenBack);
    CHECK(alice.endpoint->give_up(2) == Outbound::GivenUp::NotFound);
    net.attach(alice);
    CHECK(bob.received == "1");
}

TEST_CASE_FIXTURE(Two, "what was never sent until the window ended is a gap as well, exact each time") {
    send(1, 2);
    net.advance(50ms);
    for (const char* told : {"alice:3", "alice:3 alice:2"}) {
        const int count = std::string(told).size() > 7 ? 2 : 3;
        net.detach(alice);
        for (int i = 0; i < count; ++i) REQUIRE(net.send(alice, "bob", 100 + i));
        net.advance(120s);
        net.attach(alice);
        send(3, 3);
        net.advance(50ms);
        CHECK(bob.gaps == told);
    }
    CHECK(bob.received == "1 2 3 3");
    CHECK(alice.unconfirmed == "bob:100:not_sent bob:101:not_sent bob:102:not_sent bob:100:not_sent bob:101:not_sent");
}

// ---- peers without sessions ----

TEST_CASE("a peer without sessions: at most once, never buffered, and no waiting for it") {
    SessionNet net;
    auto& alice = net.open("alice");
    REQUIRE(net.relay().bind(99, "page", 0, false, net.now));
    net.send(alice, "page", 1);
    CHECK(net.frames.back() == "{\"t\":\"m\",\"to\":\"page\",\"from\":\"alice\",\"n\":\"m\"}\n1");
    CHECK(alice.endpoint->buffered_messages() == 0);
    CHECK(net.send(alice, "page", 2, Waits::Handled, 2).error() == SendError(SendError::Reason::Unsupported, ""));

    wire::Head head;
    head.from = "page";
    head.to = "alice";
    head.name = "m";
    alice.endpoint->on_frame({head, "3"}, false, net.now);
    net.run();
    CHECK(alice.received == "3");

    net.detach(alice);
    CHECK(net.send(alice, "page", 4).error() == SendError(SendError::Reason::Offline, ""));
}

TEST_CASE_FIXTURE(Two, "a name that loses its sessions ends the one there was") {
    send(1, 1);
    bob.holds_handlers = true;
    send(2, 2);
    net.kill(bob);
    REQUIRE(net.relay().bind(99, "bob", 0, false, net.now));
    net.run();
    CHECK(alice.unconfirmed == "bob:2:unconfirmed");
    net.advance(30s);
    net.frames.clear();
    send(3, 3);
    CHECK(net.frames.back().find("\"s\"") == std::string::npos);
}

// ---- peers without sessions ----

TEST_CASE_FIXTURE(Two,
                  "a page sends and gets plain messages; who waits for more than Accepted is told that it cannot") {
    auto& page = net.open_page("page");
    net.send(page, R"({"t":"m","to":"alice","from":"page","n":"m"})"
                   "\n7");
    CHECK(alice.received == "7");
    net.send(alice, "page", 8);
    REQUIRE(page.received.size() == 1);
    CHECK(page.received[0] == R"({"t":"m","to":"page","from":"alice","n":"m"})"
                              "\n8");
    CHECK(error(SendError::Reason::Unsupported) == net.send(alice, "page", 9, Waits::Handled, 1).error());
    CHECK(alice.endpoint->buffered_messages() == 0);
}

TEST_CASE_FIXTURE(Two, "a page asks, and is answered once") {
    auto& page = net.open_page("page");
    alice.answers = [](const Deliver& asked) -> Answer {
        REQUIRE(asked.is_request);
        if (asked.intent.name() == "add") return 5;
        return std::unexpected(SendError(SendError::Reason::HandlerFailed, "out of tea", "Ask for coffee"));
    };
    net.send(page, R"({"t":"m","to":"alice","from":"page","n":"add","q":1,"k":"q"})"
                   "\n[2,3]");
    net.send(page, R"({"t":"m","to":"alice","from":"page","n":"tea","q":2,"k":"q"})");
    REQUIRE(page.received.size() == 2);
    CHECK(page.received[0] == R"({"t":"m","to":"page","from":"alice","k":"r","re":1})"
                              "\n5");
    CHECK(page.received[1] == R"({"t":"m","to":"page","from":"alice","k":"r","re":2,"e":"handler_failed",)"
                              R"("message":"out of tea","hint":"Ask for coffee"})");
    net.send(page, R"({"t":"m","to":"alice","from":"page","n":"add","q":3,"k":"q"})"
                   "\n[2,");
    REQUIRE(page.received.size() == 3);
    CHECK(page.received[2].starts_with(R"({"t":"m","to":"page","from":"alice","k":"r","re":3,"e":"malformed",)"));
}

TEST_CASE_FIXTURE(Two, "a page is asked, and answers") {
    auto& page = net.open_page("page");
    net.send(alice, "page", 1, Waits::Answer, 7);
    net.send(alice, "page", 2, Waits::Answer, 8);
    REQUIRE(page.received.size() == 2);
    CHECK(page.received[1] == R"({"t":"m","to":"page","from":"alice","n":"m","q":2,"k":"q"})"
                              "\n2");
    net.send(page, R"({"t":"m","to":"alice","from":"page","k":"r","re":2})"
                   "\n20");
    net.send(page, R"({"t":"m","to":"alice","from":"page","k":"r","re":1,"e":"no_handler"})");
    CHECK(alice.settled == "8:20 7:no_handler");
    net.send(page, R"({"t":"m","to":"alice","from":"page","k":"r","re":1})"
                   "\n10");
    CHECK(alice.endpoint->statistics().late_replies == 1);
}

TEST_CASE_FIXTURE(Two, "a request to a page that leaves, or stays silent, ends truthfully") {
    auto& page = net.open_page("page");
    net.send(alice, "page", 1, Waits::Answer, 7, net.now + 5s);
    net.advance(5s);
    CHECK(alice.settled == "7:may_have_run");
    net.send(alice, "page", 2, Waits::Answer, 8);
    net.leave(page);
    CHECK(alice.settled == "7:may_have_run 8:unconfirmed");
    auto& other = net.open_page("other");
    net.send(alice, "other", 3, Waits::Answer, 9);
    REQUIRE(other.received.size() == 1);
    net.detach(alice);
    CHECK(alice.settled == "7:may_have_run 8:unconfirmed 9:unconfirmed");
}

TEST_CASE_FIXTURE(Two, "answers to pages are not kept for another connection") {
    auto& page = net.open_page("page");
    alice.holds_handlers = true;
    net.send(page, R"({"t":"m","to":"alice","from":"page","n":"m","q":1,"k":"q"})");
    net.detach(alice);
    net.handle_first(alice, 5);
    net.attach(alice);
    CHECK(page.received.empty());
    CHECK_FALSE(alice.endpoint->has_frames());
}
