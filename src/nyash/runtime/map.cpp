#include "nyash/runtime/map.h"

#include <bit>

#include <nya/expected.h>

#include "nyash/runtime/array.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/runtime/vm.h"

namespace nyash {
namespace {

constexpr std::size_t kSmall = 8;
constexpr std::uint32_t kRemoved = UINT32_MAX - 1;

std::uint32_t short_hash(const String& key) noexcept {
    return static_cast<std::uint32_t>(key.hash());
}

}  // namespace

std::uint32_t Map::position_of(const String& key) const noexcept {
    if (table_.empty()) {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            if (entries_[i].key && entries_[i].key->equals(key)) return static_cast<std::uint32_t>(i);
        }
        return kNowhere;
    }
    const std::size_t mask = table_.size() - 1;
    const std::uint32_t hash = short_hash(key);
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
        const Slot slot = table_[i];
        if (slot.position == kNowhere) return kNowhere;
        if (slot.hash == hash && slot.position != kRemoved && entries_[slot.position].key->equals(key))
            return slot.position;
    }
}

const Value* Map::find(const String& key) const noexcept {
    const std::uint32_t position = position_of(key);
    return position == kNowhere ? nullptr : &entries_[position].value;
}

Value* Map::find(const String& key) noexcept {
    const std::uint32_t position = position_of(key);
    return position == kNowhere ? nullptr : &entries_[position].value;
}

void Map::set(const String& key, Value value) {
    if (Value* existing = find(key)) {
        *existing = std::move(value);
        return;
    }
    entries_.push_back({Ref<String>(const_cast<String*>(&key)), std::move(value)});
    ++size_;
    // At most three quarters of the table are used, holes and removed places included.
    if (entries_.size() > kSmall && entries_.size() * 4 > table_.size() * 3) return rebuild();
    if (table_.empty()) return;
    const std::size_t mask = table_.size() - 1;
    const std::uint32_t hash = short_hash(key);
    std::size_t i = hash & mask;
    while (table_[i].position < kRemoved) i = (i + 1) & mask;
    table_[i] = {static_cast<std::uint32_t>(entries_.size() - 1), hash};
}

void Map::rebuild() {
    std::erase_if(entries_, [](const Entry& e) { return !e.key; });
    table_.assign(std::bit_ceil((entries_.size() + 1) * 2), Slot{});
    const std::size_t mask = table_.size() - 1;
    for (std::size_t position = 0; position < entries_.size(); ++position) {
        const std::uint32_t hash = short_hash(*entries_[position].key);
        std::size_t i = hash & mask;
        while (table_[i].position != kNowhere) i = (i + 1) & mask;
        table_[i] = {static_cast<std::uint32_t>(position), hash};
    }
}

bool Map::erase(const String& key) {
    const std::uint32_t position = position_of(key);
    if (position == kNowhere) return false;
    if (!table_.empty()) {
        const std::size_t mask = table_.size() - 1;
        std::size_t i = short_hash(key) & mask;
        while (table_[i].position != position) i = (i + 1) & mask;
        table_[i].position = kRemoved;
    }
    const Entry removed = std::move(entries_[position]);  // freed last: that may run code
    entries_[position] = Entry{};
    --size_;
    return true;
}

void Map::erase_all() noexcept {
    const auto old = std::move(entries_);
    entries_.clear();
    table_.clear();
    size_ = 0;
}

void Map::write(TextWriter& out) const {
    out.text("MapBox(size=" + std::to_string(size_) + ")");
}

Result Map::get_field(Vm&, Name name) {
    const Value* value = find(*name);
    return value ? *value : Value::null();
}

Done Map::set_field(Vm&, Name name, const Value& value) {
    if (size_ >= kMaxElements) return fail(error_kind::kLimit, "The map is full (100,000,000 entries)");
    set(*name, value);
    return {};
}

Result Map::get_index(Vm& vm, const Value& index) {
    if (index.is_string()) return get_field(vm, &index.as_string());
    const auto key = NYA_TRY(vm.to_string(index));
    return get_field(vm, key.get());
}

Done Map::set_index(Vm& vm, const Value& index, const Value& value) {
    if (index.is_string()) return set_field(vm, &index.as_string(), value);
    const auto key = NYA_TRY(vm.to_string(index));
    return set_field(vm, key.get(), value);
}

Value Map::callable_field(Name name) const {
    const Value* value = find(*name);
    return value ? *value : Value{};
}

}  // namespace nyash
