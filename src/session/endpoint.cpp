// What the application asks for, who waits for what, and the end.
#include "session/endpoint.h"

#include <nya/expected.h>

#include "intent/quote.h"
#include "session/endpoint_peer.h"

namespace nyamesh::session {

using Reason = SendError::Reason;

namespace {

constexpr std::size_t kDefaultBudget = 64 * 1024 * 1024;
SendError closed_error(const std::string& node) {
    return {Reason::Closed, "node " + quote(node) + " has been closed", "Open it again"};
}

}  // namespace

Endpoint::Endpoint(std::string node_id, std::uint64_t instance, Settings settings)
    : node_id_(std::move(node_id)), instance_(instance), settings_(std::move(settings)) {
    if (!settings_.send_budget) settings_.send_budget = std::make_shared<ByteBudget>(kDefaultBudget);
    if (!settings_.receive_budget) settings_.receive_budget = std::make_shared<ByteBudget>(kDefaultBudget);
}

Endpoint::~Endpoint() {
    for (const auto& [name, peer] : peers_) settings_.send_budget->give_back(peer->counted_bytes);
    for (const auto& [name, peer] : peers_) settings_.receive_budget->give_back(peer->in.early_bytes());
    settings_.receive_budget->give_back(delivered_bytes_);
    drop_plain_replies();
}

// ---- submitting ----

std::expected<void, SendError> Endpoint::check_submission(const Peer& peer, const Submission& submission) const {
    const std::string to = quote(peer.name);
    const std::size_t bytes = submission.intent.payload_text().size() +
                              2 * (peer.name.size() + node_id_.size() + submission.intent.name().size()) + kHeadRoom;
    if (bytes > settings_.max_frame_bytes) {
        return std::unexpected(SendError(Reason::TooLarge,
                                         "an intent of " + std::to_string(bytes) + " bytes for " + to +
                                             " is over the limit of " + std::to_string(settings_.max_frame_bytes),
                                         "Send it in parts"));
    }
    const bool is_here = is_attached_ && peer.where == Peer::Where::Here;
    if (!peer.is_known && !is_attached_ && !is_connecting_) {
        return std::unexpected(
            SendError(Reason::Offline, "there is no connection to the hub, and " + to + " has not been reached before",
                      "Is the hub running, and is its address right?"));
    }
    if (peer.is_known && !peer.has_sessions) {
        if (submission.waits != Waits::Nothing && submission.waits != Waits::Accepted && !submission.is_request) {
            return std::unexpected(
                SendError(Reason::Unsupported,
                          to + " takes no part in sessions, so nothing tells whether it has handled an intent",
                          "Send without waiting, and have it answered by another intent"));
        }
        if (!is_here) return std::unexpected(SendError(Reason::Offline, to + " is not connected", "Try again later"));
    }
    if (submission.token != 0 && waits_.size() >= settings_.max_waits) {
        return std::unexpected(
            SendError(Reason::Backpressure,
                      std::to_string(waits_.size()) + " sends of " + quote(node_id_) + " are waiting already",
                      "Wait for some of them to end"));
    }
    return {};
}

std::expected<Endpoint::Taken, SendError> Endpoint::submit(std::string_view to, Submission submission, Time now) {
    if (is_closing_) return std::unexpected(closed_error(node_id_));
    Peer* const peer = find_or_add(to, now);
    const auto full = [&](std::string what) {
        ++statistics_.backpressure;
        return std::unexpected(
            SendError(Reason::Backpressure, std::move(what), "Wait until it has caught up, then send again"));
    };
    if (!peer) return full("this node talks to " + std::to_string(peers_.size()) + " others already, all of them busy");
    NYA_TRY(check_submission(*peer, submission));

    const bool is_first_contact = !peer->is_known;
    OutMessage message{std::move(submission.intent),
                       submission.is_request ? wire::MessageKind::Request : wire::MessageKind::Intent, submission.waits,
                       submission.token};
    if (!is_first_contact && message.waits == Waits::Accepted) message.token = 0;
    const std::size_t bytes = message.bytes();
    if (!peer->out.has_room(bytes, false))
        return full(std::to_string(peer->out.buffered_messages()) + " messages for " + quote(peer->name) +
                    " are still on their way");
    if (!settings_.send_budget->take(bytes))
        return full("the messages on their way from this process fill its memory for them");
    peer->counted_bytes += bytes;

    if (message.token != 0) {
        waits_[message.token] = {peer, message.waits, submission.deadline};
        waits_by_time_.emplace(submission.deadline, message.token);
    }
    if (!peer->expects()) peer->quiet_since = now;
    peer->out.push(std::move(message));
    if (is_first_contact && peer->where == Peer::Where::Unasked) ask_hub(*peer);
    touch(*peer, now);
    mark_ready(*peer);
    schedule(*peer);
    return is_first_contact ? Taken::Waiting : Taken::Accepted;
}

std::expected<void, SendError> Endpoint::ping(std::string_view to, std::uint64_t token, Time deadline, Time now) {
    if (is_closing_) return std::unexpected(closed_error(node_id_));
    Peer* const peer = find_or_add(to, now);
    if (!peer || peer->pinged.size() >= Peer::kMaxPings)
        return std::unexpected(
            SendError(Reason::Backpressure, "too many pings are under way", "Wait for their answers"));
    NYA_TRY(check_submission(*peer, {IntentBox("ping", nya::Json()), Waits::Answer, false, token, deadline}));
    const std::uint64_t number = ++last_ping_;
    if (!peer->expects()) peer->quiet_since = now;
    peer->pinged.emplace(number, token);
    peer->pings.push_back(number);
    waits_[token] = {peer, Waits::Answer, deadline};
    waits_by_time_.emplace(deadline, token);
    if (!peer->is_known && peer->where == Peer::Where::Unasked) ask_hub(*peer);
    mark_ready(*peer);
    schedule(*peer);
    return {};
}

bool Endpoint::is_reachable(std::string_view name) const {
    const Peer* const peer = find(name);
    return is_attached_ && peer != nullptr && peer->where == Peer::Where::Here;
}

// ---- waits ----

void Endpoint::settle(std::uint64_t token, Answer result) {
    const auto place = waits_.find(token);
    if (place == waits_.end()) return;
    waits_by_time_.erase({place->second.deadline, token});
    waits_.erase(place);
    events_.emplace_back(Settled{token, std::move(result)});
}

Outbound::GivenUp Endpoint::take_back(std::uint64_t token, const Wait& wait) {
    Peer& peer = *wait.peer;
    std::erase_if(peer.requests, [token](const auto& request) { return request.second == token; });
    auto given_up = peer.out.give_up(token);
    std::erase_if(peer.pinged, [&](const auto& ping) {
        if (ping.second != token) return false;
        if (std::erase(peer.pings, ping.first) > 0) given_up = Outbound::GivenUp::TakenBack;
        return true;
    });
    balance(peer);
    schedule(peer);
    // Its message is handled, and it waited for the answer.
    return given_up == Outbound::GivenUp::NotFound ? Outbound::GivenUp::OnItsWay : given_up;
}

Outbound::GivenUp Endpoint::give_up(std::uint64_t token) {
    const auto place = waits_.find(token);
    if (place == waits_.end()) return Outbound::GivenUp::NotFound;
    const auto given_up = take_back(token, place->second);
    waits_by_time_.erase({place->second.deadline, token});
    waits_.erase(place);
    return given_up;
}

// ---- time ----

Time Endpoint::next_time() const {
    const Time first = by_time_.empty() ? Time::max() : by_time_.begin()->first.first;
    return waits_by_time_.empty() ? first : std::min(first, waits_by_time_.begin()->first);
}

void Endpoint::on_time(Time now) {
    while (!by_time_.empty() && by_time_.begin()->first.first <= now) {
        Peer& peer = *by_time_.begin()->second;
        by_time_.erase(by_time_.begin());
        peer.scheduled = Time::max();
        peer_on_time(peer, now);
        schedule(peer);
    }
    while (!waits_by_time_.empty() && waits_by_time_.begin()->first <= now) {
        const std::uint64_t token = waits_by_time_.begin()->second;
        const Wait wait = waits_.at(token);
        const bool is_back = take_back(token, wait) == Outbound::GivenUp::TakenBack;
        const std::string to = quote(wait.peer->name);
        settle(token, std::unexpected(
                          is_back ? SendError(Reason::NotSent,
                                              "the time is over before the intent for " + to + " could be sent",
                                              "Try again, or wait longer")
                                  : SendError(Reason::MayHaveRun,
                                              to + " has the intent, or may have it, and has not confirmed it in time",
                                              "Ask whether it has run before you repeat it")));
    }
}

std::vector<Event> Endpoint::take_events() {
    return std::exchange(events_, {});
}

std::size_t Endpoint::buffered_messages() const noexcept {
    std::size_t sum = 0;
    for (const auto& [name, peer] : peers_) sum += peer->out.buffered_messages();
    return sum;
}

// ---- the end ----

void Endpoint::begin_close(Time now) {
    static_cast<void>(now);
    is_closing_ = true;
    fail_first_contacts(closed_error(node_id_));
}

bool Endpoint::is_flushed() const {
    for (const auto& [name, peer] : peers_) {
        if (peer->out.has_waiting() || peer->out.received() < peer->out.last()) return false;
    }
    return true;
}

void Endpoint::finish_close(Time now) {
    if (is_closed_) return;
    begin_close(now);
    is_closed_ = true;
    for (const auto& [name, peer] : peers_) {
        peer->owes_bye = peer->has_live_session() && peer->instance != 0;
        peer->pings.clear();
        peer->owes_sync = peer->owes_sync_answer = peer->owes_resolve = false;
        end_outbound(*peer, End::Closed);
        drop_waiting(*peer, closed_error(node_id_));
        if (peer->owes_bye) mark_ready(*peer);
    }
    while (!waits_.empty()) settle(waits_.begin()->first, std::unexpected(closed_error(node_id_)));
}

}  // namespace nyamesh::session
