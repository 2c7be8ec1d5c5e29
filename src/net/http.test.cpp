#include "net/http.h"

#include <doctest/doctest.h>

#include <string>

using namespace nyamesh::net;

namespace {

constexpr std::size_t kLimit = 8 * 1024;
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455, 1.3

std::string good_request() {
    return upgrade_request("localhost:8080", "/", kKey, "nyamesh.v1", "", "");
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), with);
}

HttpRequest parsed(std::string_view text) {
    const auto result = parse_request(text, kLimit);
    REQUIRE(result);
    REQUIRE(*result);
    return (*result)->message;
}

// What a request is answered with: "101", or the refusal's status and words.
std::string answer_to(std::string_view text) {
    const auto answer = check_upgrade(parsed(text), "nyamesh.v1");
    return answer ? answer->substr(9, 3) : std::to_string(answer.error().status) + " " + answer.error().message;
}

HttpResponse parsed_answer(std::string_view text) {
    const auto result = parse_response(text, kLimit);
    REQUIRE(result);
    REQUIRE(*result);
    return (*result)->message;
}

}  // namespace

TEST_CASE("a request's head is read once it is whole, and what follows is left alone") {
    const std::string text = "GET /metrics?a=1&token=x&b= HTTP/1.1\r\nHost:  here \r\nX-Two: 1\r\nx-two: 2\r\n\r\nrest";
    for (std::size_t size = 0; size < text.size() - 4; ++size) {
        const auto result = parse_request(std::string_view(text).substr(0, size), kLimit);
        REQUIRE(result);
        CHECK_FALSE(*result);
    }
    const auto result = parse_request(text, kLimit);
    REQUIRE(result);
    REQUIRE(*result);
    CHECK((*result)->length == text.size() - 4);
    const HttpRequest& request = (*result)->message;
    CHECK(request.method == "GET");
    CHECK(request.path() == "/metrics");
    CHECK(request.query("a") == "1");
    CHECK(request.query("token") == "x");
    CHECK(request.query("b").empty());
    CHECK(request.query("none").empty());
    CHECK(request.header("host") == "here");
    CHECK(request.header("x-two") == "1");
    CHECK(request.header("none").empty());
    CHECK(request.is_http_1_1);
}

TEST_CASE("what is no HTTP is refused at once, and a long head before it is read") {
    CHECK(parse_request("\x16\x03\x01", kLimit).error().message ==
          "this port does not speak TLS: connect with ws:// instead of wss://");
    CHECK(parse_request("{\"t\":", kLimit).error().status == 400);
    CHECK(parse_request("GET / HTTP/1.1\r\nno colon\r\n\r\n", kLimit).error().status == 400);
    CHECK(parse_request("GET / HTTP/3.7\r\n\r\n", kLimit).error().status == 400);
    CHECK(parse_request("GET / HTTP/1.1\r\nA: \x01\r\n\r\n", kLimit).error().status == 400);
    const std::string head = "GET / HTTP/1.1\r\nA: ";
    CHECK(parse_request(head + std::string(kLimit, 'a'), kLimit).error().status == 431);
    CHECK(parse_request(head + std::string(kLimit, 'a') + "\r\n\r\n", kLimit).error().status == 431);
    const auto longest = parse_request(head + std::string(kLimit - head.size() - 4, 'a') + "\r\n\r\n", kLimit);
    REQUIRE(longest);
    CHECK((*longest)->length == kLimit);
    CHECK(parse_response("SSH-2.0", kLimit).error().message.starts_with("the answer is not HTTP"));
}

TEST_CASE("RFC 6455, 1.3: the standard's own handshake") {
    const auto answer = check_upgrade(parsed(good_request()), "nyamesh.v1");
    REQUIRE(answer);
    CHECK(*answer ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: nyamesh.v1\r\n\r\n");
    CHECK(check_upgrade_answer(parsed_answer(*answer), kKey, "nyamesh.v1"));
}

TEST_CASE("4.2.1: what makes a good upgrade, and what each other is answered") {
    CHECK(answer_to(good_request()) == "101");
    CHECK(answer_to(replaced(good_request(), "Upgrade: websocket", "UPGRADE: foo, WebSocket")) == "101");
    CHECK(answer_to(replaced(good_request(), "Connection: Upgrade", "Connection: keep-alive, upgrade")) == "101");
    CHECK(answer_to(replaced(good_request(), "nyamesh.v1", "chat, nyamesh.v1")) == "101");
    CHECK(answer_to(replaced(good_request(), "nyamesh.v1", "chat\r\nSec-WebSocket-Protocol: nyamesh.v1")) == "101");

    struct {
        const char* what;
        const char* with;
        const char* answer;
    } const bad[] = {
        {"GET /", "POST /", "405 a WebSocket is opened with GET"},
        {"HTTP/1.1", "HTTP/1.0", "505 a WebSocket is opened with HTTP/1.1"},
        {"Upgrade: websocket\r\n", "", "426 this is the address of a WebSocket"},
        {"Upgrade: websocket", "Upgrade: h2c", "426 this is the address of a WebSocket"},
        {"Connection: Upgrade", "Connection: close", "400 the header Connection must contain \"Upgrade\""},
        {"Host: localhost:8080\r\n", "", "400 the header host is missing"},
        {"Host: ", "Host: other\r\nHost: ", "400 the header host is there more than once"},
        {"Version: 13", "Version: 8", "426 only version 13"},
        {"Sec-WebSocket-Version: 13\r\n", "", "400 the header sec-websocket-version is missing"},
        {"Sec-WebSocket-Key: ", "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: ",
         "400 the header sec-websocket-key is th"},
        {"Key: dGhl", "Key: dGh", "400 the header sec-websocket-key must be 16 bytes"},
        {"Key: dGhl", "Key: dG!l", "400 the header sec-websocket-key must be 16 bytes"},
        {"Upgrade: w", "Content-Length: 3\r\nUpgrade: w", "400 a request for a WebSocket has no body"},
        {"Upgrade: w", "Transfer-Encoding: chunked\r\nUpgrade: w", "400 a request for a WebSocket has no body"},
        {"GET / ", "GET /?token=abc ", "400 never put a token into the URL"},
        {"GET / ", "GET /?x=1&access_token=abc ", "400 never put a token into the URL"},
        {"nyamesh.v1", "nyamesh.v2", "400 the header Sec-WebSocket-Protocol must offer \"nyamesh.v1\""},
        {"nyamesh.v1", "NyaMesh.v1", "400 the header Sec-WebSocket-Protocol must offer"},
        {"Sec-WebSocket-Protocol: nyamesh.v1\r\n", "", "400 the header Sec-WebSocket-Protocol must offer"},
    };
    for (const auto& [what, with, answer] : bad) {
        INFO(what << " -> " << with);
        CHECK(answer_to(replaced(good_request(), what, with)).starts_with(answer));
    }
    const auto old = check_upgrade(parsed(replaced(good_request(), "Version: 13", "Version: 8")), "nyamesh.v1");
    CHECK(http_answer(old.error()).find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
}

TEST_CASE("4.1: what makes a good answer") {
    const std::string good = *check_upgrade(parsed(good_request()), "nyamesh.v1");
    struct {
        const char* what;
        const char* with;
        const char* error;
    } const bad[] = {
        {"101 Switching Protocols", "200 OK", "the server answered HTTP 200"},
        {"Upgrade: websocket", "Upgrade: h2c", "the server switched to something that is not WebSocket"},
        {"Connection: Upgrade", "Connection: close", "the server's answer lacks the header Connection: Upgrade"},
        {"s3pP", "s3pQ",
         "the server's Sec-WebSocket-Accept does not fit our key: it is no WebSocket server, or a cache"},
        {"nyamesh.v1", "chat", "the server does not speak the subprotocol \"nyamesh.v1\""},
        {"Sec-WebSocket-Protocol: nyamesh.v1\r\n", "", "the server does not speak the subprotocol \"nyamesh.v1\""},
        {"Upgrade: w", "Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: w",
         "the server uses an extension that was not offered"},
    };
    for (const auto& [what, with, error] : bad) {
        INFO(what << " -> " << with);
        const auto checked = check_upgrade_answer(parsed_answer(replaced(good, what, with)), kKey, "nyamesh.v1");
        REQUIRE_FALSE(checked);
        CHECK(checked.error() == error);
    }
    CHECK(check_upgrade_answer(parsed_answer(good), upgrade_key(1, 2), "nyamesh.v1").has_value() == false);
}

TEST_CASE("a request says what was asked for, and nothing can be smuggled into it") {
    const auto request =
        parsed(upgrade_request("[::1]:80", "/a\r\nX-Evil:1", upgrade_key(1, 2), "p", "Bearer abc\n", "http://here"));
    CHECK(request.target == "/aX-Evil:1");
    CHECK(request.header("host") == "[::1]:80");
    CHECK(request.header("authorization") == "Bearer abc");
    CHECK(request.header("origin") == "http://here");
    CHECK(request.header("x-evil").empty());
    CHECK(upgrade_key(1, 2).size() == 24);
    CHECK(upgrade_key(1, 2) != upgrade_key(2, 1));
    CHECK(good_request().find("Authorization") == std::string::npos);
    CHECK(good_request().find("Origin") == std::string::npos);
}

TEST_CASE("an answer has its length, and ends the connection") {
    CHECK(http_answer(200, "application/json", "{}") ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    CHECK(http_answer({.status = 431, .message = "too long"}) ==
          "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
          "Content-Length: 9\r\nConnection: close\r\n\r\ntoo long\n");
}
