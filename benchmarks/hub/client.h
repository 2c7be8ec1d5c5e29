// One WebSocket connection of the load generator, seen from the client's side (RFC 6455).
//
// It is written for one purpose: to cost so little that the server is what gets measured. It never fragments, it takes
// messages apart where they lie in the read buffer, and whatever is appended during a turn of the loop leaves with one
// send. Nothing of NyaMesh is used here: a mistake in our codec cannot hide behind the same mistake in its benchmark.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

using SSL = struct ssl_st;

namespace hub_load {

enum class Opcode : std::uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

struct Client {
    enum class State : std::uint8_t { Upgrading, Greeting, Ready };

    int fd = -1;
    SSL* tls = nullptr;  // none: plain TCP
    std::string name;    // what others address it by
    State state = State::Upgrading;
    std::string before, after;     // what its messages carry around the payload
    Client* credits_to = nullptr;  // who may send once more when this one has received
    unsigned credits = 0;          // messages it may send now
    bool is_dirty = false;         // already on the list of those that send in this turn
    bool waits_to_write = false;
    std::string in;              // the beginning of a frame whose end has not come yet
    std::string out;             // what the socket has not taken yet
    std::string stream;          // dialects whose messages do not end where frames end: what is not complete yet
    std::string fixed;           // dialects that number their messages: what stands before the number
    std::uint64_t sequence = 0;  // …and the number: of the last one sent, or received
};

using OnMessage = std::function<void(std::string_view)>;

// Connects to the port on loopback and appends the upgrade request. Certificates are not looked at.
void open(Client& client, std::uint16_t port, bool has_tls, const std::string& path, const std::string& headers);

// What has arrived, up to that many bytes; 0 if there is nothing for now.
[[nodiscard]] std::size_t read(Client& client, char* buffer, std::size_t size);

// One masked frame around the three parts.
void append_frame(Client& client, Opcode opcode, std::string_view first, std::string_view second = {},
                  std::string_view third = {});

// Sends what was appended; says whether there is nothing left that waits for the socket.
[[nodiscard]] bool flush(Client& client);

// Takes one response out of the bytes; returns how long it was, 0 if it is not complete. Only 101 will do.
[[nodiscard]] std::size_t take_upgrade(const Client& client, std::string_view bytes);

// Takes all complete frames out of the bytes and returns how many bytes they were. Pings are answered, a close ends the
// program.
[[nodiscard]] std::size_t take_frames(Client& client, std::string_view bytes, const OnMessage& on_message);

}  // namespace hub_load
