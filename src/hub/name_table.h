// NameTable: which name is whose, and who wants to hear of it. DESIGN's rules for names, and nothing else.
//
//     Unknown ──bind──▶ Here ──connection lost──▶ Away ──lease ends──▶ Gone ──2 min──▶ Unknown
//                        │ ◀────────────────bind────────┘                ▲
//                        └──unbound, or closed in an orderly way─────────┘
//
// Who may bind a name that somebody has: its owner (the same key, or the same token's subject). The same instance gets
// it at once; another instance of the owner gets it unless the old connection still answers a ping within a second;
// anybody else is refused while the lease lives. Right after a start the table has forgotten whose the names were:
// the first to come gets a name, and loses it again to one who shows a lease signed before the start.
//
// Watches say who is told of a name: everybody who has sent to it or asked for it. A name may be watched before it
// exists. All tables are bounded: watches per party (the one used longest ago is forgotten), names in all. Those that
// have gone, then those that are only watched make room for others; so wishing for a million names keeps nobody out.
//
// One thread, the loop's.
#pragma once

#include "hub/crypto.h"
#include "hub/keyed_hash.h"
#include "hub/leases.h"
#include "hub/list.h"
#include "net/loop.h"
#include "wire/frame.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nyamesh::hub {

class Party;
struct Name;

struct ByName;
struct ByWatcher;
struct ByExpiry;
struct ByClaimant;

struct Watch : Link<ByName>, Link<ByWatcher> {
    Watch(Name& the_name, Party& the_watcher) : name(the_name), watcher(the_watcher) {}
    Name& name;
    Party& watcher;
    std::uint64_t answered_in_turn = 0;  // the watcher's sending to somebody absent is answered once a turn
    bool may_send = true;                // what its token says
    bool is_held = false;                // it has been told to hold
    bool is_stale = false;               // it has not been told the latest, for its own queue is full
};

// Another instance of the owner wants the name; its holder is being asked whether it is still there.
struct Claim;

struct Name : Link<ByExpiry> {
    std::string text;
    Party* holder = nullptr;  // Here
    std::uint64_t instance = 0;
    Owner owner{};
    wire::PeerState state = wire::PeerState::Unknown;
    bool has_sessions = true;
    bool is_proven = false;  // its owner has shown a lease from before our start
    nya::Clock::time_point expires;
    std::unique_ptr<Claim> claim;
    List<Watch, ByName> watches;
    std::uint32_t watch_count = 0;

    ~Name();
};

// What somebody who wants a name brings along.
struct Bid {
    std::string_view name;
    std::uint64_t instance = 0;
    Owner owner{};
    bool has_sessions = true;
    std::string_view lease;
};

// A connection, as the table sees it.
class Party {
public:
    virtual ~Party() = default;
    // The state of `watch.name` has changed.
    virtual void tell(Watch& watch) = 0;
    virtual void tell_forgotten(Watch& watch) = 0;  // there are too many: it will hear no more of that name
    virtual void tell_bound(const Name& name) = 0;
    virtual void tell_taken(const Name& name) = 0;  // a bid that had to wait has failed
    // The name has gone to somebody with a better claim: to that instance.
    virtual void tell_replaced(const Name& name, std::uint64_t instance) = 0;
    virtual void ask_for_life() = 0;  // followed by NameTable::lives(), if it does

    const std::vector<Name*>& names() const noexcept { return names_; }
    const List<Watch, ByWatcher>& watches() const noexcept { return watches_; }
    std::size_t watch_count() const noexcept { return watch_count_; }
    bool is_questioned() const noexcept { return questions_ > 0; }

protected:
    // Found again without a look into the tables; nothing once they have gone.
    Watch* last_watch_ = nullptr;
    Name* last_name_ = nullptr;

private:
    friend class NameTable;
    std::vector<Name*> names_;
    List<Watch, ByWatcher> watches_;  // the latest first
    List<Claim, ByClaimant> claims_;
    std::uint32_t watch_count_ = 0;
    std::uint32_t questions_ = 0;
};

struct Claim : Link<ByClaimant> {
    Claim(Name& the_name, Party& the_claimant) : name(the_name), claimant(the_claimant) {}
    Name& name;
    Party& claimant;
    std::uint64_t instance = 0;
    bool has_sessions = true;
    net::Loop::TimerId timer = 0;
};

inline Name::~Name() = default;

class NameTable {
public:
    struct Limits {
        std::size_t names = 1'000'000;
        std::size_t names_per_party = 1'000;
        std::size_t watches_per_party = 65'536;
        std::chrono::milliseconds lease{120'000};
        std::chrono::milliseconds gone{120'000};  // how long one says "gone" rather than "unknown"
        std::chrono::milliseconds ping{1'000};
    };
    NameTable(net::Loop& loop, nya::Random& random, const Limits& limits, Leases leases, std::uint64_t epoch);
    ~NameTable();
    NameTable(const NameTable&) = delete;
    NameTable& operator=(const NameTable&) = delete;

    enum class Outcome { Bound, Taken, TakenByOwn, Waits, TooMany, TableFull };
    // Waits: tell_bound() or tell_taken() follows. TakenByOwn: another instance of the owner is about to get it.
    Outcome bind(Party& party, const Bid& bid);
    // False: the name is not this party's.
    bool unbind(Party& party, std::string_view name);
    // The connection has ended: its names are away, or, if it said that it was leaving, gone.
    void leave(Party& party, bool is_orderly);
    // A sign of life of a party that is_questioned().
    void lives(Party& party);

    // The party's watch of that name, made if there is none; null if the table is full.
    Watch* watch(Party& party, std::string_view name);
    Name* find(std::string_view name) noexcept;
    std::string lease_of(const Name& name) const;
    // Until a name that is away can be had by others.
    std::chrono::milliseconds lease_left(const Name& name) const;
    // A name that is here and nearly reads like this one; empty: none. Looks at some of them only.
    std::string nearest(std::string_view name) const;

    std::size_t size() const noexcept { return names_.size(); }
    std::size_t bound() const noexcept { return bound_; }
    std::size_t watches() const noexcept { return watches_.size(); }
    // Visits every name, in no order, until `visit` returns false.
    void for_each(const std::function<bool(const Name&)>& visit) const;

private:
    struct WatchKey {
        const Party* party;
        const Name* name;
        friend bool operator==(const WatchKey&, const WatchKey&) = default;
    };
    struct WatchHash {
        std::size_t operator()(const WatchKey& key) const noexcept;
    };

    Name* find_or_make(std::string_view name);
    bool is_owner(const Name& name, const Bid& bid) const;
    bool displaces(const Name& name, const Bid& bid, bool old_lease) const;
    bool has_old_lease(const Bid& bid) const;
    Outcome ask_holder(Name& name, Party& party, const Bid& bid);
    void grant(Name& name, Party& party, const Bid& bid, bool is_proven);
    void grant_claim(Name& name);
    void refuse_claim(Name& name);
    void withdraw_claim(Name& name);
    void detach(Name& name);
    void set_absent(Name& name, wire::PeerState state);
    void tell_watchers(Name& name);
    void forget(Watch& watch);
    void forget_if_unused(Name& name);
    bool make_room();
    void sweep();
    void arm_sweep();

    net::Loop& loop_;
    const Limits limits_;
    const Leases leases_;
    const std::uint64_t epoch_;
    const nya::Clock::time_point started_;
    std::unordered_map<std::string_view, std::unique_ptr<Name>, KeyedHash> names_;
    std::unordered_map<WatchKey, Watch, WatchHash> watches_;
    List<Name, ByExpiry> away_;  // the first to expire first
    List<Name, ByExpiry> gone_;
    List<Name, ByExpiry> wished_;  // unknown, but watched; the first to be wished for first
    std::size_t bound_ = 0;
    net::Loop::TimerId sweep_timer_ = 0;
};

}  // namespace nyamesh::hub
