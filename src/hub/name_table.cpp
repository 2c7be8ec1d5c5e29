#include "hub/name_table.h"

#include "intent/did_you_mean.h"

#include <algorithm>

namespace nyamesh::hub {

namespace {

using wire::PeerState;

constexpr std::size_t kSweptAtOnce = 1'000;
constexpr std::size_t kLookedAtForHint = 1'000;
constexpr Owner kNobody{};

}  // namespace

NameTable::NameTable(net::Loop& loop, nya::Random& random, const Limits& limits, Leases leases, std::uint64_t epoch)
    : loop_(loop),
      limits_(limits),
      leases_(std::move(leases)),
      epoch_(epoch),
      started_(loop.clock()->now()),
      names_(16, KeyedHash(random)) {}

NameTable::~NameTable() {
    loop_.cancel(sweep_timer_);
    for (auto& [text, name] : names_) {
        if (name->claim) loop_.cancel(name->claim->timer);
    }
    watches_.clear();
}

std::size_t NameTable::WatchHash::operator()(const WatchKey& key) const noexcept {
    const auto party = reinterpret_cast<std::uintptr_t>(key.party);
    const auto name = reinterpret_cast<std::uintptr_t>(key.name);
    return (party / 16 * 0x9e3779b97f4a7c15) ^ (name / 16 * 0xd1342543de82ef95);
}

Name* NameTable::find(std::string_view name) noexcept {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : found->second.get();
}

Name* NameTable::find_or_make(std::string_view name) {
    if (Name* known = find(name)) return known;
    if (names_.size() >= limits_.names && !make_room()) return nullptr;
    auto made = std::make_unique<Name>();
    made->text = name;
    wished_.push_back(*made);
    const std::string_view key = made->text;
    return names_.emplace(key, std::move(made)).first->second.get();
}

bool NameTable::make_room() {
    Name* oldest = gone_.empty() ? wished_.front() : gone_.front();
    if (oldest == nullptr) return false;
    oldest->state = PeerState::Unknown;
    if (oldest->watches.empty()) {
        forget_if_unused(*oldest);
        return true;
    }
    // Forgetting its last watch forgets the name.
    for (std::uint32_t left = oldest->watch_count; left > 0; --left) {
        Watch& watch = *oldest->watches.front();
        watch.watcher.tell_forgotten(watch);
        forget(watch);
    }
    return true;
}

// ---- binding ----------------------------------------------------------------------------------------------------

bool NameTable::is_owner(const Name& name, const Bid& bid) const {
    if (name.owner != bid.owner) return false;
    // Of a name without a key only the very same instance is the owner.
    return name.owner != kNobody || (name.instance == bid.instance && bid.instance != 0);
}

bool NameTable::has_old_lease(const Bid& bid) const {
    if (bid.lease.empty()) return false;
    const auto lease = leases_.read(bid.lease, bid.name, bid.owner);
    if (!lease || lease->epoch >= epoch_) return false;
    return bid.owner != kNobody || lease->instance == bid.instance;
}

// Only shortly after our start: later on everybody who had a name has had the time to come back for it.
bool NameTable::displaces(const Name& name, const Bid& bid, bool old_lease) const {
    return old_lease && !name.is_proven && !is_owner(name, bid) &&
           loop_.clock()->now() - started_ < limits_.lease + limits_.gone;
}

NameTable::Outcome NameTable::bind(Party& party, const Bid& bid) {
    Name* name = find_or_make(bid.name);
    if (name == nullptr) return Outcome::TableFull;
    const bool is_own = name->holder == &party;
    if (!is_own && party.names_.size() >= limits_.names_per_party) {
        forget_if_unused(*name);
        return Outcome::TooMany;
    }
    const bool old_lease = has_old_lease(bid);
    const bool is_free = name->state == PeerState::Unknown || name->state == PeerState::Gone;
    const bool owns = is_owner(*name, bid);
    if (!is_free && !is_own && !displaces(*name, bid, old_lease)) {
        if (!owns) return Outcome::Taken;
        if (name->holder != nullptr && name->instance != bid.instance) return ask_holder(*name, party, bid);
    }
    if (is_own && !owns && name->owner != kNobody) return Outcome::Taken;
    if (name->claim) refuse_claim(*name);
    grant(*name, party, bid, old_lease || (owns && name->is_proven));
    return Outcome::Bound;
}

NameTable::Outcome NameTable::ask_holder(Name& name, Party& party, const Bid& bid) {
    if (name.claim) {
        if (&name.claim->claimant != &party) return Outcome::TakenByOwn;
        name.claim->instance = bid.instance;
        name.claim->has_sessions = bid.has_sessions;
        return Outcome::Waits;
    }
    name.claim = std::make_unique<Claim>(name, party);
    name.claim->instance = bid.instance;
    name.claim->has_sessions = bid.has_sessions;
    name.claim->timer = loop_.call_at(loop_.clock()->now() + limits_.ping, [this, &name] { grant_claim(name); });
    party.claims_.push_back(*name.claim);
    if (name.holder->questions_++ == 0) name.holder->ask_for_life();
    return Outcome::Waits;
}

void NameTable::grant_claim(Name& name) {
    const std::unique_ptr<Claim> claim = std::move(name.claim);
    loop_.cancel(claim->timer);
    if (name.holder != nullptr) --name.holder->questions_;
    Party& winner = claim->claimant;
    if (winner.names_.size() >= limits_.names_per_party) return winner.tell_taken(name);
    const Bid bid{name.text, claim->instance, name.owner, claim->has_sessions, {}};
    grant(name, winner, bid, name.is_proven);
    winner.tell_bound(name);
}

void NameTable::refuse_claim(Name& name) {
    const std::unique_ptr<Claim> claim = std::move(name.claim);
    loop_.cancel(claim->timer);
    if (name.holder != nullptr) --name.holder->questions_;
    claim->claimant.tell_taken(name);
}

// Its claimant does not want the name any more.
void NameTable::withdraw_claim(Name& name) {
    loop_.cancel(name.claim->timer);
    if (name.holder != nullptr) --name.holder->questions_;
    name.claim.reset();
}

void NameTable::lives(Party& party) {
    for (Name* name : party.names_) {
        if (name->claim) refuse_claim(*name);
    }
}

void NameTable::grant(Name& name, Party& party, const Bid& bid, bool is_proven) {
    const bool is_change = name.holder != &party || name.instance != bid.instance;
    if (name.holder != nullptr && name.holder != &party) {
        Party& loser = *name.holder;
        detach(name);
        loser.tell_replaced(name, bid.instance);
    }
    if (name.holder == nullptr) {
        name.holder = &party;
        party.names_.push_back(&name);
        ++bound_;
    }
    static_cast<Link<ByExpiry>&>(name).unlink();
    name.state = PeerState::Here;
    name.instance = bid.instance;
    name.owner = bid.owner;
    name.has_sessions = bid.has_sessions;
    name.is_proven = is_proven;
    if (is_change) tell_watchers(name);
}

// ---- leaving ----------------------------------------------------------------------------------------------------

void NameTable::detach(Name& name) {
    Party& holder = *name.holder;
    const auto place = std::find(holder.names_.begin(), holder.names_.end(), &name);
    *place = holder.names_.back();
    holder.names_.pop_back();
    if (holder.last_name_ == &name) holder.last_name_ = nullptr;
    name.holder = nullptr;
    --bound_;
}

bool NameTable::unbind(Party& party, std::string_view text) {
    Name* name = find(text);
    if (name != nullptr && name->claim && &name->claim->claimant == &party) withdraw_claim(*name);
    if (name == nullptr || name->holder != &party) return false;
    if (name->claim) {
        grant_claim(*name);
        if (name->holder != &party) return true;
    }
    detach(*name);
    set_absent(*name, PeerState::Gone);
    return true;
}

void NameTable::leave(Party& party, bool is_orderly) {
    while (Claim* claim = party.claims_.front()) withdraw_claim(claim->name);
    while (!party.names_.empty()) {
        Name& name = *party.names_.back();
        if (name.claim) {
            grant_claim(name);
            if (name.holder != &party) continue;
        }
        detach(name);
        // Nobody could prove that a name without key and instance is theirs, so keeping it helps no one.
        const bool has_lease = name.owner != kNobody || name.instance != 0;
        set_absent(name, is_orderly || !has_lease ? PeerState::Gone : PeerState::Away);
    }
    while (Watch* watch = party.watches_.front()) forget(*watch);
}

void NameTable::set_absent(Name& name, PeerState state) {
    const bool is_away = state == PeerState::Away;
    name.state = state;
    name.expires = loop_.clock()->now() + (is_away ? limits_.lease : limits_.gone);
    (is_away ? away_ : gone_).push_back(name);
    if (!is_away) {
        name.owner = kNobody;
        name.is_proven = false;
    }
    arm_sweep();
    tell_watchers(name);
}

void NameTable::arm_sweep() {
    if (sweep_timer_ != 0) return;
    const Name* away = away_.front();
    const Name* gone = gone_.front();
    if (away == nullptr && gone == nullptr) return;
    const auto when = away == nullptr   ? gone->expires
                      : gone == nullptr ? away->expires
                                        : std::min(away->expires, gone->expires);
    sweep_timer_ = loop_.call_at(when, [this] {
        sweep_timer_ = 0;
        sweep();
        arm_sweep();
    });
}

// Some at a time: a hub that has lost a million clients at once still has others to serve.
void NameTable::sweep() {
    const auto now = loop_.clock()->now();
    for (std::size_t i = 0; i < kSweptAtOnce; ++i) {
        Name* name = away_.front();
        if (name == nullptr || name->expires > now) break;
        set_absent(*name, PeerState::Gone);
    }
    for (std::size_t i = 0; i < kSweptAtOnce; ++i) {
        Name* name = gone_.front();
        if (name == nullptr || name->expires > now) break;
        name->state = PeerState::Unknown;
        wished_.push_back(*name);
        forget_if_unused(*name);
    }
}

void NameTable::forget_if_unused(Name& name) {
    if (name.state == PeerState::Unknown && name.watches.empty()) names_.erase(std::string_view(name.text));
}

// ---- watching ---------------------------------------------------------------------------------------------------

Watch* NameTable::watch(Party& party, std::string_view text) {
    Name* name = find_or_make(text);
    if (name == nullptr) return nullptr;
    if (const auto known = watches_.find({&party, name}); known != watches_.end()) {
        party.watches_.push_front(known->second);
        return &known->second;
    }
    // The new one first: it keeps its name alive while the oldest, perhaps of the same name's kind, is forgotten.
    Watch& made = watches_.try_emplace({&party, name}, *name, party).first->second;
    name->watches.push_back(made);
    ++name->watch_count;
    party.watches_.push_front(made);
    if (++party.watch_count_ > std::max<std::size_t>(1, limits_.watches_per_party)) {
        Watch& oldest = *party.watches_.back();
        party.tell_forgotten(oldest);
        forget(oldest);
    }
    return &made;
}

void NameTable::forget(Watch& watch) {
    Name& name = watch.name;
    Party& party = watch.watcher;
    if (party.last_watch_ == &watch) party.last_watch_ = nullptr;
    --party.watch_count_;
    --name.watch_count;
    watches_.erase({&party, &name});
    forget_if_unused(name);
}

void NameTable::tell_watchers(Name& name) {
    name.watches.for_each([](Watch& watch) { watch.watcher.tell(watch); });
}

// ---- looking ----------------------------------------------------------------------------------------------------

std::string NameTable::lease_of(const Name& name) const {
    return leases_.write({name.text, name.owner, name.instance});
}

std::chrono::milliseconds NameTable::lease_left(const Name& name) const {
    const auto left = name.expires - loop_.clock()->now();
    return std::chrono::ceil<std::chrono::milliseconds>(std::max(left, nya::Clock::duration::zero()));
}

std::string NameTable::nearest(std::string_view text) const {
    DidYouMean nearest(text);
    std::size_t looked_at = 0;
    for (const auto& [known, name] : names_) {
        if (++looked_at > kLookedAtForHint) break;
        if (name->state == PeerState::Here) nearest.offer(known);
    }
    return nearest.best();
}

void NameTable::for_each(const std::function<bool(const Name&)>& visit) const {
    for (const auto& [text, name] : names_) {
        if (!visit(*name)) return;
    }
}

}  // namespace nyamesh::hub
