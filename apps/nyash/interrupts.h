// Ctrl-C, and for a script SIGTERM: the first ends what the script is doing, so that its nodes take leave of their
// peers; the second ends the process.
//
// The signal's handler may only raise flags, which is enough for a script that runs. One that waits has to be
// woken under a lock, by a thread of ours. That thread starts when the script first waits, which clock() sees:
// starting it earlier would cost every script's start a third of its time.
#pragma once

#include <memory>

#include <nya/clock.h>

namespace nyash {
class Interpreter;
}

class Interrupts {
public:
    // The system's clock, for the interpreter to be watched.
    static std::shared_ptr<nya::Clock> clock();

    // As long as it exists, Ctrl-C interrupts its interpreter; else it ends the process. One at a time. A session only
    // returns to its prompt then, so SIGTERM is not for it.
    enum class Of : bool { Script, Session };
    Interrupts(nyash::Interpreter& interpreter, Of what);
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    // What the last Ctrl-C asked for has happened: the next one is a first one again.
    static void handled();
    // Ends the process the way shells expect of an interrupted program: they see status 130, after SIGTERM 143. Safe in
    // a signal handler.
    [[noreturn]] static void end_process();
};
