#include "hub/connection.h"

#include <nya/json.h>
#include <nyamesh/names.h>
#include <nyamesh/send_error.h>

#include "base/assert.h"
#include "hub/hub_core.h"
#include "intent/quote.h"

#include <algorithm>
#include <chrono>

namespace nyamesh::hub {

namespace {

using wire::FrameType;
using wire::Head;
using wire::PeerState;
namespace close_code = wire::close_code;

constexpr std::chrono::seconds kWarnBeforeExpiry{60};
constexpr std::chrono::seconds kForgivesLostName{5};
constexpr std::size_t kMaxKeyBytes = 128;
constexpr std::size_t kMaxLeaseBytes = 512;
constexpr std::size_t kListed = 1'000;            // names in one answer to list
constexpr std::size_t kLookedAtForList = 50'000;  // names
constexpr double kLookedAtPerMessage = 100;       // what such a look costs of the sender's budget
constexpr std::chrono::hours kLongestTimer{24};

Owner owner_of(std::string_view kind, std::string_view secret) {
    // The kind keeps a key from passing as somebody's subject.
    return sha256(std::string(kind) + "\n" + std::string(secret));
}

net::WebSocketSettings socket_settings(const HubLimits& limits) {
    net::WebSocketSettings settings;
    settings.max_message_bytes = limits.max_intent_bytes;
    settings.heartbeat_after = wire::kHeartbeatAfter;
    settings.dead_after = wire::kDeadAfter;
    return settings;
}

// What a client must know to be its name's owner; null: it is all right.
const char* wrong_in_bid(const Head& head) {
    if (head.instance == 0) return "a name is bound with the node's instance (i)";
    if (head.key.size() > kMaxKeyBytes || !std::ranges::all_of(head.key, [](char c) { return c >= ' ' && c <= '~'; })) {
        return "the key is 1 to 128 printable ASCII characters";
    }
    if (head.lease.size() > kMaxLeaseBytes) return "the lease is none of this hub";
    return nullptr;
}

std::uint64_t milliseconds(nya::Clock::duration time) {
    const auto count = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

}  // namespace

Connection::Connection(HubCore& core, std::uint64_t number, std::unique_ptr<net::Stream> stream, Arrival arrival)
    : core_(core),
      stream_(stream.get()),
      number_(number),
      since_(core.loop().clock()->now()),
      messages_(core.settings().limits.messages_per_second, since_),
      bytes_(static_cast<double>(core.settings().limits.bytes_per_second), since_),
      peer_(std::move(arrival.peer)),
      token_(std::move(arrival.token)) {
    const std::size_t queue = core.settings().limits.out_queue_bytes;
    stream_->set_marks(queue / 4, queue / 2);
    deadline_ = core_.loop().call_at(since_ + wire::kHandshakeTime, [this] {
        deadline_ = 0;
        fail(close_code::kHandshakeTimeout, "no hello within 5 seconds");
    });
    socket_ = net::WebSocket::accept(core.loop(), std::move(stream), socket_settings(core.settings().limits),
                                     arrival.rest, *this);
}

Connection::~Connection() {
    core_.loop().cancel(deadline_);
    core_.loop().cancel(resume_timer_);
}

// ---- what arrives -----------------------------------------------------------------------------------------------

bool Connection::on_message(net::Opcode opcode, std::string_view bytes) {
    if (is_leaving_) return false;
    if (const std::uint64_t turn = core_.turn(); turn != turn_) {
        turn_ = turn;
        messages_.refill(core_.turn_began());
        bytes_.refill(core_.turn_began());
    }
    Counters& counters = core_.counters();
    ++counters.messages_received;
    counters.bytes_received += bytes.size();
    ++received_;
    if (is_questioned()) core_.names().lives(*this);

    messages_.spend(1);
    bytes_.spend(static_cast<double>(bytes.size()));
    handle(opcode, bytes);
    if (is_leaving_) return false;
    if (messages_.has_left() && bytes_.has_left() && !is_paused_) return true;
    slow_down();
    return false;
}

void Connection::handle(net::Opcode opcode, std::string_view bytes) {
    const auto route = wire::read_route(bytes, core_.scratch());
    if (!route) {
        return fail(close_code::kMalformed,
                    route.error().message + ", at byte " + std::to_string(route.error().offset));
    }
    if (!is_greeted_ && route->type != FrameType::Hello) {
        return fail(close_code::kExpectedHello, "the first frame must be hello");
    }
    if (wire::is_relayed(route->type)) {
        relay(opcode, *route, bytes);
    } else if (route->type >= FrameType::Welcome) {
        return fail(close_code::kUnexpectedFrame, std::string(to_string(route->type)) + " is for hubs to send");
    } else {
        control(bytes);
    }
    // Somebody who asks and asks, or sends to names that are not here, and does not read the answers, waits until they
    // are read.
    if (!is_leaving_ && is_overfull()) is_paused_ = true;
}

void Connection::relay(net::Opcode opcode, const wire::Route& route, std::string_view bytes) {
    if (last_name_ == nullptr || last_name_->text != route.from) {
        Name* name = core_.names().find(route.from);
        if (name == nullptr || name->holder != this) {
            if (has_lost(route.from)) return;
            return fail(close_code::kForgedFrom, quote(route.from, 40) + " is no name of this connection");
        }
        last_name_ = name;
    }
    Watch* watch = last_watch_;
    if (watch == nullptr || watch->name.text != route.to) {
        watch = find_watch(route.to);
        if (is_leaving_) return;
        if (watch == nullptr) return answer_absent(route.to, nullptr);
    }
    Name& target = watch->name;
    if (!watch->may_send) {
        ++core_.counters().dropped.forbidden;
        return refuse_sending(*watch);
    }
    if (target.holder == nullptr) return answer_absent(target.text, watch);
    ++core_.counters().relayed;
    static_cast<Connection*>(target.holder)->deliver(opcode, bytes, *watch);
}

// Whether a name has been taken from this connection so lately that its client may not know yet.
bool Connection::has_lost(std::string_view name) const {
    if (!lost_) return false;
    const auto oldest = core_.turn_began() - kForgivesLostName;
    return std::ranges::any_of(*lost_, [&](const LostName& lost) { return lost.when >= oldest && lost.name == name; });
}

// Whoever sends to a name is told of what becomes of it.
Watch* Connection::find_watch(std::string_view to) {
    if (core_.names().find(to) == nullptr) {
        if (const auto valid = check_node_id(to); !valid) {
            fail(close_code::kMalformed, "to: " + valid.error().message);
            return nullptr;
        }
    }
    const std::size_t before = watch_count();
    Watch* watch = core_.names().watch(*this, to);
    if (watch == nullptr) return nullptr;
    last_watch_ = watch;
    if (watch_count() != before || watch->answered_in_turn == 0) {
        watch->may_send = claims_ == nullptr || claims_->may_send_to(to);
        const auto* holder = static_cast<const Connection*>(watch->name.holder);
        if (holder != nullptr && holder->is_full_) hold(*watch);
    }
    return watch;
}

void Connection::deliver(net::Opcode opcode, std::string_view bytes, Watch& sender) {
    const std::size_t limit = core_.settings().limits.out_queue_bytes;
    const std::size_t after = waiting() + bytes.size();
    if (after > limit) [[unlikely]] {
        ++core_.counters().dropped.slow;
        return static_cast<Connection&>(sender.watcher).hold(sender);
    }
    if (opcode == net::Opcode::Text) {
        socket_->send_text(bytes);
    } else {
        socket_->send_binary(bytes);
    }
    written(bytes.size());
    if (after > limit / 2 && !is_full_) [[unlikely]]
        become_full();
}

void Connection::written(std::size_t bytes) {
    Counters& counters = core_.counters();
    ++counters.messages_sent;
    counters.bytes_sent += bytes;
    ++sent_;
    if (!static_cast<Link<ByBusy>&>(*this).is_linked()) core_.mark_busy(*this);
}

void Connection::send(const Head& head, std::string_view payload) {
    if (is_leaving_) return;
    std::string& text = core_.out_text();
    text.clear();
    wire::encode(head, payload, text);
    socket_->send_text(text);
    written(text.size());
}

// ---- frames for the hub -----------------------------------------------------------------------------------------

void Connection::control(std::string_view bytes) {
    const auto frame = wire::decode(bytes, core_.scratch());
    if (!frame) {
        return fail(close_code::kMalformed,
                    frame.error().message + ", at byte " + std::to_string(frame.error().offset));
    }
    switch (frame->head.type) {
        case FrameType::Hello:
            if (is_greeted_) return fail(close_code::kExpectedHello, "a second hello");
            return greet(frame->head);
        case FrameType::Bind:
            return bind(frame->head);
        case FrameType::Unbind:
            return unbind(frame->head);
        case FrameType::Resolve:
            return resolve(frame->head);
        case FrameType::Auth:
            return renew(frame->head);
        case FrameType::List:
            return list(frame->head);
        default:
            NYA_ASSERT(!"a frame that is neither relayed nor ours");
    }
}

void Connection::greet(const Head& head) {
    core_.loop().cancel(deadline_);
    deadline_ = 0;
    const std::string token(head.token.empty() ? std::string_view(token_) : head.token);
    if (!admit(token)) return;
    token_ = {};
    is_greeted_ = true;
    client_ = std::string(head.client.substr(0, 64));
    send_welcome();
    watch_expiry();
    if (is_leaving_) return;
    if (core_.log().is_on()) {
        core_.log().write(HubLogLine::Level::Info, "connected",
                          {{"connection", number_}, {"peer", peer_.to_string()}, {"client", client_}},
                          peer_.to_string() + " connected" + (client_.empty() ? "" : " (" + quote(client_) + ")"));
    }
    if (!head.name.empty()) bind(head);
    if (core_.is_draining() && !is_leaving_) {
        Head drain;
        drain.type = FrameType::Drain;
        send(drain);
    }
}

void Connection::send_welcome() {
    Head welcome;
    welcome.type = FrameType::Welcome;
    welcome.hub = core_.settings().identity.id;
    welcome.epoch = core_.settings().identity.epoch;
    welcome.heartbeat_ms = milliseconds(wire::kHeartbeatAfter);
    welcome.dead_ms = milliseconds(wire::kDeadAfter);
    welcome.max_bytes = core_.settings().limits.max_intent_bytes;
    welcome.resume_ms = milliseconds(wire::kResumeWindow);
    if (claims_ && claims_->expires) welcome.in_ms = static_cast<std::uint64_t>(seconds_left()) * 1000;
    send(welcome);
}

void Connection::refuse(std::string_view name, std::string_view error, std::string_view message, bool may_retry) {
    Head head;
    head.type = FrameType::Refused;
    head.name = name;
    head.error = error;
    head.message = message;
    head.may_retry = may_retry;
    send(head);
}

void Connection::refuse_sending(Watch& watch) {
    if (watch.answered_in_turn == turn_) return;
    watch.answered_in_turn = turn_;
    refuse(watch.name.text, to_string(SendError::Reason::Unauthorized),
           "the token does not allow sending to " + quote(watch.name.text), false);
}

void Connection::bind(const Head& head) {
    if (const auto valid = check_node_id(head.name); !valid) {
        return fail(close_code::kMalformed, "n: " + valid.error().message);
    }
    if (const char* wrong = wrong_in_bid(head)) {
        return refuse(head.name, to_string(SendError::Reason::Malformed), wrong, false);
    }
    if (claims_ && !claims_->may_bind(head.name)) {
        return refuse(head.name, to_string(SendError::Reason::Unauthorized),
                      "the token does not allow the name " + quote(head.name), false);
    }
    Bid bid;
    bid.name = head.name;
    bid.instance = head.instance;
    bid.has_sessions = head.has_sessions;
    bid.lease = head.lease;
    if (claims_) {
        bid.owner = owner_of("subject", claims_->subject);
    } else if (!head.key.empty()) {
        bid.owner = owner_of("key", head.key);
    }
    const NameTable::Outcome outcome = core_.names().bind(*this, bid);
    const Name* name = core_.names().find(bid.name);
    switch (outcome) {
        case NameTable::Outcome::Waits:
            return;
        case NameTable::Outcome::Bound:
            // Everybody who watches it has been told something: that is worth more than one message.
            messages_.spend(static_cast<double>(name->watch_count));
            return tell_bound(*name);
        case NameTable::Outcome::Taken:
            return tell_taken(*name, false);
        case NameTable::Outcome::TakenByOwn:
            return tell_taken(*name, true);
        case NameTable::Outcome::TableFull:
            return refuse(bid.name, to_string(SendError::Reason::Backpressure), "the hub knows as many names as it can",
                          true);
        case NameTable::Outcome::TooMany:
            return fail(
                close_code::kLimit,
                "a connection has at most " + std::to_string(core_.settings().limits.names_per_connection) + " names");
    }
}

void Connection::unbind(const Head& head) {
    Name* name = core_.names().find(head.name);
    const std::size_t told = name == nullptr ? 0 : name->watch_count;
    if (core_.names().unbind(*this, head.name)) messages_.spend(static_cast<double>(told));
}

void Connection::resolve(const Head& head) {
    if (const auto valid = check_node_id(head.name); !valid) {
        return fail(close_code::kMalformed, "n: " + valid.error().message);
    }
    Watch* watch = find_watch(head.name);
    if (watch != nullptr && !watch->may_send) return refuse_sending(*watch);
    if (watch != nullptr) return send_state(watch->name, true);
    Name unknown;
    unknown.text = head.name;
    send_state(unknown, true);
}

void Connection::list(const Head& head) {
    std::vector<std::string_view> found;
    std::size_t looked_at = 0;
    std::size_t room = core_.settings().limits.max_intent_bytes / 2;
    core_.names().for_each([&](const Name& name) {
        if (++looked_at > kLookedAtForList || found.size() == kListed) return false;
        if (name.state != PeerState::Here || !std::string_view(name.text).starts_with(head.name)) return true;
        const std::size_t size = name.text.size() * 2 + 3;  // escaped, in quotes, with a comma
        if (size > room) return false;
        room -= size;
        found.push_back(name.text);
        return true;
    });
    messages_.spend(static_cast<double>(looked_at) / kLookedAtPerMessage);
    std::ranges::sort(found);
    nya::Json names = nya::Json::array();
    for (const std::string_view name : found) names.as_array().emplace_back(name);
    Head answer;
    answer.type = FrameType::Nodes;
    answer.name = head.name;
    send(answer, names.dump());
}

// ---- tokens -----------------------------------------------------------------------------------------------------

bool Connection::admit(const std::string& token) {
    TokenChecker& tokens = core_.tokens();
    if (!tokens.has_keys()) return true;
    if (token.empty() && !core_.settings().is_auth_required) return true;
    if (token.empty()) {
        unauthorized("this hub wants a token, in hello or in the Authorization header");
        return false;
    }
    const std::int64_t now = core_.settings().unix_time();
    auto claims = tokens.check(token, now);
    auto used = claims ? tokens.use(*claims, now) : std::unexpected(claims.error());
    if (!used) {
        unauthorized(used.error());
        return false;
    }
    claims_ = std::make_unique<Claims>(std::move(*claims));
    return true;
}

void Connection::unauthorized(const std::string& why) {
    ++core_.counters().auth_failures;
    refuse({}, to_string(SendError::Reason::Unauthorized), why, false);
    fail(close_code::kUnauthorized, why);
}

// A fresh token of the same subject, which allows at least the names that are bound.
void Connection::renew(const Head& head) {
    const std::string_view error = to_string(SendError::Reason::Unauthorized);
    if (!claims_) return send_welcome();  // nobody has asked for one
    auto claims = core_.tokens().check(std::string(head.token), core_.settings().unix_time());
    if (!claims || !claims->once_id.empty()) {
        ++core_.counters().auth_failures;
        return refuse({}, error, claims ? "a token for one connection cannot renew another" : claims.error(), false);
    }
    std::string wrong;
    if (claims->subject != claims_->subject) wrong = "the fresh token is of another subject";
    for (const Name* name : names()) {
        if (!claims->may_bind(name->text)) wrong = "the fresh token does not allow the name " + quote(name->text, 30);
    }
    if (!wrong.empty()) {
        ++core_.counters().auth_failures;
        refuse({}, error, wrong, false);
        return fail(close_code::kForbidden, wrong);
    }
    *claims_ = std::move(*claims);
    watches().for_each([this](Watch& watch) { watch.may_send = claims_->may_send_to(watch.name.text); });
    is_warned_ = false;
    send_welcome();
    watch_expiry();
}

std::int64_t Connection::seconds_left() const {
    return std::max<std::int64_t>(0, *claims_->expires - core_.settings().unix_time());
}

void Connection::watch_expiry() {
    core_.loop().cancel(deadline_);
    deadline_ = 0;
    if (!claims_ || !claims_->expires) return;
    const std::chrono::seconds left(seconds_left());
    if (left.count() == 0) return fail(close_code::kTokenExpired, "the token has expired");
    if (left <= kWarnBeforeExpiry && !is_warned_) {
        is_warned_ = true;
        Head head;
        head.type = FrameType::Expiring;
        head.in_ms = milliseconds(left);
        send(head);
    }
    // In steps: the wall clock may be set, and a timer far in the future would not hear of it.
    const auto wait = std::min<std::chrono::seconds>(is_warned_ ? left : left - kWarnBeforeExpiry, kLongestTimer);
    deadline_ = core_.loop().call_at(core_.loop().clock()->now() + wait, [this] {
        deadline_ = 0;
        watch_expiry();
    });
}

// ---- what others hear -------------------------------------------------------------------------------------------

void Connection::answer_absent(std::string_view name, Watch* watch) {
    ++core_.counters().dropped.absent;
    if (watch != nullptr) {
        if (watch->answered_in_turn == turn_) return;
        watch->answered_in_turn = turn_;
        return send_state(watch->name, true);
    }
    Name unknown;
    unknown.text = name;
    send_state(unknown, true);
}

void Connection::send_state(const Name& name, bool is_answer) {
    Head head;
    head.type = FrameType::Peer;
    head.name = name.text;
    head.state = name.state;
    std::string hint;
    if (name.state == PeerState::Here) {
        head.instance = name.instance;
        head.has_sessions = name.has_sessions;
    } else if (name.state == PeerState::Away || name.state == PeerState::Gone) {
        head.instance = name.instance;
        if (name.state == PeerState::Away) head.in_ms = milliseconds(core_.names().lease_left(name));
    } else if (name.state == PeerState::Unknown && core_.grace_left().count() > 0) {
        head.state = PeerState::Later;
        head.in_ms = milliseconds(core_.grace_left());
    } else if (name.state == PeerState::Unknown && is_answer) {
        const std::string nearest = core_.names().nearest(name.text);
        if (!nearest.empty()) hint = "Did you mean " + quote(nearest) + "?";
        messages_.spend(1);  // looking for it is work
        head.hint = hint;
    }
    send(head);
}

void Connection::tell(Watch& watch) {
    if (is_leaving_) return;
    if (is_overfull()) return put_off(watch);
    const auto* holder = static_cast<const Connection*>(watch.name.holder);
    if (holder == nullptr || !holder->is_full_) go(watch);
    send_state(watch.name, false);
    if (holder != nullptr && holder->is_full_) hold(watch);
}

// Nobody would tell it later that it may go on. However full its queue is: it is one for one frame of its own.
void Connection::tell_forgotten(Watch& watch) {
    if (watch.is_held && !is_leaving_) send_go(watch);
}

void Connection::tell_bound(const Name& name) {
    Head head;
    head.type = FrameType::Bound;
    head.name = name.text;
    head.instance = name.instance;
    const std::string lease = core_.names().lease_of(name);
    head.lease = lease;
    send(head);
}

void Connection::tell_taken(const Name& name) {
    tell_taken(name, true);
}

void Connection::tell_taken(const Name& name, bool is_own) {
    const bool is_away = name.state == PeerState::Away;
    const std::string message = "the name " + quote(name.text) +
                                (is_away ? " belongs to another client, whose connection is lost"
                                         : " belongs to another client, which is there");
    Head head;
    head.type = FrameType::Refused;
    head.name = name.text;
    head.error = to_string(SendError::Reason::NameTaken);
    head.may_retry = is_away || is_own;
    head.message = message;
    head.hint = "Choose another name, or give the owner's key";
    if (is_away) head.in_ms = milliseconds(core_.names().lease_left(name));
    send(head);
}

void Connection::tell_replaced(const Name& name, std::uint64_t instance) {
    ++core_.counters().takeovers;
    if (!lost_) lost_ = std::make_unique<std::vector<LostName>>();
    const auto now = core_.loop().clock()->now();
    std::erase_if(*lost_, [&](const LostName& lost) { return lost.when < now - kForgivesLostName; });
    if (lost_->size() < core_.settings().limits.names_per_connection) lost_->push_back({name.text, now});
    Head head;
    head.type = FrameType::Unbound;
    head.name = name.text;
    head.instance = instance;
    head.error = to_string(SendError::Reason::NameTaken);
    head.message = "another connection has taken the name";
    send(head);
}

void Connection::ask_for_life() {
    if (!is_leaving_) socket_->ping("are you there?");
}

void Connection::on_pong(std::string_view) {
    if (is_questioned()) core_.names().lives(*this);
}

// ---- pressure ---------------------------------------------------------------------------------------------------

bool Connection::is_overfull() const noexcept {
    return waiting() > core_.settings().limits.out_queue_bytes;
}

// Beyond its queue nothing is put for it but a mark; it hears the latest when there is room again.
void Connection::put_off(Watch& watch) {
    watch.is_stale = true;
    has_stale_ = true;
}

void Connection::hold(Watch& watch) {
    if (watch.is_held || is_leaving_) return;
    if (is_overfull()) return put_off(watch);
    watch.is_held = true;
    Head head;
    head.type = FrameType::Hold;
    head.name = watch.name.text;
    send(head);
}

void Connection::go(Watch& watch) {
    if (!watch.is_held || is_leaving_) return;
    if (is_overfull()) return put_off(watch);
    send_go(watch);
}

void Connection::send_go(Watch& watch) {
    watch.is_held = false;
    Head head;
    head.type = FrameType::Go;
    head.name = watch.name.text;
    send(head);
}

void Connection::become_full() {
    is_full_ = true;
    ++core_.counters().holds;
    for (const Name* name : names()) {
        name->watches.for_each([](Watch& watch) { static_cast<Connection&>(watch.watcher).hold(watch); });
    }
}

// There is room again.
void Connection::relieve() {
    if (is_full_) {
        is_full_ = false;
        for (const Name* name : names()) {
            name->watches.for_each([](Watch& watch) { static_cast<Connection&>(watch.watcher).go(watch); });
        }
    }
    if (has_stale_) {
        has_stale_ = false;
        watches().for_each([this](Watch& watch) {
            if (!watch.is_stale) return;
            watch.is_stale = false;
            tell(watch);
        });
    }
    try_to_resume();
}

void Connection::on_drained() {
    if (!is_leaving_) relieve();
}

void Connection::slow_down() {
    if (!is_paused_) ++core_.counters().pauses;
    is_paused_ = true;
    if (resume_timer_ != 0) return;
    const auto wait = std::max(messages_.wait(), bytes_.wait());
    resume_timer_ = core_.loop().call_at(core_.loop().clock()->now() + wait, [this] {
        resume_timer_ = 0;
        try_to_resume();
    });
}

void Connection::try_to_resume() {
    if (!is_paused_ || is_leaving_ || resume_timer_ != 0) return;
    const auto now = core_.loop().clock()->now();
    messages_.refill(now);
    bytes_.refill(now);
    if (!messages_.has_left() || !bytes_.has_left()) return slow_down();
    if (is_overfull()) return;  // relieve() comes
    is_paused_ = false;
    socket_->resume_reading();
}

bool Connection::check_progress() {
    if (waiting() == 0) {
        seconds_without_progress_ = 0;
        if (is_full_ || has_stale_) relieve();
        return false;
    }
    if (stream_->took_bytes_since_last_asked()) {
        seconds_without_progress_ = 0;
    } else if (++seconds_without_progress_ >= HubCore::kTicksWithoutProgress) {
        ++core_.counters().slow_consumers;
        fail(close_code::kSlow, "the connection took no byte for 10 seconds");
        return false;
    }
    return true;
}

// ---- the end ----------------------------------------------------------------------------------------------------

void Connection::leave(bool is_orderly) {
    if (is_leaving_) return;
    is_leaving_ = true;
    core_.loop().cancel(deadline_);
    core_.loop().cancel(resume_timer_);
    deadline_ = resume_timer_ = 0;
    static_cast<Link<ByBusy>&>(*this).unlink();
    core_.names().leave(*this, is_orderly);
}

void Connection::fail(std::uint16_t code, std::string_view reason) {
    if (is_leaving_) return;
    leave(false);
    core_.counters().count_close(code);
    if (core_.log().is_on()) {
        core_.log().write(code == close_code::kDraining ? HubLogLine::Level::Info : HubLogLine::Level::Warning,
                          "closed",
                          {{"connection", number_}, {"peer", peer_.to_string()}, {"code", code}, {"reason", reason}},
                          peer_.to_string() + " is closed, " + std::to_string(code) + ": " + std::string(reason));
    }
    // At most 123 bytes (RFC 6455, 5.5), and what to do about it is worth more than the end of a long reason.
    static constexpr std::size_t kMaxReason = 95;
    std::string text(reason.substr(0, kMaxReason));
    if (reason.size() > kMaxReason) {  // never within a character: the reason has to be UTF-8
        while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
        if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
    }
    text += wire::may_reconnect(code) ? "; connect again" : "; do not try again";
    socket_->close(code, text);
}

void Connection::on_closed(const net::WebSocketEnd& end) {
    if (!is_leaving_) {
        const bool is_silent = end.code == close_code::kAbnormal && end.stream.kind == net::StreamEnd::Kind::TimedOut;
        core_.counters().count_close(is_silent ? close_code::kSilent : end.code);
        if (core_.log().is_on()) {
            core_.log().write(HubLogLine::Level::Info, "disconnected",
                              {{"connection", number_}, {"peer", peer_.to_string()}, {"code", end.code}},
                              peer_.to_string() + " has gone, " + std::to_string(end.code) +
                                  (end.reason.empty() ? "" : ": " + quote(end.reason)));
        }
        leave(end.code == close_code::kNormal || end.code == close_code::kGoingAway);
    }
    core_.leave(*this);  // destroys this
}

}  // namespace nyamesh::hub
