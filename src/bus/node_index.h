// NodeIndex: node ids to slots, in 64 parts with a lock each.
//
// It is asked only when a thread sends to a name for the first time in a while (ThreadContext's route
// cache answers otherwise), so it is built to be simple and small rather than lock-free.
#pragma once

#include "base/mutex.h"
#include "bus/node_slot.h"

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_set>

namespace nyamesh::bus {

class NodeIndex {
public:
    struct Entry {
        NodeSlot* slot;
        state::Word idle_word;
    };

    // What `id` leads to at this moment.
    std::optional<Entry> find(std::string_view id) const;
    // Puts `slot` under its id. On a clash calls `on_clash(owner)`, under the lock, and returns false.
    bool insert(NodeSlot& slot, const std::function<void(const NodeSlot& owner)>& on_clash);
    void erase(NodeSlot& slot);
    std::size_t size() const;
    // Calls `visit` for each node until it returns false. Under a lock: keep it short.
    void for_each(const std::function<bool(NodeSlot&)>& visit) const;

private:
    struct HashById {
        using is_transparent = void;
        std::size_t operator()(std::string_view id) const noexcept { return nya::hash_bytes(id); }
        std::size_t operator()(const NodeSlot* slot) const noexcept { return nya::hash_bytes(slot->id()); }
    };
    struct EqualById {
        using is_transparent = void;
        static std::string_view id(std::string_view text) noexcept { return text; }
        static std::string_view id(const NodeSlot* slot) noexcept { return slot->id(); }
        bool operator()(const auto& a, const auto& b) const noexcept { return id(a) == id(b); }
    };
    struct alignas(64) Part {
        mutable nya::Mutex mutex;
        std::unordered_set<NodeSlot*, HashById, EqualById> slots NYA_GUARDED_BY(mutex);
    };
    static constexpr std::size_t kParts = 64;

    Part& part_of(std::string_view id) const noexcept { return parts_[nya::hash_bytes(id) >> 58]; }

    mutable std::array<Part, kParts> parts_;
};

}  // namespace nyamesh::bus
