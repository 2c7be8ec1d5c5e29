#include "nyash/bindings/intent_box_binding.h"

#include "nyash/bindings/bindings.h"
#include "nyash/bindings/send_errors.h"
#include "nyash/boxes/json_conversion.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

IntentBoxHandle& self(NativeCall& call) {
    return call.object<IntentBoxHandle>();
}

Result make_intent(NativeCall& call) {
    const String& name = *NYA_TRY(call.string(0));
    auto payload = call.has(1) ? NYA_TRY(json_from(call.vm, call[1])) : nya::Json::object();
    auto intent = nyamesh::IntentBox::create(name.text(), std::move(payload));
    if (!intent) return std::unexpected(script_error_from(intent.error()));
    return Value(make_intent_box(call.runtime, *intent));
}

Result name(NativeCall& call) {
    return call.text(std::string(self(call).intent().name()));
}

Result payload(NativeCall& call) {
    return json_value(call.runtime, Ref<JsonDocument>(&self(call)));
}

Result set_payload(NativeCall& call) {
    auto json = NYA_TRY(json_from(call.vm, call[0]));
    self(call).change() = std::move(json);
    return call.self;
}

// A copy with a life of its own.
Result clone(NativeCall& call) {
    return Value(make_intent_box(call.runtime, self(call).intent()));
}

}  // namespace

const nyamesh::IntentBox& IntentBoxHandle::intent() const {
    if (draft_) {
        intent_ = nyamesh::IntentBox(intent_.name(), std::move(*draft_));
        draft_.reset();
    }
    return intent_;
}

const nya::Json& IntentBoxHandle::read() const {
    return draft_ ? *draft_ : intent_.payload();
}

nya::Json& IntentBoxHandle::change() {
    if (!draft_) draft_ = intent_.payload();
    return *draft_;
}

void IntentBoxHandle::write(TextWriter& out) const {
    out.text("IntentBox[" + std::string(intent_.name()) + "]");
}

Done IntentBoxHandle::set_field(Vm& vm, Name name, const Value& value) {
    if (name->text() != "payload") return Object::set_field(vm, name, value);
    change() = NYA_TRY(json_from(vm, value));
    return {};
}

Ref<IntentBoxHandle> make_intent_box(Runtime& runtime, const nyamesh::IntentBox& intent) {
    return make<IntentBoxHandle>(*runtime.core().intent_type, intent);
}

void add_intent_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.core().intent_type = &runtime.types()
                                      .add("IntentBox")
                                      .constructor(names, "name payload?", make_intent)
                                      .method(names, "getName", "", name)
                                      .method(names, "getPayload", "", payload)
                                      .method(names, "setPayload", "payload", set_payload)
                                      .method(names, "clone", "", clone)
                                      .property(names, "name", name)
                                      .property(names, "payload", payload);
}

}  // namespace nyash
