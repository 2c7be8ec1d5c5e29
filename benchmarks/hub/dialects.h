// What each server wants to be told around a message: how a client introduces itself, how it addresses another, and
// how a message that arrives looks. One dialect per server; the plain one is that of the servers we wrote for the
// libraries that have no names of their own (ws, Beast).
#pragma once

#include "client.h"

#include <memory>
#include <string>
#include <string_view>

namespace hub_load {

// Where a dialect reports what it found in a message.
class Sink {
public:
    virtual ~Sink() = default;
    virtual void on_ready(Client& client) = 0;
    virtual void on_payload(Client& client, std::string_view payload) = 0;
};

class Dialect {
public:
    virtual ~Dialect() = default;

    [[nodiscard]] virtual std::string path(const Client& client, bool is_echo) const = 0;
    [[nodiscard]] virtual std::string headers() const { return {}; }
    [[nodiscard]] virtual Opcode opcode() const { return Opcode::Text; }

    // After the upgrade. Those who need no introduction are ready now.
    virtual void greet(Client& client, Sink& sink) const = 0;

    // Sets what stands around the payloads that go from this client to that name.
    virtual void address(Client& client, std::string_view to, bool is_echo) const = 0;

    // Before each message.
    virtual void prepare(Client&) const {}

    virtual void receive(Client& client, std::string_view message, Sink& sink) const = 0;
};

// plain, nyamesh, nyamesh-sessions, nats or socketio. The token is for nyamesh; empty: none is sent. Every so
// many messages of a session its receiver sends its counters.
[[nodiscard]] std::unique_ptr<Dialect> make_dialect(std::string_view name, std::string token, unsigned ack_every);

}  // namespace hub_load
