// ThreadContext: what the bus knows about the calling thread.
//
// How deep its inline deliveries are nested and of which nodes, the nodes it has put off until its
// outermost delivery is over, and its cache of routes. The fast path reaches all of it through one
// thread-local pointer.
#pragma once

#include "base/hash.h"
#include "bus/node_slot.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace nyamesh::bus {

class BusCore;

// Where a name led the last time: one cache line, so that a hit costs one. A wrong or outdated
// entry does no harm: the state word of the slot decides.
struct alignas(64) Route {
    static constexpr std::size_t kMaxName = 39;

    std::uint64_t bus_id = 0;
    NodeSlot* slot = nullptr;
    state::Word idle_word = 0;
    std::uint8_t name_size = 0;
    char name[kMaxName];

    bool leads(std::uint64_t bus, std::string_view to) const noexcept {
        return bus_id == bus && name_size == to.size() && nya::equal_bytes(name, to.data(), name_size);
    }
};
static_assert(sizeof(Route) == 64);

// Direct-mapped: two hot names that collide only cost each other a lookup in the index.
class RouteCache {
public:
    Route& place_for(std::string_view to) noexcept { return routes_[nya::hash_bytes(to) % kRoutes]; }

private:
    static constexpr std::size_t kRoutes = 256;
    std::array<Route, kRoutes> routes_;
};

// One delivery under way on this thread; they form a list down the stack.
struct Frame {
    Frame* below;
    const NodeSlot* slot;
};

struct ThreadContext {
    // The context of the calling thread.
    static ThreadContext& here() {
        ThreadContext* context = current_;
        return context != nullptr ? *context : make();
    }

    bool is_running(const NodeSlot& slot) const noexcept {
        for (const Frame* frame = top; frame != nullptr; frame = frame->below) {
            if (frame->slot == &slot) return true;
        }
        return false;
    }
    std::uint64_t next_envelope_id() noexcept { return (std::uint64_t{number} << 40) | ++envelopes; }

    Frame* top = nullptr;
    std::uint32_t depth = 0;
    std::uint32_t number = 0;  // of this thread, never 0, never reused
    bool has_leftovers = false;
    bool is_running_leftovers = false;
    std::uint64_t envelopes = 0;
    RouteCache routes;

    // Left for the end of the outermost delivery:
    struct Deferred {
        std::shared_ptr<BusCore> core;
        NodeSlot* slot;
        state::Word identity;
    };
    std::deque<Deferred> deferred;  // nodes whose turn has to wait for a shallower stack
    struct Release {
        std::shared_ptr<BusCore> core;
        NodeSlot* slot;
    };
    std::vector<Release> releases;  // nodes destroyed inside a handler

private:
    static ThreadContext& make();
    static constinit thread_local ThreadContext* current_;
};

}  // namespace nyamesh::bus
