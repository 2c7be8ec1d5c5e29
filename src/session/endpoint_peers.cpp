// Peers come, go, change and are put away; what the hub and the clock say of them.
#include <nya/expected.h>

#include "intent/quote.h"
#include "session/endpoint_peer.h"

namespace nyamesh::session {

using Reason = SendError::Reason;
using namespace std::chrono_literals;

// ---- the table ----

Endpoint::Peer* Endpoint::find(std::string_view name) const {
    const auto place = peers_.find(name);
    return place == peers_.end() ? nullptr : place->second.get();
}

Endpoint::Peer* Endpoint::find_or_add(std::string_view name, Time now) {
    if (Peer* const known = find(name)) return known;
    if (peers_.size() >= settings_.max_peers && !make_place(now)) return nullptr;
    auto made = std::make_unique<Peer>(std::string(name), settings_.outbound);
    Peer& peer = *made;
    peer.sync_wait = settings_.sync_after;
    peer.number = ++last_peer_number_;
    peer.used_at = now;
    peer.use_place = by_use_.insert(by_use_.end(), &peer);
    peers_.emplace(std::string_view(peer.name), std::move(made));
    if (const auto kept = put_away_.find(name); kept != put_away_.end()) {
        PutAway& old = kept->second;
        peer.in.restore(old.in);
        peer.out.restore_lost(std::move(old.lost));
        peer.instance = old.instance;
        peer.past = std::move(old.past);
        put_away_order_.erase(old.order);
        put_away_.erase(kept);
    }
    return &peer;
}

// Puts the peer away that has been idle for longest; false if none was found.
bool Endpoint::make_place(Time now) {
    constexpr int kLookedAt = 64;
    for (int looked = 0; looked < kLookedAt && !by_use_.empty(); ++looked) {
        Peer& oldest = *by_use_.front();
        if (oldest.is_idle() && put_away(oldest, now)) return true;
        by_use_.splice(by_use_.end(), by_use_, oldest.use_place);  // busy: the others first
    }
    return false;
}

// What it keeps is enough to go on with a session of the peer's; one of ours begins anew, under a new number. False:
// there is no room, for what is forgotten sooner than its sender gives up could be received twice.
bool Endpoint::put_away(Peer& peer, Time now) {
    if (peer.in.has_session() || !peer.out.lost().empty() || !peer.past.empty()) {
        if (put_away_.size() >= settings_.max_put_away && !put_away_order_.empty()) {
            const auto oldest = put_away_.find(put_away_order_.front());
            if (oldest->second.used_at + settings_.resume_window > now) return false;
            put_away_.erase(oldest);
            put_away_order_.pop_front();
        }
        const auto order = put_away_order_.insert(put_away_order_.end(), peer.name);
        put_away_[peer.name] = {peer.in.rest(),       peer.out.lost(), peer.instance,
                                std::move(peer.past), peer.used_at,    order};
    }
    by_use_.erase(peer.use_place);
    if (peer.scheduled != Time::max()) by_time_.erase({peer.scheduled, peer.number});
    peers_.erase(std::string_view(peer.name));
    return true;
}

void Endpoint::touch(Peer& peer, Time now) {
    peer.used_at = now;
    by_use_.splice(by_use_.end(), by_use_, peer.use_place);
}

void Endpoint::mark_ready(Peer& peer) {
    if (peer.is_ready) return;
    peer.is_ready = true;
    peer.ready_place = ready_.insert(ready_.end(), &peer);
}

void Endpoint::schedule(Peer& peer) {
    Time next = Time::max();
    if (is_attached_) next = std::min({peer.ack_at, peer.sync_at, peer.resolve_at});
    if (peer.expects()) {
        next = std::min(next, peer.quiet_since + settings_.resume_window);
    } else if (peer.is_known && peer.where == Peer::Where::Away) {
        next = std::min(next, peer.away_since + settings_.resume_window);
    }
    if (next == peer.scheduled) return;
    if (peer.scheduled != Time::max()) by_time_.erase({peer.scheduled, peer.number});
    peer.scheduled = next;
    if (next != Time::max()) by_time_.emplace(std::pair(next, peer.number), &peer);
}

// Gives back what the peer's messages no longer hold of the process's memory.
void Endpoint::balance(Peer& peer) {
    const std::size_t held = peer.out.buffered_bytes();
    if (held < peer.counted_bytes) settings_.send_budget->give_back(peer.counted_bytes - held);
    peer.counted_bytes = std::min(held, peer.counted_bytes);
}

bool Endpoint::may_receive_more() const noexcept {
    return settings_.receive_budget->used() < settings_.receive_budget->limit() / 2;
}

// ---- instances ----

// False: that instance is of the past, and what came from it is to be ignored.
bool Endpoint::learn_instance(Peer& peer, std::uint64_t instance, Time now) {
    if (instance == 0 || peer.past.contains(instance)) return false;
    if (peer.instance == instance) return true;
    if (peer.instance != 0) forget_instance(peer, End::PeerChanged);
    peer.instance = instance;
    peer.quiet_since = now;
    mark_ready(peer);
    return true;
}

// That life of the peer is over.
void Endpoint::forget_instance(Peer& peer, End why) {
    end_outbound(peer, why);
    drop_inbound(peer);
    peer.past.add(std::exchange(peer.instance, 0));
}

// A frame of it has come, or the hub has said so: what waited for that is settled.
void Endpoint::become_known(Peer& peer) {
    peer.where = Peer::Where::Here;
    peer.resolve_at = Time::max();
    if (std::exchange(peer.is_known, true)) return;
    for (const std::uint64_t token : peer.out.take_accepted_tokens()) settle(token, nya::Json());
}

void Endpoint::drop_inbound(Peer& peer) {
    settings_.receive_budget->give_back(peer.in.drop_early());
    peer.in = Inbound();
    peer.ack_at = Time::max();
    peer.untold_received = peer.untold_handled = 0;
    peer.owes_ack = peer.owes_base = peer.owes_sync_answer = false;
}

void Endpoint::end_outbound(Peer& peer, End why) {
    const bool is_over = why == End::PeerChanged || why == End::PeerClosed || why == End::Closed;
    const auto trail = is_over            ? Outbound::Trail::None
                       : why == End::Lost ? Outbound::Trail::Exact
                                          : Outbound::Trail::Count;
    std::uint64_t sequence = peer.out.base();
    const auto ended = peer.out.end(trail);
    const std::string to = quote(peer.name);
    const SendError gone(Reason::Gone, to + " was closed before it has handled the intent",
                         "Send it again once it is back");
    const SendError unconfirmed(Reason::Unconfirmed,
                                "the session with " + to + " has ended before it confirmed the intent: it may have run",
                                "Ask whether it has run before you repeat it");
    for (const OutMessage& message : ended) {
        const bool has_not_run = why == End::PeerClosed && sequence++ > peer.may_have_run_to;
        const SendError& error = has_not_run ? gone : unconfirmed;
        if (message.token != 0) {
            settle(message.token, std::unexpected(error));
        } else if (message.kind == wire::MessageKind::Intent) {
            ++statistics_.unconfirmed;
            events_.emplace_back(Unconfirmed{peer.name, message.intent, error.reason});
        }
    }
    peer.may_have_run_to = 0;
    fail_handled_requests(peer);
    if (!ended.empty()) ++statistics_.sessions_ended;
    peer.phase = Peer::Phase::Flowing;
    peer.sync_at = Time::max();
    peer.sync_wait = settings_.sync_after;
    peer.owes_sync = false;
    balance(peer);
}

// Of those that are handled and not yet answered the answer is lost; the others will be told with their message.
void Endpoint::fail_handled_requests(Peer& peer) {
    const wire::SessionId session = peer.out.session();
    const std::uint64_t base = peer.out.base();
    for (auto request = peer.requests.begin(); request != peer.requests.end();) {
        const auto [number, sequence] = request->first;
        if (number == session.number && number != 0 && sequence >= base) {
            ++request;
            continue;
        }
        const std::uint64_t token = request->second;
        request = peer.requests.erase(request);
        settle(token, std::unexpected(SendError(Reason::Unconfirmed,
                                                "the session with " + quote(peer.name) +
                                                    " has ended, and with it the "
                                                    "answer was lost: the request has run",
                                                "Ask whether it has run before you repeat it")));
    }
}

// A peer without sessions that is lost, or our connection: nothing tells whether it has run them.
void Endpoint::fail_plain_requests(Peer& peer) {
    for (auto request = peer.requests.begin(); request != peer.requests.end() && request->first.first == 0;) {
        const std::uint64_t token = request->second;
        request = peer.requests.erase(request);
        settle(token, std::unexpected(SendError(Reason::Unconfirmed,
                                                "the connection to " + quote(peer.name) +
                                                    " was lost before it answered: the request may have run",
                                                "Ask whether it has run before you repeat it")));
    }
}

// What has never been on a wire ends with `error`: whoever waits is told, else the application. Returns how many
// sends that seemed to have gone well it takes back.
std::uint64_t Endpoint::drop_waiting(Peer& peer, const SendError& error) {
    std::uint64_t dropped = 0;
    for (const OutMessage& message : peer.out.take_waiting()) {
        if (message.token != 0) {
            settle(message.token, std::unexpected(error));
        } else if (message.kind == wire::MessageKind::Intent) {
            ++dropped;
            ++statistics_.unconfirmed;
            events_.emplace_back(Unconfirmed{peer.name, message.intent, error.reason});
        }
    }
    for (const auto& [number, token] : std::exchange(peer.pinged, {})) settle(token, std::unexpected(error));
    peer.pings.clear();
    balance(peer);
    return dropped;
}

// ---- what the hub says ----

void Endpoint::ask_hub(Peer& peer) {
    peer.where = Peer::Where::Asking;
    peer.owes_resolve = true;
    mark_ready(peer);
}

// Those that were on their way may be lost.
void Endpoint::resend_pings(Peer& peer) {
    peer.pings.clear();
    for (const auto& [number, token] : peer.pinged) peer.pings.push_back(number);
}

// The next send asks the hub again, and is told if there is no such node.
void Endpoint::forget_name(Peer& peer) {
    peer.is_known = false;
    peer.where = Peer::Where::Unasked;
    peer.resolve_at = peer.sync_at = Time::max();
}

void Endpoint::fail_first_contacts(const SendError& error) {
    for (const auto& [name, peer] : peers_) {
        if (peer->is_known || (peer->out.is_idle() && peer->pinged.empty())) continue;
        drop_waiting(*peer, error);
        forget_name(*peer);
        schedule(*peer);
    }
}

void Endpoint::on_peer(std::string_view name, const PeerNews& news, Time now) {
    Peer* const peer = find(name);
    if (!peer) return;
    switch (news.state) {
        case wire::PeerState::Here:
            peer_is_here(*peer, news, now);
            break;
        case wire::PeerState::Later:
            peer->resolve_at = now + std::max<std::chrono::milliseconds>(news.retry_in, 10ms);
            if (peer->is_known && peer->where == Peer::Where::Here) {
                peer->where = Peer::Where::Away;
                peer->away_since = now;
            }
            break;
        case wire::PeerState::Away:
        case wire::PeerState::Gone:
        case wire::PeerState::Unknown:
            peer_is_absent(*peer, news, now);
            break;
    }
    balance(*peer);
    mark_ready(*peer);
    schedule(*peer);
}

void Endpoint::peer_is_here(Peer& peer, const PeerNews& news, Time now) {
    if (news.has_sessions && !learn_instance(peer, news.instance, now)) return;  // old news
    if (!news.has_sessions && peer.instance != 0) forget_instance(peer, End::PeerChanged);
    peer.has_sessions = news.has_sessions;
    const bool was_away = peer.where == Peer::Where::Away;
    peer.is_held = false;
    become_known(peer);
    // It has a new connection, and what was on the old one may be lost.
    if (peer.has_live_session() && (was_away || peer.out.has_sent() || peer.phase != Peer::Phase::Flowing)) {
        peer.phase = Peer::Phase::NeedsSync;
        peer.sync_at = now;
    }
    if (was_away) resend_pings(peer);
}

// Away is not gone: where there is a session the peer may come back and go on until the resume window ends.
void Endpoint::peer_is_absent(Peer& peer, const PeerNews& news, Time now) {
    const bool is_away = news.state == wire::PeerState::Away;
    if (!peer.has_sessions || (!is_away && !(peer.is_known && peer.has_live_session()))) {
        const bool is_unknown = news.state == wire::PeerState::Unknown;
        drop_waiting(
            peer,
            SendError(is_unknown ? Reason::Unknown : Reason::Gone,
                      "node " + quote(peer.name) + (is_unknown ? " is not known to the hub" : " has left"), news.hint));
        fail_plain_requests(peer);
        forget_name(peer);
        return;
    }
    if (!peer.is_known && !peer.expects()) return forget_name(peer);  // late news that nobody waits for
    if (peer.where != Peer::Where::Away) peer.away_since = now;
    peer.where = Peer::Where::Away;
    if (!std::exchange(peer.is_known, true)) {
        for (const std::uint64_t token : peer.out.take_accepted_tokens()) settle(token, nya::Json());
    }
    peer.resolve_at = now + settings_.sync_after_at_most;
}

void Endpoint::on_hold(std::string_view name, bool is_held, Time now) {
    static_cast<void>(now);
    Peer* const peer = find(name);
    if (!peer) return;
    peer->is_held = is_held;
    if (!is_held) mark_ready(*peer);
}

// ---- the wire comes and goes ----

void Endpoint::on_attached(Time now) {
    is_attached_ = true;
    is_connecting_ = false;
    // Everybody with whom there is a session hears where we stand, one after the other: a hub that has just come back
    // is not to be stormed.
    Time at = now;
    for (Peer* const peer : by_use_) {
        peer->is_held = false;
        resend_pings(*peer);
        if (peer->has_live_session()) {
            peer->phase = Peer::Phase::NeedsSync;
            peer->sync_at = at;
            peer->sync_wait = settings_.sync_after;
            at += settings_.sync_pace;
        } else if (peer->expects() || peer->where == Peer::Where::Asking) {
            ask_hub(*peer);
        } else if (peer->where == Peer::Where::Here) {
            peer->where = Peer::Where::Unasked;
            peer->is_known = false;
        }
        mark_ready(*peer);
        schedule(*peer);
    }
}

void Endpoint::on_detached(Time now) {
    static_cast<void>(now);
    if (!is_attached_) return;
    is_attached_ = false;
    drop_plain_replies();
    for (const auto& [name, peer] : peers_) {
        if (!peer->has_sessions)
            drop_waiting(*peer,
                         SendError(Reason::Offline, "the connection to the hub was lost before the intent was sent"));
        fail_plain_requests(*peer);
        schedule(*peer);
    }
}

void Endpoint::set_connecting(bool is_connecting, Time now) {
    static_cast<void>(now);
    is_connecting_ = is_connecting;
    if (is_connecting || is_attached_) return;
    fail_first_contacts(SendError(Reason::Offline, "there is no connection to the hub",
                                  "Is the hub running, and is its address right?"));
}

// ---- what the clock says ----

void Endpoint::peer_on_time(Peer& peer, Time now) {
    if (peer.ack_at <= now) {
        peer.ack_at = Time::max();
        peer.owes_ack = true;
        mark_ready(peer);
    }
    if (is_attached_ && peer.resolve_at <= now) {
        peer.resolve_at = Time::max();
        if (peer.where == Peer::Where::Away) peer.resolve_at = now + settings_.sync_after_at_most;
        peer.owes_resolve = true;
        mark_ready(peer);
    }
    // What was owed may have been taken back.
    if (peer.phase == Peer::Phase::Flowing && !peer.is_owed()) peer.sync_at = Time::max();
    if (is_attached_ && peer.sync_at <= now) {
        // While messages are missing nothing new is sent: what arrives before the answer would be sent twice.
        if (peer.phase == Peer::Phase::Flowing && peer.out.received() < peer.out.last())
            peer.phase = Peer::Phase::NeedsSync;
        peer.owes_sync = true;
        peer.sync_at = now + peer.sync_wait;
        peer.sync_wait = std::min(peer.sync_wait * 2, settings_.sync_after_at_most);
        mark_ready(peer);
    }
    if (peer.expects() && peer.quiet_since + settings_.resume_window <= now) {
        end_outbound(peer, End::Lost);
        const std::uint64_t dropped =
            drop_waiting(peer, SendError(Reason::NotSent,
                                         "nothing was heard of " + quote(peer.name) + " for the whole resume window",
                                         "Send it again once it is back"));
        // To whoever reads on at the other end that is a hole as well.
        if (dropped > 0 && peer.instance != 0) peer.out.gave_up(++last_session_number_, dropped);
        forget_name(peer);
    } else if (!peer.expects() && peer.is_known && peer.where == Peer::Where::Away &&
               peer.away_since + settings_.resume_window <= now) {
        forget_name(peer);
    }
}

}  // namespace nyamesh::session
