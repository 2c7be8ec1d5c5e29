#include <nyamesh/connection_state.h>

#include <utility>

namespace nyamesh {

std::string_view to_string(ConnectionState state) noexcept {
    switch (state) {
        case ConnectionState::Connecting:
            return "connecting";
        case ConnectionState::Connected:
            return "connected";
        case ConnectionState::Reconnecting:
            return "reconnecting";
        case ConnectionState::Failed:
            return "failed";
        case ConnectionState::Closed:
            return "closed";
    }
    std::unreachable();
}

}  // namespace nyamesh
