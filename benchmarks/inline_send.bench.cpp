// Sending by name within one process, on the sender's thread: from the call of send() to the handler's return.
//
// Ours goes through the public P2PBox::send, with everything it promises: one handler at a time per node, the
// sender's order, statistics, checks. The others are what people build by hand; each gets the same names, the
// same intent and the same handler. They promise less (none runs a node's handlers one at a time, some cannot
// change while they deliver), which is said beside the tables in docs/benchmarks.md.
#include "harness.h"

#include <nyamesh/nyamesh.h>

#include <malloc.h>
#include <boost/signals2.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <shared_mutex>
#include <unordered_map>

namespace {

using nyamesh::IntentBox;
using nyamesh::MessageBus;
using nyamesh::P2PBox;
using nyamesh::SendError;

constexpr int kRounds = 9;
constexpr unsigned kNodes = 10;
constexpr std::string_view kIntent = "chat.message";

// What every handler does: looks at the intent and the sender, and counts.
struct Seen {
    std::uint64_t calls = 0;
    std::uint64_t work = 0;
};
thread_local Seen seen;

void handle(const IntentBox& intent, std::string_view from) {
    ++seen.calls;
    seen.work += intent.name_hash() + from.size();
}

using Handler = std::function<void(const IntentBox&, std::string_view)>;

std::string node_name(std::size_t i) {
    return "node-" + std::to_string(i);
}

// ---- The peers ----

struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
};

template <class T>
using ByName = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

// A call through std::function, no names: the floor under everything else.
class PlainFunction {
public:
    PlainFunction() {
        for (unsigned i = 0; i < kNodes; ++i) handlers_.emplace_back(handle);
    }
    void send(unsigned node, const IntentBox& intent, std::string_view from) { handlers_[node](intent, from); }

private:
    std::vector<Handler> handlers_;
};

// One signal per node and intent. The maps around them are not locked: nobody may come or go while it runs.
class Signals2 {
public:
    Signals2() {
        for (unsigned i = 0; i < kNodes; ++i) nodes_[node_name(i)][std::string(kIntent)].connect(handle);
    }
    void send(std::string_view to, const IntentBox& intent, std::string_view from) {
        const auto node = nodes_.find(to);
        if (node == nodes_.end()) return;
        const auto signal = node->second.find(intent.name());
        if (signal != node->second.end()) signal->second(intent, from);
    }

private:
    ByName<ByName<boost::signals2::signal<void(const IntentBox&, std::string_view)>>> nodes_;
};

using Table = ByName<ByName<std::vector<Handler>>>;

Table make_table() {
    Table table;
    for (unsigned i = 0; i < kNodes; ++i) table[node_name(i)][std::string(kIntent)].emplace_back(handle);
    return table;
}

const std::vector<Handler>* find(const Table& table, std::string_view to, std::string_view intent) {
    const auto node = table.find(to);
    if (node == table.end()) return nullptr;
    const auto handlers = node->second.find(intent);
    return handlers == node->second.end() ? nullptr : &handlers->second;
}

// The lock is held while handlers run: a handler that registers another one deadlocks.
class SharedMutexHeld {
public:
    void send(std::string_view to, const IntentBox& intent, std::string_view from) {
        std::shared_lock lock(mutex_);
        if (auto* handlers = find(table_, to, intent.name())) {
            for (const auto& handler : *handlers) handler(intent, from);
        }
    }

private:
    std::shared_mutex mutex_;
    Table table_ = make_table();
};

// The handlers are copied out first, so they may do what they like.
class SharedMutexCopied {
public:
    void send(std::string_view to, const IntentBox& intent, std::string_view from) {
        std::vector<Handler> handlers;
        {
            std::shared_lock lock(mutex_);
            if (auto* found = find(table_, to, intent.name())) handlers = *found;
        }
        for (const auto& handler : handlers) handler(intent, from);
    }

private:
    std::shared_mutex mutex_;
    Table table_ = make_table();
};

// Readers take a reference on an immutable table; writers would replace it.
class Snapshot {
public:
    void send(std::string_view to, const IntentBox& intent, std::string_view from) {
        const auto table = table_.load();
        if (auto* handlers = find(*table, to, intent.name())) {
            for (const auto& handler : *handlers) handler(intent, from);
        }
    }

private:
    std::atomic<std::shared_ptr<const Table>> table_ = std::make_shared<const Table>(make_table());
};

// ---- Ours ----

P2PBox open(const std::shared_ptr<MessageBus>& bus, std::string_view id) {
    nyamesh::P2PBoxOptions options;
    options.bus = bus;
    auto node = P2PBox::open(id, nyamesh::TransportKind::InProcess, std::move(options));
    if (!node) bench::fail(node.error().to_string());
    return std::move(*node);
}

class Ours {
public:
    Ours() {
        for (unsigned i = 0; i < kNodes; ++i) {
            nodes_.push_back(open(bus_, node_name(i)));
            require_ok(nodes_.back().on(kIntent, handle));
        }
        for (unsigned i = 0; i < 2; ++i) senders_.push_back(open(bus_, "sender-" + std::to_string(i)));
    }

    P2PBox& sender(unsigned thread) { return senders_[thread]; }
    nyamesh::NodeRef ref(unsigned node) { return senders_[0].resolve(node_name(node)).value(); }

    template <class T>
    static void require_ok(const std::expected<T, SendError>& result) {
        if (!result) bench::fail(result.error().to_string());
    }

private:
    std::shared_ptr<MessageBus> bus_ = MessageBus::create();
    std::vector<P2PBox> nodes_;
    std::vector<P2PBox> senders_;
};

// ---- Measuring ----

const IntentBox& message() {
    static const IntentBox intent(kIntent, {{"text", "Hello P2P!"}});
    return intent;
}

// How the threads choose their target.
enum class Targets { Distinct, Same };

// Nanoseconds per message and thread, of `threads` threads that send `count` messages each. `make_send(thread, node)`
// gives that thread's way to send one message.
template <class MakeSend>
double ns_per_message(unsigned threads, std::size_t count, Targets targets, MakeSend make_send) {
    std::atomic<std::uint64_t> calls = 0;
    const double seconds = bench::run_threads(threads, [&](unsigned thread) {
        auto send = make_send(thread, targets == Targets::Distinct ? thread : 0);
        seen = {};
        for (std::size_t i = 0; i < count; ++i) send();
        bench::keep(seen);
        calls += seen.calls;
    });
    // What another thread still has to run when ours are done is not counted here: only Same has that.
    if (targets == Targets::Distinct) bench::require(calls == threads * count, "every message was handled");
    return seconds * 1e9 / static_cast<double>(count);
}

template <class Peer>
auto by_name(Peer& peer) {
    return [&peer](unsigned, unsigned node) {
        return [&peer, to = node_name(node), from = std::string("sender-0")] { peer.send(to, message(), from); };
    };
}

auto plain(PlainFunction& peer) {
    return [&peer](unsigned, unsigned node) {
        return [&peer, node, from = std::string("sender-0")] {
            auto* called = &peer;
            bench::keep(called);
            called->send(node, message(), from);
        };
    };
}

// A full queue (two threads, one node) is told at once; the sender tries again.
template <class To>
auto send_from(P2PBox& sender, To to) {
    return [&sender, to = std::move(to)] {
        for (;;) {
            auto sent = sender.send(to, message());
            if (sent) return;
            if (sent.error().reason != SendError::Reason::Backpressure) bench::fail(sent.error().to_string());
            std::this_thread::yield();
        }
    };
}

constexpr const char* kOursByName = "**NyaMesh, by name**";
constexpr const char* kOursByRef = "**NyaMesh, resolved handle**";
constexpr const char* kPlain = "`std::function`, no names";
constexpr const char* kSignals2 = "Boost.Signals2";

struct Contest {
    Ours ours;
    PlainFunction plain_function;
    Signals2 signals2;
    SharedMutexHeld held;
    SharedMutexCopied copied;
    Snapshot snapshot;

    std::vector<bench::Contestant> contestants(unsigned threads, Targets targets) {
        auto contestant = [&](const char* name, std::size_t count, auto make_send) {
            return bench::Contestant{name, [=] { return ns_per_message(threads, count, targets, make_send); }};
        };
        const std::size_t slow = threads == 1 ? 500'000 : 100'000;
        const std::size_t fast = threads == 1 ? 2'000'000 : 1'000'000;
        std::vector<bench::Contestant> all;
        all.push_back(contestant(kOursByName, fast, [this](unsigned thread, unsigned node) {
            return send_from(ours.sender(thread), node_name(node));
        }));
        all.push_back(contestant(kOursByRef, fast, [this](unsigned thread, unsigned node) {
            return send_from(ours.sender(thread), ours.ref(node));
        }));
        all.push_back(contestant(kPlain, fast, plain(plain_function)));
        all.push_back(contestant(kSignals2, slow, by_name(signals2)));
        all.push_back(contestant("`unordered_map` + `shared_mutex`, held during the call", slow, by_name(held)));
        all.push_back(contestant("`unordered_map` + `shared_mutex`, handlers copied out", slow, by_name(copied)));
        all.push_back(contestant("`atomic<shared_ptr>` snapshot", slow, by_name(snapshot)));
        return all;
    }
};

// One thread and two take turns as well, since they are compared.
std::vector<std::vector<bench::Contestant>> run(std::vector<std::vector<bench::Contestant>> groups) {
    std::vector<bench::Contestant> all;
    for (auto& group : groups) all.insert(all.end(), group.begin(), group.end());
    bench::take_turns(all, kRounds);
    auto next = all.begin();
    for (auto& group : groups) {
        for (auto& contestant : group) contestant = std::move(*next++);
    }
    return groups;
}

void print_one_thread(const std::vector<bench::Contestant>& all) {
    bench::Table table({"one thread", "ns per message", "lowest – highest", "÷ `std::function`", "÷ Boost.Signals2"});
    for (const auto& c : all) {
        table.row({c.name, bench::number(c.median()), bench::spread(c),
                   bench::ratio(bench::median_ratio(c, bench::named(all, kPlain))),
                   bench::ratio(bench::median_ratio(c, bench::named(all, kSignals2)))});
    }
    table.print("By name, inline, one thread");
}

void print_two_threads(const char* title, const std::vector<bench::Contestant>& one,
                       const std::vector<bench::Contestant>& two) {
    bench::Table table({"two threads", "ns per message and thread", "lowest – highest", "million/s in total",
                        "total ÷ one thread's", "÷ Boost.Signals2"});
    for (const auto& c : two) {
        table.row({c.name, bench::number(c.median()), bench::spread(c), bench::number(2e3 / c.median()),
                   bench::ratio(2 * bench::median_ratio(bench::named(one, c.name), c)),
                   bench::ratio(bench::median_ratio(c, bench::named(two, kSignals2)))});
    }
    table.print(title);
}

// ---- A million nodes ----

// Nodes on a bus of their own, as the bus keeps them: a name and one handler each.
struct Crowd {
    std::shared_ptr<MessageBus> bus = MessageBus::create();
    std::vector<nyamesh::LocalNode> nodes;
    double bytes_per_node = 0;

    explicit Crowd(std::size_t count) {
        nodes.reserve(count);
        const auto before = allocated();
        for (std::size_t i = 0; i < count; ++i) {
            auto node = bus->register_node(node_name(i));
            if (!node) bench::fail(node.error().to_string());
            Ours::require_ok(node->on(kIntent, nyamesh::make_handler(handle)));
            nodes.push_back(std::move(*node));
        }
        bytes_per_node = static_cast<double>(allocated() - before) / static_cast<double>(count);
    }

    // What malloc has handed out: the requested bytes and its own overhead.
    static std::size_t allocated() {
        const auto info = mallinfo2();
        return info.uordblks + info.hblkhd;
    }
};

void many_nodes(bench::Goals& goals) {
    constexpr std::size_t kSizes[] = {10, 10'000, 1'000'000};
    constexpr std::size_t kSends = 1'000'000;
    struct Scene {
        std::size_t size;
        std::unique_ptr<Crowd> crowd;
        std::optional<P2PBox> sender;
        std::vector<std::string> targets;  // in random order
    };
    std::vector<Scene> scenes;
    std::vector<bench::Contestant> hot, random;
    for (const std::size_t size : kSizes) {
        Scene scene{size, std::make_unique<Crowd>(size), std::nullopt, {}};
        scene.sender = open(scene.crowd->bus, "sender");
        std::mt19937_64 generator(42);
        std::uniform_int_distribution<std::size_t> any(0, size - 1);
        for (std::size_t i = 0; i < 1 << 17; ++i) scene.targets.push_back(node_name(any(generator)));
        scenes.push_back(std::move(scene));
    }
    for (Scene& scene : scenes) {
        const std::string name = std::to_string(scene.size) + " nodes";
        hot.push_back({name, [&scene] {
                           return ns_per_message(1, kSends, Targets::Distinct, [&](unsigned, unsigned) {
                               return send_from(*scene.sender, node_name(scene.size / 2));
                           });
                       }});
        random.push_back({name, [&scene] {
                              return ns_per_message(1, kSends, Targets::Distinct, [&](unsigned, unsigned) {
                                  return [&scene, i = std::size_t{0}]() mutable {
                                      Ours::require_ok(
                                          scene.sender->send(scene.targets[i++ % scene.targets.size()], message()));
                                  };
                              });
                          }});
    }
    bench::take_turns(hot, kRounds);
    bench::take_turns(random, kRounds);

    bench::Table table({"nodes on the bus", "one hot target, ns", "÷ 10 nodes", "random targets, ns", "÷ 10 nodes",
                        "bytes per node with one handler"});
    for (std::size_t i = 0; i < scenes.size(); ++i) {
        const bool too_few = scenes[i].size < 1000;  // the bus's fixed parts would be counted in
        table.row({hot[i].name, bench::number(hot[i].median()), bench::ratio(bench::median_ratio(hot[i], hot[0])),
                   bench::number(random[i].median()), bench::ratio(bench::median_ratio(random[i], random[0])),
                   too_few ? "–" : bench::number(scenes[i].crowd->bytes_per_node, 0)});
    }
    table.print("NyaMesh by name, from ten nodes to a million");
    goals.at_most("one hot target among a million nodes ÷ among ten", 1.3,
                  bench::median_ratio(hot.back(), hot.front()));
    goals.at_most("one node with one handler on the bus", 256, scenes.back().crowd->bytes_per_node, " bytes");
}

// ---- One node under two senders ----

// How long one send takes while two threads send to the same node as fast as they can. The one that happens to run
// the node works for the other too, but for 64 envelopes at most. A refused send that is tried again counts as one.
void print_saturated() {
    Ours ours;
    constexpr std::size_t kSends = 500'000;
    std::array<std::vector<double>, 2> took;
    bench::run_threads(2, [&](unsigned thread) {
        auto send = send_from(ours.sender(thread), node_name(0));
        took[thread].reserve(kSends);
        for (std::size_t i = 0; i < kSends; ++i) {
            const auto begin = bench::Clock::now();
            send();
            took[thread].push_back(bench::seconds_since(begin) * 1e9);
        }
    });
    std::vector<double> all = took[0];
    all.insert(all.end(), took[1].begin(), took[1].end());
    bench::Table table({"one send, ns", "p50", "p99", "p99.9", "longest"});
    table.row({"two threads saturating one node", bench::number(bench::percentile(all, 0.5)),
               bench::number(bench::percentile(all, 0.99)), bench::number(bench::percentile(all, 0.999)),
               bench::number(bench::percentile(all, 1.0))});
    table.print("How long a send takes when two senders saturate one node");
}

}  // namespace

int main() {
    bench::raise_priority();
    bench::Goals goals;
    {
        Contest contest;
        const auto results = run({contest.contestants(1, Targets::Distinct), contest.contestants(2, Targets::Distinct),
                                  contest.contestants(2, Targets::Same)});
        const auto &one = results[0], &two = results[1], &two_to_one = results[2];
        print_one_thread(one);
        print_two_threads("By name, inline, two threads to distinct nodes", one, two);
        print_two_threads("By name, inline, two threads to the same node", one, two_to_one);

        const auto& by_name = bench::named(one, kOursByName);
        const auto& by_ref = bench::named(one, kOursByRef);
        goals.at_most("by name ÷ Boost.Signals2", 0.25, bench::median_ratio(by_name, bench::named(one, kSignals2)));
        goals.at_most("by name ÷ `std::function`", 10, bench::median_ratio(by_name, bench::named(one, kPlain)));
        goals.at_most("by resolved handle ÷ `std::function`", 5,
                      bench::median_ratio(by_ref, bench::named(one, kPlain)));
        goals.at_least("two threads to distinct nodes, total ÷ one thread's", 1.8,
                       2 * bench::median_ratio(by_name, bench::named(two, kOursByName)));
    }
    print_saturated();
    many_nodes(goals);
    goals.print();
}
