// Hub: the meeting place of nodes in different processes. A WebSocket server that relays frames by name.
//
//     auto hub = nyamesh::Hub::start({.listen = {"127.0.0.1:0"}});   // 0: a port of the system's choice
//     if (!hub) return fail(hub.error());
//     nodes connect to (*hub)->url()                                  // "ws://127.0.0.1:41873"
//
// It runs on a thread of its own for as long as the object lives. It stores no messages: what is lost with a hub or a
// connection is repaired by the nodes' sessions. Protocol: docs/protocol.md.
//
// On loopback it needs no configuration. An address that others can reach demands TLS and authentication, or
// `is_insecure`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh {

// A key that tokens are signed with. Exactly one algorithm goes with it, whatever a token's own header says.
struct HubKey {
    std::string id = {};              // the token's `kid`; a token without one is tried with the only key there is
    std::string algorithm = "HS256";  // "HS256", "RS256" or "ES256"
    // The secret, at least 32 bytes (HS256), or a PEM text: to verify the public key, to sign the private one.
    std::string value = {};
    std::string file = {};  // …or the file to read that from; read again by reload()
};

struct HubAuth {
    bool is_required = false;       // without a token: refused. With one, it is checked in either case
    std::vector<HubKey> keys = {};  // none: tokens are not looked at
    std::string audience = {};      // what `aud` must contain; empty: not looked at
};

struct HubTls {
    std::string certificate_file;  // PEM, with its chain
    std::string key_file;          // PEM
};

struct HubLimits {
    std::size_t max_intent_bytes = 256 * 1024;  // a frame, head included
    // Of one connection. One that is faster is read more slowly; nothing is lost. A second's worth may come at once.
    std::uint32_t messages_per_second = 20'000;
    std::uint64_t bytes_per_second = 32 * 1024 * 1024;
    std::size_t out_queue_bytes = 8 * 1024 * 1024;  // of one connection: what waits for a slow client
    std::uint32_t connections = 0;                  // 0: what the process's limit of open files allows
    std::uint32_t connections_per_address = 64;     // not applied to loopback
    std::uint32_t accepts_per_second = 2'000;
    std::uint32_t names_per_connection = 1'000;
    std::uint32_t watches_per_connection = 65'536;  // names it is told about; the oldest is forgotten
    std::uint32_t known_names = 1'000'000;          // bound, away, or gone a short while ago
};

struct HubLogLine {
    enum class Level : std::uint8_t { Debug, Info, Warning, Error };
    Level level = Level::Info;
    std::string_view event;    // "connected"
    std::string_view text;     // for people: "127.0.0.1:51234 connected (nyamesh/0.1.0)"
    std::string_view members;  // the same as members of a JSON object: "\"peer\":\"127.0.0.1:51234\",…"
};

struct HubOptions {
    std::vector<std::string> listen = {"127.0.0.1:8080"};
    std::optional<HubTls> tls = {};
    std::string admin = {};  // address of /healthz, /metrics, /connections and /names; empty: none
    HubAuth auth = {};
    // Origins of web pages that may connect, besides the hub's own ("https://chat.example"); "*": any.
    std::vector<std::string> allowed_origins = {};
    HubLimits limits = {};
    std::string state_directory = {};  // keeps the hub's id and signing key over restarts; empty: in memory
    bool is_insecure = false;          // a public address without TLS or authentication
    // Hears what happens, on the hub's thread; must not block. At most some hundred lines a second.
    std::function<void(const HubLogLine&)> log = {};
};

struct HubStatistics {
    std::size_t connections = 0;
    std::size_t names = 0;  // bound now
    std::size_t known_names = 0;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;  // connections that were not let in
    std::uint64_t messages_received = 0;
    std::uint64_t messages_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t dropped = 0;  // frames for names that were not here, or whose client is too slow
};

class Hub {
public:
    // Listens, or says what is wrong with which option. Any thread.
    static std::expected<std::unique_ptr<Hub>, std::string> start(HubOptions options = {});
    ~Hub();  // stop()
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    // The following: any thread.
    std::uint16_t port() const noexcept;        // of the first listen address
    std::string url() const;                    // "ws://127.0.0.1:8080": what a node of this machine connects to
    std::uint16_t admin_port() const noexcept;  // 0: no admin address

    // Stops accepting, tells everybody to connect again within that time, and closes them spread over it. Returns
    // when nobody is left.
    void drain(std::chrono::milliseconds within);
    // Drops everybody; returns when the sockets are closed. Twice is fine.
    void stop();
    // Reads the certificate and key files again; connections that are there stay as they are.
    std::expected<void, std::string> reload();
    HubStatistics statistics() const;

private:
    struct Impl;
    explicit Hub(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// What a token says, for `nyamesh token` and tests.
struct HubToken {
    std::string subject;                    // `sub`: who owns the names bound with it
    std::vector<std::string> names = {};    // ids it may bind, "bot-*" for many; none: just the subject
    std::vector<std::string> send = {"*"};  // ids it may send to
    std::chrono::seconds lifetime{3600};    // `exp`, from now
    std::chrono::seconds starts_in{0};      // `nbf`, from now
    std::string audience = {};              // `aud`
    bool is_for_one_connection = false;     // `once`
};
// Signed with `key` (its private half). The error names what is wrong with the key.
std::expected<std::string, std::string> make_token(const HubToken& token, const HubKey& key);

}  // namespace nyamesh
