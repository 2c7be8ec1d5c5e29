// SendError: the one error type of NyaMesh, on every wire and in every call.
//
// The design guide names five kinds; a reason says which case of that kind it was. Two errors are
// equal when kind and reason are: the texts are for people and may be improved at any time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nyamesh {

struct SendError {
    enum class Kind : std::uint8_t { NodeNotFound, NetworkError, Timeout, SerializationError, BusError };

    enum class Reason : std::uint8_t {
        // NodeNotFound
        Unknown,  // no node of that name
        Gone,     // there was one, and it left
        // NetworkError
        Offline,       // no connection to the hub
        Unauthorized,  // the hub refused the credentials
        NameTaken,     // another owner holds the node's name
        Unconfirmed,   // the session ended before the message was confirmed: it may have run
        Unsupported,   // this build has no such transport
        // Timeout
        NotSent,     // certainly not handled
        MayHaveRun,  // handed on in time, but no confirmation
        // SerializationError
        Malformed,    // not JSON; the message says where
        TooLarge,     // over the limit the message names
        InvalidName,  // node id, intent name or transport name
        // BusError
        DuplicateId,    // the node id is taken in this process
        Backpressure,   // the target's queue is full
        NoHandler,      // delivered, but nobody listens to that intent
        HandlerFailed,  // a handler threw
        Closed,         // sender or target has been closed
        WouldDeadlock,  // waiting for a handler that waits for us
    };

    SendError(Reason reason, std::string message, std::string hint = {});

    Kind kind;
    Reason reason;
    bool retryable;       // the same call may succeed later
    std::string message;  // what happened, and to what
    std::string hint;     // what to do about it; may be empty

    // "NodeNotFound(unknown): no node "bbo" in this process. Did you mean "bob"?"
    std::string to_string() const;

    friend bool operator==(const SendError& a, const SendError& b) noexcept { return a.reason == b.reason; }
};

// The guide's name for the errors of P2PBox: the same type.
using P2PError = SendError;

// "NodeNotFound": as the guide and scripts spell it.
std::string_view to_string(SendError::Kind kind) noexcept;
// "duplicate_id": as the protocol and scripts spell it.
std::string_view to_string(SendError::Reason reason) noexcept;

}  // namespace nyamesh
