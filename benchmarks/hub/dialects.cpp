#include "dialects.h"

#include "measure.h"

#include <charconv>
#include <functional>

namespace hub_load {
namespace {

void check(const Client& client, std::string_view payload) {
    if (payload.size() != kPayloadBytes || payload.front() != '"' || payload.back() != '"') {
        fail(client.name + ": a payload that nobody sent: " + std::string(payload.substr(0, 200)));
    }
}

void deliver(Client& client, std::string_view payload, Sink& sink) {
    check(client, payload);
    sink.on_payload(client, payload);
}

// GET /echo: every message comes back as it is. GET /relay/NAME: a message is the target's name, a line feed and the
// payload, and reaches the target unchanged.
class Plain final : public Dialect {
public:
    std::string path(const Client& client, bool is_echo) const override {
        return is_echo ? "/echo" : "/relay/" + client.name;
    }
    void greet(Client& client, Sink& sink) const override { sink.on_ready(client); }
    void address(Client& client, std::string_view to, bool is_echo) const override {
        client.before = is_echo ? std::string() : std::string(to) + "\n";
    }
    void receive(Client& client, std::string_view message, Sink& sink) const override {
        const std::size_t line = message.find('\n');
        deliver(client, line == std::string_view::npos ? message : message.substr(line + 1), sink);
    }
};

// What distinguishes one start of a node from the next one: any 16 hex digits, never 0.
std::string instance_of(std::string_view name) {
    std::uint64_t hash = std::hash<std::string_view>{}(name) | 1;
    std::string digits(16, '0');
    for (std::size_t i = digits.size(); i > 0; hash >>= 4) digits[--i] = "0123456789abcdef"[hash & 15];
    return digits;
}

// docs/protocol.md. The client binds its name with the hello, without sessions. Echo is a message to oneself.
class NyaMesh : public Dialect {
public:
    explicit NyaMesh(std::string token) : token_(std::move(token)) {}

    std::string path(const Client&, bool) const override { return "/"; }
    std::string headers() const override { return "Sec-WebSocket-Protocol: nyamesh.v1\r\n"; }
    void greet(Client& client, Sink&) const override {
        std::string hello = R"({"t":"hello","n":")" + client.name + R"(","i":")" + instance_of(client.name) + '"';
        hello += sessions_member();
        if (!token_.empty()) hello += R"(,"token":")" + token_ + '"';
        append_frame(client, Opcode::Text, hello, "}");
    }
    void address(Client& client, std::string_view to, bool) const override {
        client.before = R"({"t":"m","to":")" + std::string(to) + R"(","from":")" + client.name + "\",\"n\":\"x\"}\n";
    }
    void receive(Client& client, std::string_view message, Sink& sink) const override {
        if (message.starts_with(R"({"t":"m",)")) {
            const std::size_t line = message.find('\n');
            deliver(client, line == std::string_view::npos ? std::string_view() : message.substr(line + 1), sink);
        } else if (message.starts_with(R"({"t":"welcome")")) {
            sink.on_ready(client);
        } else if (message.starts_with(R"({"t":"refused")") || message.starts_with(R"({"t":"unbound")")) {
            fail(client.name + ": " + std::string(message));
        }
    }

protected:
    [[nodiscard]] virtual std::string sessions_member() const { return R"(,"sessions":false)"; }

private:
    std::string token_;
};

// The same as between nodes that keep sessions, once these are going: messages carry the session, the target's instance
// and a number, and after every so many of them the receiver sends its counters back. What the hub has to do is the
// same as with real nodes.
class NyaMeshSessions final : public NyaMesh {
public:
    NyaMeshSessions(std::string token, unsigned ack_every) : NyaMesh(std::move(token)), ack_every_(ack_every) {}

    std::string sessions_member() const override { return {}; }
    void address(Client& client, std::string_view to, bool) const override {
        client.fixed = R"({"t":"m","to":")" + std::string(to) + R"(","from":")" + client.name + R"(","n":"x","s":")" +
                       instance_of(client.name) + R"(.1","i":")" + instance_of(to) + R"(","q":)";
    }
    void prepare(Client& client) const override {
        client.before = client.fixed;
        client.before += std::to_string(++client.sequence);
        client.before += "}\n";
    }
    void receive(Client& client, std::string_view message, Sink& sink) const override {
        NyaMesh::receive(client, message, sink);
        if (!message.starts_with(R"({"t":"m",)") || ++client.sequence % ack_every_ != 0) return;
        const std::string& sender = client.credits_to->name;
        const std::string count = std::to_string(client.sequence);
        append_frame(client, Opcode::Text,
                     R"({"t":"a","to":")" + sender + R"(","from":")" + client.name + R"(","i":")" +
                         instance_of(sender) + R"(","a":")" + instance_of(sender) + R"(.1","r":)" + count + R"(,"h":)" +
                         count + R"(,"c":)" + std::to_string(client.sequence + kCredit) + "}");
    }

private:
    static constexpr std::uint64_t kCredit = 1024;

    unsigned ack_every_;
};

// NATS's own protocol, which is lines, inside binary frames. A subject per client; echo is a message to oneself.
// Its messages do not end where frames end: the server gathers several in one.
class Nats final : public Dialect {
public:
    std::string path(const Client&, bool) const override { return "/"; }
    Opcode opcode() const override { return Opcode::Binary; }
    void greet(Client& client, Sink&) const override {
        append_frame(client, Opcode::Binary,
                     "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\"}\r\nSUB ",
                     client.name, " 1\r\nPING\r\n");
    }
    void address(Client& client, std::string_view to, bool) const override {
        client.before = "PUB " + std::string(to) + " " + std::to_string(kPayloadBytes) + "\r\n";
        client.after = "\r\n";
    }
    void receive(Client& client, std::string_view message, Sink& sink) const override {
        if (client.stream.empty()) {
            client.stream = message.substr(take(client, message, sink));
            return;
        }
        client.stream.append(message);
        client.stream.erase(0, take(client, client.stream, sink));
    }

private:
    static std::size_t take(Client& client, std::string_view bytes, Sink& sink) {
        std::size_t taken = 0;
        for (;;) {
            const std::string_view rest = bytes.substr(taken);
            const std::size_t line_end = rest.find("\r\n");
            if (line_end == std::string_view::npos) return taken;
            const std::string_view line = rest.substr(0, line_end);
            if (line.starts_with("MSG ")) {
                std::size_t size = 0;
                const std::string_view digits = line.substr(line.rfind(' ') + 1);
                std::from_chars(digits.data(), digits.data() + digits.size(), size);
                if (rest.size() < line_end + 2 + size + 2) return taken;
                deliver(client, rest.substr(line_end + 2, size), sink);
                taken += line_end + 2 + size + 2;
                continue;
            }
            if (line == "PING") append_frame(client, Opcode::Binary, "PONG\r\n");
            if (line == "PONG" && client.state != Client::State::Ready) sink.on_ready(client);
            if (line.starts_with("-ERR")) fail(client.name + ": " + std::string(line));
            taken += line_end + 2;
        }
    }
};

// Engine.IO 4 over WebSocket alone, with Socket.IO's packets inside: "0{…}" is the server's opening, "40" joins the
// default namespace, "42[…]" is an event, "2" and "3" are ping and pong.
class SocketIo final : public Dialect {
public:
    std::string path(const Client&, bool) const override { return "/socket.io/?EIO=4&transport=websocket"; }
    void greet(Client&, Sink&) const override {}
    void address(Client& client, std::string_view to, bool is_echo) const override {
        client.before = is_echo ? R"(42["echo",)" : R"(42["m",")" + std::string(to) + R"(",)";
        client.after.assign(1, ']');
    }
    void receive(Client& client, std::string_view message, Sink& sink) const override {
        if (message.starts_with("42")) {
            if (message.size() < kPayloadBytes + 3) fail(client.name + ": " + std::string(message));
            deliver(client, message.substr(message.size() - 1 - kPayloadBytes, kPayloadBytes), sink);
        } else if (message.starts_with("40")) {
            sink.on_ready(client);
        } else if (message.starts_with("44")) {
            fail(client.name + ": " + std::string(message));
        } else if (message.starts_with("0")) {
            append_frame(client, Opcode::Text, R"(40{"name":")", client.name, R"("})");
        } else if (message == "2") {
            append_frame(client, Opcode::Text, "3");
        }
    }
};

}  // namespace

std::unique_ptr<Dialect> make_dialect(std::string_view name, std::string token, unsigned ack_every) {
    if (name == "plain") return std::make_unique<Plain>();
    if (name == "nyamesh") return std::make_unique<NyaMesh>(std::move(token));
    if (name == "nyamesh-sessions") return std::make_unique<NyaMeshSessions>(std::move(token), ack_every);
    if (name == "nats") return std::make_unique<Nats>();
    if (name == "socketio") return std::make_unique<SocketIo>();
    fail("unknown dialect \"" + std::string(name) + "\": plain, nyamesh, nyamesh-sessions, nats or socketio");
}

}  // namespace hub_load
