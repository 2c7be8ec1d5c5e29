// Frames to bytes and back. Pure functions: no sockets, no clocks.
//
// Reading has two roads. The fast one takes a head exactly as encode() writes it: members in their fixed order, names
// without escapes. Anything else that is JSON takes the strict one, which accepts any order and unknown members, and
// refuses members given twice, wrong types and broken UTF-8. Both give the same Head; a fuzzer compares them.
#pragma once

#include "wire/frame.h"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::wire {

// Why bytes are not a frame; a connection that brings them is closed with close_code::kMalformed.
struct DecodeError {
    std::size_t offset = 0;  // in bytes from the start of the frame
    std::string message;     // "the member "to" is given twice"
};

// Room for what could not be a view. One per reader, used again for each frame.
struct Scratch {
    std::vector<std::string> texts;
};

// All that the hub needs of a frame.
struct Route {
    FrameType type = FrameType::Message;
    std::string_view to;    // empty for frames that are for the hub itself
    std::string_view from;  // likewise
    bool is_fast = false;   // false: these views may point into `scratch`
};

// `bytes` is a whole frame. Costs some nanoseconds on the fast road.
std::expected<Route, DecodeError> read_route(std::string_view bytes, Scratch& scratch);

std::expected<Frame, DecodeError> decode(std::string_view bytes, Scratch& scratch);
// The strict road alone: what the fast one is tested against.
std::expected<Frame, DecodeError> decode_strictly(std::string_view bytes, Scratch& scratch);

// Appends the head to `out`, without a line feed. Members at their default values are left out.
void encode_head(const Head& head, std::string& out);
// The head and, unless the payload is empty, a line feed and the payload.
void encode(const Head& head, std::string_view payload, std::string& out);

// "4f2a9c01b2d3e4f5.1", "77abc0ffee123456"
std::string to_string(const SessionId& id);
std::string instance_text(std::uint64_t instance);

std::string_view to_string(FrameType type) noexcept;   // "m", "hello"
std::string_view to_string(PeerState state) noexcept;  // "here"
bool is_relayed(FrameType type) noexcept;              // from node to node

}  // namespace nyamesh::wire
