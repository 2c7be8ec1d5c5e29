#include <nyamesh/send_error.h>

#include <utility>

namespace nyamesh {

namespace {

using Kind = SendError::Kind;
using Reason = SendError::Reason;

Kind kind_of(Reason reason) noexcept {
    switch (reason) {
        case Reason::Unknown:
        case Reason::Gone:
            return Kind::NodeNotFound;
        case Reason::Offline:
        case Reason::Unauthorized:
        case Reason::NameTaken:
        case Reason::Unconfirmed:
        case Reason::Unsupported:
            return Kind::NetworkError;
        case Reason::NotSent:
        case Reason::MayHaveRun:
            return Kind::Timeout;
        case Reason::Malformed:
        case Reason::TooLarge:
        case Reason::InvalidName:
            return Kind::SerializationError;
        case Reason::DuplicateId:
        case Reason::Backpressure:
        case Reason::NoHandler:
        case Reason::HandlerFailed:
        case Reason::Closed:
        case Reason::WouldDeadlock:
            return Kind::BusError;
    }
    return Kind::BusError;
}

// Whether the very same call may succeed later, without anybody changing the program.
bool is_retryable(Reason reason) noexcept {
    switch (reason) {
        case Reason::Unknown:
        case Reason::Gone:
        case Reason::Offline:
        case Reason::NotSent:
        case Reason::Backpressure:
            return true;
        default:
            return false;
    }
}

}  // namespace

SendError::SendError(Reason why, std::string what, std::string what_to_do)
    : kind(kind_of(why)),
      reason(why),
      retryable(is_retryable(why)),
      message(std::move(what)),
      hint(std::move(what_to_do)) {}

std::string SendError::to_string() const {
    std::string text(nyamesh::to_string(kind));
    text.append("(").append(nyamesh::to_string(reason)).append("): ").append(message);
    if (!hint.empty()) text.append(". ").append(hint);
    return text;
}

std::string_view to_string(SendError::Kind kind) noexcept {
    switch (kind) {
        case Kind::NodeNotFound:
            return "NodeNotFound";
        case Kind::NetworkError:
            return "NetworkError";
        case Kind::Timeout:
            return "Timeout";
        case Kind::SerializationError:
            return "SerializationError";
        case Kind::BusError:
            return "BusError";
    }
    return "?";
}

std::string_view to_string(SendError::Reason reason) noexcept {
    switch (reason) {
        case Reason::Unknown:
            return "unknown";
        case Reason::Gone:
            return "gone";
        case Reason::Offline:
            return "offline";
        case Reason::Unauthorized:
            return "unauthorized";
        case Reason::NameTaken:
            return "name_taken";
        case Reason::Unconfirmed:
            return "unconfirmed";
        case Reason::Unsupported:
            return "unsupported";
        case Reason::NotSent:
            return "not_sent";
        case Reason::MayHaveRun:
            return "may_have_run";
        case Reason::Malformed:
            return "malformed";
        case Reason::TooLarge:
            return "too_large";
        case Reason::InvalidName:
            return "invalid_name";
        case Reason::DuplicateId:
            return "duplicate_id";
        case Reason::Backpressure:
            return "backpressure";
        case Reason::NoHandler:
            return "no_handler";
        case Reason::HandlerFailed:
            return "handler_failed";
        case Reason::Closed:
            return "closed";
        case Reason::WouldDeadlock:
            return "would_deadlock";
    }
    return "?";
}

}  // namespace nyamesh
