// The receiving half: order, once each, and what the sender is told.
#include "session/inbound.h"

#include "session/outbound.h"

#include <doctest/doctest.h>

#include <string>

using namespace nyamesh;
using namespace nyamesh::session;

namespace {

using Verdict = Inbound::Verdict;

struct Receiver {
    Inbound in;

    Receiver() { in.begin({7, 1}, {}); }
    std::string take(std::uint64_t sequence) {
        InMessage message;
        message.sequence = sequence;
        message.intent = IntentBox("m", sequence);
        std::string ready;
        for (const InMessage& next : in.accept(std::move(message))) ready += std::to_string(next.sequence) + " ";
        return ready;
    }
    void take_to(std::uint64_t last) {
        for (std::uint64_t sequence = in.received() + 1; sequence <= last; ++sequence) take(sequence);
    }
};

}  // namespace

TEST_CASE("what comes early waits for what is missing") {
    Receiver receiver;
    CHECK(receiver.take(2) == "");
    CHECK(receiver.take(4) == "");
    CHECK(receiver.in.received() == 0);
    CHECK(receiver.in.early_bytes() > 0);
    CHECK(receiver.take(1) == "1 2 ");
    CHECK(receiver.take(3) == "3 4 ");
    CHECK(receiver.in.early_bytes() == 0);
}

TEST_CASE("what is here already is a duplicate, whether delivered or early") {
    Receiver receiver;
    receiver.take(1);
    receiver.take(3);
    CHECK(receiver.in.judge(1) == Verdict::Duplicate);
    CHECK(receiver.in.judge(3) == Verdict::Duplicate);
    CHECK(receiver.in.judge(2) == Verdict::Taken);
}

TEST_CASE("the window: what senders may send unasked, then what they were told") {
    Receiver receiver;
    CHECK(receiver.in.judge(Outbound::kInitialCredit) == Verdict::Taken);
    CHECK(receiver.in.judge(Outbound::kInitialCredit + 1) == Verdict::OutsideWindow);
    CHECK(receiver.in.counters(true).credit == Inbound::kWindow);
    CHECK(receiver.in.judge(Inbound::kWindow) == Verdict::Taken);
    CHECK(receiver.in.judge(Inbound::kWindow + 1) == Verdict::OutsideWindow);
    CHECK(receiver.in.counters(false).credit == Inbound::kWindow);  // what was promised is kept
}

TEST_CASE("h moves without holes, in whatever order handlers return") {
    Receiver receiver;
    receiver.take_to(3);
    CHECK_FALSE(receiver.in.handled(2, {}));
    CHECK(receiver.in.handled() == 0);
    CHECK(receiver.in.handled(1, {}));
    CHECK(receiver.in.handled() == 2);
    CHECK_FALSE(receiver.in.handled(2, {}));  // a second time
    CHECK_FALSE(receiver.in.handled(9, {}));  // not even received
}

TEST_CASE("failures are told until the sender has confirmed them") {
    Receiver receiver;
    receiver.take_to(3);
    receiver.in.handled(1, {});
    receiver.in.handled(3, wire::Exception{3, "no_handler", ""});
    CHECK(receiver.in.counters(true).exceptions.empty());  // h is not there yet
    receiver.in.handled(2, wire::Exception{2, "handler_failed", "why"});
    CHECK(receiver.in.counters(true).exceptions.size() == 2);
    CHECK(receiver.in.counters(true).exceptions.front().sequence == 2);
    receiver.in.confirm(3);
    CHECK(receiver.in.counters(true).exceptions.size() == 1);
    CHECK_FALSE(receiver.in.is_idle());
    receiver.in.confirm(4);
    CHECK(receiver.in.is_idle());
}

TEST_CASE("failures that do not fit a head are told later; h stops before them") {
    Receiver receiver;
    receiver.take_to(100);
    for (std::uint64_t sequence = 1; sequence <= 100; ++sequence)
        receiver.in.handled(sequence, wire::Exception{sequence, "handler_failed", std::string(200, '"')});
    std::uint64_t told = 0;
    int rounds = 0;
    while (told < 100) {
        const wire::AckFields ack = receiver.in.counters(true);
        REQUIRE(!ack.exceptions.empty());
        CHECK(ack.exceptions.front().sequence == told + 1);
        CHECK(ack.exceptions.back().sequence == ack.handled);
        CHECK(ack.received == 100);
        told = ack.handled;
        ++rounds;
        CHECK(receiver.in.confirm(told + 1) == (told < 100));
    }
    CHECK(rounds > 1);
}

TEST_CASE("too many failures nobody has confirmed stop the credit") {
    Receiver receiver;
    receiver.take_to(Inbound::kMaxExceptions);
    for (std::uint64_t sequence = 1; sequence <= Inbound::kMaxExceptions; ++sequence)
        receiver.in.handled(sequence, wire::Exception{sequence, "no_handler", ""});
    CHECK(receiver.in.counters(true).credit == Inbound::kMaxExceptions);
    receiver.in.confirm(Inbound::kMaxExceptions + 1);
    CHECK(receiver.in.counters(true).credit == Inbound::kMaxExceptions + Inbound::kWindow);
}

TEST_CASE("a new session tells of the holes in earlier ones, once each") {
    Receiver receiver;
    receiver.take_to(5);
    CHECK(receiver.in.begin({7, 2}, {{1, 8}}) == 3);
    CHECK(receiver.in.begin({7, 4}, {{1, 8}, {2, 1}, {3, 2}}) == 3);  // 1 has been told; of 2 and 3 nothing has come
    CHECK(receiver.in.begin({7, 5}, {}) == 0);
}

TEST_CASE("sums of forgotten sessions grow until the sender knows that they were told") {
    Receiver receiver;
    CHECK(receiver.in.begin({7, 2}, {{0, 5}}) == 5);
    CHECK(receiver.in.begin({7, 3}, {{0, 8}}) == 3);
    CHECK(receiver.in.begin({7, 4}, {}) == 0);
    CHECK(receiver.in.begin({7, 5}, {{0, 2}}) == 2);
}

TEST_CASE("what came early in a session that is over was never received") {
    Receiver receiver;
    receiver.take(1);
    receiver.take(3);
    CHECK(receiver.in.begin({7, 2}, {{1, 3}}) == 2);
    CHECK(receiver.in.early_bytes() == 0);
}

TEST_CASE("a session that was put away goes on where it was") {
    Receiver receiver;
    receiver.take_to(4);
    for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) receiver.in.handled(sequence, {});
    Inbound again;
    again.restore(receiver.in.rest());
    CHECK(again.session() == wire::SessionId{7, 1});
    CHECK(again.judge(4) == Verdict::Duplicate);
    CHECK(again.judge(5) == Verdict::Taken);
    CHECK(again.judge(4 + Inbound::kWindow) == Verdict::Taken);  // it may have been told so
    CHECK(again.begin({7, 2}, {{1, 6}}) == 2);
}
