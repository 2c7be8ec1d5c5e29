// WholeWorld: the production stack from P2PBox down to the bytes, and the production hub, on a bad day in virtual time.
//
//     P2PBox ⇄ MessageBus ⇄ WebSocketTransport ⇄ Endpoint ⇄ HubLink ⇄ RFC 6455 ⇄ simulated network ⇄ … ⇄ HubCore
//
// Two to four programs with one or two nodes each send to each other while everything breaks that can: connections, in
// the middle of a frame, for both sides or for one; programs and hubs that stop for a while, die, or leave; byte by
// byte networks and full socket buffers. Then the faults end, and what users were promised must hold (ledger.h): in
// bounded time everybody is connected and everything is accounted for, later the wire is silent, and once
// everybody has left nothing is left of them, at the hub or in their programs.
//
// A program is two loops, one for the network and one for its handlers, which is its nodes' executor. Its bus has a
// clock of its own that stands still: what times out here, times out on the wire.
#pragma once

#include <nyamesh/message_bus.h>
#include <nyamesh/p2p_box.h>

#include "hub/hub_core.h"
#include "simulation/draws.h"
#include "simulation/ledger.h"
#include "simulation/outcome.h"
#include "simulation/trace.h"
#include "simulation/whole/frame_watch.h"
#include "support/sim_loop.h"
#include "transport/websocket/links.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nyamesh::simulation {

class WholeWorld {
public:
    WholeWorld(std::uint64_t seed, bool prints_trace);
    ~WholeWorld();
    Outcome run();

private:
    using Life = std::uint64_t;
    using Death = testing::SimLoop::Death;
    using Duration = std::chrono::nanoseconds;

    // A process's life.
    struct Program {
        std::shared_ptr<testing::SimLoop> net;
        std::shared_ptr<testing::SimLoop> app;
        std::shared_ptr<MessageBus> bus;
        std::shared_ptr<websocket::Links> links;
        std::vector<Life> lives;  // of its nodes, those that have closed included
    };
    struct Place;
    // One node after the other of that name.
    struct Node {
        std::string name;
        Place* place = nullptr;
        Life life = 0;  // 0: not open
        std::unique_ptr<P2PBox> box;
        std::uint64_t last_token = 0;
        std::uint64_t burst_left = 0;
        bool closes_in_handler = false;
        bool is_closing = false;
    };
    // Where one program after the other runs, with the same nodes.
    struct Place {
        std::string name;
        std::vector<Node*> nodes;
        std::unique_ptr<Program> program;  // null: not running
        std::uint64_t programs = 0;        // so far
    };
    // What this seed's day is like.
    struct Weather {
        std::chrono::milliseconds duration{10'000};
        std::chrono::microseconds between_sends{5'000};
        std::chrono::microseconds slowest_handler{0};
        std::chrono::milliseconds between_faults{2'000};
        std::uint64_t failing_handlers = 0;  // percent
        std::uint64_t requests = 0;
        std::uint64_t waiting = 0;
        std::size_t largest_payload = 0;
        std::size_t queue_limit = 4096;
        std::chrono::milliseconds resume_window{120'000};
        bool has_kills = false;
        bool has_closes = false;
        bool has_freezes = false;
        bool has_hub_deaths = false;
        HubLimits hub;
    };

    void draw_weather(testing::SimSettings& network);
    void after(Duration delay, nya::Task action);
    void run_for(Duration duration);
    template <class... Values>
    void trace(const char* what, std::string_view text, Values... values) {
        trace_.note(world_.now(), what, text, values...);
    }
    Duration draw_up_to(Duration most) { return draws_.between(Duration(0), most); }

    // The hub.
    void start_hub();
    void stop_hub(Death how);
    void drain_hub();
    void watch_hub();

    // Programs and their nodes (nodes.cpp).
    void start(Place& place);
    void open(Node& node);
    void kill(Place& place);
    void close(Node& node);
    void close_now(Node& node);
    void has_ended(Place& place);
    void keep_sending(Node& node);
    void send_something(Node& node);
    void ping(Node& node);
    void send(Node& node, const Ledger::Sending& sending, const IntentBox& intent, const SendOpts& opts);
    Ledger::Sending draw_sending(Node& node);
    void is_settled(Life life, std::uint64_t token, Answer result);
    void handle(Node& node, Life life, const Arrival& arrival);
    void is_unconfirmed(Life life, const UnconfirmedIntent& lost);
    void is_on_wire(bool is_up, std::string_view frame);
    bool lives(const Node& node, Life life) const { return node.life == life; }

    // Faults.
    void keep_breaking();
    void break_something();
    void break_connection(Place& place);
    void break_hub();
    void heal();

    // The end.
    void check_drained();
    void check_silent();
    void check_nothing_left();
    void leave_all();

    Draws draws_;
    Trace trace_;
    Weather weather_;
    Ledger ledger_;
    testing::SimWorld world_;
    FrameWatch watch_;
    wire::Scratch scratch_;

    std::shared_ptr<testing::SimLoop> script_;  // who sends and breaks
    std::shared_ptr<testing::SimLoop> hub_loop_;
    std::unique_ptr<hub::HubCore> hub_;  // null: it is down
    std::uint64_t hubs_ = 0;
    hub::HubCore::Settings hub_settings_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<std::unique_ptr<Place>> places_;
    std::vector<std::unique_ptr<Program>> ended_;
    std::set<Life> killed_;
    std::set<Life> left_;
    Life last_life_ = 0;
    bool is_healed_ = false;
    Outcome outcome_;
};

}  // namespace nyamesh::simulation
