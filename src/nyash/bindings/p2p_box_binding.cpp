// P2PBox in a script: a node whose handlers are Nyash functions.
//
// The node is bound to the script's event loop, so handlers run on the script's thread whoever sends.
// A send from this script finds itself on that thread already, and is an ordinary nested call: from the
// VM through the bus back into the VM.
//
// Who owns what: the script object owns the node and the handlers' function values; what the bus keeps
// is a pointer to a slot that is emptied, on the script's thread, by off, close and the end of the script.
// So values never travel to another thread, and a handler that uses its own node (a cycle) goes away.
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <nyamesh/p2p_box.h>

#include "nyash/bindings/bindings.h"
#include "nyash/bindings/intent_box_binding.h"
#include "nyash/bindings/send_errors.h"
#include "nyash/boxes/result_box.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

class P2PBoxHandle;

// One registration: what the bus's handler and the script's node share.
struct HandlerSlot {
    P2PBoxHandle* node = nullptr;  // null once the node is closed
    std::string intent_name;
    Value function;  // Undefined once unregistered
    bool is_once = false;
};

class P2PBoxHandle final : public Container {
public:
    P2PBoxHandle(Runtime& runtime, const BoxType& type, nyamesh::P2PBox node)
        : Container(runtime.heap(), type),
          runtime_(runtime),
          id_(node.node_id()),
          kind_(node.transport_kind()),
          node_(std::move(node)) {}
    ~P2PBoxHandle() override { close(); }

    const std::string& id() const { return id_; }
    nyamesh::TransportKind kind() const { return kind_; }
    nyamesh::P2PBox& node() { return node_; }

    std::expected<void, nyamesh::SendError> on(const std::string& intent_name, Value function, bool once);
    std::expected<std::size_t, nyamesh::SendError> off(const std::string& intent_name);
    void close() noexcept;

    void write(TextWriter& out) const override {
        out.text("P2PBox[" + id_ + ":" + std::string(to_string(kind_)) + "]");
    }
    void clear() noexcept override { close(); }

    std::string last_from;
    std::string last_intent_name;
    bool has_received = false;

private:
    static void arrive(HandlerSlot& slot, const nyamesh::IntentBox& intent, std::string_view from);
    void forget(const HandlerSlot& slot);

    Runtime& runtime_;
    std::string id_;
    nyamesh::TransportKind kind_;
    nyamesh::P2PBox node_;
    std::vector<std::shared_ptr<HandlerSlot>> slots_;
};

std::expected<void, nyamesh::SendError> P2PBoxHandle::on(const std::string& intent_name, Value function, bool once) {
    auto slot = std::make_shared<HandlerSlot>(this, intent_name, std::move(function), once);
    const auto handler = [slot](const nyamesh::IntentBox& intent, std::string_view from) {
        arrive(*slot, intent, from);
    };
    auto registered = once ? node_.on_once(intent_name, handler) : node_.on(intent_name, handler);
    if (!registered) return std::unexpected(registered.error());
    slots_.push_back(std::move(slot));
    return {};
}

// On the script's thread: the node is bound to its event loop.
void P2PBoxHandle::arrive(HandlerSlot& slot, const nyamesh::IntentBox& intent, std::string_view from) {
    if (!slot.node) return;
    // A script that is being ended has said so; what still waits in its queues is not run.
    if (auto done = slot.node->runtime_.vm().check_limits(); !done)
        throw nyamesh::ReportedFailure(done.error()->message);
    // The handler may close its node, drop the last reference to it or unregister itself.
    const Ref<P2PBoxHandle> self(slot.node);
    const Value function = slot.is_once ? std::move(slot.function) : slot.function;
    if (function.is_undefined()) return;  // unregistered while the message was on its way
    if (slot.is_once) self->forget(slot);
    Runtime& runtime = self->runtime_;
    self->last_from = from;
    self->last_intent_name = intent.name();
    self->has_received = true;

    const Value arguments[] = {Value(make_intent_box(runtime, intent)), Value(runtime.string(std::string(from)))};
    auto result = runtime.vm().call(function, arguments, true);
    if (result) return;
    runtime.report(result.error(), "in the handler of node '" + self->id_ + "' for '" + slot.intent_name + "'");
    throw nyamesh::ReportedFailure(result.error()->message);
}

void P2PBoxHandle::forget(const HandlerSlot& slot) {
    std::erase_if(slots_, [&](const auto& kept) { return kept.get() == &slot; });
}

std::expected<std::size_t, nyamesh::SendError> P2PBoxHandle::off(const std::string& intent_name) {
    auto removed = node_.off(intent_name);
    std::vector<Value> functions;  // freed last: that may run code
    for (auto& slot : slots_) {
        if (slot->intent_name == intent_name) functions.push_back(std::move(slot->function));
    }
    std::erase_if(slots_, [&](const auto& slot) { return slot->intent_name == intent_name; });
    return removed;
}

void P2PBoxHandle::close() noexcept {
    node_.close();
    const auto slots = std::move(slots_);
    slots_.clear();
    std::vector<Value> functions;
    for (const auto& slot : slots) {
        slot->node = nullptr;
        functions.push_back(std::move(slot->function));
    }
}

// ---- what scripts call ----

P2PBoxHandle& self(NativeCall& call) {
    return call.object<P2PBoxHandle>();
}

Result make_node(NativeCall& call) {
    const String& id = *NYA_TRY(call.string(0));
    auto kind = nyamesh::TransportKind::InProcess;
    if (call.has(1)) {
        auto parsed = nyamesh::parse_transport_kind(NYA_TRY(call.string(1))->text());
        if (!parsed) return std::unexpected(script_error_from(parsed.error()));
        kind = *parsed;
    }
    if (call.has(2) && !call[2].as<Map>()) return std::unexpected(call.wrong_type(2, "a Map"));
    nyamesh::P2PBoxOptions options;
    options.executor = call.runtime.loop();
    auto node = nyamesh::P2PBox::open(id.text(), kind, std::move(options));
    if (!node) return std::unexpected(script_error_from(node.error()));
    return Value(make<P2PBoxHandle>(call.runtime, call.runtime.types().named("P2PBox"), std::move(*node)));
}

// A function, or the name of a global one.
Result handler_from(NativeCall& call, std::size_t i) {
    if (!call[i].is_string()) return call.callable(i);
    const String& name = call[i].as_string();
    const Value found = call.runtime.globals().find(call.runtime.names().intern(name.text()));
    if (Vm::is_callable(found)) return found;
    return fail(error_kind::kUndefined, "Undefined function '" + name.text() + "'",
                did_you_mean(name.text(), call.runtime.globals().defined_names()));
}

Result register_handler(NativeCall& call, bool once) {
    const String& name = *NYA_TRY(call.string(0));
    Value function = NYA_TRY(handler_from(call, 1));
    if (auto done = self(call).on(name.text(), std::move(function), once); !done)
        return err_from(call.runtime, done.error());
    return make_ok(call.runtime, Value::boolean(true));
}

Result on(NativeCall& call) {
    return register_handler(call, false);
}

Result on_once(NativeCall& call) {
    return register_handler(call, true);
}

Result off(NativeCall& call) {
    auto removed = self(call).off(NYA_TRY(call.string(0))->text());
    if (!removed) return err_from(call.runtime, removed.error());
    return make_ok(call.runtime, Value::boolean(*removed > 0));
}

// { wait: "accepted"|"delivered"|"handled", timeout: ms }
std::expected<nyamesh::SendOpts, ScriptError> send_options(NativeCall& call, std::size_t i) {
    nyamesh::SendOpts options;
    if (!call.has(i)) return options;
    const auto* map = call[i].as<Map>();
    if (!map) return std::unexpected(call.wrong_type(i, "a Map"));
    std::optional<ScriptError> wrong;
    map->for_each([&](const String& key, const Value& value) {
        const std::string text = value.is_string() ? value.as_string().text() : "";
        if (key.text() == "wait" && text == "accepted") {
            options.wait = nyamesh::Wait::Accepted;
        } else if (key.text() == "wait" && text == "delivered") {
            options.wait = nyamesh::Wait::Delivered;
        } else if (key.text() == "wait" && text == "handled") {
            options.wait = nyamesh::Wait::Handled;
        } else if (key.text() == "timeout" && value.is_integer() && value.as_integer() >= 0 &&
                   value.as_integer() <= 86'400'000) {
            options.timeout = std::chrono::milliseconds(value.as_integer());
        } else {
            wrong.emplace(
                error_kind::kArguments, "send does not know the option '" + key.text() + "' with this value",
                "options are wait: \"accepted\", \"delivered\" or \"handled\", and timeout: milliseconds up to a day");
        }
    });
    if (wrong) return std::unexpected(std::move(*wrong));
    return options;
}

Result send(NativeCall& call) {
    const String& to = *NYA_TRY(call.string(0));
    const auto options = NYA_TRY(send_options(call, 2));
    const Ref<P2PBoxHandle> node(&self(call));  // a handler may drop the last reference to it
    std::expected<void, nyamesh::SendError> sent;
    if (call[1].is_string()) {
        sent = node->node().send(to.text(), std::string_view(call[1].as_string().text()), options);
    } else if (const auto* intent = call[1].as<IntentBoxHandle>()) {
        const nyamesh::IntentBox message = intent->intent();  // the handle may change meanwhile
        sent = node->node().send(to.text(), message, options);
    } else {
        return std::unexpected(call.wrong_type(1, "an IntentBox or a String"));
    }
    NYA_TRY(call.vm.check_limits());  // what ends a handler for good ends its sender, too
    if (!sent) return err_from(call.runtime, sent.error());
    return make_ok(call.runtime, Value::boolean(true));
}

Result node_id(NativeCall& call) {
    return call.text(self(call).id());
}

Result transport_type(NativeCall& call) {
    return call.text(std::string(to_string(self(call).kind())));
}

Result is_reachable(NativeCall& call) {
    return Value::boolean(self(call).node().is_reachable(NYA_TRY(call.string(0))->text()));
}

// null before the first message.
Result last_from(NativeCall& call) {
    return self(call).has_received ? call.text(self(call).last_from) : Result(Value::null());
}

Result last_intent_name(NativeCall& call) {
    return self(call).has_received ? call.text(self(call).last_intent_name) : Result(Value::null());
}

// The ids of the nodes of this process.
Result debug_nodes(NativeCall& call) {
    auto list = call.runtime.array();
    for (const auto& id : self(call).node().bus()->nodes()) list->items.emplace_back(call.runtime.string(id));
    return Value(list);
}

Result close(NativeCall& call) {
    self(call).close();
    return Value::nothing();
}

}  // namespace

void add_p2p_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("P2PBox")
        .constructor(names, "id transport? options?", make_node)
        .method(names, "on", "name handler", on)
        .method(names, "onOnce", "name handler", on_once)
        .method(names, "off", "name", off)
        .method(names, "send", "to intent options?", send)
        .method(names, "getNodeId", "", node_id)
        .method(names, "getTransportType", "", transport_type)
        .method(names, "isReachable", "id", is_reachable)
        .method(names, "getLastFrom", "", last_from)
        .method(names, "getLastIntentName", "", last_intent_name)
        .method(names, "debugNodes", "", debug_nodes)
        .method(names, "close fini", "", close)
        .property(names, "nodeId", node_id);
}

}  // namespace nyash
