// ScriptError: what goes wrong while a script runs.
//
// One pointer wide, because nearly every call in the interpreter returns a Result. The thing thrown is
// a Value: for errors of the runtime an ErrorBox made when somebody catches it, for `throw v` the
// script's own object. The VM adds the position and the calls that led there as it unwinds.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nyash/runtime/value.h"
#include "nyash/syntax/source.h"

namespace nyash {

// The kinds scripts see in error.kind.
namespace error_kind {
inline constexpr std::string_view kUndefined = "UndefinedName";
inline constexpr std::string_view kType = "TypeError";
inline constexpr std::string_view kArguments = "ArgumentError";
inline constexpr std::string_view kOperation = "InvalidOperation";
inline constexpr std::string_view kDivision = "DivisionByZero";
inline constexpr std::string_view kOverflow = "StackOverflow";
inline constexpr std::string_view kLimit = "LimitExceeded";
inline constexpr std::string_view kUnsupported = "NotSupported";
inline constexpr std::string_view kDeclaration = "DeclarationError";
inline constexpr std::string_view kFinalized = "Finalized";
inline constexpr std::string_view kPrivate = "PrivateField";
inline constexpr std::string_view kThrown = "Error";
}  // namespace error_kind

struct Proto;

// A call that was going on: the code, and where in it. A Proto lives as long as its runtime.
struct TraceEntry {
    const Proto* proto = nullptr;
    Span span;
};

class ScriptError {
public:
    struct Detail {
        std::string kind;
        std::string message;
        std::string help;
        Value thrown;                   // of `throw`; Undefined for the runtime's own errors
        std::vector<TraceEntry> trace;  // innermost first
        bool is_fatal = false;          // no script may catch it: a step limit, an interrupt, a declaration
        bool is_raised_again = false;   // the call it is in stands in the trace already
        std::string report;             // how it reads, when that is not made of the above
    };

    ScriptError(std::string_view kind, std::string message, std::string help = {})
        : detail_(std::make_unique<Detail>()) {
        detail_->kind = kind;
        detail_->message = std::move(message);
        detail_->help = std::move(help);
    }

    // No error yet: only for assigning one later. Making it costs nothing.
    static ScriptError none() noexcept { return {}; }

    Detail& operator*() const noexcept { return *detail_; }
    Detail* operator->() const noexcept { return detail_.get(); }

private:
    ScriptError() noexcept = default;
    std::unique_ptr<Detail> detail_;
};

inline std::unexpected<ScriptError> fail(std::string_view kind, std::string message, std::string help = {}) {
    return std::unexpected(ScriptError(kind, std::move(message), std::move(help)));
}

}  // namespace nyash
