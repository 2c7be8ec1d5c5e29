// World: two to four nodes, a relay, and a bad day, in virtual time. Everything is drawn from one seed: who sends what
// when, how long the wire takes, what breaks and how it is noticed. The nodes' sessions are the production Endpoint.
//
//     application ⇄ Endpoint ⇄ link (delays, keeps order, breaks) ⇄ Relay
//
// What a run goes through: a while of traffic and faults; then the faults end, everybody who lives is connected again,
// and within bounded time everything must have been delivered or reported, and the wire must fall silent.
#pragma once

#include "simulation/draws.h"
#include "simulation/ledger.h"
#include "simulation/outcome.h"
#include "simulation/relay.h"
#include "simulation/trace.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nyamesh::simulation {

using session::Endpoint;
using session::Time;

class World {
public:
    World(std::uint64_t seed, bool prints_trace);
    ~World();
    Outcome run();

private:
    struct Node;
    struct Link;
    struct Sink;
    using Action = std::move_only_function<void()>;
    struct Scheduled {
        Time at;
        std::uint64_t number;
        mutable Action action;
        bool operator<(const Scheduled& other) const { return std::tie(at, number) > std::tie(other.at, other.number); }
    };
    // What this seed's day is like.
    struct Weather {
        std::chrono::microseconds least_latency{50};
        std::chrono::microseconds most_latency{500};
        std::chrono::milliseconds duration{10'000};
        std::chrono::microseconds between_sends{5'000};
        std::chrono::microseconds slowest_handler{0};
        std::chrono::milliseconds between_faults{2'000};
        int failing_handlers = 0;  // percent
        int requests = 0;
        int waiting = 0;
        std::uint64_t strangers = 200;  // one send in so many goes to somebody who does not exist
        bool has_kills = false;
        bool has_closes = false;
        bool has_long_pauses = false;
        bool has_pressure = false;
        bool has_large_payloads = false;
        std::size_t link_bytes = 64 * 1024;
        session::Settings settings;
    };

    void draw_weather();
    void at(Time when, Action action);
    void after(std::chrono::nanoseconds delay, Action action) { at(now_ + delay, std::move(action)); }
    void run_until(Time end);
    template <class... Values>
    void trace(const char* what, std::string_view text, Values... values) {
        trace_.note(now_, what, text, values...);
    }

    // Nodes.
    void open(Node& node);
    void turn_soon(Node& node);
    void turn(Node& node);
    void take_events(Node& node);
    void handle_next(Node& node);
    void end_handler(Node& node, const session::Deliver& event);
    void submit_something(Node& node);
    void keep_sending(std::size_t index);
    void receive(Node& node, std::string_view bytes);
    void kill(Node& node);
    void close(Node& node);
    void try_to_finish_close(Node& node);
    void reopen_later(Node& node);
    void check_bounds(Node& node);
    void remember_statistics(const Endpoint& endpoint);

    // Links.
    void connect(Node& node);
    void bind(Relay::Link id);
    void send_up(Link& link, std::string bytes);
    void send_down(Relay::Link id, std::string bytes);
    void cut(Link& link, std::chrono::nanoseconds node_sees, std::chrono::nanoseconds relay_sees);
    std::chrono::nanoseconds latency();

    // Faults.
    void keep_breaking();
    void break_something();
    void restart_relay();
    void heal();

    Draws draws_;
    Trace trace_;
    Weather weather_;
    Time now_{std::chrono::hours(1)};
    std::priority_queue<Scheduled> queue_;
    std::uint64_t last_number_ = 0;
    Ledger ledger_;
    Relay relay_;
    bool is_relay_up_ = true;
    bool is_healed_ = false;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::unordered_map<Relay::Link, std::unique_ptr<Link>> links_;
    Relay::Link last_link_ = 0;
    std::uint64_t last_instance_ = 0;
    wire::Scratch scratch_;
    Outcome outcome_;
};

}  // namespace nyamesh::simulation
