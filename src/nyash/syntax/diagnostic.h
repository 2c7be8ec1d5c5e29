// Diagnostic: an error as a person reads it.
//
//     error: Undefined variable 'totl'
//       --> cart.nyash:3:7
//        |
//      3 | print(totl)
//        |       ^^^^
//     help: did you mean 'total'?
//
// Syntax errors, declaration errors and uncaught runtime errors all take this one shape.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nyash/syntax/source.h"

namespace nyash {

struct Diagnostic {
    std::string message;
    Span span;
    std::string help;                // one sentence, or empty
    std::vector<std::string> notes;  // e.g. the calls that led here, innermost first
};

// The layout above, ending in a newline.
std::string render(const Source& source, const Diagnostic& diagnostic);

// What render() made, in colours for a terminal.
std::string coloured(std::string_view rendered);

// The candidate that looks most like a misspelling of `name`, or an empty view when none does.
std::string_view closest(std::string_view name, std::span<const std::string_view> candidates);
// "did you mean 'total'?", or empty.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace nyash
