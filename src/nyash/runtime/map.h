// Map: what `{a: 1}` and `new MapBox()` make. Its methods are in boxes/map_box.cpp.
//
// Entries stand in a vector in the order they were added; an open-addressing table of positions finds them by
// hash. Beside each position stands the hash, so a search looks at an entry's key only when that is almost surely
// the right one. A removed entry leaves a hole that the next growth closes. Small maps, which are most maps, are
// searched without a table.
#pragma once

#include <cstdint>
#include <vector>

#include "nyash/runtime/object.h"
#include "nyash/runtime/string.h"
#include "nyash/runtime/value.h"

namespace nyash {

class Map final : public Container {
public:
    struct Entry {
        Ref<String> key;  // empty: a hole
        Value value;
    };

    Map(Heap& heap, const BoxType& type) : Container(heap, type) {}

    std::size_t size() const noexcept { return size_; }
    const Value* find(const String& key) const noexcept;
    Value* find(const String& key) noexcept;
    void set(const String& key, Value value);
    bool erase(const String& key);
    void erase_all() noexcept;

    // Entries by position, holes included: positions stay valid while entries are added at the end.
    std::size_t positions() const noexcept { return entries_.size(); }
    const Entry& entry(std::size_t position) const noexcept { return entries_[position]; }
    template <class F>
    void for_each(F&& visit) const {
        for (const Entry& e : entries_) {
            if (e.key) visit(*e.key, e.value);
        }
    }

    void write(TextWriter& out) const override;
    Result get_field(Vm& vm, Name name) override;  // m.name: null when missing
    Done set_field(Vm& vm, Name name, const Value& value) override;
    Result get_index(Vm& vm, const Value& index) override;
    Done set_index(Vm& vm, const Value& index, const Value& value) override;
    Value callable_field(Name name) const override;
    void clear() noexcept override { erase_all(); }

private:
    static constexpr std::uint32_t kNowhere = UINT32_MAX;
    struct Slot {
        std::uint32_t position = kNowhere;
        std::uint32_t hash = 0;
    };
    std::uint32_t position_of(const String& key) const noexcept;
    void rebuild();

    std::vector<Entry> entries_;
    std::vector<Slot> table_;  // empty while the map is small
    std::size_t size_ = 0;
};

}  // namespace nyash
