// The names NyaMesh accepts, and the guide's "name:rest" sugar. Checked at the edge, so that
// everything behind it can rely on them.
#pragma once

#include <nyamesh/send_error.h>

#include <cstddef>
#include <expected>
#include <string_view>

namespace nyamesh {

inline constexpr std::size_t kMaxNameBytes = 255;

// 1 to kMaxNameBytes bytes of UTF-8 without control characters (U+0000-U+001F, U+007F-U+009F).
// Otherwise SerializationError(invalid_name), whose message names the offending byte.
std::expected<void, SendError> check_node_id(std::string_view id);
std::expected<void, SendError> check_intent_name(std::string_view name);
std::expected<void, SendError> check_room_name(std::string_view name);

// The guide's sugar (Level 2). "chat:hello" is the intent "chat" with the text "hello"; any text
// whose part before the first colon is not [A-Za-z_][A-Za-z0-9_.-]*, or whose colon is followed by
// a space or a '/', is the intent "message" with the whole text ("http://x", "note: x").
struct Sugar {
    std::string_view intent_name;
    std::string_view text;
};
Sugar split_sugar(std::string_view text) noexcept;

}  // namespace nyamesh
