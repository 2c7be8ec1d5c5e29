// The secret keys by which a program is known again as the owner of its names, one file each:
//
//     $XDG_STATE_HOME/nyamesh/keys/HUB/NAME        (~/.local/state/… where that is not set)
//
// Made at the first use, for the user's eyes only. Two programs that start at once with the same name get the same key.
#pragma once

#include <nyamesh/send_error.h>

#include <expected>
#include <string>
#include <string_view>

namespace nyamesh::websocket {

// The key of `name` at `hub` ("ws://127.0.0.1:8080"). Where no file can be kept: a key of this process, and
// `is_kept` says so.
struct Key {
    std::string text;  // 32 hex digits
    bool is_kept = false;
};
Key key_for(std::string_view hub, std::string_view name, std::string_view state_directory = {});

}  // namespace nyamesh::websocket
