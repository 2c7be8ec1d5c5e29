// Repl: a session with Nyash, input by input (LANGUAGE, section 10).
//
// On a terminal lines are edited, remembered and completed (line_editor), and messages and timers are handled
// while the prompt waits. From a pipe they are just read, without prompts.
#pragma once

#include <memory>
#include <string>

#include <nyash/interpreter.h>

class Repl {
public:
    // Of the interpreter the session uses: its output has to know about the line being edited.
    explicit Repl(nyash::Interpreter::Options options);
    ~Repl();
    Repl(const Repl&) = delete;
    Repl& operator=(const Repl&) = delete;

    nyash::Interpreter& interpreter();
    // To the end of the input, or `exit`. The exit code: 0.
    int run();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};
