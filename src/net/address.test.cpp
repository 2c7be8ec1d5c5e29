#include "net/address.h"

#include <doctest/doctest.h>

namespace nyamesh::net {

namespace {

std::string address(std::string_view text) {
    const auto parsed = Address::parse(text);
    return parsed ? parsed->to_string() : parsed.error();
}

std::string url(std::string_view text) {
    const auto parsed = Url::parse(text);
    return parsed ? parsed->to_string() : parsed.error();
}

}  // namespace

TEST_CASE("addresses to listen on are numeric; localhost and 'every address' have short forms") {
    CHECK(address("127.0.0.1:8080") == "127.0.0.1:8080");
    CHECK(address("[::1]:8080") == "[::1]:8080");
    CHECK(address("[0:0::0:1]:0") == "[::1]:0");
    CHECK(address("localhost:8080") == "127.0.0.1:8080");
    CHECK(address(":8080") == "[::]:8080");
    CHECK(address("0.0.0.0:65535") == "0.0.0.0:65535");
    CHECK(Address::parse("10.0.0.1:1") == Address{"10.0.0.1", 1});
}

TEST_CASE("what is no address gets an answer that says what is missing") {
    const std::string help = "; write 127.0.0.1:8080, [::1]:8080, localhost:8080 or :8080 (every address)";
    CHECK(address("127.0.0.1") == "'127.0.0.1' is no address to listen on: the port is missing" + help);
    CHECK(address("") == "'' is no address to listen on: the port is missing" + help);
    CHECK(address("::1") ==
          "'::1' is no address to listen on: an IPv6 address needs brackets, and a port behind them" + help);
    for (const char* port : {"1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:8o", ":+1", ": 1"}) {
        CHECK(address(port).contains("the port must be a number from 0 to 65535"));
    }
    for (const char* host : {"example.org:80", "1.2.3:80", "[::g]:80", "[]:80", "[::1%lo]:80"}) {
        CHECK(address(host).contains("no numeric address"));
    }
    CHECK(address("[1.2.3.4]:80").contains("brackets belong around IPv6"));
    CHECK(address("[::1]8080").contains("is no address"));
    CHECK(!Address::parse(std::string_view("127.0.0.1\0:80", 13)));
}

TEST_CASE("loopback is 127.0.0.0/8, ::1, and the former inside IPv6") {
    CHECK(Address{"127.0.0.1", 1}.is_loopback());
    CHECK(Address{"127.9.9.9", 1}.is_loopback());
    CHECK(Address{"::1", 1}.is_loopback());
    CHECK(Address{"::ffff:127.0.0.1", 1}.is_loopback());
    CHECK(!Address{"128.0.0.1", 1}.is_loopback());
    CHECK(!Address{"0.0.0.0", 1}.is_loopback());
    CHECK(!Address{"::", 1}.is_loopback());
    CHECK(!Address{"", 1}.is_loopback());
}

TEST_CASE("URLs of the same hub have the same text") {
    CHECK(url("ws://127.0.0.1:8080") == "ws://127.0.0.1:8080");
    CHECK(url("WS://127.0.0.1:8080/") == "ws://127.0.0.1:8080");
    CHECK(url("ws://Example.ORG:80") == "ws://example.org");
    CHECK(url("wss://example.org:443/") == "wss://example.org");
    CHECK(url("wss://example.org:80/hub?x=1") == "wss://example.org:80/hub?x=1");
    CHECK(url("ws://example.org?x=1") == "ws://example.org/?x=1");
    CHECK(url("ws://[0::1]:8080/a") == "ws://[::1]:8080/a");
    CHECK(url("wss://[::1]") == "wss://[::1]");
    CHECK(url("ws://hub:/") == "ws://hub");
}

TEST_CASE("a URL falls apart into what connecting needs") {
    const auto parsed = Url::parse("wss://[::1]/hub");
    REQUIRE(parsed);
    CHECK(parsed->is_secure);
    CHECK(parsed->target.host == "::1");
    CHECK(parsed->target.port == 443);
    CHECK(parsed->path == "/hub");
    CHECK(Url::parse("ws://a")->path == "/");
    CHECK(Url::parse("ws://a")->target.port == 80);
}

TEST_CASE("what is no URL of a hub gets an answer that says why") {
    CHECK(url("127.0.0.1:8080") ==
          "'127.0.0.1:8080' is no hub address: it does not begin with ws:// or wss://; write ws://host:port or "
          "wss://host:port");
    CHECK(url("http://a").contains("it begins with 'http://'"));
    CHECK(url("ws://").contains("the host is missing"));
    CHECK(url("ws://:80").contains("the host is missing"));
    CHECK(url("ws://a:0").contains("from 1 to 65535"));
    CHECK(url("ws://a:99999").contains("from 1 to 65535"));
    CHECK(url("ws://a b").contains("the host is not written well"));
    CHECK(url("ws://[::1").contains("the host is not written well"));
    CHECK(url("ws://[a]").contains("no IPv6 address"));
    CHECK(url("ws://me:secret@a").contains("password"));
    CHECK(url("ws://a/#x").contains("#"));
    CHECK(url("ws://a/ü").contains("ASCII"));
    CHECK(url("ws://a/" + std::string(3'000, 'x')).contains("longer than 2048"));
    CHECK(url("ws://" + std::string(254, 'x')).contains("the host is not written well"));
}

}  // namespace nyamesh::net
