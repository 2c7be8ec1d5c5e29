// The subject of the interop tests: our WebSocket over the real loop, as a server or as a client.
//
//   websocket_echo server         listens on a port of the system's choice, prints it, and sends every message back
//   websocket_echo client URL     sends a list of messages, wants each of them back, closes; the exit code is 0 if all
//                                 was right
#include "net/epoll_loop.h"
#include "net/websocket.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace nyamesh::net;

constexpr std::string_view kProtocol = "nyamesh.v1";
constexpr std::size_t kMaxHead = 8 * 1024;
constexpr std::size_t kMaxMessage = 1024 * 1024;

class EchoServer {
public:
    explicit EchoServer(EpollLoop& loop) : loop_(loop) {}

    int run() {
        auto listener = loop_.listen({"127.0.0.1", 0}, nullptr, [this](std::unique_ptr<Stream> stream, const Address&) {
            auto connection = std::make_unique<Connection>(*this, std::move(stream));
            connections_.emplace(connection.get(), std::move(connection));
        });
        if (!listener) {
            std::fprintf(stderr, "%s\n", listener.error().c_str());
            return 1;
        }
        std::printf("%d\n", (*listener)->port());
        std::fflush(stdout);
        loop_.run();
        return 0;
    }

private:
    struct Connection final : StreamEvents, WebSocketEvents {
        Connection(EchoServer& the_server, std::unique_ptr<Stream> the_stream)
            : server(the_server), stream(std::move(the_stream)) {
            stream->set_events(*this);
        }
        void on_data(std::span<char> bytes) override {
            head.append(bytes.data(), bytes.size());
            const auto request = parse_request(head, kMaxHead);
            if (!request) return refuse(request.error());
            if (!*request) return;
            const auto answer = check_upgrade((*request)->message, kProtocol);
            if (!answer) return refuse(answer.error());
            stream->out().append(*answer);
            WebSocketSettings settings;
            settings.max_message_bytes = kMaxMessage;
            socket = WebSocket::accept(server.loop_, std::move(stream), settings,
                                       std::string_view(head).substr((*request)->length), *this);
        }
        void refuse(const HttpError& error) {
            stream->out().append(http_answer(error));
            stream->close_after_flush();
        }
        bool on_message(Opcode opcode, std::string_view bytes) override {
            opcode == Opcode::Text ? socket->send_text(bytes) : socket->send_binary(bytes);
            return true;
        }
        void on_closed(const StreamEnd&) override { server.connections_.erase(this); }
        void on_closed(const WebSocketEnd&) override { server.connections_.erase(this); }

        EchoServer& server;
        std::unique_ptr<Stream> stream;
        std::string head;
        std::unique_ptr<WebSocket> socket;
    };

    EpollLoop& loop_;
    std::unordered_map<void*, std::unique_ptr<Connection>> connections_;
};

class EchoClient final : public WebSocketEvents {
public:
    explicit EchoClient(EpollLoop& loop) : loop_(loop) {
        for (const std::size_t size : {0u, 1u, 125u, 126u, 65'535u, 65'536u, 200'000u}) {
            messages_.emplace_back(Opcode::Text, std::string(size, 'x'));
            messages_.emplace_back(Opcode::Binary, std::string(size, '\xFE'));
        }
        messages_.emplace_back(Opcode::Text, "nya \xF0\x9F\x90\xB1 \xCE\xBA");
    }

    int run(std::string_view address) {
        const auto url = Url::parse(address);
        if (!url) {
            std::fprintf(stderr, "%s\n", url.error().c_str());
            return 2;
        }
        WebSocketSettings settings;
        settings.max_message_bytes = kMaxMessage;
        loop_.post([&] {
            socket_ = WebSocket::connect(loop_, {.url = *url, .tls = nullptr, .subprotocol = std::string(kProtocol)},
                                         settings, nya::Random::system(), *this);
        });
        loop_.run();
        socket_.reset();
        return is_right_ ? 0 : 1;
    }

    void on_open() override {
        for (const auto& [opcode, bytes] : messages_) {
            opcode == Opcode::Text ? socket_->send_text(bytes) : socket_->send_binary(bytes);
        }
        socket_->ping("are you there?");
    }
    bool on_message(Opcode opcode, std::string_view bytes) override {
        if (next_ == messages_.size() || messages_[next_] != std::pair(opcode, std::string(bytes))) {
            std::fprintf(stderr, "message %zu came back as something else\n", next_);
            socket_->close(1000, "wrong");
            return true;
        }
        ++next_;
        close_if_done();
        return true;
    }
    void on_pong(std::string_view payload) override {
        has_pong_ = has_pong_ || payload == "are you there?";
        close_if_done();
    }
    void on_closed(const WebSocketEnd& end) override {
        is_right_ = is_done() && end.code == 1000;
        if (!is_right_) {
            std::fprintf(stderr, "closed with %d (%s) after %zu of %zu messages\n", end.code, end.reason.c_str(), next_,
                         messages_.size());
        }
        loop_.stop();
    }

private:
    bool is_done() const { return next_ == messages_.size() && has_pong_; }
    void close_if_done() {
        if (is_done()) socket_->close(1000, "done");
    }

    EpollLoop& loop_;
    std::vector<std::pair<Opcode, std::string>> messages_;
    std::unique_ptr<WebSocket> socket_;
    std::size_t next_ = 0;
    bool has_pong_ = false;
    bool is_right_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    EpollLoop loop;
    if (argc == 2 && std::string_view(argv[1]) == "server") return EchoServer(loop).run();
    if (argc == 3 && std::string_view(argv[1]) == "client") return EchoClient(loop).run(argv[2]);
    std::fprintf(stderr, "usage: websocket_echo server | client URL\n");
    return 2;
}
