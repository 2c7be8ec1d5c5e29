// ScriptBox: a box declared in Nyash. Instance: what `new` makes of one.
//
// A ScriptBox is made once, by declare_box(), and never changes in what it promises: its method table holds
// its own methods and those of its parents, flattened, so that a call is one lookup whatever the depth of
// the family. Fields are numbered slots. A field that nobody declared gets the next slot when it is first
// assigned; instances made before that move their fields to a larger block when they need it.
//
// A built-in parent (`box ChatNode from P2PBox`) is a *part*: a hidden slot of the instance holds the
// built-in value, and what the box itself does not know is forwarded to it.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "nyash/runtime/box_type.h"
#include "nyash/runtime/declarations.h"
#include "nyash/runtime/function.h"
#include "nyash/runtime/object.h"

namespace nyash {

class Instance;

class ScriptBox final : public BoxType {
public:
    struct Slot {
        Name name = nullptr;  // null: a part
        bool is_weak = false;
        bool is_public = true;
        Value initial = Value::null();  // Undefined: the field does not exist until it is assigned
    };
    struct Initializer {
        std::uint32_t slot;
        Ref<Function> code;
    };
    struct Part {
        BoxType* type;
        std::uint32_t slot;
    };
    static constexpr std::size_t kMaxFields = 65'000;

    ScriptBox(std::string name, const BoxType& any, const BoxProto& p)
        : BoxType(std::move(name), &any, Kind::Script), proto(p), dead_type(this->name(), nullptr, Kind::Dead) {}

    const BoxProto& proto;
    BoxType dead_type;  // of instances after fini(): finds nothing, so everything takes the slow way to an error

    std::vector<BoxType*> parents;           // in the order written
    std::vector<ScriptBox*> script_parents;  // those written in Nyash
    std::vector<Part> parts;                 // built-in parents, inherited ones too
    std::vector<Slot> slots;
    std::vector<Initializer> initializers;  // parents' first
    Ref<Function> constructor;              // its own, or that of its only parent
    BoxType* native_constructor = nullptr;  // of its only parent that has one, when that is built in
    Ref<Function> own_constructor;          // for `from P.birth()`
    std::vector<Ref<Function>> functions;   // keeps the methods declared here
    std::vector<Ref<Function>> static_blocks;
    bool restricts_visibility = false;

    // Of a static box.
    Ref<Instance> singleton;

    bool is_static() const { return proto.is_static; }
    // The same box, or made from it at any distance.
    bool descends_from(const BoxType& other) const;
    bool is_a(std::string_view type_name) const override;

    static constexpr std::uint32_t kNoSlot = UINT32_MAX;
    std::uint32_t find_slot(Name name) const {
        const auto found = slot_of_.find(name);
        return found == slot_of_.end() ? kNoSlot : found->second;
    }
    std::uint32_t add_slot(Slot slot);
    const Part* find_part(const BoxType& type) const;
    // The part that answers a method or property of that name, and how.
    const Part* find_part_with_method(Name name, const NativeFunction*& found) const;
    const Part* find_part_with_property(Name name, const NativeFunction*& found) const;
    std::vector<std::string_view> field_names() const;
    std::vector<std::string_view> method_names() const override;

    // Drops code and singleton: they must not outlive the heap.
    void clear() noexcept;

private:
    std::unordered_map<Name, std::uint32_t> slot_of_;
};

// What a weak field holds: knows its target as long as that lives.
class WeakReference final : public Object {
public:
    WeakReference(const BoxType& type, Instance* t) : Object(type), target(t) {}
    Instance* target;
};

class Instance final : public Container {
public:
    // With all fields at their initial values.
    static Ref<Instance> create(Heap& heap, ScriptBox& box, std::uint64_t number);
    ~Instance() override;
    // The fields stand behind the object, so only the object knows how much memory it has.
    static void operator delete(Instance* instance, std::destroying_delete_t) noexcept;

    ScriptBox& box;
    const std::uint64_t number;  // as in <Account instance #1>

    bool is_dead() const noexcept { return &type() == &box.dead_type; }
    // Field by slot; Undefined when it does not exist.
    const Value& field(std::uint32_t slot) const noexcept { return slot < capacity_ ? fields_[slot] : kMissing; }
    void set_field(std::uint32_t slot, Value value);
    std::uint32_t capacity() const noexcept { return capacity_; }
    Value* fields() noexcept { return fields_; }

    // Every field value from outside the box, as native code and `.` on any other object do.
    Result get_field(Vm& vm, Name name) override;
    Done set_field(Vm& vm, Name name, const Value& value) override;
    Result get_index(Vm& vm, const Value& index) override;
    Done set_index(Vm& vm, const Value& index, const Value& value) override;
    Value callable_field(Name name) const override;
    void write(TextWriter& out) const override;
    void clear() noexcept override;

    // The built-in value it stands for in arithmetic: its String, Integer, Float or Bool part, or Undefined.
    Value plain_part() const;
    // Its part that is a T, or null.
    template <class T>
    T* part_as() const {
        for (const auto& part : box.parts) {
            if (auto* found = field(part.slot).template as<T>()) return found;
        }
        return nullptr;
    }

    // A new instance with the same field values.
    Ref<Instance> copy(Heap& heap, std::uint64_t copy_number) const;

    Ref<WeakReference> weak_reference(const BoxType& weak_type);
    // Marks it dead and drops its fields; weak references read null from now on.
    void die() noexcept;
    bool is_finalizing = false;

private:
    Instance(Heap& heap, ScriptBox& b, std::uint64_t n, std::uint32_t capacity) noexcept;
    static const Value kMissing;

    Value* fields_;  // behind this object, or a block of its own once they outgrew that
    std::uint32_t capacity_;
    const std::uint32_t born_with_;  // fields that stand behind this object
    Ref<WeakReference> weak_;
};

}  // namespace nyash
