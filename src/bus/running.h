// What every road to a handler shares, inlined into each.
#pragma once

#include "bus/bus_core.h"

namespace nyamesh::bus {

// On the stack of a thread for as long as it runs a node.
class Running {
public:
    Running(ThreadContext& thread, const NodeSlot& slot) noexcept
        : thread_(thread), depth_(thread.depth), frame_{thread.top, &slot} {
        thread.top = &frame_;
        thread.depth = depth_ + 1;
    }
    ~Running() {
        thread_.top = frame_.below;
        thread_.depth = depth_;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

private:
    ThreadContext& thread_;
    const std::uint32_t depth_;
    Frame frame_;
};

inline void BusCore::after_delivery(ThreadContext& thread) {
    if (thread.has_leftovers && thread.depth == 0) [[unlikely]]
        run_leftovers(thread);
}

// Only the owner writes the counter. A runner with a long queue adds up first: senders read this cache line.
inline void BusCore::count_delivered(NodeSlot& slot, std::uint64_t envelopes) noexcept {
    slot.delivered.store(slot.delivered.load(std::memory_order_relaxed) + envelopes, std::memory_order_relaxed);
}

inline BusCore::Outcome BusCore::call(NodeSlot& slot, Handler& handler, const Arrival& arrival, std::string* failure) {
    try {
        handler.call(arrival);
        return Outcome::Handled;
    } catch (...) {
        report_failure(slot, arrival, failure);
        return Outcome::Failed;
    }
}

}  // namespace nyamesh::bus
