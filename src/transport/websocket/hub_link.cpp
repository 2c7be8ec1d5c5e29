#include "transport/websocket/hub_link.h"

#include <nya/json.h>

#include "intent/quote.h"
#include "wire/protocol.h"

#include <algorithm>
#include <utility>

namespace nyamesh::websocket {

using Reason = SendError::Reason;
using namespace std::chrono_literals;

namespace {

// Nodes stop pumping above this; what they have more waits in their sessions, whose bounds are told at send().
constexpr std::size_t kOutRoom = 512 * 1024;
constexpr std::size_t kOutLow = 128 * 1024;
constexpr std::size_t kMaxLists = 64;
constexpr std::string_view kClient = "nyamesh/0.1.0";

SendError refusal(const wire::Head& head, std::string_view what) {
    const Reason reason = head.error == "name_taken"     ? Reason::NameTaken
                          : head.error == "unauthorized" ? Reason::Unauthorized
                          : head.error == "forbidden"    ? Reason::Unauthorized
                          : head.error == "invalid_name" ? Reason::InvalidName
                                                         : Reason::Offline;
    std::string message = std::string(what) + " was refused by the hub";
    if (!head.message.empty()) message += ": " + std::string(head.message);
    return {reason, std::move(message), std::string(head.hint)};
}

bool is_unauthorized(std::uint16_t code) {
    return code == wire::close_code::kUnauthorized || code == wire::close_code::kTokenExpired ||
           code == wire::close_code::kForbidden;
}

}  // namespace

HubLink::HubLink(std::shared_ptr<net::Loop> loop, std::shared_ptr<nya::Random> random, LinkOptions options)
    : loop_(std::move(loop)),
      random_(std::move(random)),
      options_(std::move(options)),
      url_text_(options_.url.to_string()),
      failure_(Reason::Offline, "not connected yet"),
      max_frame_bytes_(wire::kMaxIntentBytes),
      pause_(options_.first_pause) {}

HubLink::~HubLink() {
    if (timer_ != 0) loop_->cancel(timer_);
}

SendError HubLink::offline(std::string what) const {
    return {Reason::Offline, "no connection to the hub " + url_text_ + ": " + std::move(what),
            "Is the hub running there? `nyamesh hub` starts one"};
}

std::chrono::nanoseconds HubLink::jitter(std::chrono::nanoseconds most) {
    return std::chrono::nanoseconds(random_->next() %
                                    static_cast<std::uint64_t>(std::max<std::int64_t>(most.count(), 1)));
}

// ---- nodes ----

void HubLink::add(std::shared_ptr<LinkedNode> node) {
    Member& member = members_[node->name()];
    if (member.node) return member.successors.push_back(std::move(node));
    member.node = std::move(node);
    start(member);
}

void HubLink::start(Member& member) {
    is_ending_ = false;
    if (has_failed_) return member.node->on_failed(failure_);
    if (is_welcome_) {
        bind(member);
    } else if (!socket_ && timer_ == 0) {
        connect();
    }
}

void HubLink::remove(const std::shared_ptr<LinkedNode>& node, std::function<void()> gone) {
    const auto place = members_.find(node->name());
    if (place == members_.end()) return gone();
    if (place->second.node != node) {
        std::erase(place->second.successors, node);
        return gone();
    }
    if (place->second.retry != 0) loop_->cancel(place->second.retry);
    if (socket_ && is_welcome_ && place->second.binding != Binding::None) {
        wire::Head head;
        head.type = wire::FrameType::Unbind;
        head.name = node->name();
        send(head, {});
    }
    if (auto next = std::move(place->second.successors); !next.empty()) {
        place->second = Member{.node = next.front(), .successors = {next.begin() + 1, next.end()}};
        start(place->second);
        return tell_when_sent(std::move(gone));
    }
    members_.erase(place);
    if (!members_.empty()) return tell_when_sent(std::move(gone));
    is_ending_ = true;
    if (timer_ != 0) loop_->cancel(std::exchange(timer_, 0));
    if (socket_ && socket_->is_open()) {
        socket_->close(wire::close_code::kNormal, "");
    } else {
        socket_.reset();
    }
    tell_when_sent(std::move(gone));
}

// After the bytes have left for the kernel, or after half a second.
void HubLink::tell_when_sent(std::function<void()> gone, int looks) {
    loop_->post([self = shared_from_this(), gone = std::move(gone), looks] {
        if (looks == 0 || !self->socket_ || self->socket_->stream().out().empty()) return gone();
        self->loop_->call_at(self->loop_->clock()->now() + 5ms,
                             [self, gone, looks] { self->tell_when_sent(gone, looks - 1); });
    });
}

void HubLink::wants_to_send(const std::shared_ptr<LinkedNode>& node) {
    const auto place = members_.find(node->name());
    if (place == members_.end() || place->second.node != node || place->second.is_ready) return;
    place->second.is_ready = true;
    ready_.push_back(node);
    if (std::exchange(is_pump_posted_, true)) return;
    loop_->post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->pump_ready();
    });
}

void HubLink::pump_ready() {
    is_pump_posted_ = false;
    for (const auto& node : std::exchange(ready_, {})) {
        const auto place = members_.find(node->name());
        if (place == members_.end() || place->second.node != node) continue;
        place->second.is_ready = false;
        node->pump(*this);
    }
}

void HubLink::on_drained() {
    for (const auto& [name, member] : members_) wants_to_send(member.node);
}

void HubLink::cut() {
    if (!socket_) return;
    socket_.reset();
    lost(offline("the connection was cut"));
}

// ---- the connection ----

void HubLink::connect() {
    timer_ = 0;
    is_welcome_ = false;
    net::WebSocket::ClientRequest request;
    request.url = options_.url;
    request.tls = options_.tls;
    request.subprotocol = wire::kSubprotocol;
    if (!options_.token.empty()) request.authorization = "Bearer " + options_.token;
    net::WebSocketSettings settings;
    settings.max_message_bytes = max_frame_bytes_ + wire::kMaxHeadBytes;
    settings.handshake_time = wire::kHandshakeTime;
    settings.heartbeat_after = wire::kHeartbeatAfter;
    settings.dead_after = wire::kDeadAfter;
    socket_ = net::WebSocket::connect(*loop_, request, settings, random_, *this);
}

void HubLink::connect_after(std::chrono::nanoseconds pause) {
    if (timer_ != 0) loop_->cancel(timer_);
    timer_ = loop_->call_at(loop_->clock()->now() + pause, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->connect();
    });
}

void HubLink::on_open() {
    ++statistics_.connects;
    socket_->stream().set_marks(kOutLow, kOutRoom);
    wire::Head head;
    head.type = wire::FrameType::Hello;
    head.client = kClient;
    send(head, {});
}

void HubLink::on_closed(const net::WebSocketEnd& end) {
    const auto self = weak_from_this().lock();  // a node may let go of us; perhaps all have
    socket_.reset();
    if (!self || is_ending_) return;
    const std::string words = end.reason.empty() ? end.stream.message : end.reason;
    if (end.http_status == 401 || end.http_status == 403) {
        return fail({Reason::Unauthorized, "the hub " + url_text_ + " refused the connection: " + words,
                     "Give the node a valid token"});
    }
    if (end.was_open && !wire::may_reconnect(end.code)) {
        const bool may_renew = is_unauthorized(end.code) && options_.renew_token;
        const SendError why(
            is_unauthorized(end.code) ? Reason::Unauthorized : Reason::Offline,
            "the hub " + url_text_ + " closed the connection for good (" + std::to_string(end.code) + "): " + words,
            is_unauthorized(end.code) ? "Give the node a valid token" : "");
        if (!may_renew || std::exchange(has_renewed_, true)) return fail(why);
        renew_token();
    }
    std::string what = words.empty() ? "it closed the connection" : words;
    if (end.http_status != 0) what += " (HTTP status " + std::to_string(end.http_status) + ")";
    lost(offline(std::move(what)));
}

void HubLink::lost(const SendError& why) {
    // A hub that greets and dies at once is not to be called on ten times a second.
    const bool has_proven = is_welcome_ && loop_->clock()->now() - welcomed_ >= options_.proven_after;
    if (has_proven) pause_ = options_.first_pause;
    is_welcome_ = false;
    failure_ = why;
    for (auto& [name, tell] : std::exchange(lists_, {})) tell(std::unexpected(why));
    // Full jitter: all clients of a hub that has died come back at different moments.
    connect_after(jitter(pause_));
    pause_ = std::min(pause_ * 2, options_.longest_pause);
    for (auto& [name, member] : members_) {
        if (member.retry != 0) loop_->cancel(std::exchange(member.retry, 0));
        member.binding = Binding::None;
    }
    std::vector<std::shared_ptr<LinkedNode>> nodes;
    for (const auto& [name, member] : members_) nodes.push_back(member.node);
    for (const auto& node : nodes) node->on_detached(why);
}

void HubLink::fail(const SendError& why) {
    has_failed_ = true;
    is_welcome_ = false;
    failure_ = why;
    for (auto& [name, tell] : std::exchange(lists_, {})) tell(std::unexpected(why));
    std::vector<std::shared_ptr<LinkedNode>> nodes;
    for (const auto& [name, member] : members_) nodes.push_back(member.node);
    for (const auto& node : nodes) node->on_failed(why);
}

void HubLink::renew_token() {
    if (!options_.renew_token) return;
    options_.renew_token([weak = weak_from_this()](std::string token) {
        const auto self = weak.lock();
        if (!self || token.empty()) return;
        self->options_.token = std::move(token);
        if (!self->is_welcome_) return;
        wire::Head head;
        head.type = wire::FrameType::Auth;
        head.token = self->options_.token;
        self->send(head, {});
    });
}

// ---- frames ----

bool HubLink::has_room() const {
    return socket_ != nullptr && socket_->is_open() && socket_->stream().out().size() < kOutRoom;
}

void HubLink::send(const wire::Head& head, std::string_view payload) {
    if (!socket_ || !socket_->is_open()) return;
    encoded_.clear();
    wire::encode(head, payload, encoded_);
    socket_->send_text(encoded_);
    ++statistics_.frames_out;
}

bool HubLink::on_message(net::Opcode opcode, std::string_view bytes) {
    const auto self = weak_from_this().lock();
    if (!self) return false;  // about to go
    ++statistics_.frames_in;
    const auto frame = wire::decode(bytes, scratch_);
    if (!frame) {
        ++statistics_.dropped;  // the hub passes on what it has not read; one bad peer must not cut us off
        return true;
    }
    if (!wire::is_relayed(frame->head.type)) {
        on_hub_frame(*frame);
        return socket_ != nullptr;
    }
    const auto place = members_.find(frame->head.to);
    if (place == members_.end() || place->second.binding != Binding::Bound) {
        ++statistics_.dropped;
        return true;
    }
    place->second.node->on_frame(*frame, opcode == net::Opcode::Binary);
    return true;
}

void HubLink::on_hub_frame(const wire::Frame& frame) {
    const wire::Head& head = frame.head;
    switch (head.type) {
        case wire::FrameType::Welcome:
            return on_welcome(head);
        case wire::FrameType::Bound:
            return on_bound(head);
        case wire::FrameType::Refused:
            return on_refused(head);
        case wire::FrameType::Peer:
            return on_peer(head);
        case wire::FrameType::Drain:
            return on_drain(head);
        case wire::FrameType::Nodes:
            return on_nodes(frame.payload);
        case wire::FrameType::Expiring:
            return renew_token();
        case wire::FrameType::Hold:
        case wire::FrameType::Go:
            for (const auto& [name, member] : members_)
                member.node->on_hold(head.name, head.type == wire::FrameType::Hold);
            return;
        case wire::FrameType::Unbound:
            return on_unbound(head);
        default:
            ++statistics_.dropped;
            return;
    }
}

void HubLink::on_welcome(const wire::Head& head) {
    if (head.max_bytes != 0) max_frame_bytes_ = std::min<std::size_t>(head.max_bytes, wire::kMaxIntentBytes);
    if (head.heartbeat_ms != 0 && head.dead_ms > head.heartbeat_ms) {
        socket_->set_heartbeat(std::chrono::milliseconds(head.heartbeat_ms), std::chrono::milliseconds(head.dead_ms));
    }
    if (std::exchange(is_welcome_, true)) return;  // the answer to a fresh token
    welcomed_ = loop_->clock()->now();
    has_renewed_ = false;
    for (auto& [name, member] : members_) bind(member);
    for (const auto& [prefix, tell] : lists_) {
        wire::Head list;
        list.type = wire::FrameType::List;
        list.name = prefix;
        send(list, {});
    }
}

void HubLink::bind(Member& member) {
    member.binding = Binding::Asked;
    wire::Head head;
    head.type = wire::FrameType::Bind;
    head.name = member.node->name();
    head.instance = member.node->instance();
    head.key = member.node->key();
    head.lease = member.lease;
    send(head, {});
}

void HubLink::on_bound(const wire::Head& head) {
    const auto place = members_.find(head.name);
    if (place == members_.end() || place->second.binding == Binding::Bound) return;
    place->second.binding = Binding::Bound;
    place->second.lease = head.lease;
    const auto node = place->second.node;
    node->on_bound(max_frame_bytes_);
    wants_to_send(node);
}

void HubLink::on_refused(const wire::Head& head) {
    if (head.name.empty()) {
        // Of hello, of a fresh token, or of a list: what comes of it is told by a close, or by the next question.
        failure_ = refusal(head, "the connection");
        for (auto& [name, tell] : std::exchange(lists_, {})) tell(std::unexpected(failure_));
        return;
    }
    const auto place = members_.find(head.name);
    if (place == members_.end()) return;
    Member& member = place->second;
    member.binding = Binding::Refused;
    const SendError why = refusal(head, "the name " + quote(head.name));
    const auto node = member.node;
    if (!head.may_retry) return node->on_failed(why);
    const auto pause = std::clamp<std::chrono::milliseconds>(std::chrono::milliseconds(head.in_ms), 200ms, 10'000ms);
    member.retry =
        loop_->call_at(loop_->clock()->now() + pause, [weak = weak_from_this(), name = std::string(head.name)] {
            const auto self = weak.lock();
            if (!self) return;
            const auto again = self->members_.find(name);
            if (again == self->members_.end() || again->second.binding != Binding::Refused) return;
            again->second.retry = 0;
            if (self->is_welcome_) self->bind(again->second);
        });
    node->on_detached(why);
}

void HubLink::on_unbound(const wire::Head& head) {
    const auto place = members_.find(head.name);
    if (place == members_.end()) return;
    const auto node = place->second.node;
    const SendError why = refusal(head, "the name " + quote(head.name));
    if (head.instance == node->instance()) {
        // A connection of ours that is over has brought its bind only now. This one has the better claim.
        bind(place->second);
        return node->on_detached(why);
    }
    place->second.binding = Binding::Refused;
    node->on_failed(why);
}

void HubLink::on_peer(const wire::Head& head) {
    session::PeerNews news;
    news.state = *head.state;
    news.instance = head.instance;
    news.has_sessions = head.has_sessions;
    news.retry_in = std::chrono::milliseconds(std::min<std::uint64_t>(head.in_ms, 60'000));
    news.hint = head.hint;
    for (const auto& [name, member] : members_) {
        if (member.binding != Binding::Bound) continue;
        member.node->on_peer(head.name, news);
        wants_to_send(member.node);
    }
}

// The hub is going to stop: everybody leaves at a moment of their own, and comes back to whoever answers then.
void HubLink::on_drain(const wire::Head& head) {
    const auto within = std::chrono::milliseconds(std::min<std::uint64_t>(head.in_ms, 600'000));
    // This connection, and not the next one, should the hub end this one first.
    loop_->call_at(loop_->clock()->now() + jitter(within), [weak = weak_from_this(), which = statistics_.connects] {
        const auto self = weak.lock();
        if (self && self->socket_ && self->statistics_.connects == which && self->socket_->is_open())
            self->socket_->close(wire::close_code::kGoingAway, "drained");
    });
}

// ---- who is there ----

void HubLink::list_names(std::string prefix, NamesCallback tell) {
    if (has_failed_) return tell(std::unexpected(failure_));
    if (lists_.size() >= kMaxLists)
        return tell(
            std::unexpected(SendError(Reason::Backpressure, "too many lists are asked for", "Wait for their answers")));
    if (is_welcome_) {
        wire::Head head;
        head.type = wire::FrameType::List;
        head.name = prefix;
        send(head, {});
    }
    lists_.emplace_back(std::move(prefix), std::move(tell));
}

void HubLink::on_nodes(std::string_view payload) {
    if (lists_.empty()) return;
    const NamesCallback tell = std::move(lists_.front().second);
    lists_.erase(lists_.begin());
    std::vector<std::string> names;
    const auto parsed = nya::Json::parse(payload);
    if (!parsed || !parsed->is_array())
        return tell(std::unexpected(SendError(Reason::Malformed, "the hub's list of names is no JSON array")));
    for (const nya::Json& name : parsed->as_array()) {
        if (name.is_string()) names.push_back(name.as_string());
    }
    tell(std::move(names));
}

}  // namespace nyamesh::websocket
