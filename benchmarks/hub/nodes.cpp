// Real nodes on our hub: two processes with P2PBoxes in them, one connection each, sessions on. What load.cpp sends in
// their place to load the hub as much as possible, these send themselves; so this is what a program gets, and what it
// costs the hub.
//
//   hub_nodes port=N pid=PID [connections=50] [depth=16] [warmup=0.5] [seconds=2] [token=TEXT] [tag=TEXT]
//
// One process has a0, a1, …, the other b0, b1, …; a0 sends to b0, and so on, `depth` messages are on their way per
// pair. What has been received is counted in memory that both share. A message carries the moment of its send(), taken
// out in the handler. Prints one JSON object, as hub_load does.
#include "measure.h"

#include <nyamesh/nyamesh.h>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <new>
#include <thread>
#include <vector>

namespace hub_load {
namespace {

using nyamesh::P2PBox;
using nyamesh::SendError;

constexpr unsigned kMostPairs = 1'000;
constexpr std::size_t kMostLatencies = 4'000'000;
constexpr double kPatience = 10;  // seconds

// In both processes.
struct Shared {
    std::atomic<bool> takes_latencies = false;
    std::atomic<std::uint64_t> received = 0;
    std::array<std::atomic<std::uint64_t>, kMostPairs> received_of = {};
    std::atomic<std::size_t> latencies = 0;
    std::array<std::int64_t, kMostLatencies> latency = {};  // ns
};

struct Settings {
    std::string url;
    std::string token;
    std::string tag;
    unsigned pairs = 0;
    unsigned depth = 0;
    int server = 0;
    double warmup = 0;
    double seconds = 0;
};

Shared& make_shared_memory() {
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    return *new (memory) Shared;
}

std::vector<P2PBox> open_nodes(const Settings& settings, char letter) {
    std::vector<P2PBox> nodes;
    for (unsigned i = 0; i < settings.pairs; ++i) {
        nyamesh::P2PBoxOptions options;
        options.url = settings.url;
        options.token = settings.token;
        options.key = "a key for the benchmark";
        auto node = P2PBox::open(letter + std::to_string(i) + settings.tag, nyamesh::TransportKind::WebSocket, options);
        if (!node) fail("open: " + node.error().message);
        nodes.push_back(std::move(*node));
    }
    return nodes;
}

void receive(const Settings& settings, Shared& shared) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto nodes = open_nodes(settings, 'b');
    for (unsigned i = 0; i < settings.pairs; ++i) {
        const auto added = nodes[i].on("x", [&shared, i](const nyamesh::IntentBox& intent, std::string_view) {
            const std::int64_t took = now_ns() - stamped(intent.payload_text());
            if (shared.takes_latencies.load(std::memory_order_relaxed)) {
                const std::size_t at = shared.latencies.fetch_add(1);
                if (at < kMostLatencies) shared.latency[at] = took;
            }
            shared.received_of[i].fetch_add(1);
            shared.received.fetch_add(1);
        });
        if (!added) fail("on: " + added.error().message);
    }
    for (;;) ::pause();
}

class Senders {
public:
    Senders(const Settings& settings, Shared& shared)
        : settings_(settings), shared_(shared), nodes_(open_nodes(settings, 'a')), sent_(settings.pairs) {
        for (unsigned i = 0; i < settings.pairs; ++i) targets_.push_back("b" + std::to_string(i) + settings.tag);
    }

    // A first contact waits until the target is there.
    void meet() {
        const std::int64_t begin = now_ns();
        for (unsigned i = 0; i < settings_.pairs; ++i) {
            while (!send(i)) {
                if (seconds_since(begin) > kPatience) fail(targets_[i] + ": cannot be reached: " + problem_);
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
        wait_for_all();
    }

    void run_for(double seconds) {
        const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (now_ns() < end) {
            bool has_sent = false;
            for (unsigned i = 0; i < settings_.pairs; ++i) {
                while (sent_[i] - shared_.received_of[i].load(std::memory_order_relaxed) < settings_.depth) {
                    if (!send(i)) break;
                    has_sent = true;
                }
            }
            if (!has_sent) ::sched_yield();  // everything is on its way; the receivers share this processor
        }
    }

    void wait_for_all() {
        const std::int64_t begin = now_ns();
        for (unsigned i = 0; i < settings_.pairs; ++i) {
            while (shared_.received_of[i] < sent_[i]) {
                if (seconds_since(begin) > kPatience) fail(targets_[i] + ": has not received everything");
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            if (shared_.received_of[i] > sent_[i]) fail(targets_[i] + ": has received more than was sent");
        }
    }

private:
    bool send(unsigned i) {
        stamp(payload_, now_ns());
        // The constructor wants the text, and adds the quotation marks.
        const std::string_view text(payload_.data() + 1, payload_.size() - 2);
        const auto sent = nodes_[i].send(targets_[i], nyamesh::IntentBox("x", text));
        if (!sent) {
            problem_ = sent.error().message;
            return false;
        }
        ++sent_[i];
        return true;
    }

    const Settings& settings_;
    Shared& shared_;
    std::vector<P2PBox> nodes_;
    std::vector<std::string> targets_;
    std::vector<std::uint64_t> sent_;
    Payload payload_ = make_payload();
    std::string problem_;
};

void measure(const Settings& settings, Shared& shared, int receivers) {
    Senders senders(settings, shared);
    senders.meet();
    senders.run_for(settings.warmup);
    shared.takes_latencies = true;
    Interval interval(settings.server, {::getpid(), receivers}, shared.received);
    senders.run_for(settings.seconds);
    const std::uint64_t received = shared.received;
    shared.takes_latencies = false;
    Latencies latencies;
    const std::size_t taken = std::min(shared.latencies.load(), kMostLatencies);
    interval.end();
    for (std::size_t i = 0; i < taken; ++i) latencies.add(shared.latency[i]);
    interval.print(received, latencies);
    senders.wait_for_all();
}

int run(const std::vector<std::string>& words) {
    Options options(words);
    Settings settings;
    settings.url = "ws://127.0.0.1:" + options.text("port", "");
    settings.server = static_cast<int>(options.number("pid", 0));
    settings.token = options.text("token", "");
    settings.tag = options.text("tag", "");
    settings.pairs = std::min(options.count("connections", 50), kMostPairs);
    settings.depth = options.count("depth", 16);
    settings.warmup = options.number("warmup", 0.5);
    settings.seconds = options.number("seconds", 2);
    options.check_all_used();

    Shared& shared = make_shared_memory();
    const int receivers = ::fork();
    if (receivers < 0) fail("fork");
    if (receivers == 0) receive(settings, shared);
    measure(settings, shared, receivers);
    std::fflush(stdout);
    ::kill(receivers, SIGKILL);
    ::_exit(0);  // the hub forgets us as it forgets everybody whose program ends
}

}  // namespace
}  // namespace hub_load

int main(int argc, char** argv) {
    return hub_load::run({argv + 1, argv + argc});
}
