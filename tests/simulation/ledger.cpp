#include "simulation/ledger.h"

#include <algorithm>
#include <charconv>

namespace nyamesh::simulation {

using Reason = SendError::Reason;
using session::Outbound;
using session::Waits;

namespace {

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

// Of these errors the documentation says that the message has certainly not been handled.
bool is_certain(Reason reason) {
    switch (reason) {
        case Reason::Unconfirmed:
        case Reason::MayHaveRun:
        case Reason::NoHandler:
        case Reason::HandlerFailed:
        case Reason::Malformed:
            return false;
        default:
            return true;
    }
}

// And of these, that it was handled, in that way.
bool is_outcome(Reason reason) {
    return reason == Reason::NoHandler || reason == Reason::HandlerFailed;
}

}  // namespace

nya::Json Ledger::payload_of(MessageId id, std::size_t padding) {
    nya::Json payload{{"id", static_cast<std::int64_t>(id)}};
    if (padding > 0) payload = nya::Json{{"id", static_cast<std::int64_t>(id)}, {"padding", std::string(padding, '.')}};
    return payload;
}

MessageId Ledger::id_of(const nya::Json& payload) {
    return payload["id"].is_integer() ? static_cast<MessageId>(payload["id"].as_integer()) : 0;
}

std::optional<MessageId> Ledger::id_in(std::string_view payload) {
    constexpr std::string_view kBefore = R"({"id":)";
    if (!payload.starts_with(kBefore)) return std::nullopt;
    MessageId id = 0;
    std::from_chars(payload.data() + kBefore.size(), payload.data() + payload.size(), id);
    return id;
}

nya::Json Ledger::answer_to(MessageId id) {
    return nya::Json{{"answer", static_cast<std::int64_t>(id)}};
}

void Ledger::violated(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
}

Ledger::Message* Ledger::find(MessageId id) {
    if (id != 0 && id <= messages_.size()) return &messages_[id - 1];
    violated("a message that nobody has sent: " + number(id));
    return nullptr;
}

// ---- lives ----

void Ledger::begins(const std::string& name, std::uint64_t instance) {
    lives_[instance].name = name;
    latest_[name] = instance;
}

void Ledger::is_killed(std::uint64_t instance) {
    lives_[instance].is_killed = true;
}

void Ledger::is_closed(std::uint64_t instance) {
    for (MessageId id = 1; id <= messages_.size(); ++id) {
        const Message& message = messages_[id - 1];
        if (message.sending.from == instance && !is_accounted(message))
            violated("message " + number(id) + " of a closed node is not accounted for");
    }
    for (const auto& [wait, id] : waits_) {
        if (wait.first == instance) violated("a closed node still waits for token " + number(wait.second));
    }
    lives_[instance].is_closed = true;
}

void Ledger::leaves(std::uint64_t instance) {
    lives_[instance].is_closed = lives_[instance].has_left = true;
}

// ---- the sender's side ----

MessageId Ledger::sends(Sending sending) {
    ++counts_.sent;
    if (sending.token != 0) waits_[{sending.from, sending.token}] = messages_.size() + 1;
    messages_.emplace_back();
    messages_.back().sending = std::move(sending);
    return messages_.size();
}

void Ledger::is_refused(MessageId id, const SendError& error) {
    Message& message = *find(id);
    ++counts_.refused;
    waits_.erase({message.sending.from, message.sending.token});
    message.is_reported = message.certainly_not = true;
    if (message.is_delivered) violated("message " + number(id) + " was refused (" + error.to_string() + "), and ran");
}

void Ledger::is_accepted(MessageId id, session::Endpoint::Taken taken) {
    Message& message = *find(id);
    message.is_taken = true;
    if (message.sending.waits == Waits::Accepted && taken == session::Endpoint::Taken::Accepted)
        waits_.erase({message.sending.from, message.sending.token});
}

void Ledger::is_given_up(MessageId id, Outbound::GivenUp how) {
    Message& message = *find(id);
    waits_.erase({message.sending.from, message.sending.token});
    if (how == Outbound::GivenUp::TakenBack) message.is_taken_back = message.certainly_not = true;
    if (message.is_taken_back && message.is_delivered)
        violated("message " + number(id) + " was taken back, and is delivered");
}

void Ledger::pings(std::uint64_t from, std::uint64_t token) {
    waits_[{from, token}] = 0;
}

void Ledger::is_settled(std::uint64_t from, std::uint64_t token, const Answer& result) {
    const auto wait = waits_.find({from, token});
    if (wait == waits_.end()) return violated("token " + number(token) + " is settled a second time, or never existed");
    const MessageId id = wait->second;
    waits_.erase(wait);
    ++counts_.settled;
    if (id == 0) return;  // a ping
    Message& message = *find(id);
    message.is_settled = true;
    if (!result) {
        ++counts_.failed;
        message.has_failed = true;
        return outcome(message, id, result.error().reason);
    }
    const Waits waits = message.sending.waits;
    if (sees_inside_ && waits == Waits::Delivered && !message.is_delivered)
        violated("message " + number(id) + " was called delivered before it was");
    if ((waits == Waits::Handled || waits == Waits::Answer) && !message.is_handled)
        violated("message " + number(id) + " was called handled before it was");
    if (waits == Waits::Handled && message.failure)
        violated("message " + number(id) + " has failed, and its sender was told that all is well");
    if (waits == Waits::Answer && *result != answer_to(id))
        violated("request " + number(id) + " was answered with " + result->dump());
}

void Ledger::is_unconfirmed(std::uint64_t from, const session::Unconfirmed& event) {
    const MessageId id = id_of(event.intent.payload());
    Message* const message = find(id);
    if (!message) return;
    ++counts_.unconfirmed;
    if (message->sending.from != from || message->sending.to != event.to)
        violated("message " + number(id) + " was reported by another than its sender");
    if (message->is_reported) violated("message " + number(id) + " was reported twice");
    message->is_reported = true;
    if (event.reason == Reason::NotSent) drops(*message);
    outcome(*message, id, event.reason);
}

// The life that is there now reads on without it, if the sender meant that one.
void Ledger::drops(const Message& message) {
    const std::pair key(message.sending.from, message.sending.to);
    Dropped& dropped = dropped_[key];
    const std::uint64_t life = latest_[message.sending.to];
    if (dropped.target != life) dropped = {0, dropped.certain + dropped.perhaps, life};
    const auto known = last_target_.find(key);
    ++(known != last_target_.end() && known->second == life ? dropped.certain : dropped.perhaps);
}

// Somebody was told that it ended this way.
void Ledger::outcome(Message& message, MessageId id, Reason reason) {
    const std::string told = "message " + number(id) + " was called " + std::string(to_string(reason));
    if (is_certain(reason)) {
        message.certainly_not = true;
        if (message.is_handled) violated(told + ", and has run");
    }
    if (is_outcome(reason) && (!message.is_handled || message.failure != reason))
        violated(told + ", which is not how it ended");
}

bool Ledger::is_accounted(const Message& message) {
    return message.is_handled || message.is_reported || message.has_failed || message.is_taken_back;
}

// ---- the wire ----

void Ledger::is_on_wire(const wire::SessionId& session, std::uint64_t sequence, std::uint64_t target_instance,
                        std::optional<MessageId> id) {
    SessionTrail& trail = sessions_[{session.instance, session.number}];
    const std::string what = "session " + number(session.number) + ", number " + number(sequence);
    if (trail.target != 0 && trail.target != target_instance) violated(what + ": sent to two instances");
    trail.target = target_instance;
    last_target_[{session.instance, lives_[target_instance].name}] = target_instance;
    trail.last = std::max(trail.last, sequence);
    if (!id) return;
    if (const auto known = trail.intents.find(sequence); known != trail.intents.end() && known->second != *id)
        violated(what + " stands for two messages, " + number(known->second) + " and " + number(*id));
    trail.intents[sequence] = *id;
    Message* const message = find(*id);
    if (!message) return;
    if (message->on_wire_for != 0 && message->on_wire_for != target_instance)
        violated("message " + number(*id) + " was put on a wire for one instance, and replayed to another");
    message->on_wire_for = target_instance;
    // From outside it is seen late: what was still in a buffer may belong to a session that is over.
    if (sees_inside_ && message->certainly_not)
        violated("message " + number(*id) + " is put on a wire after it was reported as never sent");
}

// ---- the receiver's side ----

Ledger::Message* Ledger::arrives(std::uint64_t at, MessageId id, bool is_request) {
    Message* const message = find(id);
    if (!message) return nullptr;
    const std::string what = "message " + number(id);
    const Life& receiver = lives_[at];
    if (message->is_delivered) violated(what + " is delivered twice");
    message->is_delivered = true;
    if (receiver.is_closed || receiver.is_killed) violated(what + " is delivered to a node that is no more");
    if (receiver.name != message->sending.to) violated(what + " is delivered to another node than it was sent to");
    if (message->sending.is_request != is_request) violated(what + " has changed its kind");
    if (message->is_taken_back) violated(what + " was taken back, and is delivered");
    return message;
}

void Ledger::is_delivered(std::uint64_t at, const session::Deliver& event) {
    const MessageId id = id_of(event.intent.payload());
    const Message* const message = arrives(at, id, event.is_request);
    if (!message) return;
    const std::string what = "message " + number(id);
    const std::uint64_t from = message->sending.from;
    if (event.ref.session.instance != from) violated(what + " comes from another instance than its sender's");

    Reception& reception = receptions_[{at, from}];
    if (id <= reception.last_id) violated(what + " is delivered after " + number(reception.last_id));
    reception.last_id = id;
    if (event.ref.session.number < reception.session) violated(what + " belongs to a session that is over");
    if (event.ref.session.number != reception.session) {
        compare_gap(at, from, event.ref.session.number);
        reception.session = event.ref.session.number;
    }
    SessionTrail& trail = sessions_[{from, event.ref.session.number}];
    trail.delivered = std::max(trail.delivered, event.ref.sequence);
}

void Ledger::is_delivered(std::uint64_t at, MessageId id, const std::string& from, bool is_request) {
    const Message* const message = arrives(at, id, is_request);
    if (!message) return;
    const std::string what = "message " + number(id);
    const std::uint64_t sender = message->sending.from;
    if (lives_[sender].name != from) violated(what + " comes from another node than its sender");
    Reception& reception = receptions_[{at, sender}];
    if (id <= reception.last_id) violated(what + " is delivered after " + number(reception.last_id));
    compare_handled(at, id, reception.last_id);
    reception.last_id = id;
}

// What was put on a wire for this receiver, after its last message and before this one, has come or been missed. How
// many of the messages missed were replies cannot be seen.
void Ledger::compare_handled(std::uint64_t at, MessageId id, MessageId before) {
    const Message& message = messages_[id - 1];
    std::uint64_t missing = 0;
    for (MessageId other = before + 1; other < id; ++other) {
        const Message& earlier = messages_[other - 1];
        const bool is_alike = earlier.sending.from == message.sending.from && earlier.sending.to == message.sending.to;
        if (is_alike && earlier.on_wire_for != 0 && earlier.on_wire_for == message.on_wire_for && !earlier.is_delivered)
            ++missing;
    }
    std::uint64_t told = 0;
    if (const auto gap = gap_told_.find({at, lives_[message.sending.from].name}); gap != gap_told_.end()) {
        told = gap->second.missed;
        gap_told_.erase(gap);
    }
    if (told < missing)
        violated("before message " + number(id) + " at least " + number(missing) +
                 " messages are missing, and a gap of " + number(told) + " was told");
}

// A new session's first message: what earlier ones to this receiver lack must have been told.
void Ledger::compare_gap(std::uint64_t at, std::uint64_t from, std::uint32_t session) {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    for (auto place = sessions_.lower_bound({from, 0}); place != sessions_.end() && place->first.first == from;
         ++place) {
        SessionTrail& trail = place->second;
        if (place->first.second >= session) break;
        if (trail.target != at || trail.is_over) continue;
        trail.is_over = true;
        // Whether the replies right behind the last message delivered have arrived cannot be seen from here.
        const auto missing = trail.intents.upper_bound(trail.delivered);
        const std::uint64_t had_at_most = missing == trail.intents.end() ? trail.last : missing->first - 1;
        least += trail.last - had_at_most;
        most += trail.last - trail.delivered;
    }
    if (const auto dropped = dropped_.extract({from, lives_[at].name})) {
        const Dropped& d = dropped.mapped();
        if (d.target == at) least += d.certain;
        most += d.certain + d.perhaps;
    }
    std::uint64_t told = 0;
    if (const auto gap = gap_told_.find({at, lives_[from].name}); gap != gap_told_.end()) {
        if (gap->second.by == from) told = gap->second.missed;
        gap_told_.erase(gap);
    }
    if (gaps_are_exact_ && (told < least || told > most))
        violated("before session " + number(session) + " between " + number(least) + " and " + number(most) +
                 " messages are missing, and a gap of " + number(told) + " was told");
}

void Ledger::gap(std::uint64_t at, const std::string& from, std::uint64_t missed) {
    ++counts_.gaps;
    counts_.missed += missed;
    const std::uint64_t by = latest_[from];
    const auto [place, is_first] = gap_told_.try_emplace({at, from}, GapTold{by, missed});
    if (is_first) return;
    // A session that died before its first message came may have told of the ones before.
    if (place->second.by != by) place->second = {by, 0};
    place->second.missed += missed;
}

void Ledger::is_handled(std::uint64_t at, MessageId id, std::optional<Reason> failure) {
    static_cast<void>(at);
    Message* const message = find(id);
    if (!message) return;
    ++counts_.handled;
    message->is_handled = true;
    message->failure = failure;
    if (message->certainly_not) violated("message " + number(id) + " runs, and was reported as certainly not run");
}

// ---- the end ----

void Ledger::check_all_accounted(const std::set<std::string>* to) {
    for (MessageId id = 1; id <= messages_.size(); ++id) {
        const Message& message = messages_[id - 1];
        if (to && !to->contains(message.sending.to)) continue;
        const Life& sender = lives_[message.sending.from];
        if (sender.is_killed || sender.has_left || is_accounted(message)) continue;
        if (message.sending.is_local && lives_[latest_[message.sending.to]].is_closed) continue;
        violated("message " + number(id) + " from " + sender.name + " to " + message.sending.to +
                 (message.is_delivered ? " was delivered and never handled" : " has vanished") +
                 ", and nobody was told");
    }
    for (const auto& [wait, id] : waits_) {
        if (lives_[wait.first].is_killed) continue;
        if (to && (id == 0 || !to->contains(messages_[id - 1].sending.to))) continue;
        violated("token " + number(wait.second) + " of " + lives_[wait.first].name + " is never settled (message " +
                 number(id) + ")");
    }
}

}  // namespace nyamesh::simulation
