// SendError: five kinds from the guide, our reasons, and texts for people.
#include <nyamesh/send_error.h>
#include <nyamesh/transport_kind.h>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using namespace nyamesh;
using Kind = SendError::Kind;
using Reason = SendError::Reason;

TEST_CASE("each reason belongs to one of the guide's five kinds") {
    const auto kind = [](Reason reason) { return SendError(reason, "x").kind; };
    for (const Reason r : {Reason::Unknown, Reason::Gone}) CHECK(kind(r) == Kind::NodeNotFound);
    for (const Reason r :
         {Reason::Offline, Reason::Unauthorized, Reason::NameTaken, Reason::Unconfirmed, Reason::Unsupported}) {
        CHECK(kind(r) == Kind::NetworkError);
    }
    for (const Reason r : {Reason::NotSent, Reason::MayHaveRun}) CHECK(kind(r) == Kind::Timeout);
    for (const Reason r : {Reason::Malformed, Reason::TooLarge, Reason::InvalidName}) {
        CHECK(kind(r) == Kind::SerializationError);
    }
    for (const Reason r : {Reason::DuplicateId, Reason::Backpressure, Reason::NoHandler, Reason::HandlerFailed,
                           Reason::Closed, Reason::WouldDeadlock}) {
        CHECK(kind(r) == Kind::BusError);
    }
}

TEST_CASE("kinds and reasons are spelled as in the guide and the protocol") {
    CHECK(to_string(Kind::NodeNotFound) == "NodeNotFound");
    CHECK(to_string(Kind::NetworkError) == "NetworkError");
    CHECK(to_string(Kind::Timeout) == "Timeout");
    CHECK(to_string(Kind::SerializationError) == "SerializationError");
    CHECK(to_string(Kind::BusError) == "BusError");
    const std::vector<std::pair<Reason, std::string_view>> reasons{
        {Reason::Unknown, "unknown"},
        {Reason::Gone, "gone"},
        {Reason::Offline, "offline"},
        {Reason::Unauthorized, "unauthorized"},
        {Reason::NameTaken, "name_taken"},
        {Reason::Unconfirmed, "unconfirmed"},
        {Reason::Unsupported, "unsupported"},
        {Reason::NotSent, "not_sent"},
        {Reason::MayHaveRun, "may_have_run"},
        {Reason::Malformed, "malformed"},
        {Reason::TooLarge, "too_large"},
        {Reason::InvalidName, "invalid_name"},
        {Reason::DuplicateId, "duplicate_id"},
        {Reason::Backpressure, "backpressure"},
        {Reason::NoHandler, "no_handler"},
        {Reason::HandlerFailed, "handler_failed"},
        {Reason::Closed, "closed"},
        {Reason::WouldDeadlock, "would_deadlock"},
    };
    for (const auto& [reason, spelling] : reasons) CHECK(to_string(reason) == spelling);
}

TEST_CASE("two errors are equal when kind and reason are; the texts do not count") {
    CHECK(SendError(Reason::Unknown, "one") == SendError(Reason::Unknown, "two", "hint"));
    CHECK(SendError(Reason::Unknown, "one") != SendError(Reason::Gone, "one"));
}

TEST_CASE("an error says what happened and what to do") {
    CHECK(SendError(Reason::Unknown, "no node \"bbo\"", "Did you mean \"bob\"?").to_string() ==
          "NodeNotFound(unknown): no node \"bbo\". Did you mean \"bob\"?");
    CHECK(SendError(Reason::Closed, "it has closed").to_string() == "BusError(closed): it has closed");
}

TEST_CASE("retryable errors are those the very same call may survive later") {
    CHECK(SendError(Reason::Backpressure, "x").retryable);
    CHECK(SendError(Reason::Unknown, "x").retryable);
    CHECK(SendError(Reason::NotSent, "x").retryable);
    CHECK_FALSE(SendError(Reason::InvalidName, "x").retryable);
    CHECK_FALSE(SendError(Reason::HandlerFailed, "x").retryable);
    CHECK_FALSE(SendError(Reason::MayHaveRun, "x").retryable);  // it would run twice
    CHECK_FALSE(SendError(Reason::Unconfirmed, "x").retryable);
}

TEST_CASE("the guide's P2PError is the same type") {
    CHECK(std::is_same_v<P2PError, SendError>);
}

TEST_CASE("transports are spelled as scripts spell them, and an unknown one lists the known") {
    for (const auto kind : {TransportKind::InProcess, TransportKind::WebSocket, TransportKind::WebRTC}) {
        CHECK(parse_transport_kind(to_string(kind)) == kind);
    }
    for (const std::string_view name : {"", "tcp", "InProcess", "inprocess "}) {
        const auto unknown = parse_transport_kind(name);
        REQUIRE_FALSE(unknown.has_value());
        CHECK(unknown.error().reason == Reason::InvalidName);
        CHECK(unknown.error().hint == "Use \"inprocess\", \"websocket\" or \"webrtc\"");
    }
}
