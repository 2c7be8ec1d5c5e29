// The sending half: what waits, what is on its way, what is over.
#include "session/outbound.h"

#include <doctest/doctest.h>

#include <string>

using namespace nyamesh;
using namespace nyamesh::session;

namespace {

constexpr wire::SessionId kSession{7, 1};

OutMessage message(int number, Waits waits = Waits::Nothing, std::uint64_t token = 0) {
    return {IntentBox("m", number), wire::MessageKind::Intent, waits, token};
}

struct Sender {
    Outbound out{{.messages = 4, .bytes = 4096}};
    std::string settled;

    Sender() { out.begin(kSession); }
    void push(int count) {
        for (int i = 1; i <= count; ++i) out.push(message(i, Waits::Handled, static_cast<std::uint64_t>(i)));
    }
    std::string send_all() {
        std::string sent;
        while (out.has_next()) sent += std::to_string(out.take_next().sequence) + " ";
        return sent;
    }
    bool acknowledge(std::uint64_t received, std::uint64_t handled, std::vector<wire::Exception> exceptions = {}) {
        return out.acknowledge({kSession, received, handled, 1000, std::move(exceptions)},
                               [this](const OutMessage& done, const wire::Exception* failure) {
                                   settled += std::to_string(done.token) + (failure ? "!" : "") + " ";
                               });
    }
};

}  // namespace

TEST_CASE("a message gets its number when it is first put on a wire") {
    Sender sender;
    sender.push(2);
    CHECK(sender.out.last() == 0);
    CHECK(sender.send_all() == "1 2 ");
    CHECK(sender.out.last() == 2);
    CHECK(sender.out.base() == 1);
}

TEST_CASE("r ends waiting for Delivered, h waiting for Handled and the message itself") {
    Sender sender;
    sender.out.push(message(1, Waits::Delivered, 1));
    sender.out.push(message(2, Waits::Handled, 2));
    sender.send_all();
    CHECK(sender.acknowledge(2, 0));
    CHECK(sender.settled == "1 ");
    CHECK(sender.out.buffered_messages() == 2);
    CHECK(sender.acknowledge(2, 2));
    CHECK(sender.settled == "1 2 ");
    CHECK(sender.out.is_idle());
    CHECK(sender.out.buffered_bytes() == 0);
}

TEST_CASE("a failure ends the wait of its own message only") {
    Sender sender;
    sender.push(3);
    sender.send_all();
    CHECK(sender.acknowledge(3, 3, {{2, "handler_failed", "no"}}));
    CHECK(sender.settled == "1 2! 3 ");
}

TEST_CASE("counters that are impossible change nothing") {
    Sender sender;
    sender.push(2);
    sender.send_all();
    CHECK_FALSE(sender.acknowledge(3, 0));
    CHECK_FALSE(sender.acknowledge(1, 2));
    CHECK(sender.out.base() == 1);
    CHECK(sender.out.is_opening());
}

TEST_CASE("old counters change nothing") {
    Sender sender;
    sender.push(3);
    sender.send_all();
    CHECK(sender.acknowledge(3, 2));
    CHECK(sender.acknowledge(1, 1));
    CHECK(sender.out.received() == 3);
    CHECK(sender.out.base() == 3);
}

TEST_CASE("after a rewind everything that has not been received is sent again, before what is new") {
    Sender sender;
    sender.push(3);
    sender.send_all();
    sender.acknowledge(1, 1);
    sender.out.push(message(4));
    sender.out.rewind();
    CHECK(sender.out.take_next().is_again);
    CHECK(sender.send_all() == "3 4 ");
    CHECK(sender.out.last() == 4);
}

TEST_CASE("nothing new is sent beyond the credit; what was sent may be repeated") {
    Sender sender;
    Outbound out({.messages = 1000, .bytes = 1 << 20});
    out.begin(kSession);
    for (int i = 0; i < 300; ++i) out.push(message(i));
    while (out.has_next()) out.take_next();
    CHECK(out.last() == Outbound::kInitialCredit);
    out.rewind();
    CHECK(out.has_next());
}

TEST_CASE("room: messages, bytes, and twice as much of both for replies; one message always fits") {
    Outbound out({.messages = 2, .bytes = 1000});
    CHECK(out.has_room(5000, false));
    out.push(message(1));
    CHECK(out.has_room(100, false));
    CHECK_FALSE(out.has_room(1500, false));
    CHECK(out.has_room(1500, true));
    out.push(message(2));
    CHECK_FALSE(out.has_room(1, false));
    CHECK(out.has_room(1, true));
}

TEST_CASE("giving up takes back what has never been on a wire") {
    Sender sender;
    sender.push(1);
    sender.send_all();
    sender.out.push(message(2, Waits::Handled, 2));
    CHECK(sender.out.give_up(2) == Outbound::GivenUp::TakenBack);
    CHECK(sender.out.give_up(1) == Outbound::GivenUp::OnItsWay);
    CHECK(sender.out.give_up(3) == Outbound::GivenUp::NotFound);
    CHECK(sender.out.buffered_messages() == 1);
    sender.acknowledge(1, 1);
    CHECK(sender.settled == "");
}

TEST_CASE("the end of a session yields what was on a wire; what waits goes on") {
    Sender sender;
    sender.push(3);
    sender.send_all();
    sender.acknowledge(2, 1);
    sender.out.push(message(4));
    const auto ended = sender.out.end(Outbound::Trail::Exact);
    REQUIRE(ended.size() == 2);
    CHECK(ended[0].intent.payload_text() == "2");
    CHECK(sender.out.has_waiting());
    CHECK_FALSE(sender.out.has_session());
    CHECK(sender.out.lost() == std::vector<wire::LostSession>{{1, 3}});
}

TEST_CASE("the trail of dead sessions: until the next one is acknowledged, and added up beyond eight") {
    Outbound out({.messages = 100, .bytes = 100'000});
    for (std::uint32_t number = 1; number <= 10; ++number) {
        out.begin({7, number});
        out.push(message(1));
        out.push(message(2));
        while (out.has_next()) out.take_next();
        out.end(Outbound::Trail::Exact);
    }
    REQUIRE(out.lost().size() == 9);
    CHECK(out.lost().front() == wire::LostSession{0, 4});
    CHECK(out.lost().back() == wire::LostSession{10, 2});
    out.begin({7, 11});
    out.push(message(1));
    while (out.has_next()) out.take_next();
    CHECK(out.acknowledge({{7, 11}, 0, 0, 0, {}}, [](auto&, auto*) {}));
    CHECK(out.lost().empty());
    // A sum that comes again goes on where the receiver has counted to; one it was shown the end of begins anew.
    for (std::uint32_t number = 12; number <= 20; ++number) out.gave_up(number, 3);
    CHECK(out.lost().front() == wire::LostSession{0, 7});
    out.end(Outbound::Trail::Exact);
    for (int round = 0; round < 2; ++round) {
        out.begin({7, 30});
        out.push(message(1));
        while (out.has_next()) out.take_next();
        CHECK(out.acknowledge({{7, 30}, 1, 1, 0, {}}, [](auto&, auto*) {}));
        out.end(Outbound::Trail::Exact);
    }
    for (std::uint32_t number = 31; number <= 39; ++number) out.gave_up(number, 3);
    CHECK(out.lost().front() == wire::LostSession{0, 3});
}
