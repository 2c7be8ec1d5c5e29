// HTTP heads from outside: refused with a status and words, or read; the same however often they are looked at on
// their way. What asks for an upgrade is answered with a whole head, or refused with a whole answer.
#include "net/http.h"

#include "require.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t kLimit = 1024;

bool is_one_head(std::string_view text) {
    return text.starts_with("HTTP/1.1 ") && text.find("\r\n\r\n") != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace net = nyamesh::net;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto response = net::parse_response(bytes, kLimit);
    if (response && *response) {
        const auto checked = net::check_upgrade_answer((*response)->message, net::upgrade_key(1, 2), "nyamesh.v1");
        require(checked || !checked.error().empty(), "a bad answer has words");
    }

    const auto request = net::parse_request(bytes, kLimit);
    if (!request) {
        require(request.error().status >= 400 && !request.error().message.empty(), "an error says what");
        require(is_one_head(net::http_answer(request.error())), "an error can be answered");
        return 0;
    }
    if (!*request) {
        require(size < kLimit, "no head is waited for beyond the limit");
        return 0;
    }
    const auto& [message, length] = **request;
    require(length <= std::min(size, kLimit) && bytes.substr(0, length).ends_with("\r\n\r\n"),
            "a head ends with itself");
    const auto alone = net::parse_request(bytes.substr(0, length), kLimit);
    require(alone && *alone && (*alone)->message.headers == message.headers, "what follows makes no difference");
    require(std::ranges::none_of(message.headers,
                                 [](const auto& header) { return header.second.find('\n') != std::string::npos; }),
            "no header has a line's end in it");
    const auto answer = net::check_upgrade(message, "nyamesh.v1");
    if (answer) {
        require(answer->starts_with("HTTP/1.1 101 ") && answer->find("\r\n\r\n") == answer->size() - 4,
                "the answer is one head");
        require(message.query("token").empty(), "no token in the URL");
    } else {
        require(!answer.error().message.empty() && is_one_head(net::http_answer(answer.error())),
                "refusals have words");
    }
    return 0;
}
