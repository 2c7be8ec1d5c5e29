// nyamesh bench: how fast and how soon. This process sends through a hub to a node; both are processes of their own.
//
// Rate: at most kAhead messages are on their way, and every kAsked-th tells when it has been handled. Latency:
// requests, one after the other, there and back.
#include "child.h"
#include "commands.h"
#include "node.h"
#include "output.h"

#include <nya/expected.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <semaphore>

#include <sys/resource.h>

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
template <class Value>
using Or = std::expected<Value, std::string>;

constexpr std::uint64_t kAsked = 256;
constexpr std::ptrdiff_t kAhead = 8;  // times kAsked

struct Figures {
    double messages_per_second = 0, hub_cpu_us = 0, own_cpu_us = 0, peer_cpu_us = 0;
    std::vector<double> latency_us;  // sorted
    double latency(double share) const {
        return latency_us[static_cast<std::size_t>(share * static_cast<double>(latency_us.size() - 1))];
    }
};

double own_cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

Or<void> send_all(nyamesh::P2PBox& box, const std::string& to, const BenchCommand& command) {
    const nyamesh::IntentBox message("n", std::string(command.bytes - 2, 'x'));
    const auto window = std::make_shared<std::counting_semaphore<kAhead>>(kAhead);
    for (std::uint64_t n = 0; n < command.messages; ++n) {
        if (n % kAsked != kAsked - 1) {
            if (const auto sent = box.send(to, message); !sent) return std::unexpected(sent.error().to_string());
            continue;
        }
        window->acquire();
        box.send_async(to, message, {nyamesh::Wait::Handled, 60s}, [window](const auto&) { window->release(); });
        if (n % 8192 == 8191) show_progress(std::to_string(n + 1) + " messages");
    }
    // In order: when this is answered, all before it have been handled.
    const auto handled = box.request(to, nyamesh::IntentBox("done", 0), {nyamesh::Wait::Handled, 60s});
    show_progress("");
    if (!handled) return std::unexpected(handled.error().to_string());
    if (handled->as_integer() != static_cast<std::int64_t>(command.messages))
        return std::unexpected(handled->dump() + " of " + std::to_string(command.messages) + " messages were handled");
    return {};
}

Or<Figures> measure(const BenchCommand& command) {
    std::unique_ptr<Child> hub;
    std::string url = command.url;
    if (url.empty()) {
        hub = NYA_TRY(Child::start({"hub", "--listen", "127.0.0.1:0", "--log", "off", "--max-rate", "4000000000"}));
        url = hub->hear(10s).value_or("");
        if (url.empty()) return std::unexpected("the hub does not start");
    }
    const std::string name = "bench-" + std::to_string(std::random_device()());
    const auto peer = NYA_TRY(Child::start({"verify-end", "--name", name, "--key", name, "--hub", url}));
    if (const auto line = peer->hear(10s); !line || *line != R"({"ready":true})")
        return std::unexpected("the other node does not reach the hub" + (line ? ": " + *line : ""));
    NodeOptions options;
    options.url = url;
    auto box = open_node(options, "bench");
    if (!box) return std::unexpected(box.error().to_string());
    if (const auto first = box->request(name, nyamesh::IntentBox("echo", 0)); !first)
        return std::unexpected(first.error().to_string());

    Figures figures;
    for (std::uint64_t i = 0; i < command.pings; ++i) {
        const auto asked = Clock::now();
        if (const auto answer = box->request(name, nyamesh::IntentBox("echo", 0)); !answer)
            return std::unexpected(answer.error().to_string());
        figures.latency_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - asked).count());
    }
    std::sort(figures.latency_us.begin(), figures.latency_us.end());

    const double hub_before = hub ? hub->cpu_seconds() : 0;
    const double peer_before = peer->cpu_seconds();
    const double own_before = own_cpu_seconds();
    const auto began = Clock::now();
    NYA_TRY(send_all(*box, name, command));
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    const double per_message = 1e6 / static_cast<double>(command.messages);
    figures.messages_per_second = static_cast<double>(command.messages) / seconds;
    figures.own_cpu_us = (own_cpu_seconds() - own_before) * per_message;
    figures.peer_cpu_us = (peer->cpu_seconds() - peer_before) * per_message;
    if (hub) figures.hub_cpu_us = (hub->cpu_seconds() - hub_before) * per_message;
    return figures;
}

}  // namespace

int run_bench(const BenchCommand& command) {
    const auto figures = measure(command);
    if (!figures) {
        complain(figures.error());
        return kFailed;
    }
    if (command.is_json) {
        put_json(nya::Json{{"messages", command.messages},
                           {"bytes", command.bytes},
                           {"messages_per_second", figures->messages_per_second},
                           {"hub_cpu_us", figures->hub_cpu_us},
                           {"sender_cpu_us", figures->own_cpu_us},
                           {"receiver_cpu_us", figures->peer_cpu_us},
                           {"request_us_p50", figures->latency(0.5)},
                           {"request_us_p99", figures->latency(0.99)},
                           {"request_us_max", figures->latency(1)}});
        return kOk;
    }
    char text[256];
    std::snprintf(text, sizeof text,
                  "%.0f messages/s of %llu bytes; CPU per message: hub %.2f us, sender %.2f us, receiver %.2f us",
                  figures->messages_per_second, static_cast<unsigned long long>(command.bytes), figures->hub_cpu_us,
                  figures->own_cpu_us, figures->peer_cpu_us);
    put_line(text);
    std::snprintf(text, sizeof text, "request and answer: p50 %.0f us, p99 %.0f us, at most %.0f us",
                  figures->latency(0.5), figures->latency(0.99), figures->latency(1));
    put_line(text);
    return kOk;
}

}  // namespace tool
