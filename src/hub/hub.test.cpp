// The hub that a program starts, over real sockets: listening, TLS, fresh certificates, draining, stopping.
#include <nya/random.h>
#include <nyamesh/hub.h>

#include <doctest/doctest.h>

#include "net/epoll_loop.h"
#include "net/websocket.h"
#include "support/test_certificates.h"

#include <condition_variable>
#include <deque>
#include <fstream>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace nyamesh;
using namespace std::chrono_literals;
using nyamesh::testing::TestCertificates;

namespace {

// A plain WebSocket on a thread of its own, which the test waits for.
class Client final : net::WebSocketEvents {
public:
    explicit Client(const std::string& url, const std::string& ca_file = {}) {
        on_loop([&] {
            net::WebSocket::ClientRequest request;
            request.url = net::Url::parse(url).value();
            request.subprotocol = "nyamesh.v1";
            if (!ca_file.empty()) request.tls = net::TlsContext::client({.ca_file = ca_file}).value();
            socket_ = net::WebSocket::connect(*thread_.loop(), request, {}, nya::Random::system(), *this);
        });
    }
    ~Client() {
        on_loop([&] { socket_.reset(); });
    }
    Client& say(std::string frame) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return is_open_ || end_; });
        lock.unlock();
        on_loop([&] {
            if (socket_) socket_->send_text(frame);
        });
        return *this;
    }
    // The next frame that begins so; empty: the connection has ended instead.
    std::string hear(std::string_view beginning) {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return !frames_.empty() || end_; });
            if (frames_.empty()) return {};
            const std::string frame = std::move(frames_.front());
            frames_.pop_front();
            if (frame.starts_with(beginning)) return frame;
        }
    }
    Client& bind(std::string_view name) {
        say(R"({"t":"hello","n":")" + std::string(name) + R"(","i":"00000000000000a1"})");
        CHECK(hear(R"({"t":"bound")") != "");
        return *this;
    }
    net::WebSocketEnd closed() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return end_.has_value(); });
        return *end_;
    }
    bool is_open() {
        const std::lock_guard lock(mutex_);
        return is_open_;
    }

private:
    template <class Work>
    void on_loop(Work work) {
        std::promise<void> done;
        REQUIRE(thread_.loop()->post([&] {
            work();
            done.set_value();
        }));
        done.get_future().wait();
    }
    void on_open() override {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }
    bool on_message(net::Opcode, std::string_view bytes) override {
        const std::lock_guard lock(mutex_);
        frames_.emplace_back(bytes);
        changed_.notify_all();
        return true;
    }
    void on_closed(const net::WebSocketEnd& end) override {
        const std::lock_guard lock(mutex_);
        is_open_ = false;
        end_ = end;
        changed_.notify_all();
    }

    net::LoopThread thread_{"client"};
    std::unique_ptr<net::WebSocket> socket_;  // of the thread
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> frames_;
    std::optional<net::WebSocketEnd> end_;
    bool is_open_ = false;
};

// One request over HTTP, and the whole answer.
std::string get(std::uint16_t port, const std::string& request) {
    class Getter final : public net::StreamEvents {
    public:
        void on_open() override {
            stream->out().append(request);
            stream->flush_later();
        }
        void on_data(std::span<char> bytes) override { heard.append(bytes.data(), bytes.size()); }
        void on_closed(const net::StreamEnd&) override {
            stream.reset();
            answer.set_value(heard);
        }
        std::string request;
        std::unique_ptr<net::Stream> stream;
        std::string heard;
        std::promise<std::string> answer;
    } getter;
    getter.request = request;
    net::LoopThread thread("getter");
    thread.loop()->post([&] { getter.stream = thread.loop()->connect({"127.0.0.1", port}, nullptr, getter); });
    return getter.answer.get_future().get();
}

std::string page(const Hub& hub, const std::string& target) {
    return get(hub.admin_port(), "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

// Sockets that are made before there are no more descriptors.
int raw_socket() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(descriptor >= 0);
    return descriptor;
}
int connect_to(std::uint16_t port, int descriptor) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return descriptor;
}
std::string ask(int descriptor, const std::string& target) {
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
    REQUIRE(::send(descriptor, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
    std::string heard;
    char bytes[4096];
    for (ssize_t n = 0; (n = ::recv(descriptor, bytes, sizeof bytes, 0)) > 0;) {
        heard.append(bytes, static_cast<std::size_t>(n));
    }
    return heard;
}

std::unique_ptr<Hub> start(HubOptions options = {}) {
    options.listen = {"127.0.0.1:0"};
    return Hub::start(std::move(options)).value();
}

void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

}  // namespace

TEST_CASE("two clients talk through a hub on a port of the system's choice") {
    const auto hub = start();
    CHECK(hub->port() != 0);
    CHECK(hub->url() == "ws://127.0.0.1:" + std::to_string(hub->port()));
    Client alice(hub->url());
    Client bob(hub->url());
    alice.bind("alice");
    bob.bind("bob");
    const std::string frame = "{\"t\":\"m\",\"to\":\"bob\",\"from\":\"alice\",\"n\":\"chat\"}\n\"hi\"";
    alice.say(frame);
    CHECK(bob.hear("{\"t\":\"m\"") == frame);
    const std::string back =
        "{\"t\":\"m\",\"to\":\"alice\",\"from\":\"bob\",\"n\":\"chat\"}\n" + std::string(200'000, ' ') + "1";
    bob.say(back);
    CHECK(alice.hear("{\"t\":\"m\"") == back);

    const HubStatistics statistics = hub->statistics();
    CHECK(statistics.connections == 2);
    CHECK(statistics.names == 2);
    CHECK(statistics.accepted == 2);
    CHECK(statistics.messages_received == 4);
    CHECK(statistics.messages_sent == 6);
    CHECK(statistics.bytes_received > 200'000);
    CHECK(statistics.dropped == 0);
}

TEST_CASE("a port that is taken, an address that is none, files that are missing: start() says which") {
    const auto hub = start();
    const std::string taken = "127.0.0.1:" + std::to_string(hub->port());
    const auto second = Hub::start({.listen = {taken}});
    REQUIRE_FALSE(second);
    CHECK(second.error().find(taken) != std::string::npos);
    const auto nowhere = Hub::start({.listen = {"nowhere"}});
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().find("nowhere") != std::string::npos);
    CHECK_FALSE(Hub::start({.listen = {}}));
    const auto no_files =
        Hub::start({.listen = {"127.0.0.1:0"}, .tls = HubTls{"/nonexistent/a.pem", "/nonexistent/a.key"}});
    REQUIRE_FALSE(no_files);
    CHECK(no_files.error().find("/nonexistent/a.pem") != std::string::npos);
    CHECK_FALSE(Hub::start({.listen = {"127.0.0.1:0"}, .limits = {.messages_per_second = 0}}));
    CHECK_FALSE(Hub::start({.listen = {"127.0.0.1:0"}, .auth = {.is_required = true}}));
}

TEST_CASE("an address that others can reach needs TLS and authentication, or the word that it is meant so") {
    const auto refusal = [](const HubOptions& options) {
        auto hub = Hub::start(options);
        return hub ? std::string() : hub.error();
    };
    const TestCertificates certificates;
    HubOptions options{.listen = {"0.0.0.0:0"}};
    CHECK(refusal(options).find("TLS and authentication") != std::string::npos);
    options.auth = {.is_required = true, .keys = {{.id = "k", .value = std::string(32, 'x')}}};
    CHECK(refusal(options).find("needs TLS.") != std::string::npos);
    options.tls = HubTls{certificates.certificate_file("good"), certificates.key_file("good")};
    CHECK(refusal(options) == "");
    options.auth = {};
    CHECK(refusal(options).find("needs authentication") != std::string::npos);
    options.is_insecure = true;
    CHECK(refusal(options) == "");

    CHECK(refusal({.listen = {"127.0.0.1:0"}, .admin = "0.0.0.0:0"}).find("operators' pages") != std::string::npos);
}

TEST_CASE("TLS: a fresh certificate counts for new connections, the old ones stay") {
    const TestCertificates certificates;
    const std::string certificate = certificates.certificate_file("current");
    const std::string key = certificates.key_file("current");
    const auto use = [&](const char* which) {
        copy(certificates.certificate_file(which), certificate);
        copy(certificates.key_file(which), key);
    };
    use("good");
    HubOptions options;
    options.tls = HubTls{certificate, key};
    const auto hub = start(options);
    CHECK(hub->url().starts_with("wss://127.0.0.1:"));
    Client old(hub->url(), certificates.ca_file());
    old.bind("old");

    use("expired");
    REQUIRE(hub->reload());
    Client refused(hub->url(), certificates.ca_file());
    CHECK(refused.closed().stream.kind == net::StreamEnd::Kind::Tls);

    use("good");
    REQUIRE(hub->reload());
    Client fresh(hub->url(), certificates.ca_file());
    fresh.bind("fresh").say(R"({"t":"m","to":"old","from":"fresh","n":"x"})");
    CHECK(old.hear(R"({"t":"m","to":"old")") != "");

    std::filesystem::remove(key);
    const auto failed = hub->reload();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().find(key) != std::string::npos);
    Client still(hub->url(), certificates.ca_file());
    still.bind("still");
}

TEST_CASE("drain tells everybody, closes everybody, and returns when nobody is left") {
    HubOptions options;
    options.admin = "127.0.0.1:0";
    const auto hub = start(options);
    Client alice(hub->url());
    alice.bind("alice");
    std::thread drainer([&] { hub->drain(300ms); });
    CHECK(alice.hear(R"({"t":"drain")") == R"({"t":"drain","in":300})");
    CHECK(page(*hub, "/healthz").starts_with("HTTP/1.1 503 "));
    const net::WebSocketEnd end = alice.closed();
    drainer.join();
    CHECK(end.code == 4001);
    CHECK(end.reason.ends_with("; connect again"));
    CHECK(hub->statistics().connections == 0);
    Client late(hub->url());
    CHECK(late.closed().stream.kind == net::StreamEnd::Kind::Refused);
    hub->drain(10s);  // nobody is left: returns at once
    hub->stop();
    hub->drain(10s);
}

TEST_CASE("stop drops everybody, once") {
    const auto hub = start();
    Client alice(hub->url());
    alice.bind("alice");
    hub->stop();
    CHECK_FALSE(alice.closed().code == 1000);
    hub->stop();
    CHECK(hub->statistics().connections == 0);
    CHECK(hub->reload());
}

TEST_CASE("stop while another thread drains") {
    const auto hub = start();
    Client alice(hub->url());
    alice.bind("alice");
    std::thread drainer([&] { hub->drain(1h); });
    CHECK(alice.hear(R"({"t":"drain")") != "");
    hub->stop();
    drainer.join();
}

TEST_CASE("operators ask by HTTP") {
    HubOptions options;
    options.admin = "127.0.0.1:0";
    const auto hub = start(options);
    Client alice(hub->url());
    alice.bind("alice");
    CHECK(page(*hub, "/healthz").starts_with("HTTP/1.1 200 "));
    const std::string metrics = page(*hub, "/metrics");
    CHECK(metrics.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
    CHECK(metrics.find("\nnyamesh_hub_connections 1\n") != std::string::npos);
    CHECK(page(*hub, "/names").find(R"("name":"alice")") != std::string::npos);
    CHECK(page(*hub, "/connections").find(R"("names":["alice"])") != std::string::npos);
    CHECK(page(*hub, "/elsewhere").starts_with("HTTP/1.1 404 "));
    CHECK(get(hub->admin_port(), "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405 "));
    CHECK(get(hub->admin_port(), "GET /names HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n")
              .starts_with("HTTP/1.1 403 "));
}

TEST_CASE("operators see that the process has no descriptor left for those who wait to connect") {
    HubOptions options;
    options.admin = "127.0.0.1:0";
    const auto hub = start(options);
    // While there is none, nobody else can connect to ask; these are there already.
    constexpr std::size_t kAsked = 20;
    std::vector<int> operators;
    for (std::size_t i = 0; i < kAsked; ++i) operators.push_back(connect_to(hub->admin_port(), raw_socket()));
    const int client = raw_socket();
    CHECK(page(*hub, "/metrics").find("\nnyamesh_hub_out_of_descriptors_total 0\n") != std::string::npos);

    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{0, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    connect_to(static_cast<std::uint16_t>(net::Url::parse(hub->url())->target.port), client);
    // The hub may look at what we ask before it looks at who wants in; at the second question it has.
    bool is_seen = false;
    for (const int descriptor : operators) {
        const std::string metrics = is_seen ? std::string() : ask(descriptor, "/metrics");
        is_seen = is_seen ||
                  (!metrics.empty() && metrics.find("\nnyamesh_hub_out_of_descriptors_total 0\n") == std::string::npos);
        ::close(descriptor);
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(is_seen);
    ::close(client);
}

// The format's own judge, where it is installed (package prometheus).
TEST_CASE("promtool finds nothing wrong with the metrics") {
    if (std::system("promtool --version >/dev/null 2>&1") != 0) {
        MESSAGE("promtool is not installed: not checked");
        return;
    }
    HubOptions options;
    options.admin = "127.0.0.1:0";
    const auto hub = start(options);
    {
        Client alice(hub->url());
        alice.bind("alice").say(R"({"t":"m","to":"nobody","from":"alice","n":"x"})");
        CHECK(alice.hear(R"({"t":"peer")") != "");
        alice.say(R"({"t":"hello"})");
        CHECK(alice.closed().code == 4505);
    }
    const std::string answer = page(*hub, "/metrics");
    const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
    CHECK(body.find("closes_total{code=\"4505\"} 1") != std::string::npos);
    FILE* promtool = ::popen("promtool check metrics", "w");
    REQUIRE(promtool != nullptr);
    CHECK(std::fwrite(body.data(), 1, body.size(), promtool) == body.size());
    CHECK(::pclose(promtool) == 0);
}

TEST_CASE("a hub's state directory keeps its id over restarts, and counts them") {
    std::string place = (std::filesystem::temp_directory_path() / "nya-hub-state-XXXXXX").string();
    REQUIRE(::mkdtemp(place.data()) != nullptr);
    HubOptions options;
    options.state_directory = place + "/hub";
    const auto welcome = [&] {
        const auto hub = start(options);
        Client client(hub->url());
        return client.say(R"({"t":"hello"})").hear(R"({"t":"welcome")");
    };
    const std::string first = welcome();
    const std::string second = welcome();
    const auto id = [](const std::string& frame) { return frame.substr(0, frame.find(",\"epoch\"")); };
    CHECK(id(first) == id(second));
    CHECK(first.find(R"("epoch":1,)") != std::string::npos);
    CHECK(second.find(R"("epoch":2,)") != std::string::npos);

    const std::string file = options.state_directory + "/hub-identity";
    struct stat facts{};
    REQUIRE(::stat(file.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    std::ofstream(file) << "damaged";
    options.listen = {"127.0.0.1:0"};
    const auto damaged = Hub::start(options);
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().find(file) != std::string::npos);
    std::filesystem::remove_all(place);
}
