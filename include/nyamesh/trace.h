// TraceEvent: what a trace hook sees, one event for each step of an envelope (the guide's
// unified log). Without a hook, tracing costs one predictable branch per send.
#pragma once

#include <nya/clock.h>
#include <nyamesh/intent_box.h>
#include <nyamesh/send_error.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace nyamesh {

struct TraceEvent {
    enum class Step : std::uint8_t {
        Sent,           // send() was called
        Queued,         // the target was busy or elsewhere: waits in its queue
        Delivering,     // its handlers are about to run
        Handled,        // they have returned
        HandlerFailed,  // one of them threw; `detail` is what it said
        Dropped,        // the journey ends here; `reason` and `detail` say why
        ToTransport,    // not in this process: given to the sender's transport
        Arrived,        // came in from a transport
        // What a wire does, after ToTransport or by itself. `envelope_id` is 0: it knows other numbers, see `detail`.
        SentAgain,     // put on the wire once more, since nobody had said that it had arrived
        Refused,       // came in and was not taken: a duplicate, say. Its sender repeats it if it has to
        Unconfirmed,   // accepted, and will never be known to have been handled; `reason` says if it may have been
        Connected,     // node `from` is known at the hub `to`; the intent is the news of it (on_state)
        Disconnected,  // and is not any more, or not yet; `reason` and `detail` say why
    };

    Step step;
    std::uint64_t envelope_id;  // the same through all steps of one envelope in this process
    std::string_view from;
    std::string_view to;
    const IntentBox& intent;
    nya::Clock::time_point at;
    std::optional<SendError::Reason> reason = {};
    std::string_view detail = {};
};

std::string_view to_string(TraceEvent::Step step) noexcept;

// Runs on the thread where the step happens, under no lock. It must not throw, and must not send
// from inside without guarding against its own events. Views are valid during the call only.
using TraceHook = std::function<void(const TraceEvent&)>;

}  // namespace nyamesh
