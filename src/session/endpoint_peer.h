// What an Endpoint knows of one peer; shared by its .cpp files only.
#pragma once

#include "session/endpoint.h"

#include <algorithm>
#include <utility>

namespace nyamesh::session {

// The most a message's head takes beside the names in it (docs/protocol.md; counters with failures go by themselves).
inline constexpr std::size_t kHeadRoom = 768;

// Lives of a peer that are over: frames of theirs that come late are ignored.
class PastInstances {
public:
    static constexpr std::size_t kMax = 8;

    void add(std::uint64_t instance) {
        if (instance == 0 || contains(instance)) return;
        if (past_.size() == kMax) past_.erase(past_.begin());
        past_.push_back(instance);
    }
    bool empty() const noexcept { return past_.empty(); }
    bool contains(std::uint64_t instance) const {
        return std::find(past_.begin(), past_.end(), instance) != past_.end();
    }

private:
    std::vector<std::uint64_t> past_;
};

struct Endpoint::Peer {
    Peer(std::string the_name, Outbound::Limits limits) : name(std::move(the_name)), out(limits) {}

    enum class Where : std::uint8_t { Unasked, Asking, Here, Away };
    // Syncing: nothing new is sent until the peer has told where it stands.
    enum class Phase : std::uint8_t { Flowing, NeedsSync, Syncing };
    static constexpr std::size_t kMaxPings = 64;

    const std::string name;
    std::uint64_t number = 0;  // in the order in which they came: an order that does not depend on addresses
    Outbound out;
    Inbound in;
    std::uint64_t instance = 0;  // 0: not known
    PastInstances past;
    Where where = Where::Unasked;
    Phase phase = Phase::Flowing;
    bool is_known = false;  // a send need not wait for the hub
    bool has_sessions = true;
    bool is_held = false;  // the hub asks for patience

    Time used_at{};
    Time quiet_since{};  // nothing heard since, with something owed to us
    Time away_since{};
    Time sync_at = Time::max();
    Time ack_at = Time::max();
    Time resolve_at = Time::max();
    std::chrono::milliseconds sync_wait{0};
    // Messages that came in, and whose handlers returned, since our last counters.
    std::uint64_t untold_received = 0;
    std::uint64_t untold_handled = 0;

    // What is owed to the peer, or to the hub about it.
    bool owes_ack = false;
    bool owes_base = false;  // the peer waits to hear that its failures have been seen
    bool owes_sync = false;
    bool owes_sync_answer = false;
    bool owes_resolve = false;
    bool owes_bye = false;
    std::optional<wire::SessionId> owes_reset;
    std::vector<std::uint64_t> pongs;
    std::vector<std::uint64_t> pings;

    // (session, sequence) → token; of a peer without sessions (0, a number of ours).
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> requests;
    std::map<std::uint64_t, std::uint64_t> pinged;  // number → token

    std::uint64_t may_have_run_to = 0;  // what its farewell says

    std::size_t counted_bytes = 0;  // what it holds of the send budget
    std::list<Peer*>::iterator use_place;
    std::list<Peer*>::iterator ready_place;
    bool is_ready = false;
    Time scheduled = Time::max();

    bool has_untold() const noexcept { return untold_received > 0 || untold_handled > 0; }
    bool has_live_session() const noexcept { return out.has_session() || in.has_session(); }
    // The peer still has to confirm something: messages, or that it knows of failures.
    bool is_owed() const noexcept { return !out.is_idle() || in.has_exceptions(); }
    // Something of ours is on its way, or an answer to it: not for ever.
    bool expects() const noexcept { return !out.is_idle() || !requests.empty() || !pinged.empty(); }
    bool is_idle() const noexcept {
        return !expects() && in.is_idle() && !is_ready && !owes_ack && ack_at == Time::max();
    }
};

struct Endpoint::Wait {
    Peer* peer = nullptr;
    Waits waits = Waits::Nothing;
    Time deadline = Time::max();
};

struct Endpoint::PutAway {
    Inbound::Rest in;
    std::vector<wire::LostSession> lost;
    std::uint64_t instance = 0;
    PastInstances past;
    Time used_at{};
    std::list<std::string>::iterator order;
};

}  // namespace nyamesh::session
