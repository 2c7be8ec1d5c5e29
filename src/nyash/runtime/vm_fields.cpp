// Fields and elements, as `.` and `[ ]` read and write them: of instances, and of everything else.
#include <nya/expected.h>

#include "nyash/runtime/runtime.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/runtime/vm.h"

namespace nyash {
namespace {

// Private fields are for the box's own code, and for that of its parents and children.
bool may_access(const ScriptBox& box, const ScriptBox::Slot& slot, const ScriptBox* home) {
    return slot.is_public || (home && (home->descends_from(box) || box.descends_from(*home)));
}

ScriptError private_field(const ScriptBox& box, Name name) {
    return {error_kind::kPrivate, "Field '" + name->text() + "' is private in " + box.name(),
            "only what is listed in public { } can be used from outside"};
}

}  // namespace

Result Vm::get_field(const Value& object, Name name) {
    const Value held = object;
    if (held.is_object()) return held.as_object().get_field(*this, name);
    return get_property(held, name);
}

Result Vm::get_field(const Value& object, const CallSite& site, const ScriptBox* home) {
    const Value held = object;
    if (!held.is_object()) return get_property(held, site.name);
    Object& target = held.as_object();
    if (target.type().is_script()) return get_instance_field(static_cast<Instance&>(target), site.name, home, &site);
    return target.get_field(*this, site.name);
}

Done Vm::set_field(const Value& object, const CallSite& site, const Value& value, const ScriptBox* home) {
    const Value held = object;
    if (!held.is_object()) return std::unexpected(field_not_found(runtime_.type_of(held), site.name));
    Object& target = held.as_object();
    if (target.type().is_script())
        return set_instance_field(static_cast<Instance&>(target), site.name, value, home, &site);
    return target.set_field(*this, site.name, value);
}

Result Vm::get_property(const Value& object, Name name) {
    const BoxType& type = runtime_.type_of(object);
    if (const auto* getter = type.find_property(name)) return call_native(*getter, object, {}, {});
    return std::unexpected(field_not_found(type, name));
}

Result Vm::get_index(const Value& object, const Value& index) {
    const Value held = object;
    if (held.is_object()) return held.as_object().get_index(*this, index);
    return fail(error_kind::kType, type_name(held) + " has no elements to index");
}

// ---- instances ----

Result Vm::get_instance_field(Instance& instance, Name name, const ScriptBox* home, const CallSite* site) {
    ScriptBox& box = instance.box;
    const std::uint32_t index = box.find_slot(name);
    if (index != ScriptBox::kNoSlot) {
        const auto& slot = box.slots[index];
        const Value& value = instance.field(index);
        if (!value.is_undefined()) {
            if (!may_access(box, slot, home)) return std::unexpected(private_field(box, name));
            if (slot.is_weak) {
                const auto* weak = value.as<WeakReference>();
                if (!weak) return value;
                return weak->target ? Value(static_cast<Object*>(weak->target)) : Value::null();
            }
            if (site) {
                site->cached_type = &box;
                site->slot = index;
            }
            return value;
        }
    }
    const NativeFunction* getter = nullptr;
    if (const auto* part = box.find_part_with_property(name, getter)) {
        const Value held = NYA_TRY(ensure_part(instance, *part));
        return call_native(*getter, held, {}, {});
    }
    return std::unexpected(field_not_found(box, name));
}

Done Vm::set_instance_field(Instance& instance, Name name, const Value& value, const ScriptBox* home,
                            const CallSite* site) {
    ScriptBox& box = instance.box;
    std::uint32_t index = box.find_slot(name);
    if (index == ScriptBox::kNoSlot) {
        const NativeFunction* getter = nullptr;
        if (const auto* part = box.find_part_with_property(name, getter)) {
            const Value held = NYA_TRY(ensure_part(instance, *part));
            if (held.is_object()) return held.as_object().set_field(*this, name, value);
        }
        // A field that nobody declared comes into being; objects made from now on have room for it.
        const ScriptBox::Slot made{name, false, !box.restricts_visibility, Value()};
        if (!may_access(box, made, home)) return std::unexpected(private_field(box, name));
        if (box.slots.size() >= ScriptBox::kMaxFields) {
            return fail(error_kind::kLimit, box.name() + " has too many fields (more than 65000)", "use a map");
        }
        index = box.add_slot(made);
    }
    const auto& slot = box.slots[index];
    if (!may_access(box, slot, home)) return std::unexpected(private_field(box, name));
    if (slot.is_weak) {
        if (auto* target = value.as<Instance>(); target && !target->is_dead()) {
            instance.set_field(index, Value(target->weak_reference(runtime_.core().weak_type)));
            return {};
        }
    } else if (site) {
        site->cached_type = &box;
        site->slot = index;
    }
    instance.set_field(index, value);
    return {};
}

Result Vm::ensure_part(Instance& instance, const ScriptBox::Part& part) {
    if (const Value& made = instance.field(part.slot); !made.is_undefined()) return made;
    const auto* constructor = part.type->constructor();
    if (constructor->least > 0) {
        const std::string& parent = part.type->name();
        return fail(error_kind::kOperation, "The " + parent + " in " + instance.box.name() + " was not made yet",
                    "call  from " + parent + ".birth(…)  in birth");
    }
    const Ref<Instance> held(&instance);
    Value made = NYA_TRY(call_native(*constructor, Value::nothing(), {}, {}));
    instance.set_field(part.slot, made);
    return made;
}

Result Instance::get_field(Vm& vm, Name name) {
    if (is_dead()) return std::unexpected(vm.finalized(box));
    return vm.get_instance_field(*this, name, nullptr);
}

Done Instance::set_field(Vm& vm, Name name, const Value& value) {
    if (is_dead()) return std::unexpected(vm.finalized(box));
    return vm.set_instance_field(*this, name, value, nullptr);
}

Result Instance::get_index(Vm& vm, const Value& index) {
    if (is_dead()) return std::unexpected(vm.finalized(box));
    if (box.parts.empty()) return Object::get_index(vm, index);
    return vm.get_index(NYA_TRY(vm.ensure_part(*this, box.parts.front())), index);
}

Done Instance::set_index(Vm& vm, const Value& index, const Value& value) {
    if (is_dead()) return std::unexpected(vm.finalized(box));
    if (box.parts.empty()) return Object::set_index(vm, index, value);
    const Value part = NYA_TRY(vm.ensure_part(*this, box.parts.front()));
    if (!part.is_object()) return fail(error_kind::kType, "Cannot assign to an element of " + vm.type_name(part));
    return part.as_object().set_index(vm, index, value);
}

// A toString() written in the box counts; without one the number tells instances apart.
void Instance::write(TextWriter& out) const {
    Vm& vm = out.vm();
    const Name to_string = vm.runtime().names().intern("toString");
    if (!is_dead()) {
        if (const Method method = box.find_own_method(to_string)) {
            if (out.is_stopped()) return;
            auto text = vm.invoke(Value(const_cast<Instance*>(this)), to_string, {});
            if (!text) return out.stop(std::move(text.error()));
            const TextWriter::Inside inside(out, *this);
            if (!inside.entered()) return out.text("[...]");
            return out.value(*text);
        }
    }
    out.text("<" + box.name() + " instance #" + std::to_string(number) + ">");
}

// ---- objects without fields of their own ----

bool Object::is_true() const noexcept {
    return true;
}

Result Object::get_field(Vm& vm, Name name) {
    return vm.get_property(Value(this), name);
}

Done Object::set_field(Vm& vm, Name name, const Value&) {
    if (type().find_property(name)) {
        return fail(error_kind::kOperation, "Field '" + name->text() + "' of " + type().name() + " cannot be changed");
    }
    return std::unexpected(vm.field_not_found(type(), name));
}

Result Object::get_index(Vm&, const Value&) {
    return fail(error_kind::kType, type().name() + " has no elements to index");
}

Done Object::set_index(Vm&, const Value&, const Value&) {
    return fail(error_kind::kType, "Cannot assign to an element of " + type().name());
}

Value Object::callable_field(Name) const {
    return {};
}

}  // namespace nyash
