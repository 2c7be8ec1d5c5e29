// Calls: of functions, methods and constructors. For what is written in Nyash a frame is pushed, and the
// loop goes on there; native functions are done when the call here returns.
#include <algorithm>

#include <nya/expected.h>

#include "nyash/runtime/native.h"
#include "nyash/runtime/runtime.h"
#include "nyash/runtime/vm.h"

namespace nyash {
namespace {

constexpr int kMaxBoundDepth = 100;  // methods of methods

}  // namespace

Done Vm::push_frame(const Function& function, Value* window, std::size_t arguments, Value* result) {
    const Proto& proto = function.proto;
    if (arguments != proto.parameters) [[unlikely]]
        return std::unexpected(wrong_count(proto, arguments));
    Value* base = window + 1;
    if (frames_.size() >= runtime_.limits().max_call_depth || base + proto.registers + 256 >= stack_end_) [[unlikely]] {
        return std::unexpected(stack_overflow());
    }
    function.retain();  // the window's callee register may be overwritten; the frame keeps its function
    frames_.push_back({&function, &proto, proto.code.data(), base, result, top_});
    top_ = base + proto.registers;
    return {};
}

Done Vm::call_value(Value* window, std::size_t arguments, const CallSite* site, Value* result) {
    const bool labelled = site && !site->labels.empty();
    if (const auto* function = window[0].as<Function>()) {
        if (labelled) return std::unexpected(labels_refused());
        return push_frame(*function, window, arguments, result);
    }
    if (const auto* native = window[0].as<NativeFunctionBox>()) {
        *result = NYA_TRY(call_native(native->function, Value::nothing(), {window + 1, arguments},
                                      labelled ? std::span<const Name>(site->labels) : std::span<const Name>{}));
        return {};
    }
    if (const auto* bound = window[0].as<BoundMethod>()) {
        // A MethodBox of a MethodBox of …
        if (bound_depth_ >= kMaxBoundDepth) return std::unexpected(stack_overflow());
        ++bound_depth_;
        struct Leave {
            int& depth;
            ~Leave() { --depth; }
        } const leave{bound_depth_};
        CallSite method;
        const Ref<String> name = bound->name;
        method.name = name.get();
        if (labelled) method.labels = site->labels;
        window[0] = Value(bound->receiver);
        return invoke_method(window, arguments, method, result);
    }
    return fail(error_kind::kType, type_name(window[0]) + " is not a function and cannot be called");
}

// ---- methods ----

Done Vm::invoke_method(Value* window, std::size_t arguments, const CallSite& site, Value* result) {
    const BoxType& type = runtime_.type_of(window[0]);
    if (type.kind() != BoxType::Kind::Native) return invoke_instance(window, arguments, site, result);
    const Method method = type.find_method(site.name);
    if (method.script) {  // of what stands for a box in Box.method()
        if (!site.labels.empty()) return std::unexpected(labels_refused());
        return push_frame(*method.script, window, arguments, result);
    }
    if (method.native && method.native->calls_self) return call_value(window, arguments, &site, result);
    if (method.native) {
        site.cached_type = &type;
        site.native = method.native;
        const Value self = window[0];
        *result = NYA_TRY(call_native(*method.native, self, {window + 1, arguments}, site.labels));
        return {};
    }
    if (window[0].is_object()) {
        if (Value field = window[0].as_object().callable_field(site.name); !field.is_undefined()) {
            if (!is_callable(field)) return std::unexpected(not_callable_field(site.name, field));
            window[0] = std::move(field);
            return call_value(window, arguments, &site, result);
        }
    }
    return std::unexpected(method_not_found(type, site.name));
}

// The order of LANGUAGE, section 6: the box and its parents, built-in parents, what every value has, and
// last a field that holds a function.
Done Vm::invoke_instance(Value* window, std::size_t arguments, const CallSite& site, Value* result) {
    const Ref<Instance> instance(&static_cast<Instance&>(window[0].as_object()));
    ScriptBox& box = instance->box;
    if (site.name == fini_name_) {
        if (arguments > 0) return std::unexpected(wrong_count("fini", "0 arguments", arguments));
        NYA_TRY(finalize(*instance));
        *result = Value::nothing();
        return {};
    }
    Method method;
    if (instance->is_dead()) {
        const std::string& name = site.name->text();
        if (name != "toString" && name != "type" && name != "getType" && name != "type_name")
            return std::unexpected(finalized(box));
    } else {
        method = box.find_own_method(site.name);
        if (method.script) {
            if (!site.labels.empty()) return std::unexpected(labels_refused());
            site.cached_type = &box;
            site.function = method.script;
            site.native = nullptr;
            return push_frame(*method.script, window, arguments, result);
        }
        const NativeFunction* native = nullptr;
        if (const auto* part = box.find_part_with_method(site.name, native))
            return invoke_part(*part, *native, native->code, window, arguments, site, result);
    }
    method = runtime_.types().any().find_own_method(site.name);
    if (method.native) {
        *result = NYA_TRY(call_native(*method.native, window[0], {window + 1, arguments}, site.labels));
        return {};
    }
    if (instance->callable_field(site.name).is_undefined()) return std::unexpected(method_not_found(box, site.name));
    Value field = NYA_TRY(get_instance_field(*instance, site.name, home()));
    if (!is_callable(field)) return std::unexpected(not_callable_field(site.name, field));
    window[0] = std::move(field);
    return call_value(window, arguments, &site, result);
}

Done Vm::invoke_part(const ScriptBox::Part& part, const NativeFunction& native, NativeCode code, Value* window,
                     std::size_t arguments, const CallSite& site, Value* result) {
    const Value self = window[0];
    Value held = NYA_TRY(ensure_part(static_cast<Instance&>(self.as_object()), part));
    if (native.calls_self) {
        window[0] = std::move(held);
        return call_value(window, arguments, &site, result);
    }
    Value made = NYA_TRY(call_native(native, code, held, {window + 1, arguments}, site.labels));
    // What returns itself for chaining means the instance.
    const bool is_itself = made.is_object() && held.is_object() && &made.as_object() == &held.as_object();
    *result = is_itself ? self : std::move(made);
    return {};
}

bool Vm::is_constructor_name(Name name, const BoxType& parent) const {
    return std::ranges::find(constructor_names_, name) != constructor_names_.end() || name->text() == parent.name();
}

Done Vm::invoke_parent(Value* window, std::size_t arguments, const CallSite& site, Value* result, bool* is_future) {
    const ScriptBox& box = *home();
    const auto written = std::ranges::find(box.proto.parents, site.parent, &NameAt::name);
    BoxType& parent = *box.parents[static_cast<std::size_t>(written - box.proto.parents.begin())];
    const Ref<Instance> instance(&static_cast<Instance&>(window[0].as_object()));
    if (instance->is_dead()) return std::unexpected(finalized(instance->box));
    const bool constructs = is_constructor_name(site.name, parent);

    // Constructors of built-in parents make the part.
    const auto make_part = [&](BoxType& type) -> Done {
        Value made = NYA_TRY(call_native(*type.constructor(), Value::nothing(), {window + 1, arguments}, site.labels));
        instance->set_field(instance->box.find_part(type)->slot, std::move(made));
        *result = Value::nothing();
        return {};
    };
    const auto forward = [&](BoxType& type, const NativeFunction& native) {
        const bool async = is_future && native.async_code;
        if (async) *is_future = true;
        return invoke_part(*instance->box.find_part(type), native, async ? native.async_code : native.code, window,
                           arguments, site, result);
    };

    if (!parent.is_script()) {
        if (constructs) return make_part(parent);
        Method method = parent.find_method(site.name);
        if (!method.native) return std::unexpected(method_not_found(parent, site.name));
        return forward(parent, *method.native);
    }
    auto& script = static_cast<ScriptBox&>(parent);
    if (constructs) {
        if (script.constructor) {
            if (!site.labels.empty()) return std::unexpected(labels_refused());
            *result = Value::nothing();
            return push_frame(*script.constructor, window, arguments, &discarded_);
        }
        if (script.native_constructor) return make_part(*script.native_constructor);
        if (arguments > 0) return std::unexpected(wrong_count("birth of " + parent.name(), "0 arguments", arguments));
        *result = Value::nothing();
        return {};
    }
    if (const Method method = script.find_own_method(site.name)) {
        if (!site.labels.empty()) return std::unexpected(labels_refused());
        return push_frame(*method.script, window, arguments, result);
    }
    const NativeFunction* native = nullptr;
    if (const auto* part = script.find_part_with_method(site.name, native)) return forward(*part->type, *native);
    return std::unexpected(method_not_found(parent, site.name));
}

Done Vm::invoke_async(Value* window, std::size_t arguments, const CallSite& site, Value* result, bool& is_future) {
    const BoxType& type = runtime_.type_of(window[0]);
    const NativeFunction* native = nullptr;
    if (type.is_script()) {
        auto& box = static_cast<Instance&>(window[0].as_object()).box;
        if (!box.find_own_method(site.name)) {
            const auto* part = box.find_part_with_method(site.name, native);
            if (part && native->async_code) {
                is_future = true;
                return invoke_part(*part, *native, native->async_code, window, arguments, site, result);
            }
        }
    } else if ((native = type.find_method(site.name).native); native && native->async_code) {
        is_future = true;
        const Value self = window[0];
        *result = NYA_TRY(call_native(*native, native->async_code, self, {window + 1, arguments}, site.labels));
        return {};
    }
    return invoke_method(window, arguments, site, result);
}

bool Vm::has_method(const Value& receiver, Name name) const {
    const BoxType& type = runtime_.type_of(receiver);
    const NativeFunction* native = nullptr;
    return type.find_method(name) ||
           (type.is_script() && static_cast<const ScriptBox&>(type).find_part_with_method(name, native));
}

// ---- constructors ----

Done Vm::construct(Value* window, std::size_t arguments, const CallSite& site, Value* result) {
    const std::uint32_t version = runtime_.types().version();
    BoxType* type = nullptr;
    if (site.cached_type && site.slot == version) {
        type = const_cast<BoxType*>(site.cached_type);
    } else {
        type = runtime_.types().find(site.name);
        if (type) NYA_TRY(check_type_arguments(*type, site));
        site.cached_type = type;
        site.slot = version;
    }
    if (type && type->is_script())
        return construct_instance(static_cast<ScriptBox&>(*type), window, arguments, site, result);
    if (!type || !type->constructor()) {
        const std::string& name = site.name->text();
        if (runtime_.find_interface(site.name))
            return fail(error_kind::kOperation, "'" + name + "' is an interface and cannot be instantiated");
        return fail(error_kind::kUndefined, "Undefined class '" + name + "'", runtime_.types().suggestion(site.name));
    }
    *result = NYA_TRY(call_native(*type->constructor(), Value::nothing(), {window + 1, arguments}, site.labels));
    return {};
}

// `new Pair<IntegerBox, StringBox>(…)`: as many as the head of the box names, and names that exist.
Done Vm::check_type_arguments(const BoxType& type, const CallSite& site) const {
    const std::size_t expected =
        type.is_script() ? static_cast<const ScriptBox&>(type).proto.type_parameters.size() : 0;
    if (site.type_arguments.size() != expected) {
        return fail(error_kind::kArguments, type.name() + " takes " + std::to_string(expected) + " type argument" +
                                                (expected == 1 ? "" : "s") + ", got " +
                                                std::to_string(site.type_arguments.size()));
    }
    for (const Name argument : site.type_arguments) {
        if (runtime_.types().find(argument) || runtime_.find_interface(argument)) continue;
        // Inside a generic box its own parameters are types.
        if (const ScriptBox* box = home(); box && std::ranges::count(box->proto.type_parameters, argument) > 0)
            continue;
        return fail(error_kind::kUndefined, "Undefined class '" + argument->text() + "'",
                    runtime_.types().suggestion(argument));
    }
    return {};
}

Done Vm::construct_instance(ScriptBox& box, Value* window, std::size_t arguments, const CallSite& site, Value* result) {
    if (box.is_static()) {
        return fail(error_kind::kOperation, "'" + box.name() + "' is a static box and cannot be instantiated",
                    "there is one, and it is called " + box.name());
    }
    const bool goes_to_native = !box.constructor && box.native_constructor;
    if (!site.labels.empty() && !goes_to_native) return std::unexpected(labels_refused());
    const auto instance = runtime_.instance(box);
    if (!box.initializers.empty()) NYA_TRY(run_initializers(*instance));
    if (box.constructor) {
        window[0] = Value(instance);
        return push_frame(*box.constructor, window, arguments, result);
    }
    if (goes_to_native) {
        Value part = NYA_TRY(call_native(*box.native_constructor->constructor(), Value::nothing(),
                                         {window + 1, arguments}, site.labels));
        instance->set_field(box.find_part(*box.native_constructor)->slot, std::move(part));
    } else if (arguments > 0) {
        ScriptError error(error_kind::kArguments,
                          "new " + box.name() + " expects 0 arguments, got " + std::to_string(arguments),
                          "the box has no constructor: add  birth(…) { … }");
        return std::unexpected(std::move(error));
    }
    *result = Value(instance);
    return {};
}

Done Vm::run_initializers(Instance& instance) {
    const Value self(static_cast<Object*>(&instance));
    for (std::size_t i = 0; i < instance.box.initializers.size(); ++i) {
        const Ref<Function> code = instance.box.initializers[i].code;
        Value value = NYA_TRY(run_method(*code, self));
        NYA_TRY(set_instance_field(instance, instance.box.slots[instance.box.initializers[i].slot].name, value,
                                   &instance.box));
    }
    return {};
}

Result Vm::static_instance(ScriptBox& box) {
    if (box.singleton) return Value(box.singleton);
    if (std::ranges::find(initializing_, &box) != initializing_.end()) {
        return fail(error_kind::kOperation, "Circular initialisation of static box '" + box.name() + "'",
                    initializing_.back() == &box ? "inside it, write me instead of " + box.name()
                                                 : "'" + initializing_.back()->name() + "' needs it, and it needs '" +
                                                       initializing_.back()->name() + "'");
    }
    initializing_.push_back(&box);
    const auto instance = runtime_.instance(box);
    const Value self(instance);
    Done done = run_initializers(*instance);
    for (std::size_t i = 0; done && i < box.static_blocks.size(); ++i) {
        const Ref<Function> code = box.static_blocks[i];
        if (auto result = run_method(*code, self); !result) done = std::unexpected(std::move(result.error()));
    }
    if (done && box.constructor) {
        const Ref<Function> code = box.constructor;
        if (auto result = run_method(*code, self); !result) done = std::unexpected(std::move(result.error()));
    }
    initializing_.pop_back();
    if (!done) return std::unexpected(std::move(done.error()));
    box.singleton = instance;
    auto& slot = runtime_.globals()[runtime_.globals().index(box.proto.name.name)];
    if (slot.static_box == &box) slot.declared = self;
    return self;
}

// ---- fini ----

// What it owns may own more, and so on for a million links: a list of those under way instead of recursion.
Done Vm::finalize(Instance& first) {
    struct UnderWay {
        Ref<Instance> instance;
        std::uint32_t next_field = 0;
    };
    std::vector<UnderWay> under_way;
    Done done;
    // What goes wrong first is reported; the rest is finalized all the same.
    const auto attempt = [&](auto&& next) {
        if (done && !next) done = std::unexpected(std::move(next.error()));
    };
    const auto begin = [&](Instance& instance) {
        if (instance.is_dead() || instance.is_finalizing) return;
        instance.is_finalizing = true;
        under_way.push_back({Ref<Instance>(&instance)});
        if (const Method fini = instance.box.find_own_method(fini_name_)) {
            const Ref<Function> code(fini.script);
            attempt(run_method(*code, Value(static_cast<Object*>(&instance))));
        }
    };
    const auto end = [&](Instance& instance) {
        for (const auto& part : instance.box.parts) {
            const Value held = instance.field(part.slot);
            const Method fini = part.type->find_own_method(fini_name_);
            if (!held.is_undefined() && fini.native) attempt(call_native(*fini.native, held, {}, {}));
        }
        instance.die();
    };
    begin(first);
    while (!under_way.empty()) {
        const Ref<Instance> instance = under_way.back().instance;
        const std::uint32_t field = under_way.back().next_field++;
        if (field >= instance->capacity()) {
            end(*instance);
            under_way.pop_back();
            continue;
        }
        if (instance->box.slots[field].is_weak) continue;
        auto* owned = instance->field(field).as<Instance>();
        if (owned && owned->use_count() == 1) begin(*owned);
    }
    return done;
}

// ---- native functions ----

Result Vm::call_native(const NativeFunction& function, NativeCode code, const Value& self, std::span<Value> arguments,
                       std::span<const Name> labels) {
    if (labels.empty()) {
        const std::size_t count = arguments.size();
        if (count < function.least || (count > function.most && !function.takes_any_number)) [[unlikely]] {
            return std::unexpected(wrong_count(function, count));
        }
        NativeCall call(*this, function, self, arguments);
        return code(call);
    }
    // Named arguments go to their places; the others fill what is free, from the left.
    std::vector<Value> placed(function.parameters.size());
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::size_t place = 0;
        if (labels[i]) {
            while (place < placed.size() && function.parameters[place] != labels[i]) ++place;
            if (place == placed.size()) {
                std::vector<std::string_view> known;
                for (const Name parameter : function.parameters) known.push_back(parameter->text());
                return fail(error_kind::kArguments,
                            function.name + " has no argument named '" + labels[i]->text() + "'",
                            did_you_mean(labels[i]->text(), known));
            }
            if (!placed[place].is_undefined()) {
                return fail(error_kind::kArguments, "The argument '" + labels[i]->text() + "' is given twice");
            }
        } else {
            while (place < placed.size() && !placed[place].is_undefined()) ++place;
            if (place == placed.size()) {
                return std::unexpected(wrong_count(function, arguments.size()));
            }
        }
        placed[place] = arguments[i];
    }
    for (std::size_t i = 0; i < function.least; ++i) {
        if (placed[i].is_undefined()) {
            return fail(error_kind::kArguments,
                        function.name + " needs the argument '" + function.parameters[i]->text() + "'");
        }
    }
    NativeCall call(*this, function, self, placed);
    return code(call);
}

}  // namespace nyash
