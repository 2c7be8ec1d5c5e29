#include "nyash/runtime/script_box.h"

#include <algorithm>
#include <new>

#include "nyash/runtime/runtime.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {

// ---- ScriptBox ----

bool ScriptBox::descends_from(const BoxType& other) const {
    if (this == &other) return true;
    if (std::ranges::any_of(script_parents, [&](const ScriptBox* parent) { return parent->descends_from(other); }))
        return true;
    return std::ranges::any_of(parts, [&](const Part& part) { return part.type == &other; });
}

bool ScriptBox::is_a(std::string_view type_name) const {
    if (BoxType::is_a(type_name)) return true;
    return std::ranges::any_of(parents, [&](const BoxType* parent) { return parent->is_a(type_name); });
}

std::uint32_t ScriptBox::add_slot(Slot slot) {
    const auto index = static_cast<std::uint32_t>(slots.size());
    if (slot.name) slot_of_.emplace(slot.name, index);
    slots.push_back(std::move(slot));
    return index;
}

const ScriptBox::Part* ScriptBox::find_part(const BoxType& type) const {
    const auto found = std::ranges::find(parts, &type, &Part::type);
    return found == parts.end() ? nullptr : &*found;
}

const ScriptBox::Part* ScriptBox::find_part_with_method(Name name, const NativeFunction*& found) const {
    for (const Part& part : parts) {
        found = part.type->find_own_method(name).native;
        if (found) return &part;
    }
    return nullptr;
}

const ScriptBox::Part* ScriptBox::find_part_with_property(Name name, const NativeFunction*& found) const {
    for (const Part& part : parts) {
        found = part.type->find_property(name);
        if (found) return &part;
    }
    return nullptr;
}

std::vector<std::string_view> ScriptBox::field_names() const {
    std::vector<std::string_view> names;
    for (const Slot& slot : slots) {
        if (slot.name) names.push_back(slot.name->text());
    }
    return names;
}

std::vector<std::string_view> ScriptBox::method_names() const {
    auto names = BoxType::method_names();
    for (const Part& part : parts) {
        const auto more = part.type->method_names();
        names.insert(names.end(), more.begin(), more.end());
    }
    return names;
}

void ScriptBox::clear() noexcept {
    singleton = {};
    initializers.clear();
    static_blocks.clear();
    constructor = own_constructor = {};
    slots.clear();
    functions.clear();
}

// ---- Instance ----

const Value Instance::kMissing;

Instance::Instance(Heap& heap, ScriptBox& b, std::uint64_t n, std::uint32_t capacity) noexcept
    : Container(heap, b),
      box(b),
      number(n),
      fields_(reinterpret_cast<Value*>(this + 1)),
      capacity_(capacity),
      born_with_(capacity) {
    for (std::uint32_t i = 0; i < capacity; ++i) new (fields_ + i) Value(b.slots[i].initial);
}

Ref<Instance> Instance::create(Heap& heap, ScriptBox& box, std::uint64_t number) {
    const std::size_t count = box.slots.size();
    void* memory = object_memory::allocate(sizeof(Instance) + count * sizeof(Value));
    return Ref<Instance>(new (memory) Instance(heap, box, number, static_cast<std::uint32_t>(count)));
}

void Instance::operator delete(Instance* instance, std::destroying_delete_t) noexcept {
    const std::size_t size = sizeof(Instance) + instance->born_with_ * sizeof(Value);
    instance->~Instance();
    object_memory::free(instance, size);
}

Instance::~Instance() {
    if (weak_) weak_->target = nullptr;
    for (std::uint32_t i = 0; i < capacity_; ++i) fields_[i].~Value();
    if (fields_ != reinterpret_cast<Value*>(this + 1)) ::operator delete(fields_);
}

void Instance::set_field(std::uint32_t slot, Value value) {
    if (slot >= capacity_) {
        const auto count = static_cast<std::uint32_t>(box.slots.size());
        auto* larger = static_cast<Value*>(::operator new(count * sizeof(Value)));
        for (std::uint32_t i = 0; i < count; ++i) {
            new (larger + i) Value(i < capacity_ ? std::move(fields_[i]) : Value());
        }
        for (std::uint32_t i = 0; i < capacity_; ++i) fields_[i].~Value();
        if (fields_ != reinterpret_cast<Value*>(this + 1)) ::operator delete(fields_);
        fields_ = larger;
        capacity_ = count;
    }
    fields_[slot] = std::move(value);
}

Value Instance::plain_part() const {
    for (const auto& part : box.parts) {
        const Value& value = field(part.slot);
        if (value.is_string() || value.is_number() || value.is_bool()) return value;
    }
    return {};
}

Value Instance::callable_field(Name name) const {
    const std::uint32_t slot = box.find_slot(name);
    if (slot == ScriptBox::kNoSlot) return {};
    const Value& value = field(slot);
    return value.is_absent() || value.as<WeakReference>() ? Value() : value;
}

Ref<Instance> Instance::copy(Heap& heap, std::uint64_t copy_number) const {
    auto made = create(heap, box, copy_number);
    for (std::uint32_t i = 0; i < capacity_; ++i) made->set_field(i, fields_[i]);
    return made;
}

Ref<WeakReference> Instance::weak_reference(const BoxType& weak_type) {
    if (!weak_) weak_ = make<WeakReference>(weak_type, this);
    return weak_;
}

void Instance::die() noexcept {
    become(box.dead_type);
    if (weak_) weak_->target = nullptr;
    clear();
}

void Instance::clear() noexcept {
    // The values go one by one: freeing one may look at this instance again.
    for (std::uint32_t i = 0; i < capacity_; ++i) const Value gone = std::move(fields_[i]);
}

}  // namespace nyash
