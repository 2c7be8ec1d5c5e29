// A hub in virtual time and up to six clients that do anything at all: good frames, bad frames, bytes that are none,
// half requests, reading nothing, cut cables, closed eyes, and time passing.
//
// Whatever they do, the hub keeps its bounds and its books: no table or queue beyond its limit, every name that is here
// in the hands of exactly one connection, every watch counted on both sides; and once all have gone and the leases have
// ended, nothing is left.
//
// The input is a list of steps: a byte that says what, a byte that says who and how, and for some a length and as many
// bytes. Limits are small, so that they are reached.
#include "require.h"
#include "support/hub_kit.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace nyamesh;
using namespace nyamesh::testing;

constexpr std::size_t kClients = 6;
constexpr std::size_t kOutQueue = 8 * 1024;
constexpr std::size_t kAnswers = 4 * 1024;  // that may come on top: of the frame that is being handled

HubOptions small() {
    HubOptions options;
    options.limits.max_intent_bytes = 2 * 1024;
    options.limits.out_queue_bytes = kOutQueue;
    options.limits.messages_per_second = 200;
    options.limits.bytes_per_second = 64 * 1024;
    options.limits.connections = 5;
    options.limits.names_per_connection = 3;
    options.limits.watches_per_connection = 4;
    options.limits.known_names = 8;
    options.limits.accepts_per_second = 50;
    options.auth.keys = {{.id = "k", .value = "0123456789abcdef0123456789abcdef"}};
    return options;
}

class Input {
public:
    explicit Input(std::string_view bytes) : bytes_(bytes) {}
    bool has_more() const { return !bytes_.empty(); }
    std::uint8_t byte() {
        if (bytes_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(bytes_.front());
        bytes_.remove_prefix(1);
        return value;
    }
    std::string_view text() {
        const std::string_view text = bytes_.substr(0, byte());
        bytes_.remove_prefix(std::min(bytes_.size(), text.size()));
        return text;
    }

private:
    std::string_view bytes_;
};

std::string name(unsigned which) {
    return std::string(1, static_cast<char>('a' + which % 12));
}

// A frame that is mostly right.
std::string frame(Input& input) {
    static constexpr std::array kTypes{"m",    "a",      "sync",    "reset", "bye",  "ping", "pong",    "hello",
                                       "bind", "unbind", "resolve", "auth",  "list", "peer", "welcome", "zz"};
    const std::uint8_t type = input.byte();
    const std::uint8_t names = input.byte();
    const std::uint8_t more = input.byte();
    std::string text = "{\"t\":\"" + std::string(kTypes[type % kTypes.size()]) + "\"";
    if (type % kTypes.size() < 7) text += ",\"to\":\"" + name(names) + "\",\"from\":\"" + name(names / 16) + "\"";
    text += ",\"n\":\"" + name(names / 16) + "\"";
    if ((more & 3) != 0) text += ",\"i\":\"000000000000000" + std::to_string(more & 3) + "\"";
    if (type % kTypes.size() == 1) text += ",\"a\":\"0000000000000001.1\"";
    if (type % kTypes.size() == 3) text += ",\"fi\":\"0000000000000001\"";
    if ((more & 4) != 0) text += ",\"key\":\"" + name(more >> 4) + "\"";
    if ((more & 8) != 0) text += ",\"sessions\":false";
    if (type % kTypes.size() == 11) text += ",\"token\":\"x.y.z\"";
    text += "}";
    if ((type & 0x80) != 0) text += "\n" + std::string((type & 0x70u) * 16, ' ') + "1";
    return text;
}

class Session {
public:
    void step(Input& input) {
        const std::uint8_t what = input.byte();
        const std::uint8_t how = input.byte();
        std::unique_ptr<TestClient>& client = clients_[how % kClients];
        const bool is_open = client && client->is_open;
        switch (what % 12) {
            case 0:
                client = hub_.client({.has_heartbeats = (how & 0x40) == 0});
                client->keeps_frames = false;
                hub_.world.run_for(std::chrono::milliseconds(2));
                break;
            case 1:
            case 2:
            case 3:
                if (const std::string text = frame(input); is_open) {
                    for (int i = 0; i <= how / 8; ++i) client->socket().send_text(text);
                }
                break;
            case 4:
                if (const std::string_view text = input.text(); is_open) client->socket().send_text(text);
                break;
            case 5:
                if (const std::string_view text = input.text(); is_open) client->socket().send_binary(text);
                break;
            case 6:  // through the WebSocket's wall
                if (const std::string_view bytes = input.text(); is_open) {
                    client->socket().stream().out().append(bytes);
                    client->socket().stream().flush_later();
                }
                break;
            case 7:
                if (is_open) client->cut();
                break;
            case 8:
                if (is_open) client->close((how & 0x80) != 0 ? 1000 : 4900);
                break;
            case 9:
                if (is_open) (how & 0x80) != 0 ? client->socket().pause_reading() : client->socket().resume_reading();
                break;
            case 10:
                if (is_open) {
                    (how & 0x80) != 0 ? hub_.world.swallow(client->connection())
                                      : hub_.world.heal(client->connection());
                }
                break;
            case 11:
                hub_.world.run_for(std::chrono::milliseconds(1) * (1 << how % 16));  // up to half a minute
                break;
        }
        hub_.world.run_for(std::chrono::microseconds(300));
        check();
    }

    void end() {
        for (auto& client : clients_) client.reset();
        hub_.world.run_for(std::chrono::minutes(5));
        check();
        require(hub_.core->connection_count() == 0, "no connection is left");
        require(hub_.core->names().size() == 0, "no name is left");
        require(hub_.core->names().watches() == 0, "no watch is left");
    }

private:
    void check() const {
        const hub::HubCore& core = *hub_.core;
        require(core.connection_count() <= 5, "no more connections than allowed");
        require(core.names().size() <= 8, "no more names than allowed");
        std::size_t held = 0;
        std::size_t watches = 0;
        for (const auto* one = core.connections().front(); one != nullptr; one = core.connections().next(*one)) {
            require(one->names().size() <= 3, "no more names per connection than allowed");
            require(one->watch_count() <= 4, "no more watches per connection than allowed");
            require(one->waiting() <= kOutQueue + kAnswers, "no more waits for a client than its queue");
            for (const hub::Name* name : one->names()) require(name->holder == one, "who has a name is its holder");
            held += one->names().size();
            watches += one->watch_count();
        }
        require(held == core.names().bound(), "names that are here are counted");
        require(watches == core.names().watches(), "watches are counted");
        std::size_t watched = 0;
        core.names().for_each([&](const hub::Name& name) {
            require((name.holder != nullptr) == (name.state == wire::PeerState::Here), "here means held");
            std::size_t count = 0;
            name.watches.for_each([&](const hub::Watch&) { ++count; });
            require(count == name.watch_count, "a name's watches are counted");
            require(name.state != wire::PeerState::Unknown || count > 0, "nothing is kept of nobody");
            watched += count;
            return true;
        });
        require(watched == watches, "every watch has two ends");
    }

    HubWorld hub_{1, small()};
    std::array<std::unique_ptr<TestClient>, kClients> clients_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Session session;
    Input input({reinterpret_cast<const char*>(data), size});
    for (int steps = 0; input.has_more() && steps < 200; ++steps) session.step(input);
    session.end();
    return 0;
}
