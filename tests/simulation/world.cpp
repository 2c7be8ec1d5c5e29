#include "simulation/world.h"

#include "wire/protocol.h"

#include <algorithm>

namespace nyamesh::simulation {

using namespace std::chrono_literals;
using Reason = SendError::Reason;
using session::Deliver;
using session::Waits;

// One life after the other of a program with one node.
struct World::Node {
    std::string name;
    std::uint64_t instance = 0;
    std::unique_ptr<Endpoint> endpoint;  // null: not running
    std::uint64_t life = 0;              // what was scheduled for another life is not for this one
    Relay::Link link = 0;                // 0: not connected
    bool is_attached = false;
    std::uint64_t connecting = 0;  // the attempt under way; 0: none
    std::deque<Deliver> inbox;
    bool is_handling = false;
    bool is_closing = false;
    Time close_by{};
    bool has_turn = false;
    Time wakes_at = Time::max();
    std::uint64_t last_token = 0;
    std::uint64_t burst_left = 0;
};

struct World::Link {
    Relay::Link id = 0;
    std::size_t node = 0;
    std::uint64_t life = 0;
    bool carries = true;  // frames arrive
    bool is_bound = false;
    Time up_free{};
    Time down_free{};
    std::size_t bytes_up = 0;  // on their way
};

struct World::Sink final : session::FrameSink {
    World& world;
    Node& node;
    Link& link;
    std::string bytes;

    Sink(World& w, Node& n, Link& l) : world(w), node(n), link(l) {}
    bool has_room() const override { return link.bytes_up < world.weather_.link_bytes; }
    void send(const wire::Head& head, std::string_view payload) override {
        bytes.clear();
        wire::encode_head(head, bytes);
        if (bytes.size() > wire::kMaxHeadBytes) world.ledger_.violated("a head of " + std::to_string(bytes.size()));
        bytes.clear();
        wire::encode(head, payload, bytes);
        if (bytes.size() > wire::kMaxIntentBytes) world.ledger_.violated("a frame of " + std::to_string(bytes.size()));
        if (head.type == wire::FrameType::Message && head.session.number != 0) {
            const auto id = head.kind == wire::MessageKind::Reply ? std::nullopt : Ledger::id_in(payload);
            world.ledger_.is_on_wire(head.session, head.sequence, head.instance, id);
        }
        world.send_up(link, bytes);
    }
};

World::World(std::uint64_t seed, bool prints_trace)
    : draws_(seed),
      trace_(prints_trace),
      relay_([this](Relay::Link link, std::string bytes) { send_down(link, std::move(bytes)); }) {
    relay_.drops = [this] { return draws_.percent(20); };
}

World::~World() = default;

// ---- what this day is like ----

void World::draw_weather() {
    Weather& w = weather_;
    static constexpr std::chrono::microseconds kLatencies[][2] = {
        {50us, 500us}, {500us, 5'000us}, {5'000us, 40'000us}, {20'000us, 300'000us}};
    const auto& latency = kLatencies[draws_.below(4)];
    w.least_latency = latency[0];
    w.most_latency = latency[1];
    w.duration = draws_.between(2'000ms, 12'000ms);
    static constexpr std::chrono::microseconds kBetween[] = {5'000us, 20'000us, 50'000us, 250'000us};
    w.between_sends = kBetween[draws_.below(4)];
    static constexpr std::chrono::microseconds kHandlers[] = {0us, 0us, 1'000us, 30'000us};
    w.slowest_handler = kHandlers[draws_.below(4)];
    w.between_faults = draws_.between(300ms, 4'000ms);
    w.failing_handlers = draws_.one_in(2) ? 0 : static_cast<int>(draws_.below(60));
    w.requests = draws_.one_in(3) ? 0 : static_cast<int>(draws_.below(50));
    w.waiting = draws_.one_in(3) ? 0 : static_cast<int>(draws_.below(70));
    w.has_kills = draws_.one_in(2);
    w.has_closes = draws_.one_in(3);
    w.has_long_pauses = draws_.one_in(3);
    w.has_pressure = draws_.one_in(3);
    w.has_large_payloads = draws_.one_in(4);
    static constexpr std::size_t kLinks[] = {1024, 16 * 1024, 256 * 1024};
    w.link_bytes = kLinks[draws_.below(3)];

    session::Settings& s = w.settings;
    static constexpr std::size_t kBuffers[] = {8, 64, 4096};
    s.outbound.messages = kBuffers[draws_.below(3)];
    if (draws_.one_in(4)) s.outbound.bytes = 4096;
    if (draws_.one_in(4)) {
        // As many as there are others: whoever is not there takes somebody's place.
        s.max_peers = 3;
        s.max_put_away = draws_.between(1, 3);
        if (s.max_put_away < 3) ledger_.gaps_are_inexact();
        w.strangers = 50;
    }
    if (draws_.one_in(4)) s.ack_every = draws_.between(1, 8);
    // With a short window its end is seen in every run, not only in those with long pauses.
    if (draws_.one_in(3)) s.resume_window = draws_.between(1'000ms, 6'000ms);
}

// ---- time ----

void World::at(Time when, Action action) {
    queue_.push({std::max(when, now_), ++last_number_, std::move(action)});
}

void World::run_until(Time end) {
    while (!queue_.empty() && queue_.top().at <= end && ledger_.violation().empty()) {
        now_ = queue_.top().at;
        Action action = std::move(queue_.top().action);
        queue_.pop();
        action();
    }
    if (ledger_.violation().empty()) now_ = end;
}

std::chrono::nanoseconds World::latency() {
    return draws_.between(std::chrono::nanoseconds(weather_.least_latency),
                          std::chrono::nanoseconds(weather_.most_latency));
}

Outcome World::run() {
    draw_weather();
    const std::size_t count = draws_.between(2, 4);
    for (std::size_t i = 0; i < count; ++i) {
        nodes_.push_back(std::make_unique<Node>());
        nodes_.back()->name = std::string(1, static_cast<char>('a' + i));
        open(*nodes_.back());
    }
    for (std::size_t i = 0; i < count; ++i) keep_sending(i);
    keep_breaking();
    run_until(now_ + weather_.duration);

    heal();
    run_until(now_ + 30s);  // the longest pause between two syncs, twice, and some
    if (ledger_.violation().empty()) {
        std::set<std::string> alive;
        for (const auto& node : nodes_) {
            if (node->endpoint) alive.insert(node->name);
        }
        ledger_.check_all_accounted(&alive);
    }
    run_until(now_ + 150s);
    if (ledger_.violation().empty()) {
        ledger_.check_all_accounted();
        for (const auto& node : nodes_) check_bounds(*node);
        const std::uint64_t frames = outcome_.frames;
        run_until(now_ + 60s);
        if (outcome_.frames != frames)
            ledger_.violated(std::to_string(outcome_.frames - frames) + " frames when there is nothing to say");
    }
    for (const auto& node : nodes_) {
        if (node->endpoint) remember_statistics(*node->endpoint);
    }
    outcome_.trace_hash = trace_.hash();
    outcome_.violation = ledger_.violation();
    outcome_.counts = ledger_.counts();
    return std::move(outcome_);
}

// ---- nodes ----

void World::open(Node& node) {
    node.instance = ++last_instance_ * 0x1000193;
    ++node.life;
    session::Settings settings = weather_.settings;
    settings.receive_budget = std::make_shared<session::ByteBudget>(draws_.one_in(4) ? 32 * 1024 : 1024 * 1024);
    settings.send_budget = std::make_shared<session::ByteBudget>(draws_.one_in(4) ? 16 * 1024 : 1024 * 1024);
    node.endpoint = std::make_unique<Endpoint>(node.name, node.instance, settings);
    node.inbox.clear();
    node.is_handling = node.is_closing = node.is_attached = node.has_turn = false;
    node.wakes_at = Time::max();
    node.link = 0;
    node.connecting = 0;
    ledger_.begins(node.name, node.instance);
    trace("open", node.name, node.instance);
    connect(node);
}

void World::turn_soon(Node& node) {
    if (node.has_turn || !node.endpoint) return;
    node.has_turn = true;
    after(draws_.between(0ns, 20'000ns), [this, &node, life = node.life] {
        if (node.life == life && node.endpoint) turn(node);
    });
}

void World::turn(Node& node) {
    node.has_turn = false;
    if (node.endpoint->next_time() <= now_) node.endpoint->on_time(now_);
    const auto link = links_.find(node.link);
    if (node.is_attached && link != links_.end() && node.endpoint->has_frames()) {
        Sink sink(*this, node, *link->second);
        node.endpoint->pump(sink, now_);
    }
    take_events(node);
    check_bounds(node);
    if (node.is_closing) try_to_finish_close(node);
    if (!node.endpoint) return;
    const Time next = node.endpoint->next_time();
    if (next >= node.wakes_at || next == Time::max()) return;
    node.wakes_at = next;
    at(next, [this, &node, life = node.life, next] {
        if (node.life != life || !node.endpoint) return;
        if (node.wakes_at == next) node.wakes_at = Time::max();
        turn_soon(node);
    });
}

void World::take_events(Node& node) {
    for (session::Event& event : node.endpoint->take_events()) {
        if (auto* deliver = std::get_if<Deliver>(&event)) {
            trace("deliver", node.name, Ledger::id_of(deliver->intent.payload()), deliver->ref.session.number,
                  deliver->ref.sequence);
            ledger_.is_delivered(node.instance, *deliver);
            node.inbox.push_back(std::move(*deliver));
        } else if (const auto* settled = std::get_if<session::Settled>(&event)) {
            trace("settled", settled->result ? settled->result->dump() : settled->result.error().to_string(),
                  settled->token);
            ledger_.is_settled(node.instance, settled->token, settled->result);
        } else if (const auto* lost = std::get_if<session::Unconfirmed>(&event)) {
            trace("lost", to_string(lost->reason), Ledger::id_of(lost->intent.payload()));
            ledger_.is_unconfirmed(node.instance, *lost);
        } else if (const auto* gap = std::get_if<session::Gap>(&event)) {
            trace("gap", gap->from, gap->missed);
            ledger_.gap(node.instance, gap->from, gap->missed);
        }
    }
    handle_next(node);
}

// Handlers run one at a time, and take their time.
void World::handle_next(Node& node) {
    if (node.is_handling || node.inbox.empty() || node.is_closing) return;
    node.is_handling = true;
    auto duration = draws_.between(0ns, std::chrono::nanoseconds(weather_.slowest_handler));
    if (is_healed_) duration = 0ns;
    after(duration, [this, &node, life = node.life] {
        if (node.life != life || !node.endpoint) return;
        node.is_handling = false;
        const Deliver event = std::move(node.inbox.front());
        node.inbox.pop_front();
        end_handler(node, event);
        handle_next(node);
        turn_soon(node);
    });
}

void World::end_handler(Node& node, const Deliver& event) {
    const MessageId id = Ledger::id_of(event.intent.payload());
    Answer outcome = event.is_request ? Answer(Ledger::answer_to(id)) : Answer();
    if (draws_.percent(static_cast<std::uint64_t>(weather_.failing_handlers))) {
        const Reason reason = draws_.one_in(2) ? Reason::HandlerFailed : Reason::NoHandler;
        outcome = std::unexpected(SendError(reason, std::string(draws_.below(300), '"')));
    }
    trace("handled", node.name, id);
    ledger_.is_handled(node.instance, id, outcome ? std::nullopt : std::optional(outcome.error().reason));
    node.endpoint->on_handled(event.ref, event.is_request, std::move(outcome), now_);
}

void World::keep_sending(std::size_t index) {
    Node& node = *nodes_[index];
    if (is_healed_) return;
    if (node.endpoint && !node.is_closing) submit_something(node);
    if (node.burst_left == 0 && draws_.one_in(50)) node.burst_left = draws_.below(100);
    auto wait = draws_.between(0ns, std::chrono::nanoseconds(weather_.between_sends) * 2);
    if (node.burst_left > 0) {
        --node.burst_left;
        wait = draws_.between(0ns, 50'000ns);
    }
    after(wait, [this, index] { keep_sending(index); });
}

void World::submit_something(Node& node) {
    Endpoint::Submission submission{IntentBox("m", 0)};
    Ledger::Sending sending;
    sending.from = node.instance;
    std::size_t other = draws_.below(nodes_.size() - 1);
    if (nodes_[other].get() == &node) other = nodes_.size() - 1;
    sending.to = draws_.one_in(weather_.strangers) ? "nobody" + std::to_string(draws_.below(3)) : nodes_[other]->name;
    sending.is_request = draws_.percent(static_cast<std::uint64_t>(weather_.requests));
    if (sending.is_request) {
        sending.waits = Waits::Answer;
    } else if (draws_.percent(static_cast<std::uint64_t>(weather_.waiting))) {
        static constexpr Waits kWaits[] = {Waits::Accepted, Waits::Delivered, Waits::Handled};
        sending.waits = kWaits[draws_.below(3)];
    }
    if (sending.waits != Waits::Nothing) {
        sending.token = ++node.last_token;
        if (!draws_.one_in(3)) submission.deadline = now_ + draws_.between(1ms, 5'000ms);
    }
    if (draws_.one_in(300)) {  // a ping instead
        const std::uint64_t token = ++node.last_token;
        if (node.endpoint->ping(sending.to, token, now_ + draws_.between(100ms, 5'000ms), now_))
            ledger_.pings(node.instance, token);
        return turn_soon(node);
    }
    submission.waits = sending.waits;
    submission.is_request = sending.is_request;
    submission.token = sending.token;
    const MessageId id = ledger_.sends(sending);
    const std::size_t padding = weather_.has_large_payloads && draws_.one_in(10) ? draws_.below(3'000) : 0;
    submission.intent = IntentBox("m", Ledger::payload_of(id, padding));
    trace("submit", node.name, id, static_cast<int>(sending.waits));
    const auto taken = node.endpoint->submit(sending.to, std::move(submission), now_);
    if (!taken) {
        trace("refused", to_string(taken.error().reason), id);
        ledger_.is_refused(id, taken.error());
        return;
    }
    ledger_.is_accepted(id, *taken);
    const bool still_waits =
        sending.token != 0 && !(sending.waits == Waits::Accepted && *taken == Endpoint::Taken::Accepted);
    if (still_waits && draws_.one_in(20)) {
        take_events(node);
        ledger_.is_given_up(id, node.endpoint->give_up(sending.token));
    }
    turn_soon(node);
}

void World::check_bounds(Node& node) {
    if (!node.endpoint) return;
    const std::size_t names = nodes_.size() + 3;
    if (node.endpoint->buffered_messages() > names * 2 * (weather_.settings.outbound.messages + 1))
        ledger_.violated(node.name + " keeps more messages than it may");
    if (node.inbox.size() > names * (session::Inbound::kWindow + 1))
        ledger_.violated(node.name + " was sent more than it allowed");
    if (node.endpoint->peers() > std::max<std::size_t>(weather_.settings.max_peers, 1))
        ledger_.violated(node.name + " keeps more peers than it may");
}

void World::remember_statistics(const Endpoint& endpoint) {
    const session::EndpointStatistics s = endpoint.statistics();
    session::EndpointStatistics& sum = outcome_.statistics;
    sum.sent += s.sent;
    sum.sent_again += s.sent_again;
    sum.received += s.received;
    sum.duplicates += s.duplicates;
    sum.refused += s.refused;
    sum.syncs += s.syncs;
    sum.sessions_ended += s.sessions_ended;
    sum.unconfirmed += s.unconfirmed;
    sum.gaps += s.gaps;
    sum.late_replies += s.late_replies;
}

// ---- the ends of nodes ----

void World::kill(Node& node) {
    trace("kill", node.name, node.instance);
    ledger_.is_killed(node.instance);
    remember_statistics(*node.endpoint);
    node.endpoint.reset();
    if (const auto link = links_.find(node.link); link != links_.end())
        cut(*link->second, 0s, draws_.one_in(2) ? 0ns : draws_.between(0ns, 8'000'000'000ns));
    reopen_later(node);
}

void World::close(Node& node) {
    trace("close", node.name, node.instance);
    node.is_closing = true;
    node.close_by = now_ + 2s;
    node.endpoint->begin_close(now_);
    // What no handler has begun with is dropped.
    const std::size_t kept = node.is_handling ? 1 : 0;
    while (node.inbox.size() > kept) {
        const Deliver event = std::move(node.inbox.back());
        node.inbox.pop_back();
        node.endpoint->on_handled(event.ref, event.is_request, std::unexpected(SendError(Reason::Closed, "closed")),
                                  now_);
    }
    at(node.close_by, [this, &node, life = node.life] {
        if (node.life == life) turn_soon(node);
    });
    turn_soon(node);
}

void World::try_to_finish_close(Node& node) {
    if (node.is_handling || (!node.endpoint->is_flushed() && now_ < node.close_by)) return;
    node.endpoint->finish_close(now_);
    const auto link = links_.find(node.link);
    if (node.is_attached && link != links_.end()) {
        weather_.link_bytes += 1 << 20;  // the farewell is not kept back
        Sink sink(*this, node, *link->second);
        node.endpoint->pump(sink, now_);
        weather_.link_bytes -= 1 << 20;
        const Time arrival = link->second->up_free = std::max(now_ + latency(), link->second->up_free);
        at(arrival, [this, id = link->first] {
            const auto place = links_.find(id);
            if (place == links_.end() || !place->second->carries) return;
            relay_.unbind(id, now_);
            links_.erase(place);
        });
    } else if (link != links_.end()) {
        cut(*link->second, 0ns, 0ns);
    }
    take_events(node);
    trace("closed", node.name);
    ledger_.is_closed(node.instance);
    remember_statistics(*node.endpoint);
    node.endpoint.reset();
    reopen_later(node);
}

// It is another instance then. Some do not come back.
void World::reopen_later(Node& node) {
    ++node.life;
    node.link = 0;
    node.is_attached = false;
    if (is_healed_ || draws_.one_in(6)) return;
    after(draws_.between(std::chrono::nanoseconds(1s), std::chrono::nanoseconds(6s)), [this, &node, life = node.life] {
        if (node.life == life && !is_healed_) open(node);
    });
}

// ---- links ----

void World::connect(Node& node) {
    const std::uint64_t attempt = ++last_number_;
    node.connecting = attempt;
    auto delay = latency() * 2;
    if (!is_healed_) delay += draws_.between(0ns, 500'000'000ns);
    after(delay, [this, &node, attempt, life = node.life] {
        if (node.life != life || node.connecting != attempt || !node.endpoint) return;
        if (!is_relay_up_) {
            node.endpoint->set_connecting(false, now_);
            turn_soon(node);
            return connect(node);
        }
        auto link = std::make_unique<Link>();
        const Relay::Link id = ++last_link_;
        link->id = id;
        link->life = node.life;
        link->node = static_cast<std::size_t>(
            std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n.get() == &node; }) -
            nodes_.begin());
        links_.emplace(id, std::move(link));
        node.link = id;
        bind(id);
    });
}

void World::bind(Relay::Link id) {
    const auto place = links_.find(id);
    if (place == links_.end() || !place->second->carries) return;
    Link& link = *place->second;
    Node& node = *nodes_[link.node];
    if (node.life != link.life) return;
    if (!relay_.bind(id, node.name, node.instance, true, now_)) {
        // An earlier life's connection still has the name. The relay asks it for a sign of life, in vain.
        for (const auto& [other, old] : links_) {
            if (other != id && old->node == link.node) {
                after(1s, [this, other, id] {
                    relay_.lose(other, now_);
                    bind(id);
                });
                return;
            }
        }
        after(1s, [this, id] { bind(id); });
        return;
    }
    link.is_bound = true;
    link.down_free = std::max(link.down_free, now_ + latency());
    at(link.down_free, [this, id] {
        const auto bound = links_.find(id);
        if (bound == links_.end() || !bound->second->carries) return;
        Node& here = *nodes_[bound->second->node];
        if (here.life != bound->second->life || here.link != id || !here.endpoint) return;
        trace("attached", here.name, id);
        here.connecting = 0;
        here.is_attached = true;
        here.endpoint->on_attached(now_);
        turn_soon(here);
    });
}

void World::send_up(Link& link, std::string bytes) {
    ++outcome_.frames;
    trace("up", bytes);
    link.bytes_up += bytes.size();
    link.up_free = std::max(link.up_free, now_ + latency());
    at(link.up_free, [this, id = link.id, bytes = std::move(bytes)] {
        const auto place = links_.find(id);
        if (place == links_.end()) return;
        Link& there = *place->second;
        there.bytes_up -= bytes.size();
        if (there.carries) relay_.on_bytes(id, bytes, now_);
        Node& node = *nodes_[there.node];
        if (node.life == there.life) turn_soon(node);
    });
}

void World::send_down(Relay::Link id, std::string bytes) {
    const auto place = links_.find(id);
    if (place == links_.end() || !place->second->carries) return;
    Link& link = *place->second;
    link.down_free = std::max(link.down_free, now_ + latency());
    at(link.down_free, [this, id, bytes = std::move(bytes)] {
        const auto there = links_.find(id);
        if (there == links_.end() || !there->second->carries) return;
        Node& node = *nodes_[there->second->node];
        if (node.life != there->second->life || node.link != id || !node.endpoint || !node.is_attached) return;
        receive(node, bytes);
    });
}

void World::receive(Node& node, std::string_view bytes) {
    trace("down", bytes);
    const auto frame = wire::decode(bytes, scratch_);
    if (!frame) return ledger_.violated("a frame cannot be read: " + frame.error().message);
    const wire::Head& head = frame->head;
    if (head.type == wire::FrameType::Peer) {
        node.endpoint->on_peer(head.name,
                               {head.state.value_or(wire::PeerState::Unknown), head.instance, head.has_sessions,
                                std::chrono::milliseconds(head.in_ms), std::string(head.hint)},
                               now_);
    } else if (head.type == wire::FrameType::Hold || head.type == wire::FrameType::Go) {
        node.endpoint->on_hold(head.name, head.type == wire::FrameType::Hold, now_);
    } else {
        node.endpoint->on_frame(*frame, false, now_);
    }
    turn_soon(node);
}

// Nothing arrives any more, in either direction; each side sees it when it does.
void World::cut(Link& link, std::chrono::nanoseconds node_sees, std::chrono::nanoseconds relay_sees) {
    if (!link.carries) return;
    link.carries = false;
    trace("cut", nodes_[link.node]->name, link.id, node_sees.count(), relay_sees.count());
    after(node_sees, [this, id = link.id, index = link.node, life = link.life] {
        Node& node = *nodes_[index];
        if (node.life != life || node.link != id || !node.endpoint) return;
        node.link = 0;
        node.is_attached = false;
        node.endpoint->on_detached(now_);
        trace("detached", node.name);
        turn_soon(node);
        auto pause = draws_.between(0ns, 2'000'000'000ns);
        if (weather_.has_long_pauses && draws_.one_in(4)) pause += weather_.settings.resume_window * 9 / 10 + pause;
        if (is_healed_) pause = 0ns;
        const std::uint64_t attempt = node.connecting = ++last_number_;
        after(pause, [this, &node, life, attempt] {
            if (node.life == life && node.connecting == attempt) connect(node);
        });
    });
    after(relay_sees, [this, id = link.id] {
        relay_.lose(id, now_);
        const auto place = links_.find(id);
        if (place == links_.end()) return;
        // The node may not have noticed yet.
        const Node& node = *nodes_[place->second->node];
        if (node.link != id) links_.erase(place);
    });
}

// ---- faults ----

void World::keep_breaking() {
    if (is_healed_) return;
    after(draws_.between(0ns, std::chrono::nanoseconds(weather_.between_faults) * 2), [this] {
        if (is_healed_) return;
        break_something();
        keep_breaking();
    });
}

void World::break_something() {
    ++outcome_.faults;
    Node& node = *nodes_[draws_.below(nodes_.size())];
    const std::uint64_t kind = draws_.below(100);
    if (kind < 12) return restart_relay();
    if (kind < 25 && weather_.has_kills && node.endpoint) return kill(node);
    if (kind < 35 && weather_.has_closes && node.endpoint && !node.is_closing) return close(node);
    if (kind < 50 && weather_.has_pressure) {
        trace("full", node.name);
        relay_.set_full(node.name, true, now_);
        after(draws_.between(1'000'000ns, 3'000'000'000ns), [this, &node] { relay_.set_full(node.name, false, now_); });
        return;
    }
    const auto link = links_.find(node.link);
    if (link == links_.end()) return;
    const auto late = [this] { return draws_.between(0ns, 8'000'000'000ns); };
    switch (draws_.below(3)) {
        case 0:
            return cut(*link->second, 0ns, 0ns);
        case 1:
            return cut(*link->second, 0ns, late());  // half-open at the relay
        default:
            return cut(*link->second, late(), draws_.one_in(2) ? 0ns : late());
    }
}

void World::restart_relay() {
    if (!is_relay_up_) return;
    trace("relay", "down");
    is_relay_up_ = false;
    std::vector<Relay::Link> ids;
    for (const auto& [id, link] : links_) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    for (const Relay::Link id : ids)
        cut(*links_.at(id), draws_.one_in(4) ? draws_.between(0ns, 8'000'000'000ns) : 0ns, 0ns);
    after(draws_.between(0ns, 3'000'000'000ns), [this] {
        if (is_relay_up_) return;
        trace("relay", "up");
        relay_.restart(now_);
        is_relay_up_ = true;
    });
}

// The faults end: whoever lives is connected, or will be soon.
void World::heal() {
    trace("heal", "");
    is_healed_ = true;
    weather_.link_bytes = 1 << 20;  // so that what has piled up takes no longer than repairing does
    weather_.most_latency = std::min<std::chrono::microseconds>(weather_.most_latency, 50ms);
    weather_.least_latency = std::min<std::chrono::microseconds>(weather_.least_latency, 20ms);
    if (!is_relay_up_) relay_.restart(now_);
    is_relay_up_ = true;
    for (const auto& node : nodes_) {
        relay_.set_full(node->name, false, now_);
        if (!node->endpoint) continue;
        const auto link = links_.find(node->link);
        if (link == links_.end() || !link->second->carries) connect(*node);
    }
}

}  // namespace nyamesh::simulation
