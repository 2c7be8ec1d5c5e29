// Two WebSockets over a simulated network, and now and then a peer made of bytes.
#include "net/websocket.h"

#include "support/sim_loop.h"
#include "support/websocket_frames.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace nyamesh::net;
using namespace nyamesh::testing;
using namespace std::chrono_literals;
using test::close_bytes;
using test::frame_bytes;

namespace {

constexpr std::string_view kProtocol = "nyamesh.v1";

struct Ear : WebSocketEvents {
    void on_open() override {
        opened = true;
        if (at_open) at_open();
    }
    bool on_message(Opcode opcode, std::string_view bytes) override {
        messages.push_back((opcode == Opcode::Text ? "t:" : "b:") + std::string(bytes));
        return at_message ? at_message() : true;
    }
    void on_pong(std::string_view payload) override {
        pongs.emplace_back(payload);
        if (at_pong) at_pong();
    }
    void on_drained() override { ++drained; }
    void on_closed(const WebSocketEnd& the_end) override {
        ++times_closed;
        end = the_end;
        if (at_close) at_close();
    }

    std::function<void()> at_open, at_pong, at_close;
    std::function<bool()> at_message;
    std::vector<std::string> messages, pongs;
    WebSocketEnd end;
    int times_closed = 0;
    int drained = 0;
    bool opened = false;
    std::unique_ptr<WebSocket> socket;
};

// Reads requests and makes WebSockets of them, as a hub does.
class Server {
public:
    explicit Server(SimLoop& loop) : loop_(loop) {
        listener_ = *loop.listen({"127.0.0.1", 0}, nullptr, [this](std::unique_ptr<Stream> stream, const Address&) {
            connections.push_back(std::make_unique<Connection>(*this, std::move(stream)));
        });
    }
    std::uint16_t port() const { return listener_->port(); }

    struct Connection : StreamEvents {
        Connection(Server& server, std::unique_ptr<Stream> the_stream) : owner(server), stream(std::move(the_stream)) {
            stream->set_events(*this);
        }
        void on_data(std::span<char> bytes) override {
            request.append(bytes.data(), bytes.size());
            const auto parsed = parse_request(request, 8192);
            if (!parsed || !*parsed || owner.is_mute) return;
            const auto answer = check_upgrade((*parsed)->message, kProtocol);
            if (!owner.answers_with.empty() || !answer) {
                stream->out().append(owner.answers_with.empty() ? http_answer(answer.error()) : owner.answers_with);
                return stream->close_after_flush();
            }
            stream->out().append(*answer);
            ear.socket = WebSocket::accept(owner.loop_, std::move(stream), owner.settings,
                                           std::string_view(request).substr((*parsed)->length), ear);
            if (owner.at_accept) owner.at_accept(ear);
        }
        void on_closed(const StreamEnd&) override { stream.reset(); }

        Server& owner;
        std::unique_ptr<Stream> stream;
        std::string request;
        Ear ear;
    };

    std::vector<std::unique_ptr<Connection>> connections;
    WebSocketSettings settings;
    std::string answers_with;  // instead of what is right
    bool is_mute = false;
    std::function<void(Ear&)> at_accept;

private:
    SimLoop& loop_;
    std::unique_ptr<Listener> listener_;
};

// A peer that sends what it is told and keeps what it hears.
struct RawPeer : StreamEvents {
    RawPeer(SimLoop& loop, std::uint16_t port) { stream = loop.connect({"127.0.0.1", port}, nullptr, *this); }
    void on_open() override {
        send(upgrade_request("localhost", "/", upgrade_key(1, 2), kProtocol, "", "") + first_bytes);
    }
    void on_data(std::span<char> bytes) override {
        heard.append(bytes.data(), bytes.size());
        const auto end = heard.find("\r\n\r\n");
        if (!is_open && end != std::string::npos) {
            is_open = true;
            heard.erase(0, end + 4);
        }
    }
    void on_closed(const StreamEnd&) override { is_closed = true; }
    void send(std::string_view bytes) {
        stream->out().append(bytes);
        stream->flush_later();
    }

    std::string first_bytes;
    std::unique_ptr<Stream> stream;
    std::string heard;
    bool is_open = false;
    bool is_closed = false;
};

struct World {
    explicit World(std::uint64_t seed = 1) : sim(seed) {}

    void connect() {
        client.socket = WebSocket::connect(*here, request(), settings, sim.random(), client);
        CHECK_FALSE(client.opened);
        const int before = client.times_closed;
        sim.run_until([&] { return client.opened || client.times_closed > before; }, 30s);
    }
    WebSocket::ClientRequest request() const {
        return {.url = *Url::parse("ws://127.0.0.1:" + std::to_string(server.port())),
                .tls = nullptr,
                .subprotocol = std::string(kProtocol)};
    }
    Ear& peer(std::size_t i = 0) { return server.connections.at(i)->ear; }
    SimWorld::ConnectionId wire() const { return sim.connections().at(0); }

    SimWorld sim;
    std::shared_ptr<SimLoop> there = sim.loop("server");
    std::shared_ptr<SimLoop> here = sim.loop("client");
    Server server{*there};
    WebSocketSettings settings;
    Ear client;
};

std::vector<std::string> numbered(int count) {
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) texts.push_back("t:" + std::to_string(i));
    return texts;
}

}  // namespace

TEST_CASE("messages go both ways, whole, in order, and not inside the call that sends them") {
    for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
        World world(seed);
        world.connect();
        REQUIRE(world.client.opened);
        const std::string large(200'000, 'x');
        for (int i = 0; i < 100; ++i) world.client.socket->send_text(std::to_string(i));
        world.client.socket->send_binary(large);
        world.peer().socket->send_text("hello");
        world.peer().socket->send_binary(large);
        CHECK(world.peer().messages.empty());
        world.sim.run_for(1s);
        auto expected = numbered(100);
        expected.push_back("b:" + large);
        CHECK(world.peer().messages == expected);
        CHECK(world.client.messages == std::vector<std::string>{"t:hello", "b:" + large});
    }
}

TEST_CASE("what comes right behind the request is read, and not inside accept()") {
    World world;
    bool was_inside = false;
    world.server.at_accept = [&](Ear& ear) { was_inside = !ear.messages.empty(); };
    RawPeer raw(*world.here, world.server.port());
    raw.first_bytes = frame_bytes({{0x81, "one"}, {0x81, "two"}}, Role::Server);
    world.sim.run_for(1s);
    CHECK_FALSE(was_inside);
    CHECK(world.peer().messages == std::vector<std::string>{"t:one", "t:two"});
}

TEST_CASE("a server's refusal is told with its status and words") {
    World world;
    SUBCASE("ours") {
        auto request = world.request();
        request.subprotocol = "chat";
        world.client.socket = WebSocket::connect(*world.here, request, {}, world.sim.random(), world.client);
        world.sim.run_for(3s);
        CHECK(world.client.end.http_status == 400);
        CHECK(world.client.end.reason ==
              "the server answered HTTP 400: the header Sec-WebSocket-Protocol must offer \"nyamesh.v1\"");
    }
    SUBCASE("without a length: until the end") {
        world.server.answers_with = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\ncome back later";
        world.connect();
        CHECK(world.client.end.http_status == 503);
        CHECK(world.client.end.reason.starts_with("the server answered HTTP 503"));
    }
    SUBCASE("with a body that does not come") {
        world.server.answers_with = http_answer(401, "text/plain", "token expired\nsecond line").substr(0, 110);
        world.connect();
        CHECK(world.client.end.http_status == 401);
        CHECK(world.client.end.reason.starts_with("the server answered HTTP 401"));
    }
    SUBCASE("not HTTP at all") {
        world.server.answers_with = "SSH-2.0-OpenSSH\r\n";
        world.connect();
        CHECK(world.client.end.http_status == 0);
        CHECK(world.client.end.reason.starts_with("the answer is not HTTP"));
    }
    CHECK(world.client.times_closed == 1);
    CHECK_FALSE(world.client.opened);
    CHECK_FALSE(world.client.end.was_open);
    CHECK(world.client.end.code == 1006);
}

TEST_CASE("connecting has a time limit, and can be given up") {
    World world;
    world.server.is_mute = true;
    const auto begin = world.sim.now();
    SUBCASE("the limit") {
        world.connect();
        CHECK(world.sim.now() - begin == 5s);
        CHECK(world.client.end.reason == "the WebSocket was not opened within 5000 ms");
        CHECK(world.client.end.stream.kind == StreamEnd::Kind::TimedOut);
    }
    SUBCASE("nobody answers at all") {
        world.sim.silence({"127.0.0.1", world.server.port()});
        world.connect();
        CHECK(world.sim.now() - begin == 5s);
    }
    SUBCASE("refused") {
        world.sim.refuse({"127.0.0.1", world.server.port()});
        world.connect();
        CHECK(world.client.end.stream.kind == StreamEnd::Kind::Refused);
        CHECK(world.client.end.reason == world.client.end.stream.message);
    }
    SUBCASE("close() before it is open") {
        world.client.socket =
            WebSocket::connect(*world.here, world.request(), world.settings, world.sim.random(), world.client);
        world.client.socket->close(1000, "changed my mind");
        CHECK(world.client.times_closed == 0);
        world.sim.run_for(1s);
        CHECK(world.client.end.code == 1000);
        CHECK(world.client.end.reason == "changed my mind");
    }
    CHECK(world.client.times_closed == 1);
    CHECK_FALSE(world.client.end.was_open);
    world.sim.run_for(20s);
    CHECK(world.client.times_closed == 1);
}

TEST_CASE("7.1: closing, by either side, loses nothing that was sent before") {
    for (const bool client_closes : {true, false}) {
        INFO("closed by the " << (client_closes ? "client" : "server"));
        World world;
        world.connect();
        Ear& closing = client_closes ? world.client : world.peer();
        Ear& other = client_closes ? world.peer() : world.client;
        closing.socket->send_text("last words");
        closing.socket->close(4001, "the reason");
        CHECK(closing.times_closed == 0);
        CHECK_FALSE(closing.socket->is_open());
        closing.socket->send_text("too late");
        other.socket->send_text("crossing the close: nobody hears it");
        world.sim.run_for(100ms);
        CHECK(other.messages == std::vector<std::string>{"t:last words"});
        CHECK(closing.messages.empty());
        for (Ear* ear : {&closing, &other}) {
            CHECK(ear->times_closed == 1);
            CHECK(ear->end.code == 4001);
            CHECK(ear->end.reason == "the reason");
            CHECK(ear->end.was_open);
            CHECK(ear->end.stream.kind == StreamEnd::Kind::Closed);
        }
    }
}

TEST_CASE("a close that is not answered ends after close_time") {
    World world;
    world.connect();
    world.sim.swallow(world.wire());
    const auto begin = world.sim.now();
    world.client.socket->close(1000, "bye");
    world.sim.run_until([&] { return world.client.times_closed > 0; }, 30s);
    CHECK(world.sim.now() - begin == 2s);
    CHECK(world.client.end.code == 1000);
    CHECK(world.client.end.stream.kind == StreamEnd::Kind::TimedOut);
}

TEST_CASE("a lost connection is 1006, with the reason the stream gave") {
    World world;
    world.connect();
    world.sim.cut(world.wire());
    world.sim.run_for(1s);
    for (Ear* ear : {&world.client, &world.peer()}) {
        CHECK(ear->times_closed == 1);
        CHECK(ear->end.code == 1006);
        CHECK(ear->end.reason == ear->end.stream.message);
        CHECK(ear->end.stream.kind == StreamEnd::Kind::Reset);
        CHECK(ear->end.was_open);
    }
}

TEST_CASE("heartbeats: a silent peer is asked after 3 s, and given up after 8 s") {
    World world;
    world.connect();
    world.sim.run_for(60s);
    CHECK(world.client.times_closed == 0);  // each answers the other's pings
    CHECK(world.peer().times_closed == 0);
    CHECK(world.client.pongs.size() + world.peer().pongs.size() >= 15);
    CHECK(world.client.pongs.size() + world.peer().pongs.size() <= 41);

    world.sim.swallow(world.wire());
    const auto begin = world.sim.now();
    world.sim.run_until([&] { return world.client.times_closed > 0; }, 30s);
    CHECK(world.sim.now() - begin <= 8s);
    CHECK(world.sim.now() - begin >= 4s);
    CHECK(world.client.end.code == 1006);
    CHECK(world.client.end.reason == "nothing was heard for 8000 ms");
    world.sim.run_for(5s);
    CHECK(world.peer().times_closed == 1);
}

TEST_CASE("heartbeats: they can be off, be changed, and rest while reading is paused") {
    World world;
    world.settings.heartbeat_after = 0ms;
    world.server.settings.heartbeat_after = 0ms;
    world.connect();
    SUBCASE("off: nothing happens, ever") {
        CHECK(world.sim.run_until_idle(1'000'000));  // no timer is left
        CHECK(world.client.times_closed == 0);
    }
    SUBCASE("changed") {
        world.client.socket->set_heartbeat(100ms, 300ms);
        world.sim.run_for(10s);
        CHECK(world.client.pongs.size() >= 95);
        world.sim.swallow(world.wire());
        world.sim.run_for(301ms);
        CHECK(world.client.times_closed == 1);
    }
    SUBCASE("paused: the peer's silence is our own doing") {
        world.client.socket->set_heartbeat(100ms, 300ms);
        world.client.socket->pause_reading();
        world.sim.run_for(10s);
        CHECK(world.client.times_closed == 0);
        world.client.socket->resume_reading();
        world.sim.run_for(1s);
        CHECK(world.client.times_closed == 0);
    }
}

TEST_CASE("a ping is answered; of pings that come faster than their pongs leave, only the latest") {
    World world;
    world.server.settings.heartbeat_after = 0ms;
    world.connect();
    world.client.socket->ping("are you there?");
    world.sim.run_for(100ms);
    CHECK(world.client.pongs == std::vector<std::string>{"are you there?"});

    world.client.pongs.clear();
    world.client.socket->pause_reading();
    world.peer().socket->send_binary(std::string(4'000'000, 'x'));  // more than the network holds
    world.sim.run_for(100ms);
    const std::size_t waiting = world.peer().socket->stream().out().size();
    CHECK(waiting > 1'000'000);
    for (int i = 0; i < 1000; ++i) world.client.socket->ping(std::to_string(i));
    world.sim.run_for(100ms);
    CHECK(world.peer().socket->stream().out().size() == waiting);
    world.client.socket->set_max_message_bytes(5'000'000);
    world.client.socket->resume_reading();
    world.sim.run_for(2s);
    CHECK(world.client.messages.size() == 1);
    CHECK(world.client.pongs == std::vector<std::string>{"999"});
    CHECK(world.peer().drained == 1);
}

TEST_CASE("on_message() may say stop: nothing more comes until resume_reading(), and nothing is lost") {
    World world;
    world.connect();
    world.client.at_message = [] { return false; };
    for (int i = 0; i < 50; ++i) world.peer().socket->send_text(std::to_string(i));
    for (std::size_t i = 1; i <= 50; ++i) {
        world.sim.run_for(1s);
        CHECK(world.client.messages.size() == i);
        world.client.socket->resume_reading();
        CHECK(world.client.messages.size() == i);  // not inside the call
    }
    world.sim.run_for(1s);
    CHECK(world.client.messages == numbered(50));
}

TEST_CASE("a peer that breaks the protocol hears why, then the connection ends") {
    struct {
        std::string bytes;
        std::uint16_t code;
        const char* reason;
    } const cases[] = {
        {frame_bytes({{0x83, "x"}}, Role::Server), 1002, "a frame has a reserved opcode"},
        {frame_bytes({{0x81, "x"}}, Role::Client), 1002, "a client's frame is not masked"},
        {frame_bytes({{0x81, "\xFF"}}, Role::Server), 1007, "a text message is not UTF-8"},
        {frame_bytes({{0x81, "", 0, 1'000'000}}, Role::Server) + std::string(500'000, 'x'), 1009,
         "a message is longer than allowed here"},
    };
    for (const auto& [bytes, code, reason] : cases) {
        INFO(reason);
        World world;
        RawPeer raw(*world.here, world.server.port());
        world.sim.run_until([&] { return raw.is_open; }, 1s);
        raw.send(frame_bytes({{0x81, "fine"}}, Role::Server) + bytes);
        world.sim.run_for(5s);
        CHECK(world.peer().messages == std::vector<std::string>{"t:fine"});
        CHECK(raw.heard == frame_bytes({{0x88, close_bytes(code, reason)}}, Role::Client));
        CHECK(raw.is_closed);
        CHECK(world.peer().times_closed == 1);
        CHECK(world.peer().end.code == code);
        CHECK(world.peer().end.reason == reason);
    }
}

TEST_CASE("5.5.1: a peer's close is answered with its code, and without one by none") {
    for (const auto& payload : {close_bytes(1000, "bye"), close_bytes(3000), std::string()}) {
        World world;
        RawPeer raw(*world.here, world.server.port());
        world.sim.run_until([&] { return raw.is_open; }, 1s);
        raw.send(frame_bytes({{0x88, payload}, {0x81, "ignored"}}, Role::Server));
        world.sim.run_for(5s);
        CHECK(raw.heard == frame_bytes({{0x88, payload.substr(0, 2)}}, Role::Client));
        CHECK(raw.is_closed);
        CHECK(world.peer().messages.empty());
        CHECK(world.peer().end.code == (payload.empty() ? 1005
                                                        : static_cast<unsigned char>(payload[0]) * 256 +
                                                              static_cast<unsigned char>(payload[1])));
    }
}

TEST_CASE("a close that comes while its answerer is paused ends both, whatever waits unread") {
    World world;
    world.connect();
    world.client.at_message = [] { return false; };
    world.peer().socket->send_text("first");
    world.peer().socket->send_text("second");
    world.sim.run_for(1s);
    CHECK(world.client.messages.size() == 1);
    world.client.socket->close(1000, "");
    world.sim.run_for(1s);
    CHECK(world.client.messages.size() == 1);
    CHECK(world.client.times_closed == 1);
    CHECK(world.peer().times_closed == 1);
    CHECK(world.client.end.stream.kind == StreamEnd::Kind::Closed);
}

TEST_CASE("destroyed inside any of its callbacks, or outside, it is simply gone") {
    World world;
    auto destroy = [&world] { world.client.socket.reset(); };
    SUBCASE("on_open") {
        world.server.at_accept = [](Ear& ear) { ear.socket->send_text("right behind the answer"); };
        world.client.at_open = destroy;
        world.connect();
        world.sim.run_for(1s);
        CHECK(world.client.messages.empty());
    }
    SUBCASE("on_message") {
        for (const bool goes_on : {true, false}) {
            world.client.messages.clear();
            world.client.at_message = [&, goes_on] { return destroy(), goes_on; };
            world.connect();
            world.peer(world.server.connections.size() - 1).socket->send_text("one");
            world.peer(world.server.connections.size() - 1).socket->send_text("two");
            world.sim.run_for(1s);
            CHECK(world.client.messages.size() == 1);
            world.client.opened = false;
        }
    }
    SUBCASE("on_pong") {
        world.client.at_pong = destroy;
        world.connect();
        world.client.socket->ping("");
        world.client.socket->ping("");
        world.sim.run_for(1s);
        CHECK(world.client.pongs.size() == 1);
    }
    SUBCASE("on_closed, by the peer's close, by ours, and when it is lost") {
        for (int how = 0; how < 3; ++how) {
            world.client.at_close = destroy;
            world.client.opened = false;
            world.connect();
            Ear& peer = world.peer(world.server.connections.size() - 1);
            if (how == 0) peer.socket->close(1000, "");
            if (how == 1) world.client.socket->close(1000, "");
            if (how == 2) world.sim.cut(world.sim.connections().back());
            world.sim.run_for(5s);
            CHECK(world.client.times_closed == how + 1);
            CHECK_FALSE(world.client.socket);
        }
    }
    SUBCASE("outside: connecting, open, with a rest to read, and closing") {
        world.client.socket = WebSocket::connect(*world.here, world.request(), {}, world.sim.random(), world.client);
        destroy();
        world.connect();
        destroy();
        world.client.opened = false;
        world.client.at_message = [] { return false; };
        world.connect();
        world.peer(world.server.connections.size() - 1).socket->send_text("one");
        world.peer(world.server.connections.size() - 1).socket->send_text("two");
        world.sim.run_for(1s);
        world.client.socket->resume_reading();
        destroy();
        world.client.opened = false;
        world.connect();
        world.client.socket->close(1000, "");
        destroy();
        world.sim.run_for(20s);
        CHECK(world.client.times_closed == 0);
    }
    world.sim.run_for(30s);
}

TEST_CASE("the same seed gives the same run") {
    auto run = [](std::uint64_t seed) {
        World world(seed);
        world.connect();
        for (int i = 0; i < 20; ++i) world.client.socket->send_text(std::to_string(i));
        world.sim.run_for(20s);
        world.client.socket->close(1000, "");
        world.sim.run_for(5s);
        return world.sim.trace_hash();
    };
    CHECK(run(7) == run(7));
    CHECK(run(7) != run(8));
}
