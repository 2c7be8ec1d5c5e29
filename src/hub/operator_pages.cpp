#include "hub/operator_pages.h"

#include <nya/json.h>

#include "hub/hub_core.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <utility>

namespace nyamesh::hub {

namespace {

constexpr std::size_t kListedByDefault = 100;
constexpr std::size_t kMostListed = 1'000;

class Metrics {
public:
    void describe(std::string_view name, std::string_view kind, std::string_view help) {
        name_ = name;
        text_ += "# HELP nyamesh_hub_" + name_ + " " + std::string(help) + "\n";
        text_ += "# TYPE nyamesh_hub_" + name_ + " " + std::string(kind) + "\n";
    }
    void value(std::uint64_t value, std::string_view labels = {}) {
        text_ += "nyamesh_hub_" + name_;
        if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
        text_ += " " + std::to_string(value) + "\n";
    }
    void gauge(std::string_view name, std::string_view help, std::uint64_t the_value) {
        describe(name, "gauge", help);
        value(the_value);
    }
    void counter(std::string_view name, std::string_view help, std::uint64_t the_value) {
        describe(name, "counter", help);
        value(the_value);
    }
    using Labelled = std::pair<std::string_view, std::uint64_t>;
    void counters(std::string_view name, std::string_view help, std::string_view label,
                  std::initializer_list<Labelled> values) {
        describe(name, "counter", help);
        for (const auto& [which, count] : values) {
            value(count, std::string(label) + "=\"" + std::string(which) + "\"");
        }
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
    std::string name_;
};

std::size_t number(std::string_view text, std::size_t otherwise) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return text.empty() || error != std::errc() || end != text.data() + text.size() ? otherwise : value;
}

struct Page {
    std::size_t offset;
    std::size_t limit;
    std::size_t passed = 0;
    explicit Page(const net::HttpRequest& request)
        : offset(number(request.query("offset"), 0)),
          limit(std::min(number(request.query("limit"), kListedByDefault), kMostListed)) {}
    bool shows_next() { return passed++ >= offset; }
};

std::string answer(int status, const nya::Json& json) {
    return net::http_answer(status, "application/json", json.dump() + "\n");
}

nya::Json describe(const Connection& connection, nya::Clock::time_point now) {
    nya::Json names = nya::Json::array();
    for (const Name* name : connection.names()) {
        if (names.size() == kListedByDefault) break;
        names.as_array().emplace_back(name->text);
    }
    const Claims* claims = connection.claims();
    return {{"connection", connection.number()},
            {"peer", connection.peer().to_string()},
            {"client", connection.client()},
            {"subject", claims == nullptr ? nya::Json() : nya::Json(claims->subject)},
            {"seconds", std::chrono::duration_cast<std::chrono::seconds>(now - connection.since()).count()},
            {"greeted", connection.is_greeted()},
            {"names", std::move(names)},
            {"name_count", connection.names().size()},
            {"watches", connection.watch_count()},
            {"received", connection.received()},
            {"sent", connection.sent()},
            {"waiting_bytes", connection.waiting()},
            {"paused", connection.is_paused()},
            {"holding", connection.is_full()}};
}

std::string connections_page(const HubCore& core, const net::HttpRequest& request) {
    Page page(request);
    const auto now = core.loop().clock()->now();
    nya::Json list = nya::Json::array();
    const auto& connections = core.connections();
    for (const Connection* one = connections.front(); one != nullptr; one = connections.next(*one)) {
        if (list.size() == page.limit) break;
        if (page.shows_next()) list.as_array().push_back(describe(*one, now));
    }
    return answer(200, {{"total", core.connection_count()},
                        {"offset", page.offset},
                        {"limit", page.limit},
                        {"connections", std::move(list)}});
}

std::string names_page(const HubCore& core, const net::HttpRequest& request) {
    Page page(request);
    nya::Json list = nya::Json::array();
    core.names().for_each([&](const Name& name) {
        if (list.size() == page.limit) return false;
        if (!page.shows_next()) return true;
        const auto* holder = static_cast<const Connection*>(name.holder);
        nya::Json entry{{"name", name.text},
                        {"state", wire::to_string(name.state)},
                        {"connection", holder == nullptr ? nya::Json() : nya::Json(holder->number())},
                        {"sessions", name.has_sessions},
                        {"watchers", name.watch_count}};
        if (name.instance != 0) entry.as_object().set("instance", wire::instance_text(name.instance));
        list.as_array().push_back(std::move(entry));
        return true;
    });
    return answer(
        200,
        {{"total", core.names().size()}, {"offset", page.offset}, {"limit", page.limit}, {"names", std::move(list)}});
}

}  // namespace

std::string metrics_text(const HubCore& core) {
    const Counters& c = core.counters();
    Metrics m;
    m.gauge("connections", "Clients connected now.", core.connection_count());
    m.gauge("names_bound", "Names that some connection has now.", core.names().bound());
    m.gauge("nodes_known", "Names bound, away, gone a short while ago, or asked for.", core.names().size());
    m.gauge("watches", "Pairs of a client and a name it is told about.", core.names().watches());
    m.gauge("draining", "1 while the hub is being stopped.", core.is_draining() ? 1 : 0);
    m.counter("connections_accepted_total", "Sockets accepted.", c.accepted);
    m.counters("connections_refused_total", "Sockets that did not become a client.", "reason",
               {{"full", c.refused.full}, {"handshake", c.refused.handshake}, {"origin", c.refused.origin}});
    m.counter("out_of_descriptors_total",
              "Times that those who wanted to connect had to wait, for the process had no file descriptor left.",
              core.times_out_of_descriptors());
    m.counter("auth_failures_total", "Tokens refused, or missing.", c.auth_failures);
    m.counter("messages_received_total", "Frames from clients.", c.messages_received);
    m.counter("messages_sent_total", "Frames to clients.", c.messages_sent);
    m.counter("messages_relayed_total", "Frames from one client to another.", c.relayed);
    m.counter("bytes_received_total", "Bytes of the frames from clients.", c.bytes_received);
    m.counter("bytes_sent_total", "Bytes of the frames to clients.", c.bytes_sent);
    m.counters("dropped_total", "Frames that were not relayed.", "reason",
               {{"absent", c.dropped.absent}, {"slow", c.dropped.slow}, {"forbidden", c.dropped.forbidden}});
    m.counter("holds_total", "Times that senders were told to hold, for a client took too little.", c.holds);
    m.counter("pauses_total", "Times that a client brought more than its rate, and was read more slowly.", c.pauses);
    m.counter("slow_consumers_total", "Clients cut off, for their socket took no byte for 10 seconds.",
              c.slow_consumers);
    m.counter("takeovers_total", "Names that have gone from one connection to another.", c.takeovers);
    m.describe("closes_total", "counter", "Connections ended, by close code.");
    for (const auto& [code, count] : c.closes) m.value(count, "code=\"" + std::to_string(code) + "\"");
    std::uint64_t waiting = 0;
    const auto& connections = core.connections();
    for (const Connection* one = connections.front(); one != nullptr; one = connections.next(*one)) {
        waiting += one->waiting();
    }
    m.gauge("outbuf_bytes", "Bytes waiting for clients to take them.", waiting);
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(core.loop().clock()->now() - core.started());
    m.gauge("uptime_seconds", "Since the start.", static_cast<std::uint64_t>(up.count()));
    m.describe("build_info", "gauge", "Always 1; the labels say what runs.");
    m.value(1, "version=\"" NYAMESH_VERSION "\",hub=\"" + core.settings().identity.id + "\"");
    return m.take();
}

std::string operator_page(const HubCore& core, const net::HttpRequest& request) {
    if (request.method != "GET") {
        return net::http_answer(net::HttpError{405, "these pages are for reading: GET", {{"Allow", "GET"}}});
    }
    // A page of a browser elsewhere, whose name resolves to this address, has no business here.
    if (!request.header("origin").empty()) {
        return net::http_answer(net::HttpError{403, "these pages are not for scripts of web pages", {}});
    }
    const std::string_view path = request.path();
    if (path == "/healthz") {
        return answer(core.is_draining() ? 503 : 200, {{"status", core.is_draining() ? "draining" : "ok"}});
    }
    if (path == "/metrics") {
        return net::http_answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(core));
    }
    if (path == "/connections") return connections_page(core, request);
    if (path == "/names") return names_page(core, request);
    return net::http_answer(
        net::HttpError{404, "there is /healthz, /metrics, /connections and /names (limit=, offset=)", {}});
}

}  // namespace nyamesh::hub
