// What `on` takes: any callable with one of
//
//     void (const IntentBox& intent, std::string_view from)
//     void (const IntentEnvelope& envelope)
//
// It may be move-only. Handlers of one node never run at the same time as each other, and never under a
// lock of ours; they may send, register, unregister, close and destroy whatever they like.
#pragma once

#include <nyamesh/intent_box.h>
#include <nyamesh/intent_envelope.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nyamesh {

// One envelope at one node's handlers: views, valid during the call only.
struct Arrival {
    const IntentBox& intent;
    std::string_view from;
    std::string_view to;
    std::uint64_t id;  // 0: not yet given; to_envelope() gives one
    std::uint8_t hops;

    IntentEnvelope to_envelope() const;
};

using IntentHandler = std::move_only_function<void(const Arrival&)>;

template <class F>
concept TakesIntentAndFrom = std::invocable<F&, const IntentBox&, std::string_view>;
template <class F>
concept TakesEnvelope = std::invocable<F&, const IntentEnvelope&> && !TakesIntentAndFrom<F>;

template <class F>
    requires TakesIntentAndFrom<std::decay_t<F>> || TakesEnvelope<std::decay_t<F>>
IntentHandler make_handler(F&& callable) {
    if constexpr (TakesIntentAndFrom<std::decay_t<F>>) {
        return [f = std::forward<F>(callable)](const Arrival& a) mutable { f(a.intent, a.from); };
    } else {
        return [f = std::forward<F>(callable)](const Arrival& a) mutable { f(a.to_envelope()); };
    }
}

// Thrown by a handler that has already told the user about its failure: it is counted and reported to
// whoever waits for Handled like any other exception, but not printed again.
class ReportedFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace nyamesh
