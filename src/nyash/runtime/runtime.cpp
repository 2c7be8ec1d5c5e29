#include "nyash/runtime/runtime.h"

#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {

Runtime::Runtime(Options options)
    : options_(std::move(options)),
      core_{types_.add("NullBox"),    types_.add("VoidBox"),  types_.add("BoolBox"),
            types_.add("IntegerBox"), types_.add("FloatBox"), string_type_,
            types_.add("ArrayBox"),   types_.add("MapBox"),   types_.add("FunctionBox"),
            types_.add("MethodBox"),  types_.add("ErrorBox"), types_.add("FutureBox")},
      plain_types_{&core_.null_type,    &core_.null_type,  &core_.void_type,   &core_.bool_type,
                   &core_.integer_type, &core_.float_type, &core_.string_type, nullptr},
      loop_(std::make_shared<EventLoop>(options_.clock)),
      vm_(*this) {
    types_.adopt(string_type_);
}

Runtime::~Runtime() {
    // Nodes close and handlers go while everything they may ask for is still there.
    globals_.clear();
    for (auto& box : boxes_) box->clear();
    statics_.clear();
    heap_.clear();
    loop_->run_ready();
    loop_->close();
    heap_.clear();
}

void Runtime::define_function(std::string_view name, std::string_view signature, NativeCode code) {
    functions_.push_back(std::make_unique<NativeFunction>(names_, name, signature, code));
    auto function = make<NativeFunctionBox>(core_.function_type, *functions_.back());
    globals_[globals_.index(names_.intern(name))].declared = Value(function);
}

// Of an object that a script threw: what it says of itself.
std::string Runtime::message_of(const ScriptError& error) {
    if (auto* instance = error->thrown.as<Instance>(); instance && !instance->part_as<ErrorBox>()) {
        if (auto text = vm_.to_text(error->thrown)) return "Uncaught " + *text;
    }
    return error->message;
}

std::string Runtime::describe(const ScriptError& error) {
    // The calls that led there, outermost last; a deep recursion is cut in the middle of nowhere.
    constexpr std::size_t kCallsShown = 8;
    if (!error->report.empty()) return error->report;
    Diagnostic diagnostic{message_of(error), {}, error->help, {}};
    const auto& trace = error->trace;
    if (trace.empty())
        return "error: " + diagnostic.message + "\n" + (error->help.empty() ? "" : "help: " + error->help + "\n");
    diagnostic.span = trace.front().span;
    for (std::size_t i = 0; i + 1 < trace.size() && i < kCallsShown; ++i) {
        const TraceEntry& caller = trace[i + 1];
        const Source& source = *caller.proto->source;
        const Position at = source.position(caller.span.offset);
        diagnostic.notes.push_back("in " + trace[i].proto->title() + ", called at " + source.name() + ":" +
                                   std::to_string(at.line) + ":" + std::to_string(at.column));
    }
    if (trace.size() > kCallsShown + 1) diagnostic.notes.push_back("… and more calls");
    return render(*trace.front().proto->source, diagnostic);
}

void Runtime::report(const ScriptError& error, std::string_view where) {
    std::string text = describe(error);
    if (!where.empty()) text.insert(std::string_view("error: ").size(), std::string(where) + ": ");
    options_.channels.err(options_.channels.colours ? coloured(text) : text);
}

void ErrorBox::write(TextWriter& out) const {
    out.text("ErrorBox(" + message + ")");
}

}  // namespace nyash
