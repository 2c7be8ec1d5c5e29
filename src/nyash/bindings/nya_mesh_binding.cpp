// NyaMesh in a script: a member of rooms whose handlers are Nyash functions, called with (msg, from, room).
//
// As with P2PBox, the script object owns the handlers' function values, and what the bus keeps is a pointer to a slot
// that is emptied, on the script's thread, when the member closes.
#include <memory>
#include <optional>
#include <vector>

#include <nyamesh/nya_mesh.h>

#include "nyash/bindings/bindings.h"
#include "nyash/bindings/intent_box_binding.h"
#include "nyash/bindings/send_errors.h"
#include "nyash/boxes/json_conversion.h"
#include "nyash/boxes/result_box.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

class NyaMeshHandle;

// One registration: what the bus's handler and the script's member share.
struct EventSlot {
    NyaMeshHandle* mesh = nullptr;  // null once the member is closed
    std::string event;
    Value function;
};

class NyaMeshHandle final : public Container {
public:
    NyaMeshHandle(Runtime& runtime, const BoxType& type, nyamesh::NyaMesh mesh)
        : Container(runtime.heap(), type), runtime_(runtime), id_(mesh.node_id()), mesh_(std::move(mesh)) {}
    ~NyaMeshHandle() override { close(); }

    const std::string& id() const { return id_; }
    nyamesh::NyaMesh& mesh() { return mesh_; }

    std::expected<void, nyamesh::SendError> on(const std::string& event, Value function) {
        auto slot = std::make_shared<EventSlot>(this, event, std::move(function));
        auto registered = mesh_.on(event, [slot](const nyamesh::MeshMessage& message) { arrive(*slot, message); });
        if (!registered) return std::unexpected(registered.error());
        slots_.push_back(std::move(slot));
        return {};
    }
    void close() noexcept {
        mesh_.close();
        const auto slots = std::move(slots_);
        slots_.clear();
        std::vector<Value> functions;  // freed last: that may run code
        for (const auto& slot : slots) {
            slot->mesh = nullptr;
            functions.push_back(std::move(slot->function));
        }
    }

    void write(TextWriter& out) const override { out.text("NyaMesh[" + id_ + "]"); }
    void clear() noexcept override { close(); }

private:
    static void arrive(EventSlot& slot, const nyamesh::MeshMessage& message);

    Runtime& runtime_;
    std::string id_;
    nyamesh::NyaMesh mesh_;
    std::vector<std::shared_ptr<EventSlot>> slots_;
};

// On the script's thread: the member is bound to its event loop.
void NyaMeshHandle::arrive(EventSlot& slot, const nyamesh::MeshMessage& message) {
    if (!slot.mesh) return;
    Runtime& runtime = slot.mesh->runtime_;
    // A script that is being ended has said so; what still waits in its queues is not run.
    if (auto done = runtime.vm().check_limits(); !done) throw nyamesh::ReportedFailure(done.error()->message);
    const Ref<NyaMeshHandle> self(slot.mesh);  // the handler may close it or drop the last reference to it
    const Value function = slot.function;
    const Ref<JsonDocument> document(make_intent_box(runtime, message.intent));
    const Value arguments[] = {json_value(runtime, document), Value(runtime.string(std::string(message.from))),
                               message.room.empty() ? Value::null() : Value(runtime.string(std::string(message.room)))};
    auto result = runtime.vm().call(function, arguments, true);
    if (result) return;
    runtime.report(result.error(), "in the handler of member '" + self->id_ + "' for '" + slot.event + "'");
    throw nyamesh::ReportedFailure(result.error()->message);
}

// ---- what scripts call ----

NyaMeshHandle& self(NativeCall& call) {
    return call.object<NyaMeshHandle>();
}

Result result_of(NativeCall& call, const std::expected<void, nyamesh::SendError>& done) {
    NYA_TRY(call.vm.check_limits());  // what ends a handler for good ends its sender, too
    if (!done) return err_from(call.runtime, done.error());
    return make_ok(call.runtime, Value::boolean(true));
}

// { url: "ws://…" }: the hub whose rooms these are.
Result make_mesh(NativeCall& call) {
    const String& id = *NYA_TRY(call.string(0));
    if (call.has(1)) {
        const auto* options = call.as<Map>(1);
        if (!options) return std::unexpected(call.wrong_type(1, "a Map"));
        std::optional<ScriptError> wrong;
        options->for_each([&](const String& key, const Value& value) {
            if (key.text() != "url") {
                wrong.emplace(error_kind::kArguments, "NyaMesh does not know the option '" + key.text() + "'",
                              "the option is url");
            } else if (!value.is_string()) {
                wrong.emplace(error_kind::kType,
                              "NyaMesh: the option 'url' is a String, got " + call.vm.type_name(value));
            } else if (!wrong) {
                wrong.emplace(script_error_from(
                    {nyamesh::SendError::Reason::Unsupported,
                     "member \"" + id.text() + "\" cannot be opened: this version has no rooms on a hub",
                     "Leave out url: rooms are in this process then"}));
            }
        });
        if (wrong) return std::unexpected(std::move(*wrong));
    }
    nyamesh::NyaMeshOptions options;
    options.executor = call.runtime.loop();
    auto mesh = nyamesh::NyaMesh::open(id.text(), std::move(options));
    if (!mesh) return std::unexpected(script_error_from(mesh.error()));
    return Value(make<NyaMeshHandle>(call.runtime, call.runtime.types().named("NyaMesh"), std::move(*mesh)));
}

Result join(NativeCall& call) {
    const String& room = *NYA_TRY(call.string(0));
    const Ref<NyaMeshHandle> mesh(&self(call));  // a handler may drop the last reference to it
    return result_of(call, mesh->mesh().join(room.text()));
}

Result leave(NativeCall& call) {
    const String& room = *NYA_TRY(call.string(0));
    const Ref<NyaMeshHandle> mesh(&self(call));
    return result_of(call, mesh->mesh().leave(room.text()));
}

// An IntentBox goes as it is; any other value is the payload of the intent "message".
std::expected<nyamesh::IntentBox, ScriptError> message_from(NativeCall& call, std::size_t i) {
    if (const auto* intent = call.as<IntentBoxHandle>(i)) return intent->intent();
    auto intent = nyamesh::IntentBox::create("message", NYA_TRY(json_from(call.vm, call[i])));
    if (!intent) return std::unexpected(script_error_from(intent.error()));
    return *intent;
}

// send(msg) goes to all rooms this member is in, send(room, msg) to that one.
Result send(NativeCall& call) {
    const Ref<NyaMeshHandle> mesh(&self(call));
    if (call.has(1)) {
        const String& room = *NYA_TRY(call.string(0));
        const auto message = NYA_TRY(message_from(call, 1));
        return result_of(call, mesh->mesh().send(room.text(), message));
    }
    const auto message = NYA_TRY(message_from(call, 0));
    return result_of(call, mesh->mesh().send_to_rooms(message));
}

Result send_to(NativeCall& call) {
    const String& member = *NYA_TRY(call.string(0));
    const auto message = NYA_TRY(message_from(call, 1));
    const Ref<NyaMeshHandle> mesh(&self(call));
    return result_of(call, mesh->mesh().send_to(member.text(), message));
}

Result on(NativeCall& call) {
    const String& event = *NYA_TRY(call.string(0));
    Value function = NYA_TRY(handler_from(call, 1));
    return result_of(call, self(call).on(event.text(), std::move(function)));
}

Result members(NativeCall& call) {
    auto list = call.runtime.array();
    for (const auto& id : self(call).mesh().members(NYA_TRY(call.string(0))->text()))
        list->items.emplace_back(call.runtime.string(id));
    return Value(list);
}

Result rooms(NativeCall& call) {
    auto list = call.runtime.array();
    for (const auto& room : self(call).mesh().rooms()) list->items.emplace_back(call.runtime.string(room));
    return Value(list);
}

Result node_id(NativeCall& call) {
    return call.text(self(call).id());
}

Result close(NativeCall& call) {
    self(call).close();
    return Value::nothing();
}

}  // namespace

void add_nya_mesh(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("NyaMesh")
        .constructor(names, "id options?", make_mesh)
        .method(names, "join", "room", join)
        .method(names, "leave", "room", leave)
        .method(names, "send", "room msg?", send)
        .method(names, "sendTo", "member msg", send_to)
        .method(names, "on", "event handler", on)
        .method(names, "members", "room", members)
        .method(names, "rooms", "", rooms)
        .method(names, "getNodeId", "", node_id)
        .method(names, "close fini", "", close)
        .property(names, "nodeId", node_id);
}

}  // namespace nyash
