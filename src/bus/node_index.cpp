#include "bus/node_index.h"

namespace nyamesh::bus {

std::optional<NodeIndex::Entry> NodeIndex::find(std::string_view id) const {
    Part& part = part_of(id);
    const nya::Lock lock(part.mutex);
    const auto found = part.slots.find(id);
    if (found == part.slots.end()) return std::nullopt;
    return Entry{*found, (*found)->word.load(std::memory_order_acquire) & state::kIdentity};
}

bool NodeIndex::insert(NodeSlot& slot, const std::function<void(const NodeSlot& owner)>& on_clash) {
    Part& part = part_of(slot.id());
    const nya::Lock lock(part.mutex);
    const auto [place, is_new] = part.slots.insert(&slot);
    if (!is_new) on_clash(**place);
    return is_new;
}

void NodeIndex::erase(NodeSlot& slot) {
    Part& part = part_of(slot.id());
    const nya::Lock lock(part.mutex);
    const auto found = part.slots.find(slot.id());
    if (found != part.slots.end() && *found == &slot) part.slots.erase(found);
}

std::size_t NodeIndex::size() const {
    std::size_t total = 0;
    for (const Part& part : parts_) {
        const nya::Lock lock(part.mutex);
        total += part.slots.size();
    }
    return total;
}

void NodeIndex::for_each(const std::function<bool(NodeSlot&)>& visit) const {
    for (const Part& part : parts_) {
        const nya::Lock lock(part.mutex);
        for (NodeSlot* slot : part.slots) {
            if (!visit(*slot)) return;
        }
    }
}

}  // namespace nyamesh::bus
