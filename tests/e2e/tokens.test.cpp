// Tokens that end while their node goes on: renewed, or not. On real sockets, in real time.
#include "meeting.h"

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto kShort = 5s;  // long enough to be shown in time on a busy machine

struct Guarded {
    HubKey key{.value = "0123456789abcdef0123456789abcdef"};
    std::unique_ptr<Hub> hub =
        Hub::start({.listen = {"127.0.0.1:0"}, .auth = {.is_required = true, .keys = {key}}}).value();
    std::shared_ptr<MessageBus> here = MessageBus::create();
    std::shared_ptr<MessageBus> there = MessageBus::create();

    std::string token(const std::string& subject, std::chrono::seconds lifetime) const {
        return make_token({.subject = subject, .lifetime = lifetime}, key).value();
    }
    P2PBoxOptions options(const std::shared_ptr<MessageBus>& bus, std::string token) const {
        P2PBoxOptions made;
        made.bus = bus;
        made.url = hub->url();
        made.key = "secret";
        made.token = std::move(token);
        return made;
    }
    // Opened with a token that ends soon, and nothing after it: tells when it has ended, and how.
    std::string end_of_a_short_token() const {
        auto clock = P2PBox::open("clock", TransportKind::WebSocket, options(there, token("clock", kShort))).value();
        Once<std::string> ended;
        CHECK(clock.on_state([&](const StateChange& change) {
            if (change.state == ConnectionState::Failed) ended.set(change.problem);
        }));
        return ended.get();
    }
};

}  // namespace

TEST_CASE_FIXTURE(Guarded, "a token that ends and is not renewed ends the node, and says so") {
    const std::string problem = end_of_a_short_token();
    CHECK(problem.contains("4503"));
    CHECK(problem.contains("the token has expired"));
}

// The fresh tokens are signed here: OpenSSL keeps something for each thread that it was used on, and the one that asks
// for them may end after the program has looked for leaks.
TEST_CASE_FIXTURE(Guarded, "renew_token is asked before the end; the connection and the node go on") {
    std::promise<void> asked;
    std::atomic<int> times = 0;
    auto made = options(here, token("alice", kShort));
    made.renew_token = [&, fresh = token("alice", 1h)] {
        if (++times == 1) asked.set_value();
        return fresh;
    };
    std::atomic<int> changes = 0;
    Once<bool> connected;
    auto alice = P2PBox::open("alice", TransportKind::WebSocket, made).value();
    CHECK(alice.on_state([&](const StateChange& change) {
        ++changes;
        if (change.state == ConnectionState::Connected) connected.set(true);
    }));
    CHECK(connected.get());
    asked.get_future().wait();
    static_cast<void>(end_of_a_short_token());  // opened later than hers, so hers is over as well
    CHECK(alice.state() == ConnectionState::Connected);
    CHECK(alice.list_names().value() == std::vector<std::string>{"alice"});
    CHECK(changes == 1);
    CHECK(times == 1);
}

TEST_CASE_FIXTURE(Guarded, "a node whose first token has ended already gets in with a fresh one") {
    auto made = options(here, make_token({.subject = "alice", .lifetime = -1h}, key).value());
    made.renew_token = [fresh = token("alice", 1h)] { return fresh; };
    Once<bool> connected;
    auto alice = P2PBox::open("alice", TransportKind::WebSocket, made).value();
    CHECK(alice.on_state([&](const StateChange& change) {
        if (change.state == ConnectionState::Connected) connected.set(true);
    }));
    CHECK(connected.get());
}
