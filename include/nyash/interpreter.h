// Interpreter: Nyash in your program.
//
//     nyash::Interpreter interpreter;
//     interpreter.define("twice", [](std::int64_t x) { return 2 * x; });
//     interpreter.run_source("hello", "function answer() { return twice(21) }");
//     interpreter.call("answer")->as_integer();      // 42
//
// One interpreter is one script world: its globals stay from one run to the next, its nodes stay open.
// Use it, and the objects of its scripts, from one thread, the one that made it; only interrupt() may come
// from elsewhere. Everything a script can reach of the outside world is an option. docs/embedding.md tells more.
#pragma once

#include <nya/clock.h>
#include <nya/random.h>
#include <nyash/box_builder.h>
#include <nyash/outcome.h>
#include <nyash/script_value.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

namespace nyash {

class Interpreter {
public:
    // Empty functions and pointers mean the real thing: stdout, stderr, stdin, the clock.
    struct Options {
        std::function<void(std::string_view)> out;
        std::function<void(std::string_view)> err;
        // False at the end of the input. The default runs the script's event loop while it waits.
        std::function<bool(std::string& line)> read_line;
        std::shared_ptr<nya::Clock> clock;
        std::shared_ptr<nya::Random> random;
        std::function<std::int64_t()> wall_clock_ms;
        std::uint64_t max_steps = 0;  // calls and turns of loops, in all, until resume(); 0: no limit
        std::size_t max_text_bytes = 256U << 20U;
        std::size_t max_call_depth = 1000;
        bool strict_variables = false;  // assigning a name that nobody declared is an error
        bool allow_files = true;        // FileBox, and include
        bool allow_network = true;      // nodes that leave the process
        bool colours = false;           // in the errors written to err
        bool shows_result = false;      // run_...() ends by printing "Result: ", the program's value
    };

    Interpreter();
    explicit Interpreter(Options options);
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    // Runs a program, then its event loop until nothing is left to wait for. A diagnostic is written to
    // Options::err as well. `arguments` are those of static box Main's main.
    Outcome run_file(const std::string& path, std::vector<std::string> arguments = {});
    Outcome run_source(std::string name, std::string text, std::vector<std::string> arguments = {});

    // Reads and compiles without running anything.
    Outcome check_file(const std::string& path);
    Outcome check_source(std::string name, std::string text);

    // What the parser and the compiler made of a text; the diagnostic when it is not Nyash.
    std::expected<std::string, Outcome> dump_ast(std::string name, std::string text);
    std::expected<std::string, Outcome> dump_bytecode(std::string name, std::string text);

    // ---- between C++ and the script; diagnostics are returned, not written ----

    // Runs a text at the top level and gives the value of its last statement if that is an expression, else void.
    // A `local` of the top level stays, as everything else does, and the event loop is not run to its end.
    std::expected<ScriptValue, Outcome> evaluate(std::string text, std::string name = "input");

    // Calls what the script knows by that name.
    template <class... Arguments>
    std::expected<ScriptValue, Outcome> call(std::string_view function, Arguments&&... arguments) {
        const std::initializer_list<ScriptValue> list{ScriptValue(std::forward<Arguments>(arguments))...};
        return call_with(function, list);
    }
    std::expected<ScriptValue, Outcome> call_with(std::string_view function, std::span<const ScriptValue> arguments);

    // A global variable, function or static box; null when there is none.
    ScriptValue global(std::string_view name);
    bool has_global(std::string_view name) const;
    std::vector<std::string> global_names() const;
    void set_global(std::string_view name, const ScriptValue& value);

    // A C++ function that scripts call by name (box_builder.h says how arguments and errors travel).
    template <class F>
    void define(std::string_view name, F function, std::string_view parameters = {}) {
        define_code(name, detail::parameter_names(parameters, detail::ParametersOf<F>::kCount),
                    detail::native_function(std::move(function)));
    }
    // A C++ class as a box. The name must be free (std::invalid_argument).
    template <class T>
    BoxBuilder<T> box(std::string_view name) {
        return BoxBuilder<T>(add_box(name, typeid(T)));
    }

    // ---- the event loop, for programs with a loop of their own ----

    // Runs what waits to be run: messages that came from other threads, timers whose time has come. Never waits.
    Outcome run_pending();
    // Runs the event loop until a file descriptor can be read; false once the script was interrupted. One descriptor
    // at a time.
    bool wait_readable(int descriptor);
    // A line of stdin, while the event loop runs: what Options::read_line does unless it is set.
    bool read_line(std::string& line);

    // Ends the running script with an error at its next step, also when it waits for something; what would run next
    // ends as well, until resume(). Any thread, but not in a signal handler.
    void interrupt() noexcept;
    // The same for a script that runs; one that waits goes on waiting. Safe in a signal handler.
    void interrupt_running() noexcept;
    // After interrupt(), or once max_steps are used up: scripts may run again, with their steps anew.
    void resume() noexcept;

    // ---- for tools that edit a program line by line ----

    // Whether a text is the beginning of a program rather than a wrong one: an open brace, an unclosed string.
    static bool is_incomplete(std::string text);
    // What could follow at the end of `line`: each candidate replaces the name the line ends in. Looks values up by
    // name, and calls nothing.
    std::vector<std::string> completions(std::string_view line) const;

private:
    void define_code(std::string_view name, const std::string& parameters, detail::NativeCode code);
    std::unique_ptr<detail::BoxTable> add_box(std::string_view name, const std::type_info& type);

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The text of a file, or a sentence saying why it cannot be read.
std::expected<std::string, std::string> read_file(const std::string& path);

// A diagnostic in colours, for a terminal.
std::string coloured(std::string_view diagnostic);

// Which of the candidates `name` is probably a misspelling of; empty when none looks like it.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

// Heap objects of scripts alive on this thread; debug builds only, else 0. Zero once no Interpreter is
// left, or something leaks.
std::int64_t live_objects() noexcept;

}  // namespace nyash
