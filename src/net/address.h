// Address: an IP address and port. Target: what a client asks for by name. Url: what people write.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace nyamesh::net {

struct Address {
    std::string ip;  // numeric: "127.0.0.1", "::1"
    std::uint16_t port = 0;

    bool is_loopback() const;
    std::string to_string() const;  // "127.0.0.1:8080", "[::1]:8080"
    // "127.0.0.1:8080", "[::1]:8080", ":8080" (every address), "localhost:8080" (127.0.0.1). The error says what was
    // expected.
    static std::expected<Address, std::string> parse(std::string_view text);
    friend auto operator<=>(const Address&, const Address&) = default;
};

struct Target {
    std::string host;  // a name or a numeric address
    std::uint16_t port = 0;
};

// ws://host[:port][/path] or wss://…; ports default to 80 and 443 (RFC 6455, 3).
struct Url {
    bool is_secure = false;
    Target target;
    std::string path = "/";

    std::string to_string() const;  // canonical: equal hubs have equal texts
    static std::expected<Url, std::string> parse(std::string_view text);
};

}  // namespace nyamesh::net
