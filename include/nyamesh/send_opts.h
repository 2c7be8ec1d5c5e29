// SendOpts: how long a send may take, and what it waits for.
#pragma once

#include <chrono>
#include <cstdint>

namespace nyamesh {

enum class Wait : std::uint8_t {
    Accepted,   // the message is on its way: handed to the handlers, queued, or given to the transport
    Delivered,  // the target node has it, in order. In process: run or queued, so the same as Accepted
    Handled,    // the target's handlers have returned; NoHandler and HandlerFailed are reported
};

struct SendOpts {
    Wait wait = Wait::Accepted;
    // How long a send may wait for what `wait` asks, or for the answer of a first contact; and how long a request
    // waits for its answer, whatever `wait` says. 5 seconds unless you say otherwise.
    std::chrono::milliseconds timeout{5000};
};

}  // namespace nyamesh
