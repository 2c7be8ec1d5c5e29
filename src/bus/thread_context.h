// ThreadContext: what the bus knows about the calling thread.
//
// Contexts are never freed: when a thread ends, the next new one takes its context over, and with it the
// nodes biased to it. So a pointer to one stays good, and there are never more than threads at a time.
//
// How deep its inline deliveries are nested and of which nodes, the nodes it has put off until its
// outermost delivery is over, and its cache of routes. The fast path reaches all of it through one
// thread-local pointer.
#pragma once

#include "base/hash.h"
#include "bus/bias.h"
#include "bus/node_slot.h"

#include <array>
#include <atomic>
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

    Route() noexcept = default;
    Route(std::uint64_t bus, NodeSlot* to_slot, state::Word idle, std::string_view to) noexcept
        : bus_id(bus), slot(to_slot), idle_word(idle), name_size(static_cast<std::uint8_t>(to.size())) {
        to.copy(name, to.size());
    }

    bool leads(std::uint64_t bus, std::string_view to) const noexcept {
        return bus_id == bus && name_size == to.size() && nya::equal_bytes(name, to.data(), name_size);
    }
};
static_assert(sizeof(Route) == 64);

// Direct-mapped: two hot names that collide only cost each other a lookup in the index.
class RouteCache {
public:
    Route& place_for(std::string_view to) noexcept { return routes_[nya::cache_hash(to)]; }

private:
    static constexpr std::size_t kRoutes = 256;
    std::array<Route, kRoutes> routes_;
};

// One delivery under way on this thread; they form a list down the stack.
struct Frame {
    Frame* below;
    const NodeSlot* slot;
};

struct alignas(64) ThreadContext {
    // Inline deliveries nest this deep on a thread; the next one waits for the outermost to end.
    static constexpr std::uint32_t kMaxDepth = 32;

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
    std::uint64_t next_envelope_id() noexcept { return ++last_envelope_id; }

    // Read by whoever takes a node's bias away: is the slot noted here?
    bool notes(const NodeSlot& slot) const noexcept {
        for (const auto& noted : inside) {
            if (noted.load(std::memory_order_acquire) == &slot) return true;
        }
        return false;
    }

    Frame* top = nullptr;
    std::uint32_t depth = 0;
    std::uint32_t number = 0;  // of this thread, never 0, never reused
    bool has_leftovers = false;
    bool is_running_leftovers = false;
    const NodeSlot* posting = nullptr;   // this thread is about to hear whether an executor takes that node
    std::uint64_t last_envelope_id = 0;  // counts up from `number` << 40
    // Biased nodes this thread is in or about to check, by depth. Written by this thread only.
    std::array<std::atomic<const NodeSlot*>, kMaxDepth> inside{};
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
