// What `on` takes: any callable with one of
//
//     (const IntentBox& intent, std::string_view from)
//     (const IntentEnvelope& envelope)
//     (const Arrival& arrival)
//
// It returns nothing, or the answer to a request: a nya::Json (or what converts to one), a
// std::optional<nya::Json> (empty: no answer), or an Answer, which may also be an error. Where nobody has asked,
// what it returns is dropped.
//
// It may be move-only. Handlers of one node never run at the same time as each other, and never under a
// lock of ours; they may send, register, unregister, close and destroy whatever they like.
#pragma once

#include <nyamesh/answer.h>
#include <nyamesh/intent_box.h>
#include <nyamesh/intent_envelope.h>

#include <concepts>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nyamesh {

// What only some envelopes have.
struct ArrivalExtras {
    std::string_view room = {};         // it was sent to this room; empty: straight to the node
    bool is_request = false;            // somebody waits for an answer
    std::optional<Answer> answer = {};  // the first one given
};

// One envelope at one node's handlers: views, valid during the call only.
struct Arrival {
    const IntentBox& intent;
    std::string_view from;
    std::string_view to;
    std::uint64_t id;  // 0: not yet given; to_envelope() gives one
    std::uint8_t hops;
    ArrivalExtras* extras = nullptr;  // null: there are none

    IntentEnvelope to_envelope() const;
    std::string_view room() const noexcept { return extras != nullptr ? extras->room : std::string_view(); }
    bool is_request() const noexcept { return extras != nullptr && extras->is_request; }
    // The first answer counts; without a request there is nobody to hear it.
    void answer(Answer answer) const {
        if (is_request() && !extras->answer) extras->answer.emplace(std::move(answer));
    }
};

using IntentHandler = std::move_only_function<void(const Arrival&)>;

template <class F>
concept TakesIntentAndFrom = std::invocable<F&, const IntentBox&, std::string_view>;
template <class F>
concept TakesEnvelope = std::invocable<F&, const IntentEnvelope&> && !TakesIntentAndFrom<F>;
template <class F>
concept TakesArrival = std::invocable<F&, const Arrival&> && !TakesIntentAndFrom<F> && !TakesEnvelope<F>;

template <class Result>
concept IsAnswer = std::is_void_v<Result> || std::convertible_to<Result, nya::Json> ||
                   std::same_as<std::remove_cvref_t<Result>, std::optional<nya::Json>> ||
                   std::same_as<std::remove_cvref_t<Result>, Answer>;

// Calls a handler, and answers with what it returns.
template <class F, class... Arguments>
void call_and_answer(const Arrival& arrival, F& f, Arguments&&... arguments) {
    using Result = std::invoke_result_t<F&, Arguments...>;
    static_assert(IsAnswer<Result>, "a handler returns void, nya::Json, std::optional<nya::Json> or nyamesh::Answer");
    if constexpr (std::is_void_v<Result>) {
        f(std::forward<Arguments>(arguments)...);
    } else if constexpr (std::same_as<std::remove_cvref_t<Result>, std::optional<nya::Json>>) {
        if (std::optional<nya::Json> answer = f(std::forward<Arguments>(arguments)...))
            arrival.answer(*std::move(answer));
    } else if constexpr (std::same_as<std::remove_cvref_t<Result>, Answer>) {
        arrival.answer(f(std::forward<Arguments>(arguments)...));
    } else {
        arrival.answer(nya::Json(f(std::forward<Arguments>(arguments)...)));
    }
}

template <class F>
    requires TakesIntentAndFrom<std::decay_t<F>> || TakesEnvelope<std::decay_t<F>> || TakesArrival<std::decay_t<F>>
IntentHandler make_handler(F&& callable) {
    if constexpr (TakesIntentAndFrom<std::decay_t<F>>) {
        return [f = std::forward<F>(callable)](const Arrival& a) mutable { call_and_answer(a, f, a.intent, a.from); };
    } else if constexpr (TakesEnvelope<std::decay_t<F>>) {
        return [f = std::forward<F>(callable)](const Arrival& a) mutable { call_and_answer(a, f, a.to_envelope()); };
    } else {
        return [f = std::forward<F>(callable)](const Arrival& a) mutable { call_and_answer(a, f, a); };
    }
}

// Thrown by a handler that has already told the user about its failure: it is counted and reported to
// whoever waits for Handled like any other exception, but not printed again.
class ReportedFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace nyamesh
