// A hub in virtual time and clients that write down what they hear: for tests of the hub, and of those who use one.
//
//     HubWorld world(seed);
//     auto alice = world.client();
//     alice->say(R"({"t":"hello","n":"alice","i":"00000000000000a1"})");
//     CHECK(alice->hears(R"({"t":"bound","n":"alice")"));      // waits in virtual time; takes what it has waited for
#pragma once

#include "hub/hub_core.h"
#include "net/websocket.h"
#include "support/sim_loop.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nyamesh::testing {

inline constexpr std::string_view kHubAddress = "10.0.0.1";

class TestClient final : public net::WebSocketEvents {
public:
    struct How {
        std::string authorization = {};
        std::string origin = {};
        std::string subprotocol = "nyamesh.v1";
        std::string path = "/";
        bool has_heartbeats = true;
    };
    TestClient(SimWorld& world, const net::Target& hub, const How& how) : world_(world), loop_(world.loop("client")) {
        net::WebSocketSettings settings;
        if (!how.has_heartbeats) settings.heartbeat_after = std::chrono::milliseconds(0);
        net::WebSocket::ClientRequest request;
        request.url.target = hub;
        request.url.path = how.path;
        request.subprotocol = how.subprotocol;
        request.authorization = how.authorization;
        request.origin = how.origin;
        socket_ = net::WebSocket::connect(*loop_, request, settings, world.random(), *this);
    }

    // Once the connection is open.
    void say(std::string_view frame) {
        world_.run_until([this] { return is_open || end; }, std::chrono::seconds(20));
        socket_->send_text(frame);
    }
    void say_binary(std::string_view frame) {
        world_.run_until([this] { return is_open || end; }, std::chrono::seconds(20));
        socket_->send_binary(frame);
    }
    // Whether a frame that begins so comes in that time; it and all before it are taken away. See `last`.
    bool hears(std::string_view beginning, std::chrono::milliseconds within = std::chrono::seconds(2)) {
        const auto there = [&] {
            for (const std::string& frame : frames) {
                if (frame.starts_with(beginning)) return true;
            }
            return false;
        };
        const auto end_of_wait = world_.now() + within;
        if (!world_.run_until(there, within)) {
            world_.run_until(end_of_wait);
            return false;
        }
        do {
            last = std::move(frames.front());
            frames.pop_front();
        } while (!last.starts_with(beginning));
        return true;
    }
    bool hears_nothing(std::chrono::milliseconds within = std::chrono::milliseconds(500)) {
        world_.run_for(within);
        return frames.empty();
    }
    // The close code once it is closed; 0: it is not, within that time.
    std::uint16_t closed(std::chrono::milliseconds within = std::chrono::seconds(15)) {
        const auto end_of_wait = world_.now() + within;
        if (!world_.run_until([this] { return end.has_value(); }, within)) world_.run_until(end_of_wait);
        return end ? end->code : std::uint16_t{0};
    }
    void close(std::uint16_t code = 1000) { socket_->close(code, ""); }
    void cut() { world_.cut(connection()); }
    SimWorld::ConnectionId connection() { return SimWorld::connection_of(socket_->stream()); }
    net::WebSocket& socket() { return *socket_; }
    SimLoop& loop() { return *loop_; }

    bool is_open = false;
    bool keeps_frames = true;
    std::uint64_t frame_count = 0;
    std::deque<std::string> frames;
    std::string last;
    std::optional<net::WebSocketEnd> end;

private:
    void on_open() override { is_open = true; }
    bool on_message(net::Opcode, std::string_view bytes) override {
        ++frame_count;
        if (keeps_frames) frames.emplace_back(bytes);
        return true;
    }
    void on_closed(const net::WebSocketEnd& the_end) override {
        is_open = false;
        end = the_end;
    }

    SimWorld& world_;
    std::shared_ptr<SimLoop> loop_;
    std::unique_ptr<net::WebSocket> socket_;
};

class HubWorld {
public:
    explicit HubWorld(std::uint64_t seed = 1, HubOptions options = {}, bool skips_grace = true)
        : world(seed), settings(hub::HubCore::settings(options).value()) {
        settings.identity = {"0123456789abcdef", 7, "the key that signs leases"};
        settings.unix_time = [this] { return unix_time(); };
        start();
        if (skips_grace) world.run_for(std::chrono::seconds(6));
    }
    ~HubWorld() { core.reset(); }

    void start() {
        loop = world.loop("hub");
        core = std::make_unique<hub::HubCore>(*loop, world.random(), settings);
        hub.host = std::string(kHubAddress);
        hub.port = 8080;
        core->listen({hub.host, hub.port}, nullptr).value();
    }
    // As kill -9, and a new process that remembers what is on disk.
    void restart() {
        loop->die();
        core.reset();
        ++settings.identity.epoch;
        start();
    }
    std::unique_ptr<TestClient> client(const TestClient::How& how = {}) {
        return std::make_unique<TestClient>(world, hub, how);
    }
    // One that has its name.
    std::unique_ptr<TestClient> node(std::string_view name, std::string_view members = {},
                                     std::string_view instance = "00000000000000a1") {
        auto made = client();
        made->say(R"({"t":"hello","n":")" + std::string(name) + R"(","i":")" + std::string(instance) + "\"" +
                  std::string(members) + "}");
        made->hears(R"({"t":"bound")");
        return made;
    }
    std::int64_t unix_time() const {
        return 1'700'000'000 + std::chrono::duration_cast<std::chrono::seconds>(world.now().time_since_epoch()).count();
    }

    SimWorld world;
    hub::HubCore::Settings settings;
    std::shared_ptr<SimLoop> loop;
    std::unique_ptr<hub::HubCore> core;
    net::Target hub;
};

}  // namespace nyamesh::testing
