// The numbers of docs/protocol.md: limits, times and close codes. If you change one, change it there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nyamesh::wire {

inline constexpr std::string_view kSubprotocol = "nyamesh.v1";

inline constexpr std::size_t kMaxIntentBytes = 256 * 1024;  // a frame, head included; the hub's welcome may lower it
inline constexpr std::size_t kMaxHeadBytes = 16 * 1024;
inline constexpr std::size_t kMaxHandshakeBytes = 8 * 1024;
// Of one frame: with these and the longest names a head stays below kMaxHeadBytes, whatever has to be escaped.
inline constexpr std::size_t kMaxExceptions = 16;
inline constexpr std::size_t kMaxExceptionMessageBytes = 128;

inline constexpr std::chrono::milliseconds kHandshakeTime{
    5'000};  // from accept to the end of the upgrade, then to hello
inline constexpr std::chrono::milliseconds kHeartbeatAfter{3'000};  // of silence
inline constexpr std::chrono::milliseconds kDeadAfter{8'000};       // of silence
inline constexpr std::chrono::milliseconds kResumeWindow{120'000};
inline constexpr std::chrono::milliseconds kHubGrace{5'000};  // after its start a hub does not say "unknown"
inline constexpr std::chrono::milliseconds kTakeoverPing{1'000};

// Why a connection was closed. RFC 6455, 7.4.2: 4000-4999 are for private use. Up to 4499: connect again, with
// backoff; from 4500 on: do not, the same would happen again.
namespace close_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kUnsupportedData = 1003;
inline constexpr std::uint16_t kNoStatus = 1005;  // never sent
inline constexpr std::uint16_t kAbnormal = 1006;  // never sent
inline constexpr std::uint16_t kInvalidPayload = 1007;
inline constexpr std::uint16_t kTooBig = 1009;

inline constexpr std::uint16_t kDraining = 4001;            // the hub is being stopped or restarted
inline constexpr std::uint16_t kSlow = 4008;                // the socket took no byte for 10 seconds
inline constexpr std::uint16_t kSilent = 4012;              // no sign of life
inline constexpr std::uint16_t kTooManyConnections = 4013;  // of the hub, or from this address
inline constexpr std::uint16_t kHandshakeTimeout = 4014;    // no hello in time

inline constexpr std::uint16_t kMalformed = 4500;        // a frame that is none
inline constexpr std::uint16_t kForgedFrom = 4501;       // `from` is no name of this connection
inline constexpr std::uint16_t kUnauthorized = 4502;     // the token was refused
inline constexpr std::uint16_t kTokenExpired = 4503;     // and not renewed in time
inline constexpr std::uint16_t kForbidden = 4504;        // the token does not allow that
inline constexpr std::uint16_t kExpectedHello = 4505;    // something else came first, or a second hello
inline constexpr std::uint16_t kLimit = 4506;            // names, watches: more than one connection may have
inline constexpr std::uint16_t kUnexpectedFrame = 4507;  // a frame that only a hub sends
}  // namespace close_code

constexpr bool may_reconnect(std::uint16_t code) noexcept {
    return code < 4500 && code != close_code::kTooBig && code != close_code::kInvalidPayload;
}

}  // namespace nyamesh::wire
