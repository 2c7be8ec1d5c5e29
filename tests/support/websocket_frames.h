// Frames as the tests of WebSocket write them, right and wrong ones alike; and what a reader makes of them, as text.
#pragma once

#include "net/websocket_codec.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::net::test {

struct RawFrame {
    std::uint8_t first;  // FIN, reserved bits and opcode as they lie on the wire: 0x81 is a whole text message
    std::string payload = {};
    std::uint8_t length_bytes = 0;                     // 2, 8: that form of the length, though a shorter one would do
    std::optional<std::uint64_t> claimed_length = {};  // what the header says, if that is not the truth
};

// The bytes of a frame as `reader` expects them: to a server masked, to a client plain.
inline std::string frame_bytes(const RawFrame& frame, Role reader, std::uint32_t mask = 0x37FA213D) {
    const std::uint64_t length = frame.claimed_length.value_or(frame.payload.size());
    std::size_t length_bytes = length < 126 ? 0 : length <= 0xFFFF ? 2 : 8;
    if (frame.length_bytes != 0) length_bytes = frame.length_bytes;
    const std::uint64_t short_length = length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127;
    std::string bytes{static_cast<char>(frame.first)};
    bytes += static_cast<char>(short_length | (reader == Role::Server ? 0x80 : 0));
    for (std::size_t i = length_bytes; i-- > 0;) bytes += static_cast<char>(length >> (8 * i));
    if (reader == Role::Client) return bytes + frame.payload;

    std::array<char, 4> key{};
    for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<char>(mask >> (8 * (3 - i)));
    bytes.append(key.data(), key.size());
    for (std::size_t i = 0; i < frame.payload.size(); ++i) bytes += static_cast<char>(frame.payload[i] ^ key[i % 4]);
    return bytes;
}

inline std::string frame_bytes(const std::vector<RawFrame>& frames, Role reader) {
    std::string bytes;
    for (const auto& frame : frames) bytes += frame_bytes(frame, reader);
    return bytes;
}

// A close frame's payload, whatever the code.
inline std::string close_bytes(unsigned code, std::string_view reason = {}) {
    return std::string{static_cast<char>(code >> 8), static_cast<char>(code)}.append(reason);
}

inline std::string shown(std::string_view bytes) {
    if (bytes.size() <= 40) return std::string(bytes);
    std::uint32_t sum = 0;
    for (const char c : bytes) sum = sum * 31 + static_cast<std::uint8_t>(c);
    return std::to_string(bytes.size()) + " bytes #" + std::to_string(sum);
}

// Writes down what it hears, a line each.
class Listener final : public FrameHandler {
public:
    bool on_message(Opcode opcode, std::string_view bytes) override {
        log += (opcode == Opcode::Text ? "text " : "binary ") + shown(bytes) + "\n";
        ++messages;
        return goes_on;
    }
    bool on_ping(std::string_view payload) override {
        log += "ping " + shown(payload) + "\n";
        return goes_on;
    }
    bool on_pong(std::string_view payload) override {
        log += "pong " + shown(payload) + "\n";
        return goes_on;
    }
    void on_close(std::uint16_t code, std::string_view reason) override {
        log += "close " + std::to_string(code) + " " + std::string(reason) + "\n";
    }

    std::string log;
    std::size_t messages = 0;
    bool goes_on = true;
};

}  // namespace nyamesh::net::test
