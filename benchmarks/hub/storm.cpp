// What a hub needs per idle connection, and how all of them come back when it dies.
//
//   hub_storm [CONNECTIONS [SECONDS]]       default: 10000, and messages for 10 s around the kill
//
// The hub is a process of its own (this program once more), so that it can be killed as by `kill -9`. The clients are
// the real ones: each a node with sessions and a connection of its own, all on one loop. One in ten of them sends a
// numbered message to the next each second before the kill, and as many at once after it, when there is no hub; each
// that comes is checked for its place. Prints a table. Fails if a message is lost, doubled or out of order, or somebody
// does not come back.
#include <nyamesh/hub.h>

#include "net/epoll_loop.h"
#include "transport/websocket/links.h"
#include "transport/websocket/websocket_transport.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace nyamesh;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kSendersShare = 10;
constexpr auto kPatience = 120s;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "hub_storm: %s\n", why.c_str());
    std::exit(1);
}

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

// ---- the hub's process ------------------------------------------------------------------------------------------

// Says its port on standard output, and how many connections it has on request (a line on standard input).
int run_hub(const char* port, const char* state) {
    HubOptions options;
    options.listen = {std::string("127.0.0.1:") + port};
    options.state_directory = state;
    auto hub = Hub::start(options);
    for (int i = 0; i < 100 && !hub; ++i) {  // the system still has the dead one's port
        std::this_thread::sleep_for(20ms);
        hub = Hub::start(options);
    }
    if (!hub) fail(hub.error());
    std::printf("%u\n", static_cast<unsigned>((*hub)->port()));
    std::fflush(stdout);
    char room[16];
    while (::read(STDIN_FILENO, room, sizeof room) > 0) {
        const HubStatistics now = (*hub)->statistics();
        std::printf("%zu %zu\n", now.connections, now.names);
        std::fflush(stdout);
    }
    return 0;
}

class HubProcess {
public:
    HubProcess(const char* program, const std::string& state) : program_(program), state_(state) {}
    ~HubProcess() { kill(); }

    void start() {
        int in[2];
        int out[2];
        if (::pipe(in) != 0 || ::pipe(out) != 0) fail("no pipes");
        child_ = ::fork();
        if (child_ == 0) {
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            ::close_range(3, ~0U, 0);  // ten thousand sockets, perhaps
            ::execl("/proc/self/exe", program_, "hub", std::to_string(port_).c_str(), state_.c_str(), nullptr);
            std::_Exit(1);
        }
        ::close(in[0]);
        ::close(out[1]);
        ask_ = in[1];
        answers_ = ::fdopen(out[0], "r");
        char line[64];
        if (std::fgets(line, sizeof line, answers_) == nullptr) fail("the hub did not start");
        port_ = std::atoi(line);
    }
    void kill() {
        if (child_ <= 0) return;
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
        child_ = 0;
        std::fclose(answers_);
        ::close(ask_);
    }
    // Nodes that it knows to be here.
    std::size_t names() {
        std::size_t connections = 0;
        std::size_t names = 0;
        char line[64];
        if (::write(ask_, "\n", 1) != 1 || std::fgets(line, sizeof line, answers_) == nullptr) fail("the hub is gone");
        if (std::sscanf(line, "%zu %zu", &connections, &names) != 2) fail("the hub speaks in tongues");
        return names;
    }
    int port() const { return port_; }
    // Bytes of memory that are its alone and in use.
    double own_bytes() const {
        std::ifstream file("/proc/" + std::to_string(child_) + "/smaps_rollup");
        double total = 0;
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with("Private_")) total += std::strtod(line.c_str() + line.find(':') + 1, nullptr) * 1024;
        }
        return total;
    }
    double processor_seconds() const {
        std::ifstream file("/proc/" + std::to_string(child_) + "/stat");
        std::string text;
        std::getline(file, text);
        text.erase(0, text.rfind(')') + 2);
        std::array<double, 13> fields{};
        const char* at = text.c_str() + 2;  // behind the state
        for (double& field : fields) {
            char* end = nullptr;
            field = std::strtod(at, &end);
            at = end;
        }
        return (fields[10] + fields[11]) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }

private:
    const char* program_;
    std::string state_;
    pid_t child_ = 0;
    int ask_ = -1;
    FILE* answers_ = nullptr;
    int port_ = 0;
};

// ---- the clients ------------------------------------------------------------------------------------------------

struct Node {
    std::shared_ptr<websocket::Links> links;
    std::unique_ptr<WebSocketTransport> transport;
    std::int64_t sent = 0;
    std::atomic<std::int64_t> heard = 0;  // of the one before it
    std::atomic<bool> is_wrong = false;
};

std::string name(std::size_t number) {
    return "node-" + std::to_string(number);
}

class Nodes {
public:
    Nodes(std::size_t count, int port) : nodes_(count) {
        for (std::size_t i = 0; i < count; ++i) open(nodes_[i], i, port);
    }
    void send_round() {
        for (std::size_t i = 0; i < nodes_.size(); i += kSendersShare) {
            nodes_[i].transport->send_async(name((i + 1) % nodes_.size()),
                                            IntentBox("n", nya::Json(nodes_[i].sent + 1)), {}, [](const auto& sent) {
                                                if (!sent) fail("a send failed: " + sent.error().to_string());
                                            });
            ++nodes_[i].sent;
        }
    }
    std::int64_t sent() const {
        std::int64_t sum = 0;
        for (const Node& node : nodes_) sum += node.sent;
        return sum;
    }
    std::int64_t heard() const {
        std::int64_t sum = 0;
        for (const Node& node : nodes_) {
            if (node.is_wrong) fail("a message came twice, or out of order");
            sum += node.heard;
        }
        return sum;
    }
    std::size_t connected() const {
        std::size_t count = 0;
        for (const Node& node : nodes_) count += node.transport->state() == ConnectionState::Connected ? 1u : 0u;
        return count;
    }

private:
    void open(Node& node, std::size_t number, int port) {
        node.links = std::make_shared<websocket::Links>(thread_.loop(), random_);
        WebSocketOptions options;
        options.url = "ws://127.0.0.1:" + std::to_string(port);
        options.key = "the key of " + std::to_string(number);
        auto made = WebSocketTransport::open(name(number), node.links, thread_.loop(), options);
        if (!made) fail(made.error().to_string());
        node.transport = std::move(*made);
        node.transport->on_receive(
            [&node](const IntentEnvelope& envelope, bool, AnswerCallback done) -> std::expected<void, SendError> {
                const auto payload = envelope.intent.payload();
                if (payload.as_integer() != node.heard + 1) node.is_wrong = true;
                ++node.heard;
                if (done) done(nya::Json());
                return {};
            });
    }

    net::LoopThread thread_{"nodes"};
    std::shared_ptr<nya::Random> random_ = nya::Random::system();
    std::vector<Node> nodes_;
};

template <class Is>
void wait_until(const char* what, Is is) {
    for (const auto begin = Clock::now(); !is(); std::this_thread::sleep_for(5ms)) {
        if (Clock::now() - begin > kPatience) fail(std::string("not within two minutes: ") + what);
    }
}

void report(const char* what, double value, const char* unit, int digits) {
    std::printf("| %s | %.*f%s |\n", what, digits, value, unit);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "hub") return run_hub(argv[2], argv[3]);
    const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
    const int seconds = argc > 2 ? std::atoi(argv[2]) : 10;
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (count < 2 || count + 200 > files.rlim_cur) fail("needs that many open files, and some: ulimit -n");

    std::string state = (std::filesystem::temp_directory_path() / "nya-storm-XXXXXX").string();
    if (::mkdtemp(state.data()) == nullptr) fail("no temporary directory");
    HubProcess hub(argv[0], state);
    hub.start();
    const double bare = hub.own_bytes();
    auto begin = Clock::now();
    Nodes nodes(count, hub.port());
    wait_until("everybody is connected", [&] { return hub.names() == count && nodes.connected() == count; });
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::printf("| %zu nodes, each with a connection | |\n|---|---:|\n", count);
    report("all connected after", seconds_since(begin), " s", 1);
    std::this_thread::sleep_for(10s);
    report("the hub's own memory per connection", (hub.own_bytes() - bare) / static_cast<double>(count), " bytes", 0);
    const double before = hub.processor_seconds();
    begin = Clock::now();
    std::this_thread::sleep_for(10s);
    report("its processor time, idle", 100 * (hub.processor_seconds() - before) / seconds_since(begin), " %", 1);

    for (int i = 0; i < seconds; ++i) {
        if (i == seconds / 2) {
            hub.kill();
            begin = Clock::now();
            hub.start();
            report("killed; up again after", seconds_since(begin), " s", 2);
        }
        nodes.send_round();
        if (i >= seconds / 2) continue;
        std::this_thread::sleep_for(1s);
    }
    std::size_t half = 0;
    wait_until("everybody is back", [&] {
        const std::size_t here = hub.names();
        if (half == 0 && here >= count / 2) report("half of them back after", seconds_since(begin), " s", 1), half = 1;
        return here == count && nodes.connected() == count;
    });
    report("the last one back after", seconds_since(begin), " s", 1);
    report("the hub's processor time until then", hub.processor_seconds(), " s", 2);
    wait_until("every message has come", [&] { return nodes.heard() == nodes.sent(); });
    report("every message there after", seconds_since(begin), " s", 1);
    report("messages", static_cast<double>(nodes.sent()), ", none lost, doubled or out of order", 0);
    std::fflush(stdout);
    hub.kill();
    std::filesystem::remove_all(state);
    std::_Exit(0);  // ten thousand orderly goodbyes to nobody would only take time
}
