#include "hub/visitor.h"

#include "hub/hub_core.h"
#include "hub/operator_pages.h"
#include "wire/protocol.h"

#include <algorithm>

namespace nyamesh::hub {

namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

// RFC 6750, 2.1: "Bearer TOKEN". Anything else is no token of ours.
std::string bearer_token(std::string_view header) {
    static constexpr std::string_view kScheme = "Bearer ";
    if (header.size() <= kScheme.size() || !equals_ignoring_case(header.substr(0, kScheme.size()), kScheme)) return {};
    header.remove_prefix(kScheme.size());
    while (header.starts_with(' ')) header.remove_prefix(1);
    return std::string(header);
}

}  // namespace

Visitor::Visitor(HubCore& core, std::unique_ptr<net::Stream> stream, net::Address peer, Door door)
    : core_(core), stream_(std::move(stream)), peer_(std::move(peer)), door_(door) {
    stream_->set_events(*this);
    deadline_ = core_.loop().call_at(core_.loop().clock()->now() + wire::kHandshakeTime, [this] {
        deadline_ = 0;
        ++core_.counters().refused.handshake;
        core_.leave(*this);  // destroys this
    });
}

Visitor::~Visitor() {
    core_.loop().cancel(deadline_);
}

void Visitor::on_data(std::span<char> bytes) {
    if (is_answered_) return;
    // A little more than the limit is enough to see that it is passed.
    const std::size_t room = wire::kMaxHandshakeBytes + 1 - std::min(wire::kMaxHandshakeBytes + 1, request_.size());
    const std::size_t taken = std::min(bytes.size(), room);
    request_.append(bytes.data(), taken);
    auto parsed = net::parse_request(request_, wire::kMaxHandshakeBytes);
    if (!parsed) {
        ++core_.counters().refused.handshake;
        return write_and_close(net::http_answer(parsed.error()));
    }
    if (!*parsed) return;
    const net::HttpRequest& request = (*parsed)->message;
    if (door_ == Door::Operators) return write_and_close(operator_page(core_, request));
    std::string rest = request_.substr((*parsed)->length);
    rest.append(bytes.data() + taken, bytes.size() - taken);
    upgrade(request, rest);  // may destroy this
}

void Visitor::upgrade(const net::HttpRequest& request, std::string_view rest) {
    if (!is_allowed_origin(request)) {
        ++core_.counters().refused.origin;
        return answer(403, "this hub does not take connections from pages of that origin; its operator can allow it");
    }
    const auto switching = net::check_upgrade(request, wire::kSubprotocol);
    if (!switching) {
        ++core_.counters().refused.handshake;
        return write_and_close(net::http_answer(switching.error()));
    }
    if (core_.is_draining() || !core_.may_enter(peer_)) {
        ++core_.counters().refused.full;
        return write_and_close(net::http_answer({503,
                                                 core_.is_draining() ? "the hub is being stopped; connect again"
                                                                     : "too many connections; connect again later",
                                                 {{"Retry-After", "5"}}}));
    }
    stream_->out().append(*switching);
    stream_->flush_later();
    Connection::Arrival arrival{peer_, bearer_token(request.header("authorization")), rest};
    core_.enter(*this, std::move(stream_), std::move(arrival));  // destroys this
}

void Visitor::answer(int status, std::string_view message) {
    write_and_close(net::http_answer(net::HttpError{status, std::string(message), {}}));
}

void Visitor::write_and_close(std::string_view text) {
    is_answered_ = true;
    stream_->out().append(text);
    stream_->flush_later();
    stream_->close_after_flush();  // on_closed() follows, or the deadline
}

void Visitor::on_closed(const net::StreamEnd&) {
    if (!is_answered_) ++core_.counters().refused.handshake;
    core_.leave(*this);  // destroys this
}

// RFC 6454. The hub's own origin is the host that the request itself names.
bool Visitor::is_allowed_origin(const net::HttpRequest& request) const {
    const std::string_view origin = request.header("origin");
    if (origin.empty()) return true;
    for (const std::string& allowed : core_.settings().allowed_origins) {
        if (allowed == "*" || equals_ignoring_case(allowed, origin)) return true;
    }
    const auto scheme = origin.find("://");
    return scheme != std::string_view::npos && equals_ignoring_case(origin.substr(scheme + 3), request.header("host"));
}

}  // namespace nyamesh::hub
