// Real sockets on loopback: a loop of its own thread, ports from the system, waiting on events.
#include "net/epoll_loop.h"

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <optional>

namespace nyamesh::net {

using namespace std::chrono_literals;

namespace {

struct Peer : StreamEvents {
    std::unique_ptr<Stream> stream;
    std::string received;
    std::function<void()> opened = [] {};
    std::function<void(std::span<char>)> data = [](std::span<char>) {};
    std::function<void()> drained = [] {};
    std::function<void(const StreamEnd&)> closed = [](const StreamEnd&) {};

    void say(std::string_view text) {
        stream->out().append(text);
        stream->flush_later();
    }
    void on_open() override { opened(); }
    void on_data(std::span<char> bytes) override {
        received.append(bytes.data(), bytes.size());
        data(bytes);
    }
    void on_drained() override { drained(); }
    void on_closed(const StreamEnd& end) override { closed(end); }
};

// Runs a test's steps on a loop's thread, and its end on ours: nothing of it lives when the thread has ended.
struct Stage {
    LoopThread thread{"test-loop"};
    std::unique_ptr<Listener> listener;
    Peer server;
    Peer client;
    std::promise<void> done;

    Loop& loop() { return *thread.loop(); }
    void play(const std::function<void()>& start) {
        loop().post([&] { start(); });
        auto end = done.get_future();
        CHECK(end.wait_for(nyamesh::testing::kGuard) == std::future_status::ready);
        std::promise<void> cleared;
        loop().post([&] {
            client.stream = nullptr;
            server.stream = nullptr;
            listener = nullptr;
            cleared.set_value();
        });
        cleared.get_future().wait();
    }
    void listen(const Address& where = {"127.0.0.1", 0}) {
        auto listening = loop().listen(where, nullptr, [this](std::unique_ptr<Stream> stream, const Address& peer) {
            CHECK(peer.is_loopback());
            stream->set_events(server);
            server.stream = std::move(stream);
        });
        REQUIRE(listening);
        listener = std::move(*listening);
    }
    void connect(std::string host = "127.0.0.1") {
        client.stream = loop().connect({std::move(host), listener->port()}, nullptr, client);
    }
};

}  // namespace

TEST_CASE("bytes travel both ways over a real connection") {
    for (const char* host : {"127.0.0.1", "localhost", "::1"}) {
        Stage stage;
        stage.server.data = [&](std::span<char> bytes) { stage.server.say({bytes.data(), bytes.size()}); };
        stage.client.opened = [&] { stage.client.say("hello"); };
        stage.client.data = [&](std::span<char>) {
            if (stage.client.received == "hello") stage.done.set_value();
        };
        stage.play([&] {
            stage.listen({"::", 0});
            stage.connect(host);
        });
    }
}

TEST_CASE("closing after the flush: all arrives, then both hear of the end") {
    Stage stage;
    constexpr std::size_t kBytes = 20'000'000;
    int ended = 0;
    const auto closed = [&](const StreamEnd& end) {
        CHECK(end.kind == StreamEnd::Kind::Closed);
        if (++ended == 2) stage.done.set_value();
    };
    int drained = 0;
    stage.client.drained = [&] { ++drained; };
    stage.client.opened = [&] {
        stage.client.say(std::string(kBytes, 'x'));
        stage.client.stream->close_after_flush();
    };
    stage.server.closed = [&](const StreamEnd& end) {
        closed(end);
        stage.server.stream = nullptr;
    };
    stage.client.closed = closed;
    stage.play([&] {
        stage.listen();
        stage.connect();
    });
    CHECK(stage.server.received.size() == kBytes);
    CHECK(drained == 1);
}

TEST_CASE("a refused connection says so, and so does an unknown host") {
    Stage stage;
    std::optional<StreamEnd> refused;
    std::uint16_t port = 0;
    stage.client.closed = [&](const StreamEnd& end) {
        refused = end;
        stage.done.set_value();
    };
    stage.play([&] {
        stage.listen();
        port = stage.listener->port();
        stage.listener = nullptr;
        stage.client.stream = stage.loop().connect({"127.0.0.1", port}, nullptr, stage.client);
    });
    REQUIRE(refused);
    CHECK(refused->kind == StreamEnd::Kind::Refused);
    CHECK(refused->message == "127.0.0.1:" + std::to_string(port) + " refused the connection");
}

TEST_CASE("a stream may be destroyed inside its own callbacks") {
    Stage stage;
    stage.server.data = [&](std::span<char>) { stage.server.stream = nullptr; };
    stage.client.opened = [&] { stage.client.say("x"); };
    stage.client.closed = [&](const StreamEnd&) {
        stage.client.stream = nullptr;
        stage.done.set_value();
    };
    stage.play([&] {
        stage.listen();
        stage.connect();
    });
    CHECK(stage.server.received == "x");
}

TEST_CASE("an address in use is named") {
    Stage stage;
    stage.play([&] {
        stage.listen();
        const Address taken{"127.0.0.1", stage.listener->port()};
        const auto second = stage.loop().listen(taken, nullptr, [](auto, const Address&) {});
        REQUIRE(!second);
        CHECK(second.error() == "cannot listen on " + taken.to_string() + ": Address already in use");
        stage.done.set_value();
    });
}

TEST_CASE("posts from many threads keep each thread's order; timers run in order of time; a stopped loop takes none") {
    auto loop = std::make_shared<EpollLoop>();
    std::array<int, 4> last{};
    int ran = 0;
    const auto count = [&] {
        if (++ran == 4'000) {
            const auto now = loop->clock()->now();
            const auto never = loop->call_at(now + 1ms, [] { FAIL("cancelled"); });
            loop->call_at(now + 3ms, [&] { loop->stop(); });
            loop->call_at(now + 2ms, [&] { ran += 10; });
            loop->cancel(never);
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < last.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int i = 1; i <= 1'000; ++i) {
                loop->post([&, t, i] {
                    CHECK(last[t] == i - 1);
                    last[t] = i;
                    count();
                });
            }
        });
    }
    CHECK(!loop->runs_here());
    loop->run();
    for (auto& thread : threads) thread.join();
    CHECK(ran == 4'010);
    CHECK(!loop->post([] {}));
}

TEST_CASE("paused reading holds the sender back; resumed, all arrives") {
    Stage stage;
    constexpr std::size_t kBytes = 30'000'000;  // more than sockets hold
    bool was_paused = false;
    // Until the kernel has taken nothing for a while.
    std::function<void()> look = [&] {
        if (stage.client.stream->took_bytes_since_last_asked()) {
            stage.loop().call_at(stage.loop().clock()->now() + 50ms, look);
            return;
        }
        CHECK(stage.server.received.size() < kBytes);
        CHECK(stage.client.stream->out().size() > 0);
        stage.server.stream->resume_reading();
    };
    stage.client.opened = [&] { stage.client.say(std::string(kBytes, 'x')); };
    stage.server.data = [&](std::span<char>) {
        if (stage.server.received.size() == kBytes) stage.done.set_value();
        if (std::exchange(was_paused, true)) return;
        stage.server.stream->pause_reading();
        look();
    };
    stage.play([&] {
        stage.listen();
        stage.connect();
    });
}

TEST_CASE("out of descriptors: connections wait in the backlog, and are accepted once there are some") {
    Stage stage;
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    std::function<void()> look = [&] {
        if (stage.listener->times_out_of_descriptors() == 0) {
            stage.loop().call_at(stage.loop().clock()->now() + 1ms, look);
        } else {
            CHECK(stage.server.stream == nullptr);
            ::setrlimit(RLIMIT_NOFILE, &before);
        }
    };
    stage.client.opened = [&] { stage.client.say("hello"); };
    stage.server.data = [&](std::span<char>) { stage.done.set_value(); };
    stage.play([&] {
        stage.listen();
        stage.connect();
        const int next = ::dup(0);
        ::close(next);
        rlimit none = before;
        none.rlim_cur = static_cast<rlim_t>(next);
        ::setrlimit(RLIMIT_NOFILE, &none);
        look();
    });
    CHECK(stage.server.received == "hello");
}

// What is left holds the loop, as tasks of streams and nodes do. If it stayed, LeakSanitizer would tell.
TEST_CASE("what has not run when a loop ends is dropped, so that it does not keep the loop alive") {
    std::weak_ptr<EpollLoop> gone;
    {
        auto loop = std::make_shared<EpollLoop>();
        gone = loop;
        bool ran = false;
        loop->call_at(loop->clock()->now() + 1h, [loop] { FAIL("an hour has passed"); });
        loop->post([loop, &ran] {
            ran = true;
            loop->stop();
            CHECK(!loop->post([loop] { FAIL("posted after stop()"); }));
            loop->call_at(loop->clock()->now() + 1h, [loop] { FAIL("a timer after stop()"); });
        });
        loop->post([loop] { loop->post([loop] { FAIL("posted after stop()"); }); });
        loop->run();
        CHECK(ran);
        CHECK(!loop->post([loop] {}));
        CHECK(loop->call_at(loop->clock()->now(), [loop] {}) == 0);
    }
    CHECK(gone.expired());
}

TEST_CASE("a loop's thread may be destroyed on itself") {
    auto thread = std::make_unique<LoopThread>("test-loop");
    auto last = std::make_shared<std::promise<void>>();
    auto ended = last->get_future();
    // Goes when the thread drops what has not run: the last that happens on it but for the loop's own end.
    std::shared_ptr<void> at_end(nullptr, [last](void*) { last->set_value(); });
    const auto loop = thread->loop();
    loop->post([&, loop, at_end = at_end]() mutable {
        loop->call_at(loop->clock()->now() + 1h, [at_end = std::move(at_end)] {});
        thread = nullptr;
    });
    at_end.reset();
    CHECK(ended.wait_for(nyamesh::testing::kGuard) == std::future_status::ready);
    CHECK(!loop->post([] {}));
}

}  // namespace nyamesh::net
