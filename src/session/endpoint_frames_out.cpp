// What peers are told.
#include "session/endpoint_peer.h"

namespace nyamesh::session {

namespace {

// A peer with much to say lets the others have their turn after this many messages.
constexpr int kMaxPerTurn = 64;

// What is asked or answered. Returns the payload: of an error there is none, its texts are in the head.
std::string_view write_message(const OutMessage& message, wire::Head& head) {
    head.kind = message.kind;
    if (message.kind != wire::MessageKind::Reply) {
        head.name = message.intent.name();
        return message.intent.payload_text();
    }
    head.reply_to_session = message.reply_to_session;
    head.reply_to = message.reply_to;
    if (message.error.empty()) return message.intent.payload_text();
    head.error = message.error;
    head.message = message.intent.payload()["message"].as_string();
    head.hint = message.intent.payload()["hint"].as_string();
    return {};
}

}  // namespace

wire::Head Endpoint::head_to(const Peer& peer, wire::FrameType type) const {
    wire::Head head;
    head.type = type;
    head.to = peer.name;
    head.from = node_id_;
    head.instance = peer.instance;
    return head;
}

void Endpoint::pump(FrameSink& sink, Time now) {
    send_plain_replies(sink);
    while (is_attached_ && !ready_.empty() && sink.has_room()) {
        Peer& peer = *ready_.front();
        ready_.pop_front();
        peer.is_ready = false;
        if (pump_peer(peer, sink, now)) mark_ready(peer);
        schedule(peer);
    }
}

// True if there is more to send at once.
bool Endpoint::pump_peer(Peer& peer, FrameSink& sink, Time now) {
    send_owed(peer, sink);
    if (is_closed_) return false;
    bool has_more = false;
    if (peer.is_known && peer.where == Peer::Where::Here && !peer.is_held) {
        if (!peer.has_sessions) {
            send_plain_messages(peer, sink);
        } else if (peer.instance != 0 && peer.phase == Peer::Phase::Flowing) {
            has_more = send_messages(peer, sink);
        }
        // Whatever keeps messages back, one day somebody has to ask: the news that lets them go may have been lost.
        if (peer.has_sessions && peer.instance != 0 && peer.is_owed() && peer.sync_at == Time::max())
            peer.sync_at = now + peer.sync_wait;
    }
    if (peer.owes_ack && peer.instance != 0) send_counters(peer, sink);  // no message has carried them
    peer.owes_ack = false;
    return has_more;
}

void Endpoint::send_counters(Peer& peer, FrameSink& sink) {
    if (!peer.in.has_session()) {
        if (peer.owes_base) send_sync(peer, sink);
        return;
    }
    wire::Head head = head_to(peer, wire::FrameType::Ack);
    if (std::exchange(peer.owes_base, false) && peer.out.has_session()) {
        head.session = peer.out.session();
        head.base = peer.out.base();
    }
    add_counters(peer, head);
    sink.send(head, {});
}

// Everything but messages and their counters.
void Endpoint::send_owed(Peer& peer, FrameSink& sink) {
    if (const auto refused = std::exchange(peer.owes_reset, std::nullopt)) {
        wire::Head head = head_to(peer, wire::FrameType::Reset);
        head.session = *refused;
        head.own_instance = instance_;
        sink.send(head, {});
    }
    if (std::exchange(peer.owes_bye, false)) {
        wire::Head head = head_to(peer, wire::FrameType::Bye);
        head.own_instance = instance_;
        add_counters(peer, head);
        if (head.ack.session.number != 0) head.ack.credit = peer.in.handled();  // nothing above has run
        sink.send(head, {});
    }
    for (const std::uint64_t number : std::exchange(peer.pongs, {})) {
        wire::Head head = head_to(peer, wire::FrameType::Pong);
        head.sequence = number;
        sink.send(head, {});
    }
    if (peer.is_known && peer.where == Peer::Where::Here) {
        for (const std::uint64_t number : std::exchange(peer.pings, {})) {
            wire::Head head = head_to(peer, wire::FrameType::Ping);
            head.sequence = number;
            sink.send(head, {});
        }
    }
    if (std::exchange(peer.owes_resolve, false)) {
        wire::Head head;
        head.type = wire::FrameType::Resolve;
        head.name = peer.name;
        sink.send(head, {});
    }
    if (peer.owes_sync || peer.owes_sync_answer) send_sync(peer, sink);
}

void Endpoint::send_sync(Peer& peer, FrameSink& sink) {
    const bool asks = std::exchange(peer.owes_sync, false);
    peer.owes_sync_answer = false;
    if (peer.instance == 0) return;
    wire::Head head = head_to(peer, wire::FrameType::Sync);
    if (peer.out.has_session()) {
        head.session = peer.out.session();
        head.sequence = peer.out.last();
        head.base = peer.out.base();
        head.is_opening = peer.out.is_opening();
        if (head.is_opening) head.lost = peer.out.lost();
        peer.owes_base = false;
    } else {
        head.own_instance = instance_;  // who has put us away could not answer otherwise
    }
    head.wants_answer = asks;
    add_counters(peer, head);
    sink.send(head, {});
    ++statistics_.syncs;
    if (asks && peer.phase == Peer::Phase::NeedsSync) peer.phase = Peer::Phase::Syncing;
}

bool Endpoint::send_messages(Peer& peer, FrameSink& sink) {
    if (!peer.out.has_session() && peer.out.has_waiting()) peer.out.begin({instance_, ++last_session_number_});
    int sent = 0;
    while (peer.out.has_next()) {
        if (!sink.has_room() || sent == kMaxPerTurn) return true;
        send_message(peer, peer.out.take_next(), sink);
        ++sent;
    }
    return false;
}

void Endpoint::send_message(Peer& peer, const Outbound::Next& next, FrameSink& sink) {
    const OutMessage& message = *next.message;
    wire::Head head = head_to(peer, wire::FrameType::Message);
    const std::string_view payload = write_message(message, head);
    head.session = peer.out.session();
    head.sequence = next.sequence;
    head.is_opening = peer.out.is_opening();
    if (head.is_opening) head.lost = peer.out.lost();
    if (std::exchange(peer.owes_base, false) || next.is_again || head.is_opening) head.base = peer.out.base();
    // The first one's counters end the opening; whoever waits is not kept waiting.
    head.wants_ack = message.token != 0 || (head.is_opening && next.sequence == 1);
    if (peer.has_untold() && !peer.in.has_exceptions()) add_counters(peer, head);
    if (message.kind == wire::MessageKind::Request && message.token != 0)
        peer.requests[{head.session.number, next.sequence}] = message.token;
    sink.send(head, payload);
    ++(next.is_again ? statistics_.sent_again : statistics_.sent);
    statistics_.bytes_sent += message.intent.payload_text().size();
    if (next.is_again && is_observed_) [[unlikely]] {
        events_.emplace_back(SentAgain{peer.name, message.intent, head.session.number, next.sequence});
    }
}

// To a peer without sessions: once, and forgotten.
void Endpoint::send_plain_messages(Peer& peer, FrameSink& sink) {
    for (const OutMessage& message : peer.out.take_waiting()) {
        wire::Head head = head_to(peer, wire::FrameType::Message);
        head.instance = 0;
        const std::string_view payload = write_message(message, head);
        if (message.kind == wire::MessageKind::Request && message.token != 0) {
            head.sequence = ++last_plain_request_;
            peer.requests[{0, head.sequence}] = message.token;
        } else if (message.token != 0) {
            settle(message.token,
                   std::unexpected(SendError(
                       SendError::Reason::Unsupported,
                       "the peer takes no part in sessions, so nothing tells whether it has handled an intent",
                       "Send without waiting, and have it answered by another intent")));
            continue;
        }
        sink.send(head, payload);
        ++statistics_.sent;
        statistics_.bytes_sent += message.intent.payload_text().size();
    }
    balance(peer);
}

void Endpoint::send_plain_replies(FrameSink& sink) {
    while (is_attached_ && !plain_replies_.empty() && sink.has_room()) {
        const PlainReply& reply = plain_replies_.front();
        wire::Head head;
        head.type = wire::FrameType::Message;
        head.to = reply.to;
        head.from = node_id_;
        const std::string_view payload = write_message(reply.message, head);
        sink.send(head, payload);
        settings_.send_budget->give_back(reply.message.bytes());
        plain_replies_.pop_front();
    }
}

// They are not kept for another connection.
void Endpoint::drop_plain_replies() {
    for (const PlainReply& reply : plain_replies_) settings_.send_budget->give_back(reply.message.bytes());
    plain_replies_.clear();
}

// What the peer is told of its session with us; that settles what is owed of it.
void Endpoint::add_counters(Peer& peer, wire::Head& head) {
    peer.owes_ack = false;
    peer.ack_at = Time::max();
    peer.untold_received = peer.untold_handled = 0;
    if (peer.in.has_session()) head.ack = peer.in.counters(may_receive_more());
}

}  // namespace nyamesh::session
