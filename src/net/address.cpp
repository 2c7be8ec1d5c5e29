// Addresses and URLs as people write them. Numeric addresses are brought to the system's own spelling, so that equal
// ones compare equal.
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <charconv>
#include <optional>

namespace nyamesh::net {

namespace {

constexpr std::size_t kMaxNameBytes = 253;  // RFC 1035, 2.3.4
constexpr std::size_t kMaxUrlBytes = 2'048;

using Error = std::unexpected<std::string>;

// "::1" of "0:0::1"; nothing if `text` is no numeric address.
std::optional<std::string> numeric(std::string_view text) {
    const std::string ip(text);
    in6_addr bytes{};
    char canonical[INET6_ADDRSTRLEN];
    for (const int family : {AF_INET, AF_INET6}) {
        if (::inet_pton(family, ip.c_str(), &bytes) != 1 || ip.find('\0') != std::string::npos) continue;
        return ::inet_ntop(family, &bytes, canonical, sizeof canonical);
    }
    return std::nullopt;
}

std::optional<std::uint16_t> port_number(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return port;
}

std::string with_port(std::string_view host, std::uint16_t port) {
    const bool is_ip6 = host.contains(':');
    return (is_ip6 ? "[" : "") + std::string(host) + (is_ip6 ? "]:" : ":") + std::to_string(port);
}

// "host:port" taken apart; brackets are gone.
struct HostAndPort {
    std::string_view host;
    std::optional<std::string_view> port;
    bool has_brackets = false;
};

std::optional<HostAndPort> take_apart(std::string_view text) {
    HostAndPort parts;
    std::string_view rest;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        parts.has_brackets = true;
        parts.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
    } else {
        parts.host = text.substr(0, text.find(':'));
        rest = text.substr(parts.host.size());
    }
    if (rest.empty()) return parts;
    if (!rest.starts_with(':')) return std::nullopt;
    parts.port = rest.substr(1);
    return parts;
}

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxNameBytes && text.front() != '-' && text.front() != '.' &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '.' || c == '_';
           });
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::string quoted(std::string_view text) {
    constexpr std::size_t kShown = 100;
    std::string result = "'";
    for (const char c : text.substr(0, kShown)) result += c >= 0x20 && c < 0x7f ? c : '?';
    return result + (text.size() > kShown ? "…'" : "'");
}

}  // namespace

bool Address::is_loopback() const {
    if (ip == "::1") return true;
    std::string_view ip4 = ip;
    if (ip4.starts_with("::ffff:")) ip4.remove_prefix(7);
    in_addr bytes{};
    return ::inet_pton(AF_INET, std::string(ip4).c_str(), &bytes) == 1 && (ntohl(bytes.s_addr) >> 24) == 127;
}

std::string Address::to_string() const {
    return with_port(ip, port);
}

std::expected<Address, std::string> Address::parse(std::string_view text) {
    const auto wrong = [&](std::string_view what) {
        return Error(quoted(text) + " is no address to listen on: " + std::string(what) +
                     "; write 127.0.0.1:8080, [::1]:8080, localhost:8080 or :8080 (every address)");
    };
    if (!text.starts_with('[') && std::ranges::count(text, ':') > 1) {
        return wrong("an IPv6 address needs brackets, and a port behind them");
    }
    const auto parts = take_apart(text);
    if (!parts || !parts->port) return wrong("the port is missing");
    const auto port = port_number(*parts->port);
    if (!port) return wrong("the port must be a number from 0 to 65535");

    if (parts->host.empty() && !parts->has_brackets) return Address{"::", *port};
    if (lower(parts->host) == "localhost") return Address{"127.0.0.1", *port};
    auto ip = numeric(parts->host);
    if (!ip) return wrong("the part before the port is no numeric address");
    if (ip->contains(':') != parts->has_brackets) return wrong("brackets belong around IPv6 addresses, and only there");
    return Address{std::move(*ip), *port};
}

std::string Url::to_string() const {
    std::string text = is_secure ? "wss://" : "ws://";
    const bool is_usual_port = target.port == (is_secure ? 443 : 80);
    std::string host = with_port(target.host, target.port);
    if (is_usual_port) host.resize(host.rfind(':'));
    text += host;
    if (path != "/") text += path;
    return text;
}

// RFC 6455, 3: "ws:" "//" host [ ":" port ] path [ "?" query ]; no fragment.
std::expected<Url, std::string> Url::parse(std::string_view text) {
    const auto wrong = [&](std::string_view what) {
        return Error(quoted(text) + " is no hub address: " + std::string(what) +
                     "; write ws://host:port or wss://host:port");
    };
    if (text.size() > kMaxUrlBytes) return wrong("it is longer than " + std::to_string(kMaxUrlBytes) + " bytes");
    Url url;
    const auto scheme_end = text.find("://");
    const std::string scheme = lower(text.substr(0, scheme_end));
    if (scheme_end == std::string_view::npos) return wrong("it does not begin with ws:// or wss://");
    if (scheme == "wss") {
        url.is_secure = true;
    } else if (scheme != "ws") {
        return wrong("it begins with " + quoted(scheme + "://"));
    }
    const std::string_view rest = text.substr(scheme_end + 3);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    const std::string_view path = rest.substr(authority.size());
    if (authority.contains('@')) return wrong("a name and password do not belong here (a token is an option)");
    if (path.contains('#')) return wrong("a part behind # has no meaning here");
    if (!std::ranges::all_of(path, [](char c) { return c > 0x20 && c < 0x7f; })) {
        return wrong("spaces and other than ASCII must be written as %20 and so on");
    }
    if (!path.empty()) url.path = (path.front() == '/' ? "" : "/") + std::string(path);

    const auto parts = take_apart(authority);
    if (!parts) return wrong("the host is not written well");
    url.target.port = url.is_secure ? 443 : 80;
    if (parts->port && !parts->port->empty()) {
        const auto port = port_number(*parts->port);
        if (!port || *port == 0) return wrong("the port must be a number from 1 to 65535");
        url.target.port = *port;
    }
    const auto ip = numeric(parts->host);
    if (parts->has_brackets && !(ip && ip->contains(':'))) return wrong("what is in brackets is no IPv6 address");
    if (!ip && parts->host.empty()) return wrong("the host is missing");
    if (!ip && !is_host_name(parts->host)) return wrong("the host is not written well");
    url.target.host = ip ? *ip : lower(parts->host);
    return url;
}

}  // namespace nyamesh::net
