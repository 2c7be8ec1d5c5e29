// HandlerTable: the handlers of one node, an immutable list that registrations replace.
//
// Only the node's current runner reads a table, and a replaced table is kept until that runner is
// between two envelopes; so dispatch takes no lock and counts no references. A node with one
// handler, the common case, points straight at it; the table proper exists from the second on.
#pragma once

#include <nyamesh/handler.h>

#include "base/hash.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh::bus {

// One registration. `is_alive` turns false when it is taken off, so that a handler removed by one
// that runs before it on the same envelope is not called any more.
struct Handler {
    Handler(std::uint32_t handler_id, bool once, std::string_view intent_name, IntentHandler callable)
        : name_hash(nya::hash_bytes(intent_name)),
          call(std::move(callable)),
          id(handler_id),
          is_once(once),
          name_size(static_cast<std::uint8_t>(intent_name.size())),
          name(std::make_unique_for_overwrite<char[]>(intent_name.size())) {
        intent_name.copy(name.get(), intent_name.size());
    }

    bool listens_to(std::uint64_t hash, std::string_view intent_name) const noexcept {
        return hash == name_hash && intent_name.size() == name_size &&
               nya::equal_bytes(intent_name.data(), name.get(), name_size);
    }
    std::string_view intent_name() const noexcept { return {name.get(), name_size}; }

    const std::uint64_t name_hash;
    IntentHandler call;
    const std::uint32_t id;
    std::atomic<bool> is_alive{true};
    const bool is_once;
    const std::uint8_t name_size;
    const std::unique_ptr<char[]> name;
};

// A pointer to nothing, one handler, or a list; tagged in its lowest bit. Registration order is list order.
// Copies share the handlers; whoever takes one out of service owns what it was the last to list.
class HandlerTable {
public:
    HandlerTable() noexcept = default;
    explicit HandlerTable(std::uintptr_t word) noexcept : word_(word) {}
    static HandlerTable of(const std::vector<Handler*>& handlers);

    std::uintptr_t word() const noexcept { return word_; }
    bool empty() const noexcept { return word_ == 0; }
    // The handler, if there is exactly one.
    Handler* single() const noexcept { return (word_ & kListTag) == 0 ? reinterpret_cast<Handler*>(word_) : nullptr; }
    std::span<Handler* const> handlers() const noexcept {
        if (word_ == 0) return {};
        if ((word_ & kListTag) == 0) return {reinterpret_cast<Handler* const*>(&word_), 1};
        const List* list = reinterpret_cast<const List*>(word_ & ~kListTag);
        return {list->handlers.data(), list->handlers.size()};
    }
    // Frees the list, not the handlers.
    void free_list() const noexcept {
        if ((word_ & kListTag) != 0) delete reinterpret_cast<List*>(word_ & ~kListTag);
    }

private:
    struct List {
        std::vector<Handler*> handlers;
    };
    static constexpr std::uintptr_t kListTag = 1;

    std::uintptr_t word_ = 0;
};

inline HandlerTable HandlerTable::of(const std::vector<Handler*>& handlers) {
    if (handlers.empty()) return {};
    if (handlers.size() == 1) return HandlerTable(reinterpret_cast<std::uintptr_t>(handlers.front()));
    return HandlerTable(reinterpret_cast<std::uintptr_t>(new List{handlers}) | kListTag);
}

// What a registration change took out of service, to be destroyed once no runner can see it.
struct Retired {
    HandlerTable table;              // its list
    std::vector<Handler*> handlers;  // and these

    Retired() = default;
    Retired(HandlerTable old_table, std::vector<Handler*> old_handlers)
        : table(old_table), handlers(std::move(old_handlers)) {}
    Retired(Retired&& other) noexcept
        : table(std::exchange(other.table, HandlerTable())), handlers(std::move(other.handlers)) {
        other.handlers.clear();
    }
    Retired& operator=(Retired&& other) noexcept {
        std::swap(table, other.table);
        handlers.swap(other.handlers);
        return *this;
    }
    ~Retired() {
        table.free_list();
        for (Handler* handler : handlers) delete handler;
    }
};

}  // namespace nyamesh::bus
