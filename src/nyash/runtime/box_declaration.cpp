#include "nyash/runtime/box_declaration.h"

#include <algorithm>
#include <set>

#include "nyash/runtime/runtime.h"
#include "nyash/runtime/script_box.h"

namespace nyash {
namespace {

struct DeclarationError {
    Diagnostic diagnostic;
};

[[noreturn]] void fail(Span span, std::string message, std::string help = {}) {
    throw DeclarationError{{std::move(message), span, std::move(help), {}}};
}

std::string quoted(Name name) {
    return "'" + name->text() + "'";
}

class Declaration {
public:
    Declaration(Runtime& runtime, const BoxProto& proto)
        : runtime_(runtime),
          proto_(proto),
          made_(std::make_unique<ScriptBox>(proto.name.name->text(), runtime.types().any(), proto)),
          box_(*made_) {}

    std::unique_ptr<ScriptBox> run() {
        box_.restricts_visibility = proto_.restricts_visibility;
        name();
        parents();
        inherit_fields();
        inherit_methods();
        own_methods();
        own_fields();
        constructor();
        static_parts();
        for (const NameAt& interface : proto_.interfaces) check_interface(interface);
        return std::move(made_);
    }

private:
    Ref<Function> function(const Proto& code) {
        return make<Function>(runtime_.heap(), runtime_.core().function_type, code, &box_);
    }

    void name() {
        const BoxType* known = runtime_.types().find(proto_.name.name);
        if (known && !known->is_script()) {
            fail(proto_.name.span, quoted(proto_.name.name) + " is a built-in box", "choose another name");
        }
    }

    // ---- parents ----

    void parents() {
        std::set<Name> seen;
        for (const NameAt& parent : proto_.parents) {
            if (parent.name == proto_.name.name) fail(parent.span, "A box cannot be its own parent");
            if (!seen.insert(parent.name).second)
                fail(parent.span, "The parent " + quoted(parent.name) + " is named twice");
            BoxType* type = runtime_.types().find(parent.name);
            if (!type) {
                const bool is_interface = runtime_.find_interface(parent.name) != nullptr;
                fail(parent.span, "Undefined box " + quoted(parent.name),
                     is_interface
                         ? "it is an interface: write  box " + box_.name() + " interface " + parent.name->text()
                         : runtime_.types().suggestion(parent.name));
            }
            box_.parents.push_back(type);
            if (type->is_script()) {
                auto* script = static_cast<ScriptBox*>(type);
                if (script->is_static())
                    fail(parent.span, quoted(parent.name) + " is a static box and cannot be a parent");
                box_.script_parents.push_back(script);
            } else if (!type->constructor()) {
                fail(parent.span, "Nothing can be made from " + quoted(parent.name));
            }
        }
    }

    void inherit_fields() {
        for (const ScriptBox* parent : box_.script_parents) {
            for (const ScriptBox::Slot& slot : parent->slots) {
                // A field that was never declared is not inherited: it belongs to the instances that have it.
                if (slot.name && !slot.initial.is_undefined() && box_.find_slot(slot.name) == ScriptBox::kNoSlot)
                    box_.add_slot(slot);
            }
            for (const auto& initializer : parent->initializers) {
                // Reached twice through a diamond, it still is one field, initialised once.
                const auto same = [&](const auto& known) { return known.code.get() == initializer.code.get(); };
                if (std::ranges::any_of(box_.initializers, same)) continue;
                const Name field = parent->slots[initializer.slot].name;
                box_.initializers.push_back({box_.find_slot(field), initializer.code});
            }
            for (const auto& part : parent->parts) add_part(*part.type);
        }
        for (BoxType* parent : box_.parents) {
            if (!parent->is_script()) add_part(*parent);
        }
    }

    void add_part(BoxType& type) {
        if (box_.find_part(type)) return;
        box_.parts.push_back({&type, box_.add_slot({nullptr, false, false, Value()})});
    }

    // ---- methods ----

    const BoxProto::Method* own_method(Name name) const {
        const auto found = std::ranges::find(proto_.methods, name, &BoxProto::Method::name);
        return found == proto_.methods.end() ? nullptr : &*found;
    }

    void inherit_methods() {
        std::unordered_map<Name, const ScriptBox*> from;
        for (const ScriptBox* parent : box_.script_parents) {
            for (const auto& [name, method] : parent->own_methods()) {
                const Method known = box_.find_own_method(name);
                if (!known) {
                    box_.define(name, *method.script);
                    from.emplace(name, parent);
                } else if (known.script != method.script && !own_method(name) && name->text() != "fini") {
                    fail(proto_.name.span,
                         "The parents '" + from[name]->name() + "' and '" + parent->name() +
                             "' bring different methods " + quoted(name),
                         "say which one is meant:  override " + name->text() + "(…) { … }");
                }
            }
        }
    }

    void own_methods() {
        std::set<Name> seen;
        for (const auto& method : proto_.methods) {
            if (!seen.insert(method.name).second) {
                fail(method.span, "The method " + quoted(method.name) + " is declared twice",
                     "the names of methods do not "
                     "tell apart how many arguments they take");
            }
            const Method inherited = box_.find_own_method(method.name);
            const bool is_fini = method.name->text() == "fini";
            if (inherited && !method.is_override && !is_fini) {
                fail(method.span,
                     "The method " + quoted(method.name) + " exists in a parent and must be marked 'override'",
                     "write  override " + method.name->text() + "(…)");
            }
            if (!inherited && method.is_override && box_.parts.empty() && !is_fini) {
                std::vector<std::string_view> known;
                for (const auto& [name, entry] : box_.own_methods()) known.push_back(name->text());
                fail(method.span, "'override' on " + quoted(method.name) + ", but no parent has such a method",
                     did_you_mean(method.name->text(), known));
            }
            box_.functions.push_back(function(*method.code));
            box_.define(method.name, *box_.functions.back());
        }
    }

    // ---- fields ----

    void own_fields() {
        for (const auto& field : proto_.fields) {
            std::uint32_t slot = box_.find_slot(field.name);
            if (slot == ScriptBox::kNoSlot) {
                if (box_.slots.size() >= ScriptBox::kMaxFields) fail(field.span, "The box has too many fields");
                slot = box_.add_slot({field.name, field.is_weak, !proto_.restricts_visibility, Value::null()});
            }
            // A field may be named in init{} and again in public{}.
            if (field.is_weak) box_.slots[slot].is_weak = true;
            if (field.is_public) box_.slots[slot].is_public = true;
            if (!field.initializer) continue;
            if (!set_constant(slot, *field.initializer))
                box_.initializers.push_back({slot, function(*field.initializer)});
        }
    }

    // `count = 0` needs no code to run.
    bool set_constant(std::uint32_t slot, const Proto& code) {
        const Instruction& first = code.code.front();
        if (first.op != Op::Return || !(first.a & kConstantBit) || box_.slots[slot].is_weak) return false;
        std::erase_if(box_.initializers, [&](const auto& earlier) { return earlier.slot == slot; });
        box_.slots[slot].initial = code.constants[first.a & ~kConstantBit];
        return true;
    }

    // ---- constructors ----

    static bool has_constructor(const BoxType& type) {
        if (!type.is_script()) return type.constructor() != nullptr;
        const auto& box = static_cast<const ScriptBox&>(type);
        return box.constructor || box.native_constructor;
    }

    void constructor() {
        if (proto_.constructors.size() > 1) {
            fail(proto_.constructors[1].span, "The box '" + box_.name() + "' has more than one constructor",
                 "one box, one constructor: keep birth");
        }
        if (!proto_.constructors.empty()) {
            box_.own_constructor = box_.constructor = function(*proto_.constructors.front().code);
            return;
        }
        BoxType* only = nullptr;
        for (BoxType* parent : box_.parents) {
            if (!has_constructor(*parent)) continue;
            if (only) return;  // several: none of them runs by itself
            only = parent;
        }
        if (!only) return;
        if (!only->is_script()) {
            box_.native_constructor = only;
        } else {
            const auto& parent = static_cast<const ScriptBox&>(*only);
            box_.constructor = parent.constructor;
            box_.native_constructor = parent.native_constructor;
        }
    }

    void static_parts() {
        for (const auto& code : proto_.static_blocks) box_.static_blocks.push_back(function(*code));
        if (box_.is_static() && box_.constructor && box_.constructor->proto.parameters != 0) {
            const Span span = proto_.constructors.empty() ? proto_.name.span : proto_.constructors.front().span;
            fail(span, "The constructor of a static box takes no arguments", "nobody is there to give them");
        }
    }

    // ---- interfaces ----

    void check_interface(const NameAt& wanted) {
        const InterfaceProto* interface = runtime_.find_interface(wanted.name);
        if (!interface) {
            const bool is_box = runtime_.types().find(wanted.name) != nullptr;
            fail(wanted.span, "Undefined interface " + quoted(wanted.name),
                 is_box ? "it is a box: write  box " + box_.name() + " from " + wanted.name->text()
                        : did_you_mean(wanted.name->text(), runtime_.interface_names()));
        }
        for (const auto& method : interface->methods) {
            const Method found = box_.find_own_method(method.name);
            const NativeFunction* native = nullptr;
            if (!found && box_.find_part_with_method(method.name, native)) continue;
            if (!found) {
                fail(wanted.span, "The box '" + box_.name() + "' lacks the method " + quoted(method.name) +
                                      " of interface " + quoted(wanted.name));
            }
            if (found.script->proto.parameters != method.parameters) {
                fail(wanted.span, "The method " + quoted(method.name) + " of interface " + quoted(wanted.name) +
                                      " takes " + std::to_string(method.parameters) + " arguments, that of '" +
                                      box_.name() + "' " + std::to_string(found.script->proto.parameters));
            }
        }
    }

    Runtime& runtime_;
    const BoxProto& proto_;
    std::unique_ptr<ScriptBox> made_;
    ScriptBox& box_;
};

void declare_static_methods(Runtime& runtime, const BoxProto& proto, ScriptBox& box) {
    for (const auto& method : proto.static_methods) {
        runtime.declare_static(proto.name.name, method.name, *method.code, &box);
    }
}

bool has_same_parents(Runtime& runtime, const ScriptBox& box) {
    for (std::size_t i = 0; i < box.parents.size(); ++i) {
        if (runtime.types().find(box.proto.parents[i].name) != box.parents[i]) return false;
    }
    return true;
}

}  // namespace

std::expected<ScriptBox*, Diagnostic> declare_box(Runtime& runtime, const BoxProto& proto) {
    // The same code again (a loop, a top-level box when its statement comes) means the same box.
    if (proto.declared && has_same_parents(runtime, *proto.declared)) {
        if (runtime.types().find(proto.name.name) != proto.declared) runtime.make_known(*proto.declared);
        return proto.declared;
    }
    try {
        ScriptBox& box = runtime.keep(Declaration(runtime, proto).run());
        proto.declared = &box;
        declare_static_methods(runtime, proto, box);
        return &box;
    } catch (DeclarationError& error) {
        return std::unexpected(std::move(error.diagnostic));
    }
}

std::expected<void, Diagnostic> declare_interface(Runtime& runtime, const InterfaceProto& proto) {
    if (const BoxType* known = runtime.types().find(proto.name.name)) {
        return std::unexpected(Diagnostic{
            "'" + known->name() + "' is a box already", proto.name.span, "choose another name for the interface", {}});
    }
    runtime.add_interface(proto);
    return {};
}

}  // namespace nyash
