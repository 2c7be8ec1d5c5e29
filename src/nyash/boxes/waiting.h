// What everything that waits shares: how long one may wait, and how many timers there may be.
#pragma once

#include <chrono>
#include <string>

#include "nyash/runtime/native.h"

namespace nyash {

inline constexpr std::size_t kMaxTimers = 100'000;  // of one script

// Argument i as milliseconds, from `least` to one year.
inline std::expected<std::chrono::milliseconds, ScriptError> delay_argument(NativeCall& call, std::size_t i,
                                                                            std::int64_t least) {
    constexpr std::int64_t kLongest = 1000LL * 60 * 60 * 24 * 365;
    const std::int64_t ms = NYA_TRY(call.integer(i));
    if (ms >= least && ms <= kLongest) return std::chrono::milliseconds(ms);
    return fail(error_kind::kOperation, call.function.name + " takes " + std::to_string(least) +
                                            (least == 1 ? " millisecond" : " milliseconds") + " to one year, got " +
                                            std::to_string(ms));
}

inline Done room_for_a_timer(Runtime& runtime) {
    if (runtime.loop()->timers() < kMaxTimers) return {};
    return fail(error_kind::kLimit, "There are 100,000 timers already",
                "clear(id) ends a timer; so does letting go of its TimerBox");
}

}  // namespace nyash
