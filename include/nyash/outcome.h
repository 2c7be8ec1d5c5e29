// Outcome: how a run ended.
#pragma once

#include <string>

namespace nyash {

struct Outcome {
    // 0; 1 for a syntax error or an uncaught error; 130 when interrupt() ended it, as shells count it.
    int exit_code = 0;
    std::string diagnostic;  // as people read it, with file, line and caret; empty when exit_code is 0
    std::string message;     // its first sentence alone: "Division by zero"
    bool ok() const noexcept { return exit_code == 0; }
};

inline constexpr int kInterrupted = 130;

}  // namespace nyash
