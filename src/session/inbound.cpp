#include "session/inbound.h"

#include "session/outbound.h"
#include "wire/protocol.h"

#include <algorithm>
#include <utility>

namespace nyamesh::session {

std::size_t InMessage::bytes() const noexcept {
    return (intent ? intent->name().size() + intent->payload_text().size() : error.size()) + 64;
}

std::uint64_t Inbound::begin(const wire::SessionId& session, const std::vector<wire::LostSession>& lost) {
    if (session.instance != session_.instance) {
        ended_.clear();  // another life of the peer: its numbers mean something else
    } else if (has_session()) {
        ended_[session_.number] = received_;
        if (ended_.size() > kMaxEnded) ended_.erase(ended_.begin());
    }
    // A sum (number 0) grows until the sender knows that it has been told; one that is missing begins anew.
    if (lost.empty() || lost.front().number != 0) ended_.erase(0);
    std::uint64_t missed = 0;
    for (const wire::LostSession& ended : lost) {
        const auto known = ended_.find(ended.number);
        const std::uint64_t had = known == ended_.end() ? 0 : known->second;
        if (ended.last > had) missed += ended.last - had;
        ended_[ended.number] = std::max(ended.last, had);  // told once
    }
    while (ended_.size() > kMaxEnded) ended_.erase(ended_.begin());
    drop_early();
    session_ = session;
    received_ = handled_ = credit_ = 0;
    done_early_.clear();
    exceptions_.clear();
    return missed;
}

Inbound::Rest Inbound::rest() const {
    Rest rest{session_, handled_, {}};
    for (const auto& [number, received] : ended_) rest.ended.push_back({number, received});
    return rest;
}

void Inbound::restore(const Rest& rest) {
    session_ = rest.session;
    received_ = handled_ = rest.handled;
    credit_ = rest.handled + kWindow;  // what the sender may have been told before
    for (const wire::LostSession& ended : rest.ended) ended_[ended.number] = ended.last;
}

Inbound::Verdict Inbound::judge(std::uint64_t sequence) const noexcept {
    if (sequence <= received_ || early_.contains(sequence)) return Verdict::Duplicate;
    // What the sender may send before it has heard from us is within any window.
    if (sequence > std::max(credit_, handled_ + Outbound::kInitialCredit)) return Verdict::OutsideWindow;
    return Verdict::Taken;
}

std::vector<InMessage> Inbound::accept(InMessage message) {
    std::vector<InMessage> ready;
    if (message.sequence != received_ + 1) {
        early_bytes_ += message.bytes();
        early_.emplace(message.sequence, std::move(message));
        return ready;
    }
    ready.push_back(std::move(message));
    ++received_;
    while (!early_.empty() && early_.begin()->first == received_ + 1) {
        auto next = early_.extract(early_.begin());
        early_bytes_ -= next.mapped().bytes();
        ready.push_back(std::move(next.mapped()));
        ++received_;
    }
    return ready;
}

bool Inbound::handled(std::uint64_t sequence, std::optional<wire::Exception> exception) {
    if (sequence <= handled_ || sequence > received_) return false;
    if (exception) {
        const auto after = std::upper_bound(exceptions_.begin(), exceptions_.end(), sequence,
                                            [](std::uint64_t s, const wire::Exception& e) { return s < e.sequence; });
        exceptions_.insert(after, std::move(*exception));
    }
    if (sequence != handled_ + 1) {
        done_early_.insert(sequence);
        return false;
    }
    ++handled_;
    while (!done_early_.empty() && *done_early_.begin() == handled_ + 1) {
        done_early_.erase(done_early_.begin());
        ++handled_;
    }
    return true;
}

bool Inbound::confirm(std::uint64_t base) {
    const std::size_t before = exceptions_.size();
    while (!exceptions_.empty() && exceptions_.front().sequence < base && exceptions_.front().sequence <= handled_)
        exceptions_.pop_front();
    return exceptions_.size() < before && !exceptions_.empty();
}

std::size_t Inbound::drop_early() {
    early_.clear();
    return std::exchange(early_bytes_, 0);
}

wire::AckFields Inbound::counters(bool may_grow) {
    if (may_grow && exceptions_.size() < kMaxExceptions) credit_ = std::max(credit_, handled_ + kWindow);
    wire::AckFields ack{session_, received_, handled_, std::max(credit_, received_), {}};
    for (const wire::Exception& exception : exceptions_) {
        if (exception.sequence > handled_) break;
        if (ack.exceptions.size() == wire::kMaxExceptions) {
            ack.handled = exception.sequence - 1;
            break;
        }
        ack.exceptions.push_back(exception);
    }
    return ack;
}

}  // namespace nyamesh::session
