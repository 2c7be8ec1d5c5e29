// Bias (bias.h): a node that one thread sends to for a while is entered without atomic read-modify-writes. That must
// not be visible, above all not when other threads come and go; the counters here are plain on purpose, so that TSan
// sees any two runs that are not ordered.
#include "bus/bias.h"

#include "base/pause.h"
#include "bus/bus_core.h"
#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <array>
#include <thread>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

// More sends in a row than it takes to be biased (again).
constexpr int kBurst = static_cast<int>(bus::bias::kOften / bus::bias::kOnce) + 500;

std::uint64_t accept(LocalNode& sender, std::string_view to, int messages) {
    for (int i = 0; i < messages; ++i) {
        while (!sender.send(to, IntentBox("ping", i))) std::this_thread::yield();
    }
    return static_cast<std::uint64_t>(messages);
}

}  // namespace

TEST_CASE("who is biased to whom: a first run biases, another thread shares, a long row biases again") {
    const auto me = std::make_unique<bus::ThreadContext>();
    const auto you = std::make_unique<bus::ThreadContext>();
    using namespace bus::bias;
    CHECK(after_run(kNone, *me) == to(*me));
    CHECK(after_run(kNever, *me) == kNever);
    CHECK(after_run(to(*you), *me) == to(*me));
    std::uintptr_t bias = after_run(to(*you) | kShared, *me);
    CHECK(bias == (to(*me) | kShared));
    for (std::uintptr_t run = 1; run < kOften / kOnce; ++run) {
        bias = after_run(bias, *me);
        REQUIRE((bias & kShared) != 0);
    }
    CHECK(after_run(bias, *me) == to(*me));
    CHECK(after_run(bias, *you) == (to(*you) | kShared));
}

TEST_CASE("a node that threads take turns at, in long bursts, never runs twice at once and loses nothing") {
    constexpr int kRounds = 40;
    const auto bus = make_bus();
    auto target = open_node(*bus, "target");
    std::uint64_t handled = 0;
    volatile bool is_inside = false;
    bool was_disturbed = false;
    listen(target, "ping", [&](const IntentBox&, std::string_view) {
        was_disturbed = was_disturbed || is_inside;
        is_inside = true;
        for (int i = 0; i < 30; ++i) nya::pause();  // be inside most of the time, so that others come upon it
        ++handled;
        is_inside = false;
    });
    std::array<std::uint64_t, 2> accepted{};
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t < 2; ++t) {
            threads.emplace_back([&, t] {
                auto sender = open_node(*bus, "sender-" + std::to_string(t));
                for (int round = 0; round < kRounds; ++round) {
                    // Long rows, in which the node is biased, and short ones, in which it is taken away.
                    accepted[t] += accept(sender, "target", (round + static_cast<int>(t)) % 2 == 0 ? kBurst : 7);
                    std::this_thread::yield();
                }
            });
        }
    }
    target.close();  // waits for what is still running
    const BusStatistics statistics = bus->statistics();
    CHECK_FALSE(was_disturbed);
    CHECK(handled + statistics.dropped.closed == accepted[0] + accepted[1]);
    CHECK(statistics.delivered == handled);
}

TEST_CASE("a biased node can be changed and closed from another thread while its own thread keeps sending") {
    const auto bus = make_bus();
    for (int round = 0; round < 60; ++round) {
        auto target = open_node(*bus, "target");
        std::uint64_t handled = 0;
        listen(target, "ping", [&](const IntentBox&, std::string_view) { ++handled; });
        Gate is_biased;
        std::uint64_t accepted = 0;
        std::jthread sender_thread([&] {
            auto sender = open_node(*bus, "sender");
            accepted += accept(sender, "target", 100);
            is_biased.open();
            while (sender.send("target", IntentBox("ping", 1))) ++accepted;
        });
        is_biased.wait();
        for (int i = 0; i < 10; ++i) {
            const auto other = target.on("other", make_handler([](const IntentBox&, std::string_view) {}));
            REQUIRE(other);
            CHECK(target.off("other") == 1u);
        }
        target.close();
        const std::uint64_t handled_until_closed = handled;  // no handler runs after close() has returned
        sender_thread.join();
        CHECK(handled == handled_until_closed);
        CHECK(handled <= accepted);
    }
    CHECK(bus->statistics().queued == 0);
}
