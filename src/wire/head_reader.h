// The two roads of reading a head, as frame_codec.cpp and route.cpp use them. Private to this floor.
#pragma once

#include "wire/frame_codec.h"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace nyamesh::wire::detail {

inline constexpr std::size_t kMaxMembers = 64;  // of one head, unknown ones included
inline constexpr std::size_t kMaxLostSessions = 16;
inline constexpr std::size_t kMaxSkippedDepth = 16;  // of an unknown member's value

// The head's line, without its line feed; at most kMaxHeadBytes.
std::expected<std::string_view, DecodeError> find_head(std::string_view bytes);

// False: not in the form that encode_head() writes; `out` is then of no use.
bool read_fast_head(std::string_view line, Head& out);

std::expected<void, DecodeError> read_strict_head(std::string_view line, Scratch& scratch, Head& out);

// What both roads demand once the members are read: those that the type needs are there, and agree.
std::expected<void, DecodeError> check_head(const Head& head, std::string_view line);

// The first byte at or after `at` that ends a string without escapes or does not belong into one; `end` if there
// is none. The bytes before it are printable ASCII.
const char* skip_plain_text(const char* at, const char* end) noexcept;

}  // namespace nyamesh::wire::detail
