// Interpreter: Nyash in your program.
//
//     nyash::Interpreter interpreter;
//     interpreter.run_source("hello", "print(\"Hello \" + 6 * 7)");
//
// One interpreter is one script world: its globals stay from one run to the next, its nodes stay open.
// Use it from one thread, the one that made it; only interrupt() may come from elsewhere. Everything a
// script can reach of the outside world is an option.
#pragma once

#include <nya/clock.h>
#include <nya/random.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nyash {

// How a run ended. The diagnostic has been written to Options::err as well.
struct Outcome {
    int exit_code = 0;       // 0, or 1 for a syntax error or an uncaught error
    std::string diagnostic;  // empty when exit_code is 0
    bool ok() const noexcept { return exit_code == 0; }
};

class Interpreter {
public:
    // Empty functions and pointers mean the real thing: stdout, stderr, stdin, the clock.
    struct Options {
        std::function<void(std::string_view)> out;
        std::function<void(std::string_view)> err;
        std::function<bool(std::string& line)> read_line;  // false at the end of the input
        std::shared_ptr<nya::Clock> clock;
        std::shared_ptr<nya::Random> random;
        std::function<std::int64_t()> wall_clock_ms;
        std::uint64_t max_steps = 0;  // calls and turns of loops in all; 0: no limit
        std::size_t max_text_bytes = 256U << 20U;
    };

    Interpreter();
    explicit Interpreter(Options options);
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    Outcome run_file(const std::string& path);
    Outcome run_source(std::string name, std::string text);

    // Reads and compiles without running anything.
    Outcome check_file(const std::string& path);
    Outcome check_source(std::string name, std::string text);

    // What the parser and the compiler made of a text; the diagnostic when it is not Nyash.
    std::expected<std::string, Outcome> dump_ast(std::string name, std::string text);
    std::expected<std::string, Outcome> dump_bytecode(std::string name, std::string text);

    // Ends the running script with an error at its next step. Any thread; safe in a signal handler.
    void interrupt() noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The text of a file, or a sentence saying why it cannot be read.
std::expected<std::string, std::string> read_file(const std::string& path);

// Heap objects of scripts alive on this thread; debug builds only, else 0. Zero once no Interpreter is
// left, or something leaks.
std::int64_t live_objects() noexcept;

}  // namespace nyash
