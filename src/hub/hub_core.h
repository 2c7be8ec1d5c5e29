// HubCore: the whole hub on somebody's loop. The program's hub runs it on a thread (hub.cpp), the simulator in virtual
// time; both run this object.
//
//     a stream is accepted ─▶ Visitor reads the upgrade ─▶ Connection, until the client goes
//
// One thread, the loop's. Everything it starts ends with it.
#pragma once

#include <nyamesh/hub.h>

#include "hub/auth.h"
#include "hub/connection.h"
#include "hub/counters.h"
#include "hub/files.h"
#include "hub/log.h"
#include "hub/name_table.h"
#include "hub/visitor.h"
#include "net/loop.h"
#include "wire/frame_codec.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace nyamesh::hub {

class HubCore {
public:
    static constexpr std::chrono::milliseconds kProgressTick{1'000};
    static constexpr int kTicksWithoutProgress = 10;

    // What does not depend on the loop: settings that have been checked and files that have been read.
    struct Settings {
        HubLimits limits = {};
        bool is_auth_required = false;
        TokenChecker tokens = {};
        std::vector<std::string> allowed_origins = {};
        Identity identity;
        std::function<void(const HubLogLine&)> log = {};
        std::function<std::int64_t()> unix_time;  // seconds since 1970
    };
    // Reads keys and identity. Errors say which option is wrong.
    static std::expected<Settings, std::string> settings(const HubOptions& options);

    HubCore(net::Loop& loop, std::shared_ptr<nya::Random> random, Settings settings);
    ~HubCore();
    HubCore(const HubCore&) = delete;
    HubCore& operator=(const HubCore&) = delete;

    // The port.
    std::expected<std::uint16_t, std::string> listen(const net::Address& where,
                                                     std::shared_ptr<const net::TlsContext> tls);
    std::expected<std::uint16_t, std::string> listen_for_operators(const net::Address& where);

    // Stops accepting, and closes everybody spread over that time; then `done`.
    void drain(std::chrono::milliseconds within, nya::Task done);
    void replace_tls(const std::shared_ptr<const net::TlsContext>& tls);
    void replace_keys(TokenChecker tokens) { settings_.tokens.replace_keys(std::move(tokens)); }
    HubStatistics statistics() const;

    // ---- for Visitor, Connection and the operators' pages ----
    net::Loop& loop() const noexcept { return loop_; }
    const Settings& settings() const noexcept { return settings_; }
    TokenChecker& tokens() noexcept { return settings_.tokens; }
    NameTable& names() noexcept { return names_; }
    const NameTable& names() const noexcept { return names_; }
    Counters& counters() noexcept { return counters_; }
    const Counters& counters() const noexcept { return counters_; }
    Log& log() noexcept { return log_; }
    wire::Scratch& scratch() noexcept { return scratch_; }
    std::string& out_text() noexcept { return out_text_; }
    bool is_draining() const noexcept { return is_draining_; }
    // Right after its start a hub does not say "unknown": who is not here yet may just be on the way.
    std::chrono::milliseconds grace_left() const;
    std::size_t connection_count() const noexcept { return connection_count_; }
    const List<Connection, ByHub>& connections() const noexcept { return connections_; }
    nya::Clock::time_point started() const noexcept { return started_; }
    // How often those who wanted to connect had to wait, because the process had no descriptor for them.
    std::uint64_t times_out_of_descriptors() const noexcept;

    // The number of this turn of the loop, and when it began: one look at the clock per turn.
    std::uint64_t turn() {
        if (!is_in_turn_) begin_turn();
        return turn_;
    }
    nya::Clock::time_point turn_began() const noexcept { return turn_began_; }

    // False: the hub, or this address, has as many connections as it may.
    bool may_enter(const net::Address& peer) const;
    void enter(Visitor& visitor, std::unique_ptr<net::Stream> stream, Connection::Arrival arrival);
    void leave(Visitor& visitor);
    void leave(Connection& connection);
    // It has something to send: watch that it goes out.
    void mark_busy(Connection& connection);

private:
    void accept(std::unique_ptr<net::Stream> stream, const net::Address& peer);
    void slow_accepting();
    void stop_accepting();
    void begin_turn();
    void arm_tick();
    void tick();
    void drain_some();
    std::string address_group(const net::Address& peer) const;
    struct AddressUse {
        std::uint32_t visitors = 0;
        std::uint32_t connections = 0;
    };
    void count_address(const net::Address& peer, std::uint32_t AddressUse::* what, int change);
    bool may_visit(const net::Address& peer) const;

    net::Loop& loop_;
    std::shared_ptr<nya::Random> random_;
    Settings settings_;
    const nya::Clock::time_point started_;
    Counters counters_;
    Log log_;
    NameTable names_;
    wire::Scratch scratch_;
    std::string out_text_;

    std::vector<std::unique_ptr<net::Listener>> listeners_;
    std::unique_ptr<net::Listener> operators_listener_;
    std::uint64_t out_of_descriptors_before_ = 0;  // of listeners that are gone
    Budget accepts_;
    net::Loop::TimerId accept_timer_ = 0;
    List<Visitor, ByHub> visitors_;
    List<Connection, ByHub> connections_;
    List<Connection, ByBusy> busy_;
    std::size_t visitor_count_ = 0;
    std::size_t connection_count_ = 0;
    std::size_t max_connections_ = 0;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::string, AddressUse> per_address_;  // not of loopback

    std::uint64_t turn_ = 0;
    nya::Clock::time_point turn_began_;
    bool is_in_turn_ = false;
    net::Loop::TimerId tick_timer_ = 0;

    bool is_draining_ = false;
    nya::Clock::time_point drain_end_;
    net::Loop::TimerId drain_timer_ = 0;
    std::vector<nya::Task> drained_;

    // Posted tasks ask it whether we are still there.
    std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace nyamesh::hub
