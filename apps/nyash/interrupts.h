// Ctrl-C: the first ends what the script is doing, the second ends the process.
//
// The signal is blocked in every thread and taken by one that waits for nothing else, so that ending a script
// may lock and wake as any other code. Make the object first in main(): threads made later inherit the block.
#pragma once

#include <atomic>

namespace nyash {
class Interpreter;
}

class Interrupts {
public:
    Interrupts();

    // From now on the signal interrupts this interpreter, which must live to the end of the process.
    void watch(nyash::Interpreter& interpreter);
    // What the last Ctrl-C asked for has happened: the next one is a first one again.
    static void handled();
    // Ends the process the way shells expect of an interrupted program: they see status 130.
    [[noreturn]] static void end_process();
};
