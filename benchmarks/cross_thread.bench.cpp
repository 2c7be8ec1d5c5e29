// Small messages from one or four threads to one receiver on a thread of its own.
//
// Every message is fresh: the sender makes its text anew, and the receiver's handler looks at it. Ours is a
// public P2PBox::send by name to a node that is bound to an executor, so on the receiving thread the right handler
// is found by the intent's name and is told who sent it. The others carry bare bytes to one fixed receiver.
#include "harness.h"

#include <nyamesh/nyamesh.h>

#if !NYA_WITH_ZEROMQ || !NYA_WITH_NNG || !NYA_WITH_CONCURRENTQUEUE
#error "cross_thread compares with ZeroMQ, nng and moodycamel's queue: `tools/setup bench` installs them"
#endif
#include <concurrentqueue/blockingconcurrentqueue.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <zmq.h>

#include <array>
#include <charconv>
#include <cstring>
#include <latch>
#include <limits>
#include <memory>

namespace {

constexpr int kRounds = 11;
constexpr unsigned kSendersOn = 0, kReceiverOn = 1;  // processors
constexpr std::size_t kQueueLimit = 4096;            // for all who have one
constexpr std::string_view kIntent = "chat.message";

// ---- The handler, the same for all ----

struct Latencies {
    std::atomic<std::int64_t> sent_at{0};
    std::vector<double> us;
};

using bench::Clock;

class Receiver {
public:
    Receiver(std::size_t expected, Latencies* latencies) : expected_(expected), latencies_(latencies) {}

    // One message has arrived.
    void handle(std::string_view text) {
        if (latencies_) {
            const auto now = Clock::now().time_since_epoch();
            latencies_->us.push_back(
                static_cast<double>(now.count() - latencies_->sent_at.load(std::memory_order_acquire)) / 1e3);
        }
        bytes_ += text.size();
        const auto handled = handled_.load(std::memory_order_relaxed) + 1;
        handled_.store(handled, std::memory_order_release);
        if (handled == expected_) {
            done_at_ = Clock::now();
            done_.count_down();
        }
    }

    bool is_done() const { return handled_.load(std::memory_order_relaxed) == expected_; }
    std::size_t handled() const { return handled_.load(std::memory_order_acquire); }
    // Until the last message has been handled. Asleep: nobody else may look at what the receiver writes.
    Clock::time_point wait() const {
        done_.wait();
        return done_at_;
    }
    std::size_t bytes() const { return bytes_; }

private:
    const std::size_t expected_;
    Latencies* const latencies_;
    std::size_t bytes_ = 0;
    std::atomic<std::size_t> handled_{0};
    Clock::time_point done_at_;
    std::latch done_{1};
};

// A thread on the receiver's processor that runs `loop`.
template <class Loop>
std::thread receiver_thread(Loop loop) {
    return std::thread([loop] {
        bench::pin_to(kReceiverOn);
        loop();
    });
}

// "Hello P2P! #123456": a text that is different every time.
class FreshText {
public:
    std::string_view next() {
        constexpr std::string_view kHello = "Hello P2P! #";
        std::memcpy(text_.data(), kHello.data(), kHello.size());
        const auto end = std::to_chars(text_.data() + kHello.size(), text_.data() + text_.size(), ++number_).ptr;
        return {text_.data(), end};
    }

private:
    std::array<char, 40> text_;
    std::uint64_t number_ = 100'000;
};

// ---- The contestants: each starts its receiver, and has a Sender to be made on the sending thread ----

class Ours {
public:
    explicit Ours(Receiver& receiver) : executor_(std::make_shared<nya::ThreadExecutor>("receiver")) {
        executor_->post([] { bench::pin_to(kReceiverOn); });
        nyamesh::P2PBoxOptions options;
        options.bus = bus_;
        options.executor = executor_;
        options.queue_limit = kQueueLimit;
        bob_ = std::make_unique<nyamesh::P2PBox>(
            opened(nyamesh::P2PBox::open("bob", nyamesh::TransportKind::InProcess, options)));
        auto listening = bob_->on(kIntent, [&receiver](const nyamesh::IntentBox& intent, std::string_view) {
            receiver.handle(intent.payload_text());
        });
        bench::require(listening.has_value(), "bob listens");
    }

    class Sender {
    public:
        Sender(Ours& ours, unsigned index) {
            nyamesh::P2PBoxOptions options;
            options.bus = ours.bus_;
            alice_ = std::make_unique<nyamesh::P2PBox>(opened(
                nyamesh::P2PBox::open("alice-" + std::to_string(index), nyamesh::TransportKind::InProcess, options)));
        }
        void send(std::string_view text) {
            for (;;) {
                auto sent = alice_->send("bob", nyamesh::IntentBox(kIntent, text));
                if (sent) return;
                // Full: the receiver is behind, and says so at once. We try again.
                if (sent.error().reason != nyamesh::SendError::Reason::Backpressure)
                    bench::fail(sent.error().to_string());
                std::this_thread::yield();
            }
        }

    private:
        std::unique_ptr<nyamesh::P2PBox> alice_;
    };

private:
    static nyamesh::P2PBox opened(std::expected<nyamesh::P2PBox, nyamesh::SendError> box) {
        if (!box) bench::fail(box.error().to_string());
        return std::move(*box);
    }

    std::shared_ptr<nyamesh::MessageBus> bus_ = nyamesh::MessageBus::create();
    std::shared_ptr<nya::ThreadExecutor> executor_;
    std::unique_ptr<nyamesh::P2PBox> bob_;
};

void check_zmq(int result, const char* what) {
    if (result == -1) bench::fail(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

template <int kSendType, int kReceiveType>
class ZeroMq {
public:
    explicit ZeroMq(Receiver& receiver) : context_(zmq_ctx_new()) {
        zmq_ctx_set(context_, ZMQ_IO_THREADS, 0);  // inproc needs none
        void* socket = open(kReceiveType);
        check_zmq(zmq_bind(socket, "inproc://bob"), "zmq_bind");
        thread_ = receiver_thread([socket, &receiver] {
            zmq_msg_t message;
            zmq_msg_init(&message);
            while (!receiver.is_done()) {
                check_zmq(zmq_msg_recv(&message, socket, 0), "zmq_msg_recv");
                receiver.handle({static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)});
            }
            zmq_msg_close(&message);
            zmq_close(socket);
        });
    }
    ~ZeroMq() {
        thread_.join();
        zmq_ctx_term(context_);
    }

    class Sender {
    public:
        Sender(ZeroMq& zero_mq, unsigned) : socket_(zero_mq.open(kSendType)) {
            check_zmq(zmq_connect(socket_, "inproc://bob"), "zmq_connect");
        }
        ~Sender() { zmq_close(socket_); }
        void send(std::string_view text) {
            zmq_msg_t message;
            zmq_msg_init_size(&message, text.size());
            std::memcpy(zmq_msg_data(&message), text.data(), text.size());
            check_zmq(zmq_msg_send(&message, socket_, 0), "zmq_msg_send");
        }

    private:
        void* socket_;
    };

private:
    void* open(int type) {
        void* socket = zmq_socket(context_, type);
        const int limit = static_cast<int>(kQueueLimit);
        zmq_setsockopt(socket, ZMQ_SNDHWM, &limit, sizeof limit);
        zmq_setsockopt(socket, ZMQ_RCVHWM, &limit, sizeof limit);
        return socket;
    }

    void* context_;
    std::thread thread_;
};

using ZeroMqPair = ZeroMq<ZMQ_PAIR, ZMQ_PAIR>;
using ZeroMqPushPull = ZeroMq<ZMQ_PUSH, ZMQ_PULL>;

void check_nng(int result, const char* what) {
    if (result != 0) bench::fail(std::string(what) + ": " + nng_strerror(result));
}

template <auto kOpenSender, auto kOpenReceiver>
class Nng {
public:
    explicit Nng(Receiver& receiver) {
        static std::atomic<int> made = 0;
        address_ = "inproc://bob-" + std::to_string(made++);
        socket_ = open(kOpenReceiver);
        check_nng(nng_listen(socket_, address_.c_str(), nullptr, 0), "nng_listen");
        thread_ = receiver_thread([socket = socket_, &receiver] {
            while (!receiver.is_done()) {
                nng_msg* message = nullptr;
                check_nng(nng_recvmsg(socket, &message, 0), "nng_recvmsg");
                receiver.handle({static_cast<const char*>(nng_msg_body(message)), nng_msg_len(message)});
                nng_msg_free(message);
            }
        });
    }
    ~Nng() {
        thread_.join();
        nng_close(socket_);
    }

    class Sender {
    public:
        Sender(Nng& nng, unsigned) : socket_(open(kOpenSender)) {
            check_nng(nng_dial(socket_, nng.address_.c_str(), nullptr, 0), "nng_dial");
        }
        // Closing drops what is still queued, so this waits in Round until the receiver is done.
        ~Sender() { nng_close(socket_); }
        void send(std::string_view text) {
            nng_msg* message = nullptr;
            check_nng(nng_msg_alloc(&message, text.size()), "nng_msg_alloc");
            std::memcpy(nng_msg_body(message), text.data(), text.size());
            check_nng(nng_sendmsg(socket_, message, 0), "nng_sendmsg");
        }

    private:
        nng_socket socket_;
    };

private:
    static nng_socket open(int (*open_socket)(nng_socket*)) {
        nng_socket socket;
        check_nng(open_socket(&socket), "nng open");
        // Not every protocol has both buffers.
        nng_socket_set_int(socket, NNG_OPT_SENDBUF, static_cast<int>(kQueueLimit));
        nng_socket_set_int(socket, NNG_OPT_RECVBUF, static_cast<int>(kQueueLimit));
        return socket;
    }

    std::string address_;
    nng_socket socket_;
    std::thread thread_;
};

using NngPair = Nng<nng_pair0_open, nng_pair0_open>;
using NngPushPull = Nng<nng_push0_open, nng_pull0_open>;

// A message as one allocates it, and as one copies it. The queue itself has no limit.
struct AllocatedMessage {
    std::unique_ptr<std::string> text;
    explicit AllocatedMessage(std::string_view from) : text(std::make_unique<std::string>(from)) {}
    AllocatedMessage() = default;
    std::string_view view() const { return *text; }
};

struct InlineMessage {
    std::array<char, 64> bytes;
    std::uint8_t size = 0;
    explicit InlineMessage(std::string_view from) : size(static_cast<std::uint8_t>(from.size())) {
        std::memcpy(bytes.data(), from.data(), from.size());
    }
    InlineMessage() = default;
    std::string_view view() const { return {bytes.data(), size}; }
};

template <class Message>
class Moodycamel {
public:
    explicit Moodycamel(Receiver& receiver) {
        thread_ = receiver_thread([this, &receiver] {
            moodycamel::ConsumerToken token(queue_);
            std::vector<Message> messages(64);
            while (!receiver.is_done()) {
                const std::size_t n = queue_.wait_dequeue_bulk(token, messages.begin(), messages.size());
                for (std::size_t i = 0; i < n; ++i) receiver.handle(messages[i].view());
            }
        });
    }
    ~Moodycamel() { thread_.join(); }

    class Sender {
    public:
        Sender(Moodycamel& moodycamel, unsigned) : queue_(moodycamel.queue_), token_(queue_) {}
        void send(std::string_view text) { bench::require(queue_.enqueue(token_, Message(text)), "enqueue"); }

    private:
        moodycamel::BlockingConcurrentQueue<Message>& queue_;
        moodycamel::ProducerToken token_;
    };

private:
    moodycamel::BlockingConcurrentQueue<Message> queue_;
    std::thread thread_;
};

// ---- Measuring ----

// Million messages per second from `senders` threads on one processor to the receiver on another.
template <class System>
double throughput(unsigned senders, std::size_t total) {
    Receiver receiver(total, nullptr);
    System system(receiver);
    Clock::time_point begin;
    std::barrier ready(senders, [&begin]() noexcept { begin = Clock::now(); });
    std::barrier done(senders + 1);
    std::atomic<std::size_t> bytes = 0;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < senders; ++i) {
        threads.emplace_back([&, i] {
            bench::pin_to(kSendersOn);
            typename System::Sender sender(system, i);
            FreshText texts;
            std::size_t sent = 0;
            ready.arrive_and_wait();
            for (std::size_t n = total / senders; n > 0; --n) {
                const auto text = texts.next();
                sent += text.size();
                sender.send(text);
            }
            bytes += sent;
            done.arrive_and_wait();  // nobody leaves before everything has arrived
        });
    }
    const double seconds = std::chrono::duration<double>(receiver.wait() - begin).count();
    done.arrive_and_wait();
    for (auto& thread : threads) thread.join();
    // Ours sees the payload as JSON text, which has two quotes.
    const std::size_t quotes = std::is_same_v<System, Ours> ? 2 * total : 0;
    bench::require(receiver.bytes() == bytes + quotes, "what was sent arrived");
    return static_cast<double>(total) / seconds / 1e6;
}

// Microseconds from send to handler, of single messages to a receiver that has gone to sleep.
struct Latency {
    double p50, p99;
};

template <class System>
Latency latency(std::size_t count) {
    Latencies latencies;
    latencies.us.reserve(count);
    Receiver receiver(count, &latencies);
    System system(receiver);
    std::thread([&] {
        bench::pin_to(kSendersOn);
        typename System::Sender sender(system, 0);
        FreshText texts;
        for (std::size_t i = 0; i < count; ++i) {
            const auto rest_until = Clock::now() + std::chrono::microseconds(300);
            while (Clock::now() < rest_until) {
            }
            const auto text = texts.next();
            latencies.sent_at.store(Clock::now().time_since_epoch().count(), std::memory_order_release);
            sender.send(text);
            while (receiver.handled() != i + 1) {
            }
        }
    }).join();
    return {bench::percentile(latencies.us, 0.5), bench::percentile(latencies.us, 0.99)};
}

constexpr const char* kOurs = "**NyaMesh, by name**";
constexpr const char* kPair = "ZeroMQ inproc PAIR";
constexpr const char* kPushPull = "ZeroMQ inproc PUSH/PULL";
constexpr const char* kNngPair = "nng inproc pair";
constexpr const char* kNngPushPull = "nng inproc push/pull";
constexpr const char* kMoodycamel = "moodycamel, allocated message";
constexpr const char* kMoodycamelInline = "moodycamel, message in the queue";

// Takes turns, prints the table, and says what the machine was like meanwhile.
void compare(bench::Goals& goals, const char* title, const char* first_column, std::vector<bench::Contestant> all) {
    all.push_back({"cache line", [] { return bench::cache_line_ns(kSendersOn, kReceiverOn); }});
    bench::take_turns(all, kRounds);
    const bench::Contestant cache_line = all.back();
    all.pop_back();

    bench::Table table({first_column, "million messages/s", "lowest – highest", "NyaMesh ÷ it"});
    for (const auto& c : all) {
        table.row({c.name, bench::number(c.median()), bench::spread(c), bench::ratio(bench::median_ratio(all[0], c))});
    }
    table.print(title);
    std::printf("A cache line took %s ns from one processor to the other (%s).\n\n",
                bench::number(cache_line.median(), 0).c_str(), bench::spread(cache_line).c_str());

    double against_zmq = std::numeric_limits<double>::infinity();
    for (const auto& c : all) {
        if (c.name.starts_with("ZeroMQ")) against_zmq = std::min(against_zmq, bench::median_ratio(all[0], c));
    }
    goals.at_least(std::string(first_column) + ": NyaMesh ÷ ZeroMQ inproc (its best pattern)", 2, against_zmq);
}

constexpr std::size_t kFast = 400'000, kSlow = 60'000;  // messages per sample

void one_to_one(bench::Goals& goals) {
    compare(goals, "Cross-thread, one sender, fresh small messages", "1 sender",
            {
                {kOurs, [] { return throughput<Ours>(1, kFast); }},
                {kPair, [] { return throughput<ZeroMqPair>(1, kFast); }},
                {kPushPull, [] { return throughput<ZeroMqPushPull>(1, kFast); }},
                {kNngPair, [] { return throughput<NngPair>(1, kSlow); }},
                {kNngPushPull, [] { return throughput<NngPushPull>(1, kSlow); }},
                {kMoodycamel, [] { return throughput<Moodycamel<AllocatedMessage>>(1, kFast); }},
                {kMoodycamelInline, [] { return throughput<Moodycamel<InlineMessage>>(1, kFast); }},
            });
}

void four_to_one(bench::Goals& goals) {
    compare(goals, "Cross-thread, four senders, fresh small messages", "4 senders",
            {
                {kOurs, [] { return throughput<Ours>(4, kFast); }},
                {kPushPull, [] { return throughput<ZeroMqPushPull>(4, kFast); }},
                {kNngPushPull, [] { return throughput<NngPushPull>(4, kSlow); }},
                {kMoodycamel, [] { return throughput<Moodycamel<AllocatedMessage>>(4, kFast); }},
                {kMoodycamelInline, [] { return throughput<Moodycamel<InlineMessage>>(4, kFast); }},
            });
}

template <class System>
bench::Contestant sleeping(const char* name, std::vector<double>& p99) {
    return {name, [&p99] {
                const auto latency = ::latency<System>(1000);
                p99.push_back(latency.p99);
                return latency.p50;
            }};
}

void waking_up() {
    std::vector<double> p99[6];
    std::vector<bench::Contestant> all{
        sleeping<Ours>(kOurs, p99[0]),
        sleeping<ZeroMqPair>(kPair, p99[1]),
        sleeping<ZeroMqPushPull>(kPushPull, p99[2]),
        sleeping<NngPair>(kNngPair, p99[3]),
        sleeping<Moodycamel<AllocatedMessage>>(kMoodycamel, p99[4]),
        sleeping<Moodycamel<InlineMessage>>(kMoodycamelInline, p99[5]),
    };
    bench::take_turns(all, 5);
    bench::Table table({"receiver asleep", "one way, µs (median)", "lowest – highest", "p99, µs", "NyaMesh ÷ it"});
    for (std::size_t i = 0; i < all.size(); ++i) {
        table.row({all[i].name, bench::number(all[i].median()), bench::spread(all[i]),
                   bench::number(bench::median(p99[i])), bench::ratio(bench::median_ratio(all[0], all[i]))});
    }
    table.print("Cross-thread, one message to a sleeping receiver");
}

}  // namespace

int main() {
    bench::raise_priority();
    bench::Goals goals;
    one_to_one(goals);
    four_to_one(goals);
    waking_up();
    goals.print();
}
