// Ctrl-C: the first ends what the script is doing, the second ends the process.
//
// The signal is blocked in every thread and taken by one that waits for nothing else, so that ending a script
// may lock and wake as any other code. Make the object first in main(): threads made later inherit the block.
#pragma once

namespace nyash {
class Interpreter;
}

class Interrupts {
public:
    Interrupts();

    // As long as one exists, the signal interrupts its interpreter; else it ends the process.
    class Watch {
    public:
        explicit Watch(nyash::Interpreter& interpreter);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
    };

    // What the last Ctrl-C asked for has happened: the next one is a first one again.
    static void handled();
    // Ends the process the way shells expect of an interrupted program: they see status 130.
    [[noreturn]] static void end_process();
};
