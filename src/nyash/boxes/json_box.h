// JSONBox: a view on a JSON document.
//
// Nested objects and arrays are views on the same document: writing through one is seen through all.
// A view is the document and a path into it, looked up at each use, so a view whose place has been
// overwritten reads as null instead of dangling. Who owns the document decides what writing means: an
// IntentBox copies its message first (bindings/intent_box_binding).
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <nya/json.h>

#include "nyash/runtime/runtime.h"

namespace nyash {

class JsonDocument : public Object {
public:
    virtual const nya::Json& read() const = 0;
    // The same document, to be changed.
    virtual nya::Json& change() = 0;

protected:
    using Object::Object;
};

class JsonBox final : public Object {
public:
    using Step = std::variant<std::string, std::size_t>;

    JsonBox(const BoxType& type, Ref<JsonDocument> document, std::vector<Step> path = {})
        : Object(type), document_(std::move(document)), path_(std::move(path)) {}

    // What this view shows now; null when its place is gone.
    const nya::Json& json() const;
    // The same to be changed; null pointer when its place is gone.
    nya::Json* json_to_change();
    // A scalar as a plain value, an object or array as a view.
    Value child(Runtime& runtime, Step step) const;

    void write(TextWriter& out) const override;
    Result get_field(Vm& vm, Name name) override;
    Done set_field(Vm& vm, Name name, const Value& value) override;
    Result get_index(Vm& vm, const Value& index) override;
    Done set_index(Vm& vm, const Value& index, const Value& value) override;

private:
    Ref<JsonDocument> document_;
    std::vector<Step> path_;
};

// The root of a document as a script sees it: a plain value, or a view.
Value json_value(Runtime& runtime, const Ref<JsonDocument>& document);

}  // namespace nyash
