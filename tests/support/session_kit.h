// Endpoints connected by a relay that speaks encoded frames: no sockets, no delays, and time that moves when told.
//
//     SessionNet net;
//     auto& alice = net.open("alice");
//     auto& bob = net.open("bob");
//     net.send(alice, "bob", 1);
//     CHECK(bob.received == "1");
//
// Whatever arrives is handled at once unless a node `holds_handlers`; frames can be lost by `net.loses`.
#pragma once

#include "session/endpoint.h"
#include "simulation/relay.h"
#include "wire/frame_codec.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nyamesh::testing {

using namespace std::chrono_literals;

struct SessionNode {
    std::string name;
    std::uint64_t instance = 0;
    std::unique_ptr<session::Endpoint> endpoint;
    simulation::Relay::Link link = 0;  // 0: not attached
    bool holds_handlers = false;
    std::deque<session::Deliver> held;
    std::string received;     // "1 2 3": payloads, in order
    std::string settled;      // "7:null 8:unconfirmed": tokens, and how they ended
    std::string unconfirmed;  // "bob:3:unconfirmed": to, payload, reason
    std::string gaps;         // "alice:2"
    std::string observed;     // "again:5#3", "refused:5 (why)"; of an endpoint that is observed
    std::function<Answer(const session::Deliver&)> answers;
};

// A page in a browser, as it stands in docs/protocol.md §8: it keeps no sessions, and speaks for itself.
struct SessionPage {
    std::string name;
    simulation::Relay::Link link = 0;
    std::vector<std::string> received;  // frames of nodes, as they came
};

class SessionNet {
public:
    session::Time now{std::chrono::hours(1)};
    // True: that frame is lost.
    std::function<bool(const wire::Head&, std::string_view payload)> loses = [](auto&, auto) { return false; };
    std::vector<std::string> frames;  // all that nodes have sent, as text

    SessionNode& open(const std::string& name, session::Settings settings = {}) {
        nodes_.push_back(std::make_unique<SessionNode>());
        SessionNode& node = *nodes_.back();
        node.name = name;
        node.instance = ++last_instance_;
        node.endpoint = std::make_unique<session::Endpoint>(name, node.instance, std::move(settings));
        attach(node);
        return node;
    }
    void attach(SessionNode& node) {
        node.link = ++last_link_;
        REQUIRE(relay_.bind(node.link, node.name, node.instance, true, now));
        node.endpoint->on_attached(now);
        run();
    }
    SessionPage& open_page(const std::string& name) {
        pages_.push_back(std::make_unique<SessionPage>(SessionPage{name, ++last_link_, {}}));
        REQUIRE(relay_.bind(last_link_, name, ++last_instance_, false, now));
        run();
        return *pages_.back();
    }
    void send(const SessionPage& page, std::string frame) {
        relay_.on_bytes(page.link, std::move(frame), now);
        run();
    }
    void leave(SessionPage& page) {
        relay_.unbind(std::exchange(page.link, 0), now);
        run();
    }
    // Both sides see it at once; what waits in the node goes nowhere.
    void detach(SessionNode& node) {
        const auto link = std::exchange(node.link, 0);
        relay_.lose(link, now);
        node.endpoint->on_detached(now);
        run();
    }
    // The process is gone, and its connection with it.
    void kill(SessionNode& node) {
        relay_.lose(std::exchange(node.link, 0), now);
        node.endpoint.reset();
        run();
    }
    void leave(SessionNode& node) {
        relay_.unbind(std::exchange(node.link, 0), now);
        run();
    }
    // All connections are lost, and the relay forgets everything. Nobody is attached then.
    void restart_relay() {
        relay_.restart(now);
        for (const auto& node : nodes_) {
            if (std::exchange(node->link, 0) != 0 && node->endpoint) node->endpoint->on_detached(now);
        }
    }
    simulation::Relay& relay() { return relay_; }

    using Taken = session::Endpoint::Taken;
    std::expected<Taken, SendError> send(SessionNode& from, const std::string& to, nya::Json payload,
                                         session::Waits waits = session::Waits::Nothing, std::uint64_t token = 0,
                                         session::Time deadline = session::Time::max()) {
        auto taken = from.endpoint->submit(
            to, {IntentBox("m", std::move(payload)), waits, waits == session::Waits::Answer, token, deadline}, now);
        run();
        return taken;
    }

    // Until nobody has anything to say.
    void run() {
        bool is_busy = true;
        for (int turn = 0; is_busy; ++turn) {
            REQUIRE_MESSAGE(turn < 10'000, "the nodes never stop talking");
            is_busy = false;
            for (const auto& node : nodes_) {
                if (node->endpoint) is_busy |= work(*node);
            }
            while (!under_way_.empty()) {
                is_busy = true;
                const auto [link, bytes] = std::move(under_way_.front());
                under_way_.pop_front();
                arrive(link, bytes);
            }
        }
    }
    // Time moves from one thing to do to the next.
    void advance(std::chrono::nanoseconds by) {
        const session::Time end = now + by;
        for (;;) {
            session::Time next = end;
            for (const auto& node : nodes_) {
                if (node->endpoint) next = std::min(next, node->endpoint->next_time());
            }
            now = std::max(now, next);
            for (const auto& node : nodes_) {
                if (node->endpoint) node->endpoint->on_time(now);
            }
            run();
            if (now >= end) return;
        }
    }
    void handle(SessionNode& node, session::Deliver event, Answer outcome = Answer()) {
        node.endpoint->on_handled(event.ref, event.is_request, std::move(outcome), now);
        run();
    }
    void handle_first(SessionNode& node, Answer outcome = Answer()) {
        REQUIRE(!node.held.empty());
        const session::Deliver event = std::move(node.held.front());
        node.held.pop_front();
        handle(node, event, std::move(outcome));
    }
    // The last message that contains that text arrives once more.
    void repeat(std::string_view text) {
        for (auto i = frames.rbegin(); i != frames.rend(); ++i) {
            if (i->find(text) == std::string::npos || !i->starts_with(R"({"t":"m")")) continue;
            const std::string bytes = *i;
            const auto frame = wire::decode(bytes, scratch_);
            REQUIRE(frame);
            for (const auto& node : nodes_) {
                if (node->name == frame->head.to) node->endpoint->on_frame(*frame, false, now);
            }
            return run();
        }
        FAIL("no message contains " << text);
    }
    // How many of the frames sent so far contain that text.
    int count(std::string_view text) const {
        int found = 0;
        for (const std::string& frame : frames) found += frame.find(text) != std::string::npos ? 1 : 0;
        return found;
    }

private:
    struct Sink final : session::FrameSink {
        SessionNet& net;
        SessionNode& node;
        Sink(SessionNet& n, SessionNode& o) : net(n), node(o) {}
        bool has_room() const override { return true; }
        void send(const wire::Head& head, std::string_view payload) override {
            std::string bytes;
            wire::encode(head, payload, bytes);
            net.frames.push_back(bytes);
            if (!net.loses(head, payload)) net.sent_.emplace_back(node.link, std::move(bytes));
        }
    };

    static void note(std::string& log, const std::string& text) {
        if (!log.empty()) log += ' ';
        log += text;
    }

    bool work(SessionNode& node) {
        bool is_busy = false;
        if (node.endpoint->next_time() <= now) node.endpoint->on_time(now);
        if (node.link != 0 && node.endpoint->has_frames()) {
            is_busy = true;
            Sink sink(*this, node);
            node.endpoint->pump(sink, now);
            for (const auto& [link, bytes] : std::exchange(sent_, {})) relay_.on_bytes(link, bytes, now);
        }
        for (session::Event& event : node.endpoint->take_events()) {
            is_busy = true;
            take(node, event);
        }
        return is_busy;
    }
    void take(SessionNode& node, session::Event& event) {
        if (auto* deliver = std::get_if<session::Deliver>(&event)) {
            note(node.received, deliver->intent.payload().dump());
            if (node.holds_handlers) return node.held.push_back(std::move(*deliver));
            Answer outcome = node.answers ? node.answers(*deliver) : Answer();
            node.endpoint->on_handled(deliver->ref, deliver->is_request, std::move(outcome), now);
        } else if (const auto* settled = std::get_if<session::Settled>(&event)) {
            note(node.settled, std::to_string(settled->token) + ":" +
                                   (settled->result ? settled->result->dump()
                                                    : std::string(to_string(settled->result.error().reason))));
        } else if (const auto* lost = std::get_if<session::Unconfirmed>(&event)) {
            note(node.unconfirmed,
                 lost->to + ":" + lost->intent.payload().dump() + ":" + std::string(to_string(lost->reason)));
        } else if (const auto* gap = std::get_if<session::Gap>(&event)) {
            note(node.gaps, gap->from + ":" + std::to_string(gap->missed));
        } else if (const auto* again = std::get_if<session::SentAgain>(&event)) {
            note(node.observed, "again:" + again->intent.payload().dump() + "#" + std::to_string(again->sequence));
        } else if (const auto* refused = std::get_if<session::NotTaken>(&event)) {
            note(node.observed, "refused:" + refused->intent.payload().dump() + " (" + std::string(refused->why) + ")");
        }
    }
    void arrive(simulation::Relay::Link link, const std::string& bytes) {
        for (const auto& page : pages_) {
            if (page->link == link && !bytes.starts_with(R"({"t":"peer")")) page->received.push_back(bytes);
        }
        for (const auto& node : nodes_) {
            if (node->link != link || !node->endpoint) continue;
            const auto frame = wire::decode(bytes, scratch_);
            REQUIRE(frame);
            const wire::Head& head = frame->head;
            if (head.type == wire::FrameType::Peer) {
                node->endpoint->on_peer(
                    head.name,
                    {head.state.value_or(wire::PeerState::Unknown), head.instance, head.has_sessions,
                     std::chrono::milliseconds(head.in_ms), std::string(head.hint)},
                    now);
            } else if (head.type == wire::FrameType::Hold || head.type == wire::FrameType::Go) {
                node->endpoint->on_hold(head.name, head.type == wire::FrameType::Hold, now);
            } else {
                node->endpoint->on_frame(*frame, false, now);
            }
            return;
        }
    }

    simulation::Relay relay_{
        [this](simulation::Relay::Link link, std::string bytes) { under_way_.emplace_back(link, std::move(bytes)); }};
    std::vector<std::unique_ptr<SessionNode>> nodes_;
    std::vector<std::unique_ptr<SessionPage>> pages_;
    std::deque<std::pair<simulation::Relay::Link, std::string>> under_way_;
    std::vector<std::pair<simulation::Relay::Link, std::string>> sent_;
    wire::Scratch scratch_;
    std::uint64_t last_instance_ = 0;
    simulation::Relay::Link last_link_ = 0;
};

}  // namespace nyamesh::testing
