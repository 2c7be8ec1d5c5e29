#include "session/outbound.h"

#include <algorithm>
#include <utility>

namespace nyamesh::session {

namespace {

// What a message costs beyond its text: the envelope's share of the queues.
constexpr std::size_t kOverhead = 64;

}  // namespace

std::size_t OutMessage::bytes() const noexcept {
    return intent.name().size() + intent.payload_text().size() + kOverhead;
}

bool Outbound::has_room(std::size_t bytes, bool is_reply) const noexcept {
    const std::size_t share = is_reply ? 2 : 1;
    if (is_idle()) return true;  // a single message is always taken, however large
    return buffered_messages() < share * limits_.messages && bytes_ + bytes <= share * limits_.bytes;
}

void Outbound::push(OutMessage message) {
    bytes_ += message.bytes();
    waiting_.push_back(std::move(message));
}

void Outbound::begin(const wire::SessionId& session) {
    session_ = session;
    received_ = handled_ = 0;
    credit_ = kInitialCredit;
    cursor_ = 1;
    is_opening_ = true;
}

bool Outbound::has_next() const noexcept {
    if (!has_session()) return false;
    return cursor_ <= last() || (!waiting_.empty() && cursor_ <= credit_);
}

Outbound::Next Outbound::take_next() {
    if (!has_next()) return {};
    const std::uint64_t sequence = cursor_++;
    if (sequence <= last()) return {&sent_[static_cast<std::size_t>(sequence - base())], sequence, true};
    sent_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    return {&sent_.back(), sequence, false};
}

bool Outbound::acknowledge(const wire::AckFields& ack, const Settle& settle) {
    if (ack.received > last() || ack.handled > ack.received) return false;
    if (std::exchange(is_opening_, false))
        sum_told_ = lost_.empty() || lost_.front().number != 0 ? 0 : lost_.front().last;
    lost_.clear();
    credit_ = std::max(credit_, ack.credit);
    for (std::uint64_t sequence = std::max(received_, handled_) + 1; sequence <= ack.received; ++sequence) {
        OutMessage& message = sent_[static_cast<std::size_t>(sequence - base())];
        if (message.waits != Waits::Delivered || message.token == 0) continue;
        settle(message, nullptr);
        message.token = 0;
    }
    received_ = std::max(received_, ack.received);
    while (handled_ < ack.handled) {
        const std::uint64_t sequence = handled_ + 1;
        const auto exception = std::find_if(ack.exceptions.begin(), ack.exceptions.end(),
                                            [&](const wire::Exception& e) { return e.sequence == sequence; });
        const OutMessage& message = sent_.front();
        const bool has_failed = exception != ack.exceptions.end();
        // A request ends with its reply; of the counters only a failure ends it.
        if (message.token != 0 && (message.waits == Waits::Handled || has_failed))
            settle(message, has_failed ? &*exception : nullptr);
        forget_bytes(message);
        sent_.pop_front();
        ++handled_;
    }
    cursor_ = std::max(cursor_, received_ + 1);
    return true;
}

std::vector<OutMessage> Outbound::end(Trail trail) {
    std::vector<OutMessage> ended(std::make_move_iterator(sent_.begin()), std::make_move_iterator(sent_.end()));
    for (const OutMessage& message : ended) forget_bytes(message);
    if (trail == Trail::None) {
        lost_.clear();
        sum_told_ = 0;
    } else if (!ended.empty()) {
        const bool is_exact = trail == Trail::Exact;
        if (!is_exact) sum_told_ = 0;
        leave_trail({is_exact ? session_.number : 0, is_exact ? last() : ended.size()});
    }
    sent_.clear();
    begin({});
    return ended;
}

// Number 0 stands for all sessions that cannot be told apart any more.
void Outbound::leave_trail(wire::LostSession lost) {
    if (lost.number != 0) {
        lost_.push_back(lost);
        if (lost_.size() <= kMaxLost) return;
        const auto oldest =
            std::find_if(lost_.begin(), lost_.end(), [](const wire::LostSession& l) { return l.number != 0; });
        lost = *oldest;
        lost_.erase(oldest);
    }
    if (lost_.empty() || lost_.front().number != 0) lost_.insert(lost_.begin(), wire::LostSession{0, sum_told_});
    lost_.front().last += lost.last;
}

std::vector<OutMessage> Outbound::take_waiting() {
    std::vector<OutMessage> taken(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
    for (const OutMessage& message : taken) forget_bytes(message);
    waiting_.clear();
    return taken;
}

Outbound::GivenUp Outbound::give_up(std::uint64_t token) {
    const auto is_meant = [token](const OutMessage& message) { return message.token == token; };
    if (const auto place = std::find_if(waiting_.begin(), waiting_.end(), is_meant); place != waiting_.end()) {
        forget_bytes(*place);
        waiting_.erase(place);
        return GivenUp::TakenBack;
    }
    const auto place = std::find_if(sent_.begin(), sent_.end(), is_meant);
    if (place == sent_.end()) return GivenUp::NotFound;
    place->token = 0;
    return GivenUp::OnItsWay;
}

std::vector<std::uint64_t> Outbound::take_accepted_tokens() {
    std::vector<std::uint64_t> tokens;
    for (OutMessage& message : waiting_) {
        if (message.waits == Waits::Accepted && message.token != 0) tokens.push_back(std::exchange(message.token, 0));
    }
    return tokens;
}

}  // namespace nyamesh::session
