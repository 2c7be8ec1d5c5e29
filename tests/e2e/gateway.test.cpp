// In-process nodes reach the outside, and are reached, by the connection of a node with `gateway: true`.
#include "meeting.h"

#include <atomic>
#include <map>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

struct TwoProcesses : Meeting {
    std::shared_ptr<MessageBus> here = MessageBus::create();
    std::shared_ptr<MessageBus> there = MessageBus::create();

    P2PBox open_local(const std::shared_ptr<MessageBus>& bus, std::string_view id) const {
        P2PBoxOptions made;
        made.bus = bus;
        return P2PBox::open(id, TransportKind::InProcess, made).value();
    }
    P2PBox open_gateway(const std::shared_ptr<MessageBus>& bus, std::string_view id) const {
        auto made = options(bus);
        made.gateway = true;
        return P2PBox::open(id, TransportKind::WebSocket, made).value();
    }
};

}  // namespace

TEST_CASE_FIXTURE(TwoProcesses,
                  "an in-process node is reached through a gateway, and reaches others, opened before or after") {
    auto early = open_local(here, "early");
    auto gateway = open_gateway(here, "gateway");
    auto late = open_local(here, "late");
    auto far = open(there, "far");
    for (auto* box : {&early, &late}) {
        CHECK(box->on("who", [box](const IntentBox&, std::string_view) { return nya::Json(box->node_id()); }));
        wait_for(*box);
    }
    CHECK(far.on("who", [](const IntentBox&, std::string_view from) {
        return nya::Json("far, asked by " + std::string(from));
    }));
    wait_for(far);
    CHECK(far.request("early", IntentBox("who", 0)) == nya::Json("early"));
    CHECK(far.request("late", IntentBox("who", 0)) == nya::Json("late"));
    CHECK(early.request("far", IntentBox("who", 0)) == nya::Json("far, asked by early"));
    // In one process it is a call, gateway or not.
    CHECK(early.request("late", IntentBox("who", 0)) == nya::Json("late"));
}

TEST_CASE_FIXTURE(TwoProcesses, "without a gateway an in-process node stays private") {
    auto hidden = open_local(here, "hidden");
    auto beside = open(here, "beside");
    auto far = open(there, "far");
    wait_for(beside);
    wait_for(far);
    const auto sent = far.send("hidden", IntentBox("n", 1));
    // The hub has just started, and says \"not yet known\" for five seconds; then that there is no such node.
    REQUIRE_FALSE(sent.has_value());
    CHECK_FALSE(hidden.send("far", IntentBox("n", 1)).has_value());
}

TEST_CASE_FIXTURE(TwoProcesses, "when the gateway closes the lending ends; the next gateway goes on with it") {
    auto local = open_local(here, "local");
    CHECK(local.on("who", [](const IntentBox&, std::string_view) { return nya::Json("local"); }));
    auto first = open_gateway(here, "first");
    auto second = open_gateway(here, "second");
    auto far = open(there, "far");
    wait_for(local);
    CHECK(far.request("local", IntentBox("who", 0)) == nya::Json("local"));
    first.close();
    wait_for(local);
    CHECK(far.request("local", IntentBox("who", 0)) == nya::Json("local"));
    second.close();
    CHECK_FALSE(local.send("far", IntentBox("n", 1)).has_value());
}

// Went wrong once: nobody waited for what was on its way, and a process that ended then took it along.
TEST_CASE_FIXTURE(TwoProcesses,
                  "a close inside a handler leaves the borrowed connection under way; one outside waits for it") {
    auto patient = options(here);
    patient.gateway = true;
    patient.linger = std::chrono::minutes(1);
    auto gateway = P2PBox::open("gateway", TransportKind::WebSocket, patient).value();
    auto asker = open_local(here, "asker");
    auto far = open(there, "far");
    wait_for(far);
    for (std::uint64_t i = 1; i <= 20; ++i) {
        auto local = open_local(here, "local");
        CHECK(local.on("leave", [&](const IntentBox&, std::string_view) {
            static_cast<void>(local.send("far", IntentBox("bye", nullptr)));
            local.close();
        }));
        wait_for(local);
        CHECK(asker.send("local", IntentBox("leave", 0), {.wait = Wait::Handled}));
        local.close();
        CHECK(there->statistics().wires.at(0).received == i);
    }
}

// Every process has a gateway and an in-process node, everybody sends to everybody: each message arrives once.
TEST_CASE_FIXTURE(Meeting, "no envelope loops, in any topology of up to four processes with gateways") {
    for (int processes = 1; processes <= 4; ++processes) {
        for (unsigned gateways = 0; gateways < 1U << processes; ++gateways) {
            struct Process {
                std::shared_ptr<MessageBus> bus = MessageBus::create();
                std::unique_ptr<P2PBox> wired;
                std::unique_ptr<P2PBox> local;
            };
            std::vector<Process> all(static_cast<std::size_t>(processes));
            std::map<std::string, std::atomic<int>> arrived;
            std::vector<P2PBox*> reachable;
            for (int i = 0; i < processes; ++i) {
                auto& process = all[static_cast<std::size_t>(i)];
                const bool has_gateway = (gateways >> i & 1) != 0;
                auto made = options(process.bus);
                made.gateway = has_gateway;
                P2PBoxOptions plain;
                plain.bus = process.bus;
                process.wired = std::make_unique<P2PBox>(
                    P2PBox::open("wired" + std::to_string(i), TransportKind::WebSocket, made).value());
                process.local = std::make_unique<P2PBox>(
                    P2PBox::open("local" + std::to_string(i), TransportKind::InProcess, plain).value());
                reachable.push_back(process.wired.get());
                if (has_gateway) reachable.push_back(process.local.get());
                for (auto* box : {process.wired.get(), process.local.get()}) {
                    auto& count = arrived[std::string(box->node_id())];
                    CHECK(box->on("n", [&count](const IntentBox&, std::string_view) { ++count; }));
                }
            }
            for (auto* box : reachable) wait_for(*box);
            for (auto* from : reachable) {
                for (const auto* to : reachable) CHECK(from->send(to->node_id(), IntentBox("n", 1), {Wait::Handled}));
            }
            for (const auto* box : reachable) {
                CHECK(arrived[std::string(box->node_id())] == static_cast<int>(reachable.size()));
            }
        }
    }
}
