#include "simulation/whole/world.h"

#include "transport/websocket/websocket_transport.h"

#include <algorithm>
#include <array>
#include <utility>

namespace nyamesh::simulation {

using namespace std::chrono_literals;
using testing::SimLoop;
using testing::SimSettings;
using testing::SimWorld;

namespace {

const net::Address kHub{"10.0.0.1", 8080};

// Cuts are seen after 8 s of silence at the latest; then there is a backoff of 10 s, and another one between two syncs.
constexpr auto kRepairTime = 75s;
constexpr auto kLongestFreeze = 12s;
constexpr auto kWindow = 150s;     // of a session, and some
constexpr auto kLeaseTime = 260s;  // of a name: away, then gone, and some

constexpr std::uint64_t kMostEvents = 30'000'000;

}  // namespace

WholeWorld::WholeWorld(std::uint64_t seed, bool prints_trace)
    : draws_(seed),
      trace_(prints_trace),
      world_(draws_.next()),
      watch_(world_, [this](FrameWatch::Connection, bool is_up, std::string_view frame) { is_on_wire(is_up, frame); }),
      script_(world_.loop("script")) {
    ledger_.sees_from_outside();
    draw_weather(world_.settings());
    HubOptions options;
    options.limits = weather_.hub;
    hub_settings_ = hub::HubCore::settings(options).value();
    hub_settings_.identity = {"0123456789abcdef", 0, "the key that signs leases"};
    hub_settings_.unix_time = [this] {
        return 1'700'000'000 +
               std::chrono::duration_cast<std::chrono::seconds>(world_.now().time_since_epoch()).count();
    };
    hub_settings_.log = [this](const HubLogLine& line) { trace("hub", line.text); };
}

// After a violation programs are still running.
WholeWorld::~WholeWorld() {
    is_healed_ = true;
    leave_all();
    world_.run_for(30s);
}

// ---- what this day is like ----

void WholeWorld::draw_weather(SimSettings& network) {
    static constexpr std::chrono::microseconds kLatencies[][2] = {
        {50us, 500us}, {500us, 5'000us}, {5'000us, 40'000us}, {20'000us, 300'000us}};
    const auto& latency = kLatencies[draws_.below(4)];
    network.least_latency = latency[0];
    network.most_latency = latency[1];
    static constexpr std::size_t kPortions[] = {1, 7, 100, 1 << 17, 1 << 17, 1 << 17, 1 << 17, 1 << 17};
    network.largest_portion = kPortions[draws_.below(8)];
    static constexpr std::size_t kSockets[] = {2'000, 16'000, 256'000, 256'000};
    network.socket_buffer = kSockets[draws_.below(4)];

    Weather& w = weather_;
    w.duration = draws_.between(2'000ms, 15'000ms);
    static constexpr std::chrono::microseconds kBetween[] = {5'000us, 20'000us, 50'000us, 250'000us};
    w.between_sends = kBetween[network.largest_portion < 100 ? draws_.between(2, 3) : draws_.below(4)];
    static constexpr std::chrono::microseconds kHandlers[] = {0us, 0us, 1'000us, 30'000us};
    w.slowest_handler = kHandlers[draws_.below(4)];
    w.between_faults = draws_.between(300ms, 4'000ms);
    w.failing_handlers = draws_.one_in(2) ? 0 : draws_.below(60);
    w.requests = draws_.one_in(3) ? 0 : draws_.below(50);
    w.waiting = draws_.one_in(3) ? 0 : draws_.below(70);
    w.largest_payload = draws_.one_in(4) ? 6'000 : 300;
    static constexpr std::size_t kQueues[] = {4, 64, 4096};
    w.queue_limit = kQueues[draws_.below(3)];
    if (draws_.one_in(4)) w.resume_window = draws_.between(3'000ms, 8'000ms);
    w.has_kills = draws_.one_in(2);
    w.has_closes = draws_.one_in(3);
    w.has_freezes = draws_.one_in(2);
    w.has_hub_deaths = draws_.one_in(2);
    if (draws_.one_in(3)) {
        w.hub.max_intent_bytes = 8 * 1024;
        w.hub.out_queue_bytes = 16 * 1024;
    }
    if (draws_.one_in(6)) w.hub.watches_per_connection = static_cast<std::uint32_t>(draws_.between(1, 3));
    if (draws_.one_in(6)) {  // what is let through more slowly than it is sent would take longer than a day
        w.between_sends = 250ms;
        if (draws_.one_in(2)) {
            w.hub.messages_per_second = 100;
        } else {
            w.hub.bytes_per_second = 40'000;
        }
    }
}

// ---- time ----

void WholeWorld::after(Duration delay, nya::Task action) {
    script_->call_at(world_.now() + delay, std::move(action));
}

void WholeWorld::run_for(Duration duration) {
    const auto end = world_.now() + duration;
    if (!ledger_.violation().empty()) return;
    const auto is_over = [this] {
        if (world_.event_count() > kMostEvents) ledger_.violated("it never comes to rest");
        return !ledger_.violation().empty();
    };
    if (!world_.run_until(is_over, duration)) world_.run_until(end);
}

Outcome WholeWorld::run() {
    start_hub();
    const std::size_t programs = draws_.between(2, 4);
    for (std::size_t i = 0; i < programs; ++i) {
        places_.push_back(std::make_unique<Place>());
        Place& place = *places_.back();
        place.name = std::string(1, static_cast<char>('a' + i));
        const std::size_t count = draws_.one_in(4) ? 2 : 1;
        for (std::size_t j = 0; j < count; ++j) {
            nodes_.push_back(std::make_unique<Node>());
            nodes_.back()->name = count == 1 ? place.name : place.name + std::to_string(j);
            nodes_.back()->place = &place;
            place.nodes.push_back(nodes_.back().get());
        }
        start(place);
    }
    for (const auto& node : nodes_) keep_sending(*node);
    keep_breaking();
    watch_hub();
    run_for(weather_.duration);
    heal();
    run_for(kRepairTime + kLongestFreeze);
    check_drained();
    run_for(kWindow);
    check_silent();
    check_nothing_left();
    trace_.mix(world_.trace_hash());
    outcome_.trace_hash = trace_.hash();
    outcome_.violation = ledger_.violation();
    outcome_.counts = ledger_.counts();
    return std::move(outcome_);
}

// ---- the hub ----

void WholeWorld::start_hub() {
    if (hub_) return;
    trace("hub", "up");
    hub_loop_ = world_.loop("hub" + std::to_string(++hubs_));
    ++hub_settings_.identity.epoch;
    hub_ = std::make_unique<hub::HubCore>(*hub_loop_, nya::Random::seeded(draws_.next()), hub_settings_);
    hub_->listen(kHub, nullptr).value();
    world_.silence(kHub, false);
}

// As kill -9, or as when its machine loses its power.
void WholeWorld::stop_hub(Death how) {
    if (!hub_) return;
    trace("hub", "down", static_cast<int>(how));
    hub_loop_->die(how);
    hub_.reset();
    world_.silence(kHub, how == Death::PeersSeeNothing);
    after(draw_up_to(6s), [this] { start_hub(); });
}

void WholeWorld::drain_hub() {
    trace("hub", "drains");
    hub_->drain(std::chrono::milliseconds(draws_.between(0, 3'000)), [this, number = hubs_] {
        after(0s, [this, number] {
            if (hubs_ == number) stop_hub(Death::PeersSeeReset);
        });
    });
}

// Its bounds hold at any time.
void WholeWorld::watch_hub() {
    after(200ms, [this] { watch_hub(); });
    if (!hub_) return;
    const HubLimits& limits = weather_.hub;
    hub_->connections().for_each([&](const hub::Connection& connection) {
        if (connection.waiting() > limits.out_queue_bytes + limits.max_intent_bytes)
            ledger_.violated("the hub keeps " + std::to_string(connection.waiting()) + " bytes for one client");
        if (connection.watch_count() > limits.watches_per_connection)
            ledger_.violated("the hub keeps " + std::to_string(connection.watch_count()) + " watches of one client");
    });
}

// ---- faults ----

void WholeWorld::keep_breaking() {
    after(draw_up_to(Duration(weather_.between_faults) * 2), [this] {
        if (is_healed_) return;
        break_something();
        keep_breaking();
    });
}

void WholeWorld::break_something() {
    ++outcome_.faults;
    Place& place = *places_[draws_.below(places_.size())];
    const std::uint64_t kind = draws_.below(100);
    if (kind < 14 && weather_.has_hub_deaths) return break_hub();
    if (!place.program) return;
    if (kind < 28 && weather_.has_kills) return kill(place);
    if (kind < 40 && weather_.has_closes) return close(*place.nodes[draws_.below(place.nodes.size())]);
    if (kind < 60 && weather_.has_freezes) {
        SimLoop& loop = draws_.one_in(4) ? *hub_loop_ : draws_.one_in(3) ? *place.program->app : *place.program->net;
        const auto pause = draw_up_to(draws_.one_in(3) ? kLongestFreeze : 2s);
        trace("freeze", loop.name(), pause.count());
        return loop.freeze(pause);
    }
    break_connection(place);
}

void WholeWorld::break_connection(Place& place) {
    if (draws_.one_in(3)) {  // and again, while it is coming back
        after(draw_up_to(1s), [this, &place, number = place.programs] {
            if (place.program && place.programs == number && !is_healed_) break_connection(place);
        });
    }
    const auto connections = world_.connections(*place.program->net);
    if (connections.empty()) return;
    const auto connection = connections.back();
    const std::uint64_t kind = draws_.below(5);
    trace("break", place.name, kind);
    switch (kind) {
        case 0:
            for (const Node* node : place.nodes) {
                if (node->box) return static_cast<WebSocketTransport&>(node->box->transport()).cut();
            }
            return;
        case 1:
            return world_.cut(connection);
        case 2:
            // What it has sent arrives later than its successor's words, or never.
            world_.cut_one_end(connection, SimWorld::Side::Connecting);
            return after(draw_up_to(12s), [this, connection] { world_.heal(connection); });
        case 3:
            return world_.cut_one_end(connection, SimWorld::Side::Accepting);
        default:
            world_.swallow(connection);
            after(draw_up_to(12s), [this, connection] { world_.heal(connection); });
    }
}

void WholeWorld::break_hub() {
    if (!hub_) return;
    if (draws_.one_in(3)) return drain_hub();
    if (draws_.one_in(4)) hub_settings_.identity.key += "…and a new disk";  // which knows no earlier lease
    stop_hub(draws_.one_in(3) ? Death::PeersSeeNothing : Death::PeersSeeReset);
}

// The faults end.
void WholeWorld::heal() {
    trace("heal", "");
    is_healed_ = true;
    SimSettings& network = world_.settings();
    network.most_latency = std::min<Duration>(network.most_latency, 50ms);
    network.least_latency = std::min<Duration>(network.least_latency, 20ms);
    network.largest_portion = 128 * 1024;
    network.socket_buffer = 256'000;  // so that what has piled up takes no longer than repairing does
    for (const auto connection : world_.connections()) world_.heal(connection);
    start_hub();
}

// ---- the end ----

// Everybody who lives is connected, and what was sent to them is accounted for.
void WholeWorld::check_drained() {
    if (!ledger_.violation().empty()) return;
    std::set<std::string> alive;
    for (const auto& node : nodes_) {
        if (!node->box) continue;
        alive.insert(node->name);
        if (node->box->state() != ConnectionState::Connected) {
            ledger_.violated(node->name + " is still " + std::string(to_string(node->box->state())) + ": " +
                             static_cast<WebSocketTransport&>(node->box->transport()).problem());
        }
    }
    ledger_.check_all_accounted(&alive);
    if (hub_->names().bound() != alive.size()) {
        ledger_.violated("the hub has " + std::to_string(hub_->names().bound()) + " names, where " +
                         std::to_string(alive.size()) + " nodes live");
    }
}

// All is said, but for heartbeats.
void WholeWorld::check_silent() {
    if (!ledger_.violation().empty()) return;
    ledger_.check_all_accounted();
    const std::uint64_t frames = outcome_.frames;
    run_for(60s);
    if (outcome_.frames != frames) {
        ledger_.violated(std::to_string(outcome_.frames - frames) + " frames when there is nothing to say");
    }
}

void WholeWorld::leave_all() {
    for (const auto& place : places_) {
        if (!place->program) continue;
        place->program->net->post([this, at = place.get()] {
            for (Node* node : at->nodes) {
                if (node->box) close_now(*node);
            }
        });
    }
}

void WholeWorld::check_nothing_left() {
    leave_all();
    run_for(15s);
    if (!ledger_.violation().empty()) return;
    ledger_.check_all_accounted();
    for (const auto& program : ended_) {
        if (program->net->timer_count() > 0) ledger_.violated(program->net->name() + " has left timers behind");
    }
    if (!world_.connections().empty()) ledger_.violated("connections are left of programs that have ended");
    run_for(kLeaseTime);
    if (!ledger_.violation().empty()) return;
    if (hub_->names().size() > 0 || hub_->names().watches() > 0 || hub_->connection_count() > 0) {
        ledger_.violated("the hub keeps " + std::to_string(hub_->names().size()) + " names, " +
                         std::to_string(hub_->names().watches()) + " watches and " +
                         std::to_string(hub_->connection_count()) + " connections of nobody");
    }
    if (hub_loop_->timer_count() > 0) ledger_.violated("the hub has timers left, of nobody");
}

}  // namespace nyamesh::simulation
