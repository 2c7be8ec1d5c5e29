// Beast's parser is fed once, when the head is there to its end; until then only its length and its first bytes are
// looked at. So a client that sends byte by byte cannot make us parse the same lines over and over, and one that
// speaks something else (mostly: TLS) is told at once.
#include "net/http.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace nyamesh::net {

namespace {

namespace http = boost::beast::http;

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::string_view kWebSocketVersion = "13";

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) noexcept {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::string_view find_header(const HttpHeaders& headers, std::string_view name) {
    const auto found = std::ranges::find(headers, name, &HttpHeaders::value_type::first);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

auto count_headers(const HttpHeaders& headers, std::string_view name) {
    return std::ranges::count(headers, name, &HttpHeaders::value_type::first);
}

// Whether the comma-separated list that all headers of the name are together (RFC 9110, 5.3) has this element.
template <class Equal>
bool list_has(const HttpHeaders& headers, std::string_view name, std::string_view wanted, Equal equal) {
    for (const auto& [its_name, value] : headers) {
        if (its_name != name) continue;
        for (std::string_view left = value; !left.empty();) {
            const auto comma = left.find(',');
            if (equal(trimmed(left.substr(0, comma)), wanted)) return true;
            left.remove_prefix(comma == std::string_view::npos ? left.size() : comma + 1);
        }
    }
    return false;
}

template <class Fields>
HttpHeaders copy_headers(const Fields& fields) {
    HttpHeaders headers;
    for (const auto& field : fields) {
        std::string name(field.name_string());
        std::ranges::transform(name, name.begin(), lower);
        headers.emplace_back(std::move(name), std::string(trimmed({field.value().data(), field.value().size()})));
    }
    return headers;
}

std::unexpected<HttpError> refuse(int status, std::string message, HttpHeaders headers = {}) {
    return std::unexpected(HttpError{status, std::move(message), std::move(headers)});
}

// The length of the head that `bytes` begin with; 0: it is not there to its end.
std::expected<std::size_t, HttpError> head_length(std::string_view bytes, std::size_t max_bytes) {
    const auto end = bytes.substr(0, max_bytes).find(kEndOfHead);
    if (end != std::string_view::npos) return end + kEndOfHead.size();
    if (bytes.size() < max_bytes) return 0;
    return refuse(431, "the HTTP head is longer than the " + std::to_string(max_bytes) + " bytes allowed here");
}

template <class Parser>
std::expected<void, HttpError> parse(Parser& parser, std::string_view head) {
    parser.header_limit(static_cast<std::uint32_t>(head.size()));
    boost::system::error_code error;
    parser.put(boost::asio::buffer(head.data(), head.size()), error);
    // An empty body "ends" the message, or is still to come; the head is all we want.
    if (parser.is_header_done()) return {};
    return refuse(400,
                  "this is not well-formed HTTP: " + (error ? error.message() : std::string("the head has no end")));
}

std::string without_controls(std::string_view text) {
    std::string clean(text);
    std::erase_if(clean, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    return clean;
}

std::string base64(const unsigned char* bytes, std::size_t size) {
    std::string text((size + 2) / 3 * 4 + 1, '\0');  // EVP writes a zero behind it
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
    text.pop_back();
    return text;
}

// RFC 6455, 4.2.2, 5.4
std::string accept_value(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return base64(digest.data(), size);
}

// 4.1: 16 bytes in base64.
bool is_key(std::string_view key) {
    return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
                      c == '/';
           });
}

}  // namespace

std::string_view HttpRequest::header(std::string_view lower_case_name) const {
    return find_header(headers, lower_case_name);
}

std::string_view HttpResponse::header(std::string_view lower_case_name) const {
    return find_header(headers, lower_case_name);
}

std::string_view HttpRequest::path() const {
    return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpRequest::query(std::string_view name) const {
    const auto mark = target.find('?');
    if (mark == std::string::npos) return {};
    for (std::string_view left = std::string_view(target).substr(mark + 1); !left.empty();) {
        const auto end = left.find('&');
        const auto pair = left.substr(0, end);
        if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
            return pair.substr(name.size() + 1);
        }
        left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    }
    return {};
}

std::expected<std::optional<Parsed<HttpRequest>>, HttpError> parse_request(std::string_view bytes,
                                                                           std::size_t max_bytes) {
    if (!bytes.empty() && (bytes[0] < 'A' || bytes[0] > 'Z')) {
        return refuse(400, bytes[0] == 0x16 ? "this port does not speak TLS: connect with ws:// instead of wss://"
                                            : "this is not HTTP: a request begins with its method, as in GET");
    }
    const auto length = head_length(bytes, max_bytes);
    if (!length) return std::unexpected(length.error());
    if (*length == 0) return std::nullopt;
    http::request_parser<http::empty_body> parser;
    if (const auto parsed = parse(parser, bytes.substr(0, *length)); !parsed) return std::unexpected(parsed.error());
    const auto& request = parser.get();
    return Parsed<HttpRequest>{{.method = std::string(request.method_string()),
                                .target = std::string(request.target()),
                                .is_http_1_1 = request.version() == 11,
                                .headers = copy_headers(request)},
                               *length};
}

std::expected<std::optional<Parsed<HttpResponse>>, HttpError> parse_response(std::string_view bytes,
                                                                             std::size_t max_bytes) {
    constexpr std::string_view kBegin = "HTTP/";
    if (!kBegin.starts_with(bytes.substr(0, kBegin.size()))) {
        return refuse(400, "the answer is not HTTP: is this the address of a hub, and its port for ws:// or wss://?");
    }
    const auto length = head_length(bytes, max_bytes);
    if (!length) return std::unexpected(length.error());
    if (*length == 0) return std::nullopt;
    http::response_parser<http::empty_body> parser;
    if (const auto parsed = parse(parser, bytes.substr(0, *length)); !parsed) return std::unexpected(parsed.error());
    const auto& response = parser.get();
    return Parsed<HttpResponse>{{.status = static_cast<int>(response.result_int()), .headers = copy_headers(response)},
                                *length};
}

std::string http_answer(int status, std::string_view content_type, std::string_view body,
                        const HttpHeaders& extra_headers) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(status));
    std::string answer = "HTTP/1.1 " + std::to_string(status) + " ";
    answer.append(reason.data(), reason.size());
    answer.append("\r\nContent-Type: ").append(content_type);
    answer.append("\r\nContent-Length: ").append(std::to_string(body.size()));
    for (const auto& [name, value] : extra_headers) answer.append("\r\n").append(name).append(": ").append(value);
    return answer.append("\r\nConnection: close\r\n\r\n").append(body);
}

std::string http_answer(const HttpError& error) {
    return http_answer(error.status, "text/plain; charset=utf-8", error.message + "\n", error.headers);
}

std::expected<std::string, HttpError> check_upgrade(const HttpRequest& request, std::string_view subprotocol) {
    const HttpHeaders& headers = request.headers;
    if (request.method != "GET") return refuse(405, "a WebSocket is opened with GET", {{"Allow", "GET"}});
    if (!request.is_http_1_1) return refuse(505, "a WebSocket is opened with HTTP/1.1");
    if (!list_has(headers, "upgrade", "websocket", equals_ignoring_case)) {
        return refuse(426, "this is the address of a WebSocket: connect with ws:// or wss://",
                      {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", std::string(kWebSocketVersion)}});
    }
    if (!list_has(headers, "connection", "upgrade", equals_ignoring_case)) {
        return refuse(400, "the header Connection must contain \"Upgrade\"; a proxy in between may have removed it");
    }
    for (const auto* name : {"host", "sec-websocket-version", "sec-websocket-key"}) {
        const auto count = count_headers(headers, name);
        if (count != 1) {
            return refuse(
                400, "the header " + std::string(name) + (count == 0 ? " is missing" : " is there more than once"));
        }
    }
    if (request.header("sec-websocket-version") != kWebSocketVersion) {  // 4.4
        return refuse(426, "only version 13 of the WebSocket protocol is spoken here",
                      {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", std::string(kWebSocketVersion)}});
    }
    if (!is_key(request.header("sec-websocket-key"))) {
        return refuse(400, "the header sec-websocket-key must be 16 bytes in base64");
    }
    const auto content_length = request.header("content-length");
    if (count_headers(headers, "transfer-encoding") > 0 || (!content_length.empty() && content_length != "0")) {
        return refuse(400, "a request for a WebSocket has no body");
    }
    for (const auto* name : {"token", "access_token"}) {
        if (!request.query(name).empty()) {
            return refuse(400,
                          "never put a token into the URL, where logs keep it: send it in the first message "
                          "(hello), or in the header Authorization");
        }
    }
    if (!list_has(headers, "sec-websocket-protocol", subprotocol, std::equal_to<std::string_view>())) {
        return refuse(400, "the header Sec-WebSocket-Protocol must offer \"" + std::string(subprotocol) + "\"");
    }
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
           accept_value(request.header("sec-websocket-key")) +
           "\r\nSec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n\r\n";
}

std::string upgrade_key(std::uint64_t random, std::uint64_t more_random) {
    std::array<unsigned char, 16> bytes{};
    std::memcpy(bytes.data(), &random, 8);
    std::memcpy(bytes.data() + 8, &more_random, 8);
    return base64(bytes.data(), bytes.size());
}

std::string upgrade_request(std::string_view host, std::string_view path, std::string_view key,
                            std::string_view subprotocol, std::string_view authorization, std::string_view origin) {
    std::string request = "GET " + without_controls(path) + " HTTP/1.1\r\n";
    auto add = [&request](std::string_view name, std::string_view value) {
        if (!value.empty()) request.append(name).append(": ").append(without_controls(value)).append("\r\n");
    };
    add("Host", host);
    add("Upgrade", "websocket");
    add("Connection", "Upgrade");
    add("Sec-WebSocket-Version", kWebSocketVersion);
    add("Sec-WebSocket-Key", key);
    add("Sec-WebSocket-Protocol", subprotocol);
    add("Authorization", authorization);
    add("Origin", origin);
    return request + "\r\n";
}

std::expected<void, std::string> check_upgrade_answer(const HttpResponse& response, std::string_view key,
                                                      std::string_view subprotocol) {
    const HttpHeaders& headers = response.headers;
    auto wrong = [](std::string what) { return std::unexpected(std::move(what)); };
    if (response.status != 101) return wrong("the server answered HTTP " + std::to_string(response.status));
    if (!equals_ignoring_case(response.header("upgrade"), "websocket")) {
        return wrong("the server switched to something that is not WebSocket");
    }
    if (!list_has(headers, "connection", "upgrade", equals_ignoring_case)) {
        return wrong("the server's answer lacks the header Connection: Upgrade");
    }
    if (count_headers(headers, "sec-websocket-accept") != 1 ||
        response.header("sec-websocket-accept") != accept_value(key)) {
        return wrong("the server's Sec-WebSocket-Accept does not fit our key: it is no WebSocket server, or a cache");
    }
    if (count_headers(headers, "sec-websocket-extensions") > 0) {
        return wrong("the server uses an extension that was not offered");
    }
    if (response.header("sec-websocket-protocol") != subprotocol ||
        count_headers(headers, "sec-websocket-protocol") > 1) {
        return wrong("the server does not speak the subprotocol \"" + std::string(subprotocol) + "\"");
    }
    return {};
}

}  // namespace nyamesh::net
