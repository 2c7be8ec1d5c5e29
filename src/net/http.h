// The little HTTP/1.1 that a hub speaks: the WebSocket upgrade and the operators' pages. Beast parses; nobody else sees
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
    std::string method;
    std::string target;  // "/metrics?x=1"
    bool is_http_1_1 = true;
    HttpHeaders headers;  // names in lower case, values trimmed

    std::string_view header(std::string_view lower_case_name) const;  // the first; empty: none
    std::string_view path() const;                                    // without the query
    std::string_view query(std::string_view name) const;              // undecoded; empty: none
};

struct HttpResponse {
    int status = 200;
    HttpHeaders headers;
    std::string_view header(std::string_view lower_case_name) const;
};

// What went wrong with bytes that should be HTTP: the status to answer with (400, 431, …) and words for people.
struct HttpError {
    int status = 400;
    std::string message;
    HttpHeaders headers = {};  // that the answer must have, e.g. with 426
};

// The head of a request or response at the start of `bytes`, and its length; nothing while it is incomplete.
template <class Message>
struct Parsed {
    Message message;
    std::size_t length = 0;
};
std::expected<std::optional<Parsed<HttpRequest>>, HttpError> parse_request(std::string_view bytes,
                                                                           std::size_t max_bytes);
std::expected<std::optional<Parsed<HttpResponse>>, HttpError> parse_response(std::string_view bytes,
                                                                             std::size_t max_bytes);

// A whole response with a body; "Connection: close".
std::string http_answer(int status, std::string_view content_type, std::string_view body,
                        const HttpHeaders& extra_headers = {});
std::string http_answer(const HttpError& error);  // its message is the body

// RFC 6455, 4.2.1: is it a good upgrade that offers `subprotocol`? Then 4.2.2's answer; else what to answer instead.
std::expected<std::string, HttpError> check_upgrade(const HttpRequest& request, std::string_view subprotocol);
// 4.1: the client's request, and whether the answer is right (the error says what is wrong with it). Control
// characters in what a user gave (a token read from a file with its last newline) are left out.
std::string upgrade_key(std::uint64_t random, std::uint64_t more_random);
std::string upgrade_request(std::string_view host, std::string_view path, std::string_view key,
                            std::string_view subprotocol, std::string_view authorization, std::string_view origin);
std::expected<void, std::string> check_upgrade_answer(const HttpResponse& response, std::string_view key,
                                                      std::string_view subprotocol);

}  // namespace nyamesh::net
