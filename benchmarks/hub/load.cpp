// The load on a WebSocket server: opens connections, keeps messages going, and says what they cost.
//
//   hub_load port=N pid=PID dialect=plain|nyamesh|nyamesh-sessions|nats|socketio scenario=echo|relay|idle
//            [connections=100] [depth=1] [warmup=0.5] [seconds=2] [settle=5] [tls=1] [token=TEXT] [tag=TEXT]
//            [ack_every=32]
//
// echo    every connection has `depth` messages on their way to the server and back to itself.
// relay   `connections` pairs. A sends to B through the server, and may send the next one when B has received: both are
//         here, so the right to send does not travel and every message counted is one pass through the server.
//         `depth` messages are on their way per pair.
// idle    100 connections first, so that pools and code are warm; then `connections` more, as fast as 64 at a time will
//         go; then `settle` seconds of silence (pings are answered), and the server's memory is compared.
//
// Clients are called a0, a1, …, with the tag at the end: a hub may keep a name for its owner for a while, so the next
// run against the same server needs other names.
//
// One thread. All that arrived in a turn of the loop is taken first, then every connection that may send does so with
// one system call. A message carries the moment it was put into the send buffer; the time until it is taken out of the
// receive buffer is its latency, queueing included. What was on its way when the time was over has to arrive, too: a
// server that loses messages fails. Prints one JSON object.
#include "client.h"
#include "dialects.h"
#include "measure.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

namespace hub_load {
namespace {

constexpr std::size_t kReadBytes = 512 * 1024;
constexpr int kEventsPerTurn = 512;
constexpr unsigned kOpeningAtOnce = 64;  // below every server's backlog
constexpr unsigned kWarmConnections = 100;
constexpr int kPatienceMs = 10'000;  // a server that says nothing for so long is stuck

// ---- The loop ----

struct Settings {
    std::uint16_t port = 0;
    int pid = 0;
    bool is_echo = false;
    bool has_tls = false;
    std::string tag;
};

class Load final : public Sink {
public:
    Load(const Settings& settings, std::unique_ptr<Dialect> dialect)
        : settings_(settings), dialect_(std::move(dialect)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        buffer_.resize(kReadBytes);
    }

    // Opens connections of these names, in this order, and returns when all are ready.
    void open_all(const std::vector<std::string>& names) {
        const std::size_t ready_at_the_end = ready_ + names.size();
        std::size_t next = 0;
        while (ready_ < ready_at_the_end) {
            while (next < names.size() && clients_.size() - ready_ < kOpeningAtOnce) open_one(names[next++]);
            turn(kPatienceMs);
        }
    }

    // From now on `from` sends to `to`, and `depth` messages are on their way.
    void start_sending(Client& from, Client& to, unsigned depth) {
        dialect_->address(from, to.name, settings_.is_echo);
        to.credits_to = &from;
        from.credits = depth;
        mark_dirty(from);
    }

    void run_for(double seconds) {
        const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
        send_dirty();
        while (now_ns() < end) turn(kPatienceMs);
    }

    // Sends nothing new and waits for what is on its way.
    void drain() {
        is_draining_ = true;
        while (sent_ > received_) turn(kPatienceMs);
    }

    // Sends nothing; answers what has to be answered.
    void idle_for(double seconds) {
        const std::int64_t begin = now_ns();
        while (seconds_since(begin) < seconds) turn(50, false);
    }

    [[nodiscard]] Latencies& latencies() { return latencies_; }
    [[nodiscard]] std::deque<Client>& clients() { return clients_; }
    [[nodiscard]] std::uint64_t received() const { return received_; }
    [[nodiscard]] const Settings& settings() const { return settings_; }

    void on_ready(Client& client) override {
        client.state = Client::State::Ready;
        ++ready_;
    }

    void on_payload(Client& client, std::string_view payload) override {
        ++received_;
        latencies_.add(read_at_ - stamped(payload));
        if (client.credits_to == nullptr) fail(client.name + ": a message for nobody");
        ++client.credits_to->credits;
        if (!is_draining_) mark_dirty(*client.credits_to);
    }

private:
    void open_one(const std::string& name) {
        Client& client = clients_.emplace_back();
        client.name = name;
        open(client, settings_.port, settings_.has_tls, dialect_->path(client, settings_.is_echo), dialect_->headers());
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &client}};
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event) != 0) fail("epoll_ctl");
        mark_dirty(client);
        send_dirty();
    }

    void turn(int patience_ms, bool is_silence_wrong = true) {
        epoll_event events[kEventsPerTurn];
        const int count = ::epoll_wait(epoll_, events, kEventsPerTurn, patience_ms);
        if (count < 0 && errno != EINTR) fail(std::string("epoll_wait: ") + std::strerror(errno));
        if (count == 0 && is_silence_wrong) {
            fail("the server has said nothing for " + std::to_string(patience_ms) + " ms; " + std::to_string(sent_) +
                 " messages sent, " + std::to_string(received_) + " received");
        }
        for (int i = 0; i < count; ++i) {
            auto& client = *static_cast<Client*>(events[i].data.ptr);
            if ((events[i].events & EPOLLOUT) != 0) mark_dirty(client);
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_from(client);
        }
        send_dirty();
    }

    void read_from(Client& client) {
        const std::size_t got = read(client, buffer_.data(), buffer_.size());
        read_at_ = now_ns();
        const std::string_view bytes(buffer_.data(), got);
        if (client.in.empty()) {
            client.in = bytes.substr(take(client, bytes));
        } else {
            client.in.append(bytes);
            client.in.erase(0, take(client, client.in));
        }
        if (!client.out.empty()) mark_dirty(client);  // a pong, the next step of the greeting, or what waited for TLS
    }

    std::size_t take(Client& client, std::string_view bytes) {
        std::size_t taken = 0;
        if (client.state == Client::State::Upgrading) {
            taken = take_upgrade(client, bytes);
            if (taken == 0) return 0;
            client.state = Client::State::Greeting;
            dialect_->greet(client, *this);
        }
        return taken + take_frames(client, bytes.substr(taken),
                                   [&](std::string_view message) { dialect_->receive(client, message, *this); });
    }

    void mark_dirty(Client& client) {
        if (std::exchange(client.is_dirty, true)) return;
        dirty_.push_back(&client);
    }

    void send_dirty() {
        for (Client* client : dirty_) {
            client->is_dirty = false;
            if (client->credits > 0 && !is_draining_) {
                stamp(payload_, now_ns());
                for (; client->credits > 0; --client->credits, ++sent_) {
                    dialect_->prepare(*client);
                    append_frame(*client, dialect_->opcode(), client->before, {payload_.data(), payload_.size()},
                                 client->after);
                }
            }
            const bool waits = !flush(*client);
            if (waits == client->waits_to_write) continue;
            client->waits_to_write = waits;
            epoll_event event{.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.ptr = client}};
            if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, client->fd, &event) != 0) fail("epoll_ctl");
        }
        dirty_.clear();
    }

    Settings settings_;
    std::unique_ptr<Dialect> dialect_;
    int epoll_;
    std::deque<Client> clients_;
    std::vector<Client*> dirty_;
    std::string buffer_;
    Payload payload_ = make_payload();
    std::size_t ready_ = 0;
    std::int64_t read_at_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    bool is_draining_ = false;
    Latencies latencies_;
};

// ---- The scenarios ----

std::vector<std::string> numbered(const std::string& prefix, unsigned count, const std::string& tag) {
    std::vector<std::string> names;
    for (unsigned i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i) + tag);
    return names;
}

void measure_messages(Load& load, unsigned connections, unsigned depth, double warmup, double seconds) {
    load.open_all(numbered("a", connections, load.settings().tag));
    if (!load.settings().is_echo) load.open_all(numbered("b", connections, load.settings().tag));
    auto& clients = load.clients();
    for (unsigned i = 0; i < connections; ++i) {
        load.start_sending(clients[i], load.settings().is_echo ? clients[i] : clients[connections + i], depth);
    }
    load.run_for(warmup);

    load.latencies().clear();
    Interval interval(load.settings().pid, {::getpid()}, load.received());
    load.run_for(seconds);
    interval.end();
    interval.print(load.received(), load.latencies());
    load.drain();
}

void measure_idle(Load& load, unsigned connections, double settle) {
    const int pid = load.settings().pid;
    load.open_all(numbered("w", kWarmConnections, load.settings().tag));
    load.idle_for(std::min(settle, 1.0));
    const Memory before = memory_of(pid);
    const std::uint64_t opening = processor_of(pid).used;
    const std::int64_t begin = now_ns();
    load.open_all(numbered("c", connections, load.settings().tag));
    const double took = seconds_since(begin);
    const auto opening_took = static_cast<double>(processor_of(pid).used - opening);
    load.idle_for(settle / 2);
    const std::uint64_t resting = processor_of(pid).used;
    load.idle_for(settle / 2);
    const auto resting_took = static_cast<double>(processor_of(pid).used - resting);
    const Memory after = memory_of(pid);
    const auto per_connection = [&](std::uint64_t now, std::uint64_t then) {
        return (static_cast<double>(now) - static_cast<double>(then)) / connections;
    };
    std::printf(
        "{\"connects\":%.1f,\"connect_cpu_us\":%.2f,\"resident_bytes\":%.0f,\"own_bytes\":%.0f,"
        "\"idle_busy\":%.4f,\"connections\":%u,\"seconds\":%.3f}\n",
        connections / took, opening_took / 1000 / connections, per_connection(after.resident, before.resident),
        per_connection(after.own, before.own), resting_took / 1e9 / (settle / 2), connections, took);
}

// ---- The command line ----

void take_all_files() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

int run(const std::vector<std::string>& words) {
    Options options(words);
    const std::string scenario = options.text("scenario", "");
    Settings settings;
    settings.port = static_cast<std::uint16_t>(options.number("port", 0));
    settings.pid = static_cast<int>(options.number("pid", 0));
    settings.is_echo = scenario == "echo";
    const auto connections = options.count("connections", 100);
    const auto depth = options.count("depth", 1);
    const double warmup = options.number("warmup", 0.5);
    const double seconds = options.number("seconds", 2);
    const double settle = options.number("settle", 5);
    settings.has_tls = options.number("tls", 0) != 0;
    settings.tag = options.text("tag", "");
    std::string token = options.text("token", "");
    const auto ack_every = options.count("ack_every", 32);
    auto dialect = make_dialect(options.text("dialect", "plain"), std::move(token), ack_every);
    options.check_all_used();
    if (settings.port == 0 || settings.pid == 0) fail("port= and pid= of the server are needed");

    take_all_files();
    Load load(settings, std::move(dialect));
    if (scenario == "echo" || scenario == "relay") {
        measure_messages(load, connections, depth, warmup, seconds);
    } else if (scenario == "idle") {
        measure_idle(load, connections, settle);
    } else {
        fail("scenario= is echo, relay or idle");
    }
    return 0;
}

}  // namespace
}  // namespace hub_load

int main(int argc, char** argv) {
    return hub_load::run({argv + 1, argv + argc});
}
