#include "hub/hub_core.h"

#include <sys/resource.h>

#include <nya/expected.h>

#include "wire/protocol.h"

#include <algorithm>

namespace nyamesh::hub {

namespace {

constexpr std::size_t kFilesForOthers = 64;  // of the process's limit: listeners, logs, keys
constexpr std::size_t kVisitorsShare = 8;    // one file in eight is for those who are not clients yet
constexpr std::chrono::milliseconds kDrainStep{20};

std::size_t connections_that_fit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1'000'000;
    const auto files = static_cast<std::size_t>(limit.rlim_cur);
    const std::size_t ours = files > 2 * kFilesForOthers ? files - kFilesForOthers : files / 2;
    return ours - ours / kVisitorsShare;
}

NameTable::Limits name_limits(const HubLimits& limits) {
    NameTable::Limits out;
    out.names = limits.known_names;
    out.names_per_party = limits.names_per_connection;
    out.watches_per_party = limits.watches_per_connection;
    out.lease = out.gone = wire::kResumeWindow;
    out.ping = wire::kTakeoverPing;
    return out;
}

std::int64_t wall_clock() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::expected<void, std::string> check_limits(const HubLimits& limits) {
    if (limits.max_intent_bytes < 1024 || limits.max_intent_bytes > wire::kMaxIntentBytes) {
        return std::unexpected("max_intent_bytes is between 1,024 and 262,144");
    }
    if (limits.out_queue_bytes < 2 * limits.max_intent_bytes) {
        return std::unexpected("out_queue_bytes must hold at least two of the longest frames");
    }
    if (limits.messages_per_second == 0 || limits.bytes_per_second == 0 || limits.accepts_per_second == 0 ||
        limits.connections_per_address == 0 || limits.names_per_connection == 0 || limits.watches_per_connection == 0 ||
        limits.known_names == 0) {
        return std::unexpected("a limit of 0 would let nothing through");
    }
    return {};
}

}  // namespace

std::expected<HubCore::Settings, std::string> HubCore::settings(const HubOptions& options) {
    NYA_TRY(check_limits(options.limits));
    Settings settings;
    settings.limits = options.limits;
    settings.is_auth_required = options.auth.is_required;
    settings.tokens = NYA_TRY(TokenChecker::make(options.auth));
    settings.allowed_origins = options.allowed_origins;
    settings.identity = NYA_TRY(load_identity(options.state_directory));
    settings.log = options.log;
    settings.unix_time = wall_clock;
    return settings;
}

HubCore::HubCore(net::Loop& loop, std::shared_ptr<nya::Random> random, Settings settings)
    : loop_(loop),
      random_(std::move(random)),
      settings_(std::move(settings)),
      started_(loop.clock()->now()),
      log_(settings_.log, loop.clock()),
      names_(loop, *random_, name_limits(settings_.limits), Leases(settings_.identity.key, settings_.identity.epoch),
             settings_.identity.epoch),
      accepts_(settings_.limits.accepts_per_second, started_) {
    const std::size_t fit = connections_that_fit();
    max_connections_ = settings_.limits.connections == 0 ? fit : settings_.limits.connections;
}

HubCore::~HubCore() {
    listeners_.clear();
    operators_listener_.reset();
    for (const auto timer : {accept_timer_, tick_timer_, drain_timer_}) loop_.cancel(timer);
    while (Visitor* visitor = visitors_.front()) delete visitor;
    while (Connection* connection = connections_.front()) {
        names_.leave(*connection, false);
        delete connection;
    }
}

// ---- coming -----------------------------------------------------------------------------------------------------

std::expected<std::uint16_t, std::string> HubCore::listen(const net::Address& where,
                                                          std::shared_ptr<const net::TlsContext> tls) {
    auto listener = NYA_TRY(loop_.listen(
        where, std::move(tls),
        [this](std::unique_ptr<net::Stream> stream, const net::Address& peer) { accept(std::move(stream), peer); }));
    const std::uint16_t port = listener->port();
    listeners_.push_back(std::move(listener));
    return port;
}

std::expected<std::uint16_t, std::string> HubCore::listen_for_operators(const net::Address& where) {
    operators_listener_ =
        NYA_TRY(loop_.listen(where, nullptr, [this](std::unique_ptr<net::Stream> stream, const net::Address& peer) {
            if (visitor_count_ >= max_connections_ / kVisitorsShare + kVisitorsShare) return;
            ++visitor_count_;
            visitors_.push_back(*new Visitor(*this, std::move(stream), peer, Visitor::Door::Operators));
        }));
    return operators_listener_->port();
}

void HubCore::accept(std::unique_ptr<net::Stream> stream, const net::Address& peer) {
    ++counters_.accepted;
    slow_accepting();
    // Not even a word for those beyond: words cost a socket, and there is none left.
    if (!may_visit(peer)) {
        ++counters_.refused.full;
        return;
    }
    ++visitor_count_;
    count_address(peer, &AddressUse::visitors, 1);
    visitors_.push_back(*new Visitor(*this, std::move(stream), peer, Visitor::Door::Clients));
}

void HubCore::slow_accepting() {
    turn();
    accepts_.refill(turn_began_);
    if (accepts_.spend(1) || accept_timer_ != 0) return;
    for (const auto& listener : listeners_) listener->pause();
    accept_timer_ = loop_.call_at(loop_.clock()->now() + accepts_.wait(), [this] {
        accept_timer_ = 0;
        for (const auto& listener : listeners_) listener->resume();
    });
}

void HubCore::stop_accepting() {
    for (const auto& listener : listeners_) out_of_descriptors_before_ += listener->times_out_of_descriptors();
    listeners_.clear();
}

std::uint64_t HubCore::times_out_of_descriptors() const noexcept {
    std::uint64_t times = out_of_descriptors_before_;
    for (const auto& listener : listeners_) times += listener->times_out_of_descriptors();
    if (operators_listener_) times += operators_listener_->times_out_of_descriptors();
    return times;
}

bool HubCore::may_enter(const net::Address& peer) const {
    if (connection_count_ >= max_connections_) return false;
    if (peer.is_loopback()) return true;
    const auto known = per_address_.find(address_group(peer));
    return known == per_address_.end() || known->second.connections < settings_.limits.connections_per_address;
}

void HubCore::count_address(const net::Address& peer, std::uint32_t AddressUse::* what, int change) {
    if (peer.is_loopback()) return;
    const auto at = per_address_.try_emplace(address_group(peer)).first;
    at->second.*what += static_cast<std::uint32_t>(change);
    if (at->second.visitors == 0 && at->second.connections == 0) per_address_.erase(at);
}

// Who only opens sockets and says nothing must not fill the room that all others have to come in by.
bool HubCore::may_visit(const net::Address& peer) const {
    if (visitor_count_ >= max_connections_ / kVisitorsShare + kVisitorsShare) return false;
    if (peer.is_loopback()) return true;
    const auto known = per_address_.find(address_group(peer));
    return known == per_address_.end() || known->second.visitors < settings_.limits.connections_per_address;
}

// Of IPv6 a customer gets at least 2^64 addresses, so they count as one: its first four groups.
std::string HubCore::address_group(const net::Address& peer) const {
    if (peer.ip.find(':') == std::string::npos) return peer.ip;
    std::size_t end = peer.ip.find(':');
    for (int groups = 1; groups < 4 && end != std::string::npos && peer.ip.compare(end, 2, "::") != 0; ++groups) {
        end = peer.ip.find(':', end + 1);
    }
    return peer.ip.substr(0, end);
}

void HubCore::enter(Visitor& visitor, std::unique_ptr<net::Stream> stream, Connection::Arrival arrival) {
    ++connection_count_;
    count_address(arrival.peer, &AddressUse::connections, 1);
    connections_.push_back(*new Connection(*this, ++last_number_, std::move(stream), std::move(arrival)));
    leave(visitor);
}

void HubCore::leave(Visitor& visitor) {
    --visitor_count_;
    if (visitor.door() == Visitor::Door::Clients) count_address(visitor.peer(), &AddressUse::visitors, -1);
    delete &visitor;
}

void HubCore::leave(Connection& connection) {
    --connection_count_;
    count_address(connection.peer(), &AddressUse::connections, -1);
    delete &connection;
    if (is_draining_ && connection_count_ == 0) drain_some();
}

// ---- turns and ticks --------------------------------------------------------------------------------------------

void HubCore::begin_turn() {
    is_in_turn_ = true;
    ++turn_;
    turn_began_ = loop_.clock()->now();
    loop_.post([this, life = std::weak_ptr(life_)] {
        if (!life.expired()) is_in_turn_ = false;
    });
}

void HubCore::mark_busy(Connection& connection) {
    busy_.push_back(connection);
    arm_tick();
}

void HubCore::arm_tick() {
    if (tick_timer_ != 0) return;
    tick_timer_ = loop_.call_at(loop_.clock()->now() + kProgressTick, [this] {
        tick_timer_ = 0;
        tick();
    });
}

// Only those who have been sent something lately are looked at: a hub of idle clients sleeps.
void HubCore::tick() {
    busy_.for_each([](Connection& connection) {
        if (!connection.check_progress()) static_cast<Link<ByBusy>&>(connection).unlink();
    });
    if (!busy_.empty()) arm_tick();
}

std::chrono::milliseconds HubCore::grace_left() const {
    const auto left = started_ + wire::kHubGrace - loop_.clock()->now();
    return std::chrono::ceil<std::chrono::milliseconds>(std::max(left, nya::Clock::duration::zero()));
}

// ---- going ------------------------------------------------------------------------------------------------------

void HubCore::drain(std::chrono::milliseconds within, nya::Task done) {
    drained_.push_back(std::move(done));
    const auto end = loop_.clock()->now() + within;
    if (is_draining_) {  // once more, perhaps in more of a hurry; or nobody has been left for a while
        drain_end_ = std::min(drain_end_, end);
        if (drain_timer_ == 0) drain_timer_ = loop_.call_at(loop_.clock()->now(), [this] { drain_some(); });
        return;
    }
    is_draining_ = true;
    stop_accepting();
    drain_end_ = end;
    log_.write(HubLogLine::Level::Info, "draining",
               {{"connections", connection_count_}, {"milliseconds", within.count()}},
               "draining: " + std::to_string(connection_count_) + " connections are told to go elsewhere");
    wire::Head head;
    head.type = wire::FrameType::Drain;
    head.in_ms = static_cast<std::uint64_t>(within.count());
    connections_.for_each([&](Connection& connection) {
        if (connection.is_greeted()) connection.send(head);
    });
    loop_.cancel(drain_timer_);
    drain_timer_ = loop_.call_at(loop_.clock()->now() + kDrainStep, [this] { drain_some(); });
}

// As many as are due: those left are spread evenly over the time left, so that they do not all come back at once.
void HubCore::drain_some() {
    loop_.cancel(drain_timer_);
    drain_timer_ = 0;
    if (connection_count_ == 0) {
        for (nya::Task& done : std::exchange(drained_, {})) done();
        return;
    }
    const auto left = drain_end_ - loop_.clock()->now();
    const auto steps = static_cast<std::size_t>(std::max<std::int64_t>(1, left / kDrainStep));
    std::size_t closing = (connection_count_ + steps - 1) / steps;
    connections_.for_each([&](Connection& connection) {
        if (closing == 0 || connection.is_leaving()) return;
        --closing;
        connection.fail(wire::close_code::kDraining, "the hub is being stopped");
    });
    drain_timer_ = loop_.call_at(loop_.clock()->now() + kDrainStep, [this] { drain_some(); });
}

void HubCore::replace_tls(const std::shared_ptr<const net::TlsContext>& tls) {
    for (const auto& listener : listeners_) listener->replace_tls(tls);
}

HubStatistics HubCore::statistics() const {
    HubStatistics out;
    out.connections = connection_count_;
    out.names = names_.bound();
    out.known_names = names_.size();
    out.accepted = counters_.accepted;
    out.refused = counters_.refused.full + counters_.refused.handshake + counters_.refused.origin;
    out.messages_received = counters_.messages_received;
    out.messages_sent = counters_.messages_sent;
    out.bytes_received = counters_.bytes_received;
    out.bytes_sent = counters_.bytes_sent;
    out.dropped = counters_.dropped.absent + counters_.dropped.slow + counters_.dropped.forbidden;
    return out;
}

}  // namespace nyamesh::hub
