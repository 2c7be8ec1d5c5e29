// What peers say.
#include <nya/expected.h>

#include "intent/quote.h"
#include "session/endpoint_peer.h"
#include "wire/protocol.h"

namespace nyamesh::session {

using Reason = SendError::Reason;

namespace {

std::optional<Reason> reason_from(std::string_view text) {
    for (int i = 0; i <= static_cast<int>(Reason::WouldDeadlock); ++i) {
        if (to_string(static_cast<Reason>(i)) == text) return static_cast<Reason>(i);
    }
    return std::nullopt;
}

SendError error_from(std::string_view reason, std::string_view message, std::string_view hint) {
    return {reason_from(reason).value_or(Reason::HandlerFailed), std::string(message), std::string(hint)};
}

// Of what a failed handler said, what fits into a head.
std::string shortened(std::string text) {
    constexpr std::string_view kMore = "…";
    if (text.size() <= wire::kMaxExceptionMessageBytes) return text;
    std::size_t end = wire::kMaxExceptionMessageBytes - kMore.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    return text.append(kMore);
}

// The payload of a message. A reply that is an error has its texts in the head: they become one.
std::expected<IntentBox, SendError> intent_of(const wire::Head& head, std::string_view payload, bool is_binary) {
    if (is_binary) return std::unexpected(SendError(Reason::Malformed, "this node takes no binary payloads"));
    const bool is_reply = head.kind == wire::MessageKind::Reply;
    if (is_reply && !head.error.empty()) {
        return IntentBox::create("reply",
                                 nya::Json{{"message", std::string(head.message)}, {"hint", std::string(head.hint)}});
    }
    return IntentBox::from_json(is_reply ? std::string_view("reply") : head.name,
                                payload.empty() ? std::string_view("null") : payload);
}

Answer answer_from(std::string_view peer, const std::expected<IntentBox, SendError>& reply, std::string_view error) {
    if (!reply) {
        return std::unexpected(
            SendError(Reason::Malformed, "the answer of " + quote(peer) + " is no JSON: " + reply.error().message));
    }
    const nya::Json& told = reply->payload();
    if (error.empty()) return told;
    return std::unexpected(error_from(error, told["message"].as_string(), told["hint"].as_string()));
}

}  // namespace

void Endpoint::on_frame(const wire::Frame& frame, bool is_binary, Time now) {
    const wire::Head& head = frame.head;
    if (is_closed_) return;
    if (head.type == wire::FrameType::Message && head.session.number == 0)
        return on_plain_message(head, frame.payload, is_binary, now);
    Peer* const peer = find_or_add(head.from, now);
    if (!peer) {
        ++statistics_.refused;  // no place for one more peer: its sender will repeat it
        return;
    }
    touch(*peer, now);
    switch (head.type) {
        case wire::FrameType::Message:
            on_message(*peer, head, frame.payload, is_binary, now);
            break;
        case wire::FrameType::Ack:
            if (head.instance != instance_) break;
            if (head.session == peer->in.session() && peer->in.confirm(head.base)) owe_ack(*peer, true, now);
            on_counters(*peer, head.ack, now);
            break;
        case wire::FrameType::Sync:
            on_sync(*peer, head, now);
            break;
        case wire::FrameType::Reset:
            on_reset(*peer, head, now);
            break;
        case wire::FrameType::Bye:
            on_bye(*peer, head, now);
            break;
        case wire::FrameType::Ping:
            if (peer->pongs.size() < Peer::kMaxPings) peer->pongs.push_back(head.sequence);
            break;
        case wire::FrameType::Pong:
            on_pong(*peer, head);
            break;
        default:
            break;
    }
    balance(*peer);
    mark_ready(*peer);
    schedule(*peer);
}

// ---- messages ----

void Endpoint::not_taken(const wire::Head& head, std::string_view payload, std::string_view why) {
    if (!is_observed_) [[likely]]
        return;
    const bool is_reply = head.kind == wire::MessageKind::Reply;
    auto intent = IntentBox::from_json(is_reply ? std::string_view("reply") : head.name,
                                       payload.empty() ? std::string_view("null") : payload);
    if (!intent) intent = IntentBox::create("malformed", nya::Json());
    events_.emplace_back(NotTaken{std::string(head.from), *std::move(intent), why});
}

// From a peer without sessions: handled at most once, and nobody hears how it went.
void Endpoint::on_plain_message(const wire::Head& head, std::string_view payload, bool is_binary, Time now) {
    if (Peer* const peer = find(head.from)) peer->quiet_since = now;
    auto intent = intent_of(head, payload, is_binary);
    if (head.kind == wire::MessageKind::Reply) return on_plain_reply(head, intent);
    if (is_closing_) return;
    const bool is_request = head.kind == wire::MessageKind::Request;
    const std::size_t bytes = payload.size() + head.name.size() + 64;
    if (!intent || !settings_.receive_budget->take(bytes)) {
        ++statistics_.refused;
        if (!intent && is_request)
            send_plain_reply({std::string(head.from), {}, head.sequence, 0, true}, std::unexpected(intent.error()));
        return not_taken(head, payload, intent ? "no memory for it now" : "it is malformed");
    }
    ++statistics_.received;
    statistics_.bytes_received += payload.size();
    delivered_bytes_ += bytes;
    events_.emplace_back(
        Deliver{{std::string(head.from), {}, head.sequence, bytes, is_request}, *std::move(intent), is_request});
}

void Endpoint::on_plain_reply(const wire::Head& head, const std::expected<IntentBox, SendError>& answer) {
    Peer* const peer = find(head.from);
    const auto request = peer ? peer->requests.find({0, head.reply_to}) : decltype(peer->requests.end())();
    if (!peer || request == peer->requests.end()) {
        ++statistics_.late_replies;
        return;
    }
    const std::uint64_t token = request->second;
    peer->requests.erase(request);
    settle(token, answer_from(peer->name, answer, head.error));
    schedule(*peer);
}

// True if the frame belongs to the session we hear from this peer: the current one, or one that begins with it.
bool Endpoint::enter_session(Peer& peer, const wire::Head& head, Time now) {
    if (!learn_instance(peer, head.session.instance, now)) return false;
    if (peer.in.has_session()) {
        if (head.session == peer.in.session()) return true;
        if (head.session.number < peer.in.session().number) return false;  // late, of a session that is over
    }
    if (!head.is_opening) {
        peer.owes_reset = head.session;
        return false;
    }
    settings_.receive_budget->give_back(peer.in.drop_early());
    peer.has_sessions = true;
    const std::uint64_t missed = peer.in.begin(head.session, head.lost);
    if (missed > 0) {
        ++statistics_.gaps;
        fail_handled_requests(peer);
        events_.emplace_back(Gap{peer.name, missed});
    }
    return true;
}

void Endpoint::on_message(Peer& peer, const wire::Head& head, std::string_view payload, bool is_binary, Time now) {
    if (head.instance != instance_) {
        peer.owes_reset = head.session;
        ++statistics_.refused;
        return not_taken(head, payload, "it is for an earlier life of this node");
    }
    if (is_closing_) return on_counters(peer, head.ack, now);  // our farewell says how far it got
    if (!enter_session(peer, head, now)) {
        ++statistics_.refused;
        return not_taken(head, payload, "it is of a session that is over, or not known here");
    }
    peer.quiet_since = now;
    become_known(peer);
    on_counters(peer, head.ack, now);
    if (peer.in.confirm(head.base)) owe_ack(peer, true, now);

    switch (peer.in.judge(head.sequence)) {
        case Inbound::Verdict::Duplicate:
            ++statistics_.duplicates;
            not_taken(head, payload, "it is a duplicate");
            return owe_ack(peer, true, now);
        case Inbound::Verdict::OutsideWindow:
            ++statistics_.refused;
            not_taken(head, payload, "it is further ahead than may be sent");
            return owe_ack(peer, true, now);
        case Inbound::Verdict::Taken:
            break;
    }
    InMessage message;
    message.sequence = head.sequence;
    message.kind = head.kind;
    message.wants_outcome = head.wants_ack;
    message.reply_to_session = head.reply_to_session;
    message.reply_to = head.reply_to;
    message.reply_error = std::string(head.error);
    if (auto intent = intent_of(head, payload, is_binary)) {
        message.intent = *std::move(intent);
    } else {
        message.error = intent.error().message;
    }
    // What came too early leaves half of the memory to what can be delivered, and makes room again.
    const bool is_early = head.sequence != peer.in.received() + 1;
    ByteBudget& budget = *settings_.receive_budget;
    if (!(is_early ? budget.take_of_half(message.bytes()) : budget.take(message.bytes()))) {
        ++statistics_.refused;  // as if it had been lost: its sender repeats it when there is room
        return not_taken(head, payload, "no memory for it now");
    }
    statistics_.bytes_received += payload.size();
    for (InMessage& ready : peer.in.accept(std::move(message))) {
        ++statistics_.received;
        deliver(peer, std::move(ready), now);
    }
    ++peer.untold_received;
    owe_ack(peer, head.wants_ack, now);
}

void Endpoint::deliver(Peer& peer, InMessage message, Time now) {
    const std::size_t bytes = message.bytes();
    const bool is_request = message.kind == wire::MessageKind::Request;
    InboundRef ref{peer.name, peer.in.session(), message.sequence, bytes, message.wants_outcome};
    if (message.kind == wire::MessageKind::Reply || !message.intent) {
        settings_.receive_budget->give_back(bytes);
        std::optional<wire::Exception> exception;
        if (message.kind == wire::MessageKind::Reply) {
            on_reply(peer, std::move(message));
        } else if (!is_request ||
                   !send_reply(peer, ref, std::unexpected(SendError(Reason::Malformed, message.error)), now)) {
            exception = {ref.sequence, std::string(to_string(Reason::Malformed)), shortened(message.error)};
        }
        peer.in.handled(ref.sequence, std::move(exception));
        return;
    }
    delivered_bytes_ += bytes;
    events_.emplace_back(Deliver{std::move(ref), *std::move(message.intent), is_request});
}

void Endpoint::owe_ack(Peer& peer, bool at_once, Time now) {
    if (at_once || peer.untold_received >= settings_.ack_every || peer.untold_handled >= settings_.ack_every) {
        peer.owes_ack = true;
        mark_ready(peer);
    } else if (peer.ack_at == Time::max()) {
        peer.ack_at = now + settings_.ack_after;
    }
}

// ---- handled, replies ----

void Endpoint::on_handled(const InboundRef& ref, bool is_request, Answer outcome, Time now) {
    settings_.receive_budget->give_back(ref.bytes);
    delivered_bytes_ -= ref.bytes;
    if (is_closed_) return;
    if (ref.session.number == 0) {
        if (is_request) send_plain_reply(ref, std::move(outcome));
        return;
    }
    Peer* const peer = find(ref.from);
    if (!peer || peer->in.session() != ref.session) return;
    // A node that is being closed drops what waits for it: not handled, and the farewell says so.
    if (is_closing_ && !outcome && outcome.error().reason == Reason::Closed) return;

    std::optional<wire::Exception> exception;
    if (!is_request && ref.wants_outcome && !outcome) {
        exception = {ref.sequence, std::string(to_string(outcome.error().reason)), shortened(outcome.error().message)};
    }
    if (is_request) {
        if (auto sent = send_reply(*peer, ref, std::move(outcome), now); !sent)
            exception = {ref.sequence, std::string(to_string(sent.error().reason)), shortened(sent.error().message)};
    }
    ++peer->untold_handled;
    if (peer->in.handled(ref.sequence, std::move(exception))) owe_ack(*peer, ref.wants_outcome || is_request, now);
    mark_ready(*peer);
    schedule(*peer);
}

std::expected<OutMessage, SendError> Endpoint::make_reply(const InboundRef& ref, Answer outcome) const {
    std::string reason;
    nya::Json payload;
    if (outcome) {
        payload = *std::move(outcome);
    } else {
        reason = to_string(outcome.error().reason);
        payload = nya::Json{{"message", shortened(outcome.error().message)}, {"hint", shortened(outcome.error().hint)}};
    }
    OutMessage reply{NYA_TRY(IntentBox::create("reply", std::move(payload))), wire::MessageKind::Reply};
    reply.reply_to_session = ref.session;
    reply.reply_to = ref.sequence;
    reply.error = std::move(reason);
    const std::size_t bytes = reply.bytes();
    // Whoever has asked must not read this as "it has not run".
    if (bytes + 2 * (node_id_.size() + ref.from.size()) + kHeadRoom > settings_.max_frame_bytes)
        return std::unexpected(SendError(Reason::HandlerFailed, "the answer of " + std::to_string(bytes) +
                                                                    " bytes is over the limit of " +
                                                                    std::to_string(settings_.max_frame_bytes)));
    return reply;
}

std::expected<void, SendError> Endpoint::send_reply(Peer& peer, const InboundRef& ref, Answer outcome, Time now) {
    OutMessage reply = NYA_TRY(make_reply(ref, std::move(outcome)));
    const std::size_t bytes = reply.bytes();
    if (!peer.out.has_room(bytes, true) || !settings_.send_budget->take(bytes))
        return std::unexpected(SendError(Reason::Unconfirmed, "it has run, but too many answers are on their way"));
    peer.counted_bytes += bytes;
    if (!peer.expects()) peer.quiet_since = now;
    peer.out.push(std::move(reply));
    return {};
}

// To a peer without sessions: once, if there is room.
void Endpoint::send_plain_reply(const InboundRef& ref, Answer outcome) {
    auto reply = make_reply(ref, std::move(outcome));
    if (!reply) reply = make_reply(ref, std::unexpected(reply.error()));
    if (!is_attached_ || !reply || plain_replies_.size() >= kMaxPlainReplies ||
        !settings_.send_budget->take(reply->bytes()))
        return;
    plain_replies_.push_back({ref.from, *std::move(reply)});
}

void Endpoint::on_reply(Peer& peer, InMessage message) {
    const auto request = peer.requests.find({message.reply_to_session.number, message.reply_to});
    if (request == peer.requests.end() || message.reply_to_session.instance != instance_) {
        ++statistics_.late_replies;
        return;
    }
    const std::uint64_t token = request->second;
    peer.requests.erase(request);
    std::expected<IntentBox, SendError> reply = std::unexpected(SendError(Reason::Malformed, std::move(message.error)));
    if (message.intent) reply = *std::move(message.intent);
    settle(token, answer_from(peer.name, reply, message.reply_error));
}

// ---- counters and repair ----

void Endpoint::on_counters(Peer& peer, const wire::AckFields& ack, Time now) {
    if (ack.session.number == 0 || ack.session != peer.out.session()) return;
    const std::uint64_t received = peer.out.received();
    const std::uint64_t base = peer.out.base();
    const bool is_possible = peer.out.acknowledge(ack, [&](const OutMessage& message, const wire::Exception* failure) {
        std::erase_if(peer.requests, [&](const auto& request) { return request.second == message.token; });
        if (failure) {
            settle(message.token, std::unexpected(error_from(failure->reason, failure->message, {})));
        } else {
            settle(message.token, nya::Json());
        }
    });
    if (!is_possible) {
        ++statistics_.refused;
        return;
    }
    peer.quiet_since = now;
    become_known(peer);
    if (!ack.exceptions.empty()) {
        peer.owes_base = true;
        if (peer.ack_at == Time::max()) peer.ack_at = now + settings_.ack_after;
    }
    if (!peer.is_owed() && peer.phase == Peer::Phase::Flowing) {
        peer.sync_at = Time::max();
    } else if (peer.out.received() != received || peer.out.base() != base) {
        peer.sync_wait = settings_.sync_after;
        if (peer.phase == Peer::Phase::Flowing) peer.sync_at = now + peer.sync_wait;
    }
}

void Endpoint::on_sync(Peer& peer, const wire::Head& head, Time now) {
    if (head.instance != instance_) {
        peer.owes_reset = head.session;
        ++statistics_.refused;
        return;
    }
    if (head.session.number != 0 && is_closing_) {  // it goes no further: only what it has confirmed counts
        if (head.session == peer.in.session()) peer.in.confirm(head.base);
    } else if (head.session.number != 0) {
        if (!enter_session(peer, head, now)) {
            ++statistics_.refused;
            return;
        }
        if (peer.in.confirm(head.base)) owe_ack(peer, true, now);
        become_known(peer);
    } else if (head.own_instance != 0 && !learn_instance(peer, head.own_instance, now)) {
        ++statistics_.refused;
        return;
    } else if (!head.wants_answer) {
        peer.in.forget_exceptions();  // an answer without a session: it has ended there, and nobody waits
    }
    peer.quiet_since = now;
    if (peer.instance != 0) become_known(peer);
    on_counters(peer, head.ack, now);
    // The peer has told where it stands. If it says nothing of our session it has never heard of it.
    const bool tells = head.ack.session == peer.out.session() || peer.out.is_opening() || !peer.out.has_session();
    if (peer.phase != Peer::Phase::Flowing && tells) {
        peer.phase = Peer::Phase::Flowing;
        peer.sync_wait = settings_.sync_after;
        peer.owes_sync = false;
        if (peer.out.has_session()) peer.out.rewind();
        peer.sync_at = !peer.is_owed() ? Time::max() : now + peer.sync_wait;
    }
    if (head.wants_answer) peer.owes_sync_answer = true;
}

void Endpoint::on_reset(Peer& peer, const wire::Head& head, Time now) {
    if (head.session != peer.out.session()) return;  // of a session that is over; both are 0 if a sync had none
    if (head.own_instance != peer.instance) {
        learn_instance(peer, head.own_instance, now);
    } else if (peer.out.has_session()) {
        end_outbound(peer, End::ReceiverForgot);
    }
}

// The peer is closed: what it has not handled it never will.
void Endpoint::on_bye(Peer& peer, const wire::Head& head, Time now) {
    if (head.instance != instance_ || head.own_instance == 0 || head.own_instance != peer.instance) return;
    on_counters(peer, head.ack, now);
    // The failures of what it has handled may not all have fitted in: up to its "c" messages may have run.
    if (head.ack.session == peer.out.session()) peer.may_have_run_to = head.ack.credit;
    forget_instance(peer, End::PeerClosed);
    forget_name(peer);
    if (peer.expects()) ask_hub(peer);  // perhaps another of that name is there
}

void Endpoint::on_pong(Peer& peer, const wire::Head& head) {
    const auto ping = peer.pinged.find(head.sequence);
    if (ping == peer.pinged.end()) return;
    const std::uint64_t token = ping->second;
    peer.pinged.erase(ping);
    settle(token, nya::Json());
}

}  // namespace nyamesh::session
