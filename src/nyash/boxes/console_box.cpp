// ConsoleBox: writing lines and reading them.
#include "nyash/boxes/boxes.h"
#include "nyash/boxes/helper_box.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

// The arguments, a space between them, as one line.
std::expected<std::string, ScriptError> line_of(NativeCall& call) {
    TextWriter writer(call.vm);
    for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        if (i > 0) writer.text(" ");
        writer.value(call[i]);
    }
    writer.text("\n");
    return writer.finish();
}

Result log(NativeCall& call) {
    call.runtime.channels().out(NYA_TRY(line_of(call)));
    return Value::nothing();
}

Result error(NativeCall& call) {
    call.runtime.channels().err(NYA_TRY(line_of(call)));
    return Value::nothing();
}

Result read_line(NativeCall& call) {
    if (call.has(0)) call.runtime.channels().out(NYA_TRY(call.vm.to_text(call[0])));
    call.runtime.loop()->run_ready();  // waiting for the user is waiting: handlers may run
    std::string line;
    const bool has_line = call.runtime.channels().read_line(line);
    NYA_TRY(call.vm.check_limits());  // the wait ends early when the script is interrupted
    if (!has_line) return Value::null();
    return call.text(std::move(line));
}

Result clear(NativeCall& call) {
    call.runtime.channels().out("\x1b[2J\x1b[H");
    return Value::nothing();
}

}  // namespace

void add_console_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("ConsoleBox")
        .constructor(names, "", make_helper)
        .method(names, "log println print", "values...", log)
        .method(names, "warn error", "values...", error)
        .method(names, "readLine input", "prompt?", read_line)
        .method(names, "clear", "", clear);
}

}  // namespace nyash
