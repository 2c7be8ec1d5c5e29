// IntentBox in a script: a handle on an immutable message.
//
// `setPayload` and writes through `payload` change the handle only: the first write copies the payload
// into a draft, and the next look at the message makes a new one from it. What was sent stays as it was.
#pragma once

#include <optional>

#include <nyamesh/intent_box.h>

#include "nyash/boxes/json_box.h"
#include "nyash/runtime/runtime.h"

namespace nyash {

class IntentBoxHandle final : public JsonDocument {
public:
    IntentBoxHandle(const BoxType& type, nyamesh::IntentBox intent) : JsonDocument(type), intent_(std::move(intent)) {}

    // The message as it would be sent now.
    const nyamesh::IntentBox& intent() const;

    // The payload, as the document that `payload` views show.
    const nya::Json& read() const override;
    nya::Json& change() override;

    void write(TextWriter& out) const override;
    Done set_field(Vm& vm, Name name, const Value& value) override;

private:
    mutable nyamesh::IntentBox intent_;
    mutable std::optional<nya::Json> draft_;  // newer than intent_ when there
};

Ref<IntentBoxHandle> make_intent_box(Runtime& runtime, const nyamesh::IntentBox& intent);

}  // namespace nyash
