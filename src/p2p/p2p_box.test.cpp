// P2PBox: a node as applications use it. First the guide's samples, then its two flows with a transport of our own.
#include <nyamesh/p2p_box.h>

#include "support/bus_kit.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace nyamesh;
using namespace nyamesh::testing;

namespace {

// A wire whose other end is the test.
class FakeTransport final : public Transport {
public:
    // What the test keeps in its hands after the box has taken the transport.
    struct Wire {
        std::vector<std::pair<std::string, IntentBox>> sent;
        std::vector<SendOpts> opts;
        std::optional<SendError> error;  // what send() answers, if anything
        Transport::ReceiveCallback arrive;
        std::vector<AnswerCallback> asked;  // by request(), to be answered by the test
        bool is_closed = false;
    };
    FakeTransport(std::string id, std::shared_ptr<Wire> wire) : id_(std::move(id)), wire_(std::move(wire)) {}

    std::string_view node_id() const noexcept override { return id_; }
    TransportKind kind() const noexcept override { return TransportKind::WebSocket; }
    std::expected<void, SendError> send(std::string_view to, const IntentBox& intent, const SendOpts& opts) override {
        wire_->sent.emplace_back(to, intent);
        wire_->opts.push_back(opts);
        if (wire_->error) return std::unexpected(*wire_->error);
        return {};
    }
    void request(std::string_view to, const IntentBox& intent, const SendOpts&, AnswerCallback done) override {
        wire_->sent.emplace_back(to, intent);
        wire_->asked.push_back(std::move(done));
    }
    void on_receive(ReceiveCallback callback) override { wire_->arrive = std::move(callback); }
    bool is_reachable(std::string_view node) const override { return node == "far-away"; }
    void close() override { wire_->is_closed = true; }

private:
    const std::string id_;
    const std::shared_ptr<Wire> wire_;
};

struct OneProcess {
    std::shared_ptr<nya::ManualExecutor> delivery = std::make_shared<nya::ManualExecutor>();
    std::shared_ptr<MessageBus> bus = make_bus([this] {
        MessageBus::Options options;
        options.delivery = delivery;
        return options;
    }());
    std::shared_ptr<FakeTransport::Wire> wire = std::make_shared<FakeTransport::Wire>();
    Log log;

    P2PBox open(std::string_view id) {
        auto box = P2PBox::open(id, TransportKind::InProcess, {.bus = bus});
        REQUIRE(box.has_value());
        return *std::move(box);
    }
    P2PBox open_on_wire(std::string id, std::shared_ptr<nya::Executor> executor = nullptr) {
        auto box = P2PBox::open(std::make_unique<FakeTransport>(std::move(id), wire),
                                {.bus = bus, .executor = std::move(executor)});
        REQUIRE(box.has_value());
        return *std::move(box);
    }
    void write(P2PBox& box, std::string_view intent_name = "ping") {
        box.on(intent_name, [this](const IntentEnvelope& e) {
            log.add(e.from + ">" + e.to + " " + std::string(e.intent.name()) + " " +
                    std::string(e.intent.payload_text()));
        });
    }
};

}  // namespace

// ---- As the guide has it

TEST_CASE("Level 1: alice sends bob a chat message") {
    const auto bus = make_bus();
    auto alice = P2PBox::open("alice", TransportKind::InProcess, {.bus = bus}).value();
    auto bob = P2PBox::open("bob", TransportKind::InProcess, {.bus = bus}).value();
    std::string printed;
    bob.on("chat.message", [&](const IntentBox& intent, std::string_view from) {
        printed = "From " + std::string(from) + ": " + intent.payload()["text"].as_string();
    });
    REQUIRE(alice.send("bob", IntentBox("chat.message", {{"text", "Hello P2P!"}})));
    CHECK(printed == "From alice: Hello P2P!");
}

TEST_CASE_FIXTURE(OneProcess, "Level 2: a text is sent as an intent") {
    auto alice = open("alice");
    auto bob = open("bob");
    for (const std::string_view name : {"message", "chat"}) write(bob, name);
    REQUIRE(alice.send("bob", "hello"));
    REQUIRE(alice.send("bob", "chat:hello"));
    REQUIRE(alice.send("bob", "http://x"));
    REQUIRE(alice.send("bob", std::string("note: x")));
    CHECK(log.text() ==
          "alice>bob message \"hello\", alice>bob chat \"hello\", alice>bob message \"http://x\", "
          "alice>bob message \"note: x\"");
}

TEST_CASE("boxes share the global bus unless told otherwise") {
    auto alice = P2PBox::open("p2p_box.test alice").value();
    CHECK(alice.bus() == MessageBus::global());
    CHECK(MessageBus::global()->has_node("p2p_box.test alice"));
}

TEST_CASE_FIXTURE(OneProcess, "a box knows its id, its transport and whom it reaches") {
    auto alice = open("alice");
    auto bob = open("bob");
    CHECK(alice.node_id() == "alice");
    CHECK(alice.transport_kind() == TransportKind::InProcess);
    CHECK(alice.is_open());
    CHECK(alice.bus() == bus);
    CHECK(alice.is_reachable("bob"));
    CHECK_FALSE(alice.is_reachable("carol"));
    bob.close();
    CHECK_FALSE(alice.is_reachable("bob"));
    alice.close();
    CHECK_FALSE(alice.is_reachable("alice"));
}

TEST_CASE_FIXTURE(OneProcess, "on, on_once and off are the node's") {
    auto alice = open("alice");
    auto bob = open("bob");
    bob.on("ping", [&](const IntentBox&, std::string_view) { log.add("always"); });
    bob.on_once("ping", [&](const IntentBox&, std::string_view) { log.add("once"); });
    auto third = bob.on("ping", [&](const IntentEnvelope&) { log.add("third"); }).value();
    REQUIRE(alice.send("bob", ping()));
    CHECK(third.off());
    REQUIRE(alice.send("bob", ping()));
    CHECK(log.text() == "always, once, third, always");
    CHECK(bob.off("ping") == 1);
    CHECK(bob.off("").error().reason == SendError::Reason::InvalidName);
}

TEST_CASE_FIXTURE(OneProcess, "a resolved node is reached by its handle") {
    auto alice = open("alice");
    auto bob = open("bob");
    write(bob);
    const auto ref = alice.resolve("bob");
    REQUIRE(ref.has_value());
    REQUIRE(alice.send(*ref, IntentBox("ping", 1)));
    CHECK(log.text() == "alice>bob ping 1");
    bob.close();
    CHECK(outcome(alice.send(*ref, ping())) == "gone");
    CHECK(alice.resolve("bob").error().reason == SendError::Reason::Unknown);
}

// ---- What cannot be opened

TEST_CASE_FIXTURE(OneProcess, "an id is opened once; the second is told who has it") {
    auto alice = open("alice");
    const auto second = P2PBox::open("alice", TransportKind::InProcess, {.bus = bus});
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().reason == SendError::Reason::DuplicateId);
    CHECK(second.error().message.contains("inprocess"));
    auto on_wire = P2PBox::open(std::make_unique<FakeTransport>("alice", wire), {.bus = bus});
    CHECK(on_wire.error().reason == SendError::Reason::DuplicateId);
}

TEST_CASE_FIXTURE(OneProcess, "an invalid id is an error, not a crash") {
    CHECK(P2PBox::open("", TransportKind::InProcess, {.bus = bus}).error().reason == SendError::Reason::InvalidName);
    CHECK(P2PBox::open("a\tb", TransportKind::InProcess, {.bus = bus}).error().reason ==
          SendError::Reason::InvalidName);
    CHECK(P2PBox::open(std::make_unique<FakeTransport>("", wire), {.bus = bus}).error().reason ==
          SendError::Reason::InvalidName);
}

TEST_CASE_FIXTURE(OneProcess, "a transport this version has not says so, and leaves the name free") {
    for (const auto kind : {TransportKind::WebRTC}) {
        const auto box = P2PBox::open("alice", kind, {.bus = bus});
        REQUIRE_FALSE(box.has_value());
        CHECK(box.error().kind == SendError::Kind::NetworkError);
        CHECK(box.error().reason == SendError::Reason::Unsupported);
        CHECK(box.error().message.contains(std::string(to_string(kind))));
    }
    CHECK_FALSE(bus->has_node("alice"));
}

// ---- The guide's send flow

TEST_CASE_FIXTURE(OneProcess, "a node the bus knows is reached on the bus, whatever the sender's transport") {
    auto alice = open_on_wire("alice");
    auto bob = open("bob");
    write(bob);
    CHECK(alice.transport_kind() == TransportKind::WebSocket);
    REQUIRE(alice.send("bob", IntentBox("ping", 1)));
    CHECK(log.text() == "alice>bob ping 1");
    CHECK(wire->sent.empty());
}

TEST_CASE_FIXTURE(OneProcess, "a node the bus does not know is the transport's to reach") {
    auto alice = open_on_wire("alice");
    const SendOpts opts{Wait::Delivered, std::chrono::milliseconds(123)};
    REQUIRE(alice.send("far-away", IntentBox("ping", 1), opts));
    REQUIRE(wire->sent.size() == 1);
    CHECK(wire->sent[0].first == "far-away");
    CHECK(wire->sent[0].second.name() == "ping");
    CHECK(wire->opts[0].wait == Wait::Delivered);
    CHECK(wire->opts[0].timeout == std::chrono::milliseconds(123));
    CHECK(alice.is_reachable("far-away"));
    CHECK_FALSE(alice.is_reachable("further"));
}

TEST_CASE_FIXTURE(OneProcess, "what the transport answers is what the sender hears, counts and traces") {
    auto alice = open_on_wire("alice");
    bus->set_trace([&](const TraceEvent& event) { log.add(std::string(to_string(event.step))); });
    REQUIRE(alice.send("far-away", ping()));
    wire->error = SendError(SendError::Reason::Unknown, "the hub knows no such node");
    CHECK(outcome(alice.send("further", ping())) == "unknown");
    CHECK(log.text() == "sent, to_transport, sent, dropped");
    CHECK(bus->statistics().dropped.unknown_node == 1);
    wire->error = SendError(SendError::Reason::Offline, "no hub");
    CHECK(outcome(alice.send("further", ping())) == "offline");
    CHECK(bus->statistics().dropped.unknown_node == 1);
}

TEST_CASE_FIXTURE(OneProcess, "an in-process node has no wire: an unknown name is NodeNotFound, with a suggestion") {
    auto alice = open("alice");
    auto robert = open("robert");
    const auto sent = alice.send("rboert", ping());
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().reason == SendError::Reason::Unknown);
    CHECK(sent.error().hint == "Did you mean \"robert\"?");
    CHECK(bus->statistics().dropped.unknown_node == 1);
}

TEST_CASE_FIXTURE(OneProcess, "once the other process's node is gone from here, its name goes by the wire again") {
    auto alice = open_on_wire("alice");
    {
        auto bob = open("bob");
        write(bob);
        REQUIRE(alice.send("bob", IntentBox("ping", 1)));
    }
    REQUIRE(alice.send("bob", IntentBox("ping", 2)));
    CHECK(log.text() == "alice>bob ping 1");
    CHECK(wire->sent.size() == 1);
}

// ---- The guide's receive flow

TEST_CASE_FIXTURE(OneProcess, "an arrival for this node goes to its handlers, not on the transport's thread") {
    auto alice = open_on_wire("alice");
    write(alice);
    static_cast<void>(wire->arrive({"far-away", "alice", IntentBox("ping", 1), 7, 1}, false, {}));
    CHECK(log.text().empty());
    delivery->run_ready();
    CHECK(log.text() == "far-away>alice ping 1");
}

TEST_CASE_FIXTURE(OneProcess, "an arrival runs on the node's own executor if it has one") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto alice = open_on_wire("alice", loop);
    write(alice);
    static_cast<void>(wire->arrive({"far-away", "alice", IntentBox("ping", 1)}, false, {}));
    CHECK(delivery->pending() == 0);
    CHECK(log.text().empty());
    loop->run_ready();
    CHECK(log.text() == "far-away>alice ping 1");
}

TEST_CASE_FIXTURE(OneProcess,
                  "an arrival for another node of this process is routed to it, not on the transport's thread") {
    auto alice = open_on_wire("alice");
    auto bob = open("bob");
    write(alice);
    write(bob);
    static_cast<void>(wire->arrive({"far-away", "bob", IntentBox("ping", 1)}, false, {}));
    CHECK(log.text().empty());
    delivery->run_ready();
    CHECK(log.text() == "far-away>bob ping 1");
}

TEST_CASE_FIXTURE(OneProcess, "an arrival for nobody here is dropped and counted, and never sent to a wire again") {
    auto alice = open_on_wire("alice");
    std::vector<std::uint64_t> dropped;
    bus->set_trace([&](const TraceEvent& event) {
        if (event.step == TraceEvent::Step::Dropped) dropped.push_back(event.envelope_id);
    });
    static_cast<void>(wire->arrive({"far-away", "carol", IntentBox("ping", 1), 7, 1}, false, {}));
    delivery->run_ready();
    CHECK(bus->statistics().dropped.no_route == 1);
    CHECK(dropped == std::vector<std::uint64_t>{7});
    CHECK(wire->sent.empty());
}

TEST_CASE_FIXTURE(OneProcess, "arrivals keep their order, also with what is sent in this process") {
    auto alice = open_on_wire("alice");
    auto bob = open("bob");
    write(alice);
    for (int i = 0; i < 3; ++i) static_cast<void>(wire->arrive({"far-away", "alice", IntentBox("ping", i)}, false, {}));
    REQUIRE(bob.send("alice", IntentBox("ping", 3)));
    delivery->run_ready();
    CHECK(log.text() == "far-away>alice ping 0, far-away>alice ping 1, far-away>alice ping 2, bob>alice ping 3");
}

TEST_CASE_FIXTURE(OneProcess, "a handler may answer an arrival by the wire it came from") {
    auto alice = open_on_wire("alice");
    alice.on("ping", [&](const IntentBox&, std::string_view from) { CHECK(alice.send(from, "pong")); });
    static_cast<void>(wire->arrive({"far-away", "alice", ping()}, false, {}));
    delivery->run_ready();
    REQUIRE(wire->sent.size() == 1);
    CHECK(wire->sent[0].first == "far-away");
    CHECK(wire->sent[0].second.payload() == nya::Json("pong"));
}

TEST_CASE_FIXTURE(OneProcess, "an arrival for a full queue is counted as such") {
    auto box = P2PBox::open(std::make_unique<FakeTransport>("alice", wire), {.bus = bus, .queue_limit = 2}).value();
    write(box);
    for (int i = 0; i < 3; ++i) static_cast<void>(wire->arrive({"far-away", "alice", IntentBox("ping", i)}, false, {}));
    delivery->run_ready();
    CHECK(log.lines().size() == 2);
    CHECK(bus->statistics().dropped.backpressure == 1);
    CHECK(bus->statistics().dropped.no_route == 0);
}

// ---- Leaving

TEST_CASE_FIXTURE(OneProcess, "close leaves bus and wire, and sends fail from then on") {
    auto alice = open_on_wire("alice");
    alice.close();
    CHECK_FALSE(alice.is_open());
    CHECK(wire->is_closed);
    CHECK_FALSE(bus->has_node("alice"));
    CHECK(outcome(alice.send("far-away", ping())) == "closed");
    CHECK(outcome(alice.send("alice", "text")) == "closed");
    CHECK(alice.on("ping", [](const IntentEnvelope&) {}).error().reason == SendError::Reason::Closed);
    CHECK(wire->sent.empty());
    CHECK(alice.node_id() == "alice");
    alice.close();
}

TEST_CASE_FIXTURE(OneProcess, "an arrival after close, or after the box has gone, is dropped") {
    std::optional<P2PBox> alice = open_on_wire("alice");
    write(*alice);
    alice->close();
    static_cast<void>(wire->arrive({"far-away", "alice", ping()}, false, {}));
    alice.reset();
    static_cast<void>(wire->arrive({"far-away", "alice", ping()}, false, {}));
    delivery->run_ready();
    CHECK(log.text().empty());
    CHECK(bus->statistics().queued == 0);

    bus.reset();
    static_cast<void>(wire->arrive({"far-away", "alice", ping()}, false, {}));
}

TEST_CASE_FIXTURE(OneProcess, "a moved box is the same node; what it is moved onto closes") {
    auto alice = open("alice");
    auto bob = open("bob");
    write(alice);
    P2PBox moved = std::move(alice);
    CHECK(moved.node_id() == "alice");
    REQUIRE(bob.send("alice", IntentBox("ping", 1)));
    moved = open("carol");
    CHECK_FALSE(bus->has_node("alice"));
    CHECK(bus->has_node("carol"));
    CHECK(log.text() == "bob>alice ping 1");
}

TEST_CASE("boxes and even the last reference to their bus may go inside a handler") {
    auto bus = make_bus();
    std::optional<P2PBox> alice = P2PBox::open("alice", TransportKind::InProcess, {.bus = bus}).value();
    std::optional<P2PBox> bob = P2PBox::open("bob", TransportKind::InProcess, {.bus = bus}).value();
    const std::weak_ptr<MessageBus> watch = bus;
    std::string heard;
    bob->on("message", [&](const IntentBox& intent, std::string_view from) {
        alice.reset();
        bob.reset();
        bus.reset();
        heard = std::string(from) + ": " + intent.payload().as_string();
    });
    REQUIRE(alice->send("bob", "the last one"));
    CHECK(heard == "alice: the last one");
    CHECK(watch.expired());
}

TEST_CASE_FIXTURE(OneProcess, "a box on an executor hears its own thread's sends at once and others' there") {
    const auto loop = std::make_shared<nya::ManualExecutor>();
    auto bob = P2PBox::open("bob", TransportKind::InProcess, {.bus = bus, .executor = loop}).value();
    auto alice = open("alice");
    write(bob);
    REQUIRE(alice.send("bob", IntentBox("ping", 1)));
    CHECK(log.lines().size() == 1);
    std::jthread([&] { CHECK(alice.send("bob", IntentBox("ping", 2))); }).join();
    CHECK(log.lines().size() == 1);
    loop->run_ready();
    CHECK(log.lines().size() == 2);
}

TEST_CASE_FIXTURE(OneProcess, "request: the bus answers for whom it knows, the transport for the rest") {
    auto alice = open_on_wire("alice");
    auto bob = open("bob");
    bob.on("ask", [](const IntentBox& intent, std::string_view) { return intent.payload(); });
    CHECK((alice.request("bob", IntentBox("ask", 5)) == Answer(nya::Json(5))));
    CHECK((alice.request("bob", "ask:text") == Answer(nya::Json("text"))));
    CHECK(wire->asked.empty());

    const auto note = [&](const Answer& answer) {
        log.add(answer ? answer->dump() : std::string(to_string(answer.error().reason)));
    };
    alice.request_async("far-away", IntentBox("ask", 1), {.timeout = kGuard}, note);
    REQUIRE(wire->asked.size() == 1);
    std::thread([&] { wire->asked[0](nya::Json("from afar")); }).join();
    CHECK(log.lines().empty());  // not on the wire's thread
    delivery->run_ready();
    CHECK(log.text() == "\"from afar\"");

    // What the wire says too late is counted, and told to nobody.
    alice.request_async("far-away", IntentBox("ask", 2), {.timeout = kGuard}, note);
    alice.close();
    wire->asked[1](nya::Json("too late"));
    delivery->run_ready();
    CHECK(log.text() == "\"from afar\", closed");
    CHECK(bus->statistics().late_replies == 1);
}

TEST_CASE_FIXTURE(OneProcess, "a request over a wire waits for its answer, and at most until its timeout") {
    class Echo final : public Transport {
    public:
        std::string_view node_id() const noexcept override { return "alice"; }
        TransportKind kind() const noexcept override { return TransportKind::WebRTC; }
        std::expected<void, SendError> send(std::string_view, const IntentBox&, const SendOpts&) override { return {}; }
        void request(std::string_view, const IntentBox& intent, const SendOpts&, AnswerCallback done) override {
            if (intent.name() == "silence") return;
            far_.post([done = std::move(done), answer = intent.payload()]() mutable { done(std::move(answer)); });
        }
        void on_receive(ReceiveCallback) override {}
        bool is_reachable(std::string_view) const override { return true; }
        void close() override {}

    private:
        nya::ThreadExecutor far_;
    };
    auto alice = P2PBox::open(std::make_unique<Echo>(), {.bus = bus}).value();
    CHECK((alice.request("far-away", IntentBox("ask", 5)) == Answer(nya::Json(5))));
    const auto silence = alice.request("far-away", IntentBox("silence", 1), {.timeout = std::chrono::milliseconds(1)});
    REQUIRE_FALSE(silence.has_value());
    CHECK(silence.error().reason == SendError::Reason::MayHaveRun);
}

TEST_CASE_FIXTURE(OneProcess, "send_async tells how the send went, with Handled once the handlers have returned") {
    auto alice = open_on_wire("alice");
    auto bob = open("bob");
    const auto note = [&](const std::expected<void, SendError>& sent) { log.add(outcome(sent)); };
    alice.send_async("bob", IntentBox("ping", 1), {}, note);
    alice.send_async("bob", IntentBox("ping", 1), until_handled(), note);
    CHECK(log.text() == "accepted, no_handler");
    bob.on("ping", [&](const IntentBox&, std::string_view) { log.add("ping"); });
    alice.send_async("bob", IntentBox("ping", 1), until_handled(), note);
    CHECK(log.text() == "accepted, no_handler, ping, accepted");
    wire->error.emplace(SendError::Reason::Offline, "no hub");
    alice.send_async("far-away", IntentBox("ping", 1), {}, note);
    CHECK(log.text() == "accepted, no_handler, ping, accepted, offline");
    bob.on("inside", [&](const IntentBox&, std::string_view) {
        CHECK(alice.is_inside_handler_of("bob"));
        CHECK_FALSE(alice.is_inside_handler_of("alice"));
        alice.send_async("bob", IntentBox("ping", 1), until_handled(), note);
        log.add("queued");
    });
    CHECK(outcome(alice.send("bob", IntentBox("inside", 1))) == "accepted");
    delivery->run_ready();
    CHECK(log.text() == "accepted, no_handler, ping, accepted, offline, queued, ping, accepted");
}

TEST_CASE_FIXTURE(OneProcess, "a completion may destroy the node that asked") {
    auto alice = std::make_unique<P2PBox>(open("alice"));
    auto bob = open("bob");
    bob.on("ask", [](const IntentBox&, std::string_view) { return 1; });
    alice->request_async("bob", IntentBox("ask", 1), {}, [&](const Answer&) { alice.reset(); });
    CHECK(alice == nullptr);
    CHECK_FALSE(bus->has_node("alice"));
}

// ---- Futures

TEST_CASE_FIXTURE(OneProcess,
                  "request_async and send_async give futures: of the answer, of how the send went, of errors") {
    auto alice = open("alice");
    auto bob = open("bob");
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json("yes"); }));
    CHECK(alice.request_async("bob", IntentBox("ask", 1)).get() == nya::Json("yes"));
    CHECK(alice.send_async("bob", IntentBox("ask", 1), until_handled()).get().has_value());
    CHECK(outcome(alice.send_async("bob", IntentBox("unheard", 1), until_handled()).get()) == "no_handler");
    CHECK(outcome(alice.send_async("bbo", IntentBox("ask", 1)).get()) == "unknown");
    alice.close();
    CHECK(outcome(alice.send_async("bob", IntentBox("ask", 1)).get()) == "closed");
    CHECK_FALSE(alice.request_async("bob", IntentBox("ask", 1)).get());
}

TEST_CASE_FIXTURE(OneProcess, "a future over a wire ends when the wire tells, on no executor of ours") {
    auto alice = open_on_wire("alice");
    auto future = alice.request_async("far-away", IntentBox("ask", 1));
    CHECK(future.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    wire->asked.at(0)(nya::Json(7));
    CHECK(future.get() == nya::Json(7));  // `delivery` has not run
}

TEST_CASE_FIXTURE(OneProcess, "a future ends when its node goes; one that is dropped waits for nothing") {
    auto alice = std::make_unique<P2PBox>(open_on_wire("alice"));
    auto future = alice->request_async("far-away", IntentBox("ask", 1));
    static_cast<void>(alice->request_async("far-away", IntentBox("ask", 2)));
    alice.reset();
    const Answer answer = future.get();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().reason == SendError::Reason::Closed);
    for (AnswerCallback& late : wire->asked) late(nya::Json(1));  // finds nobody
}

TEST_CASE("futures need no executor that runs: a stopped one breaks no promise") {
    class Stopped final : public nya::Executor {
    public:
        bool post(nya::Task) override { return false; }
        bool runs_here() const noexcept override { return false; }
    };
    const auto bus = make_bus();
    auto alice =
        P2PBox::open("alice", TransportKind::InProcess, {.bus = bus, .executor = std::make_shared<Stopped>()}).value();
    auto bob = P2PBox::open("bob", TransportKind::InProcess, {.bus = bus}).value();
    CHECK(bob.on("ask", [](const IntentBox&, std::string_view) { return nya::Json(1); }));
    CHECK(alice.request_async("bob", IntentBox("ask", 1)).get() == nya::Json(1));
    CHECK_FALSE(bob.request_async("alice", IntentBox("ask", 1)).get());
}
