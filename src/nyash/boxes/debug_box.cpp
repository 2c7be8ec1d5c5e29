// DebugBox: looking at values from the inside.
//
//     ArrayBox, 2 elements
//       0: IntegerBox 1
//       1: StringBox "one"
#include <algorithm>
#include <string>
#include <vector>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/helper_box.h"
#include "nyash/boxes/result_box.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/script_box.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxShown = 1000;  // elements of one array or map

class Dumper {
public:
    explicit Dumper(Vm& vm) : vm_(vm), out_(vm) {}

    void value(const Value& v) {
        out_.text(vm_.type_name(v));
        if (const auto* array = v.as<Array>()) {
            parts(v, array->items.size(), "element");
        } else if (const auto* map = v.as<Map>()) {
            parts(v, map->size(), map->size() == 1 ? "entry" : "entrie");
        } else if (const auto* instance = v.as<Instance>()) {
            out_.text(" #" + std::to_string(instance->number) + (instance->is_dead() ? ", finalized" : ""));
            if (!instance->is_dead()) inside(v, [&] { fields(*instance); });
        } else if (v.as<ResultBox>() || v.as<ErrorBox>()) {
            inside(v, [&] { details(v); });
        } else if (v.is_string()) {
            out_.text(" " + quoted(v.as_string().text()));
        } else if (!v.is_absent()) {
            out_.text(" ");
            out_.value(v);
        }
    }
    std::expected<std::string, ScriptError> finish() { return out_.finish(); }

private:
    // Runs `write` unless the value is inside itself, or too deep.
    void inside(const Value& v, auto&& write) {
        const Object* object = &v.as_object();
        if (std::ranges::find(open_, object) != open_.end()) return out_.text(", inside itself");
        if (open_.size() >= kMaxDepth) return out_.text(", …");
        open_.push_back(object);
        write();
        open_.pop_back();
    }

    void parts(const Value& v, std::size_t count, std::string_view unit) {
        out_.text(", " + std::to_string(count) + " " + std::string(unit) + (count == 1 ? "" : "s"));
        inside(v, [&] {
            std::size_t shown = 0;
            const auto show = [&](const std::string& name, const Value& part_value) {
                if (shown++ < kMaxShown) part(name, part_value);
            };
            if (const auto* array = v.as<Array>()) {
                for (std::size_t i = 0; i < array->items.size() && i <= kMaxShown; ++i)
                    show(std::to_string(i), Value(array->items[i]));
            } else {
                v.as<Map>()->for_each([&](const String& key, const Value& entry) { show(key.text(), entry); });
            }
            if (count > kMaxShown) line("…");
        });
    }

    // All of them, private ones too; a built-in parent's part under the parent's name.
    void fields(const Instance& instance) {
        const auto& slots = instance.box.slots;
        for (std::uint32_t i = 0; i < slots.size(); ++i) {
            const Value field = instance.field(i);
            if (field.is_undefined() || !slots[i].name) continue;
            if (const auto* weak = field.as<WeakReference>()) {
                part("weak " + slots[i].name->text(), weak->target ? Value(weak->target) : Value::null());
            } else {
                part(slots[i].name->text(), field);
            }
        }
        for (const auto& owned : instance.box.parts) {
            const Value inner = instance.field(owned.slot);
            if (!inner.is_undefined()) part("from " + owned.type->name(), inner);
        }
    }

    void details(const Value& v) {
        if (const auto* result = v.as<ResultBox>()) return part(result->is_ok ? "Ok" : "Err", result->value);
        const auto& error = *v.as<ErrorBox>();
        line("kind: " + error.kind);
        line("message: " + quoted(error.message));
        if (!error.hint.empty()) line("hint: " + quoted(error.hint));
        if (error.line > 0) line("line: " + std::to_string(error.line));
    }

    void part(const std::string& name, const Value& v) {
        line(name + ": ");
        value(v);
    }

    void line(const std::string& text) { out_.text("\n" + std::string(2 * open_.size(), ' ') + text); }

    static std::string quoted(std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            switch (c) {
                case '"':
                    out += "\\\"";
                    break;
                case '\\':
                    out += "\\\\";
                    break;
                case '\n':
                    out += "\\n";
                    break;
                case '\r':
                    out += "\\r";
                    break;
                case '\t':
                    out += "\\t";
                    break;
                default:
                    out += c;
            }
        }
        return out + "\"";
    }

    Vm& vm_;
    TextWriter out_;
    std::vector<const Object*> open_;  // the values being written, outermost first
};

Result dump(NativeCall& call) {
    Dumper dumper(call.vm);
    dumper.value(call[0]);
    return call.text(NYA_TRY(dumper.finish()));
}

// To stderr, so that the program's own output stays as it is.
Result log(NativeCall& call) {
    std::string text;
    for (const Value& value : call.arguments) {
        Dumper dumper(call.vm);
        dumper.value(value);
        text += NYA_TRY(dumper.finish()) + "\n";
    }
    call.runtime.channels().err(text);
    return Value::nothing();
}

// null in builds that do not count.
Result live_objects(NativeCall&) {
#ifdef NDEBUG
    return Value::null();
#else
    return Value::integer(Object::live_count());
#endif
}

// How many variables, elements and fields refer to this very object; null for plain values, which are
// copied. The argument itself is not counted.
Result references(NativeCall& call) {
    if (!call[0].is_object()) return Value::null();
    return Value::integer(static_cast<std::int64_t>(call[0].as_object().use_count()) - 1);
}

}  // namespace

void add_debug_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("DebugBox")
        .constructor(names, "", make_helper)
        .method(names, "dump", "value", dump)
        .method(names, "log", "values...", log)
        .method(names, "liveObjects", "", live_objects)
        .method(names, "references", "value", references);
}

}  // namespace nyash
