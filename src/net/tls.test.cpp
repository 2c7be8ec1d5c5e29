// TLS over real loopback connections, with certificates made for the test.
#include "net/tls.h"

#include "net/epoll_loop.h"
#include "support/bus_kit.h"
#include "support/test_certificates.h"

#include <doctest/doctest.h>

#include <functional>
#include <future>

namespace nyamesh::net {

namespace {

using nyamesh::testing::TestCertificates;

struct Peer : StreamEvents {
    std::unique_ptr<Stream> stream;
    std::size_t received = 0;
    std::function<void()> opened = [] {};
    std::function<void(std::span<char>)> data = [](std::span<char>) {};
    std::function<void(const StreamEnd&)> closed = [](const StreamEnd&) {};
    void on_open() override { opened(); }
    void on_data(std::span<char> bytes) override {
        received += bytes.size();
        data(bytes);
    }
    void on_closed(const StreamEnd& end) override { closed(end); }
};

// Connects to a server with that certificate, echoes `bytes` bytes, and tells how it ended ("" if all came back).
std::string talk(const TestCertificates& files, const std::string& certificate, const std::string& ca_file,
                 bool server_speaks_tls = true, std::size_t bytes = 1'000'000) {
    auto server_tls = TlsContext::server({files.certificate_file(certificate), files.key_file(certificate)});
    auto client_tls = TlsContext::client({.ca_file = ca_file});
    REQUIRE(server_tls);
    REQUIRE(client_tls);
    Peer server;
    Peer client;
    std::unique_ptr<Listener> listener;
    std::promise<std::string> outcome;
    LoopThread thread("test-tls");
    server.data = [&](std::span<char> some) {
        server.stream->out().append(server_speaks_tls ? std::string_view(some.data(), some.size()) : "HTTP/1.1 400");
        server.stream->flush_later();
    };
    client.opened = [&] {
        client.stream->out().append(std::string(bytes, 'x'));
        client.stream->flush_later();
    };
    client.data = [&](std::span<char>) {
        if (client.received == bytes) outcome.set_value("");
    };
    client.closed = [&](const StreamEnd& end) {
        CHECK(end.kind == StreamEnd::Kind::Tls);
        outcome.set_value(end.message);
    };
    thread.loop()->post([&] {
        auto listening = thread.loop()->listen({"127.0.0.1", 0}, server_speaks_tls ? *server_tls : nullptr,
                                               [&](auto stream, const Address&) {
                                                   stream->set_events(server);
                                                   server.stream = std::move(stream);
                                               });
        listener = std::move(*listening);
        client.stream = thread.loop()->connect({"127.0.0.1", listener->port()}, *client_tls, client);
    });
    const std::string result = outcome.get_future().get();
    std::promise<void> cleared;
    thread.loop()->post([&] {
        client.stream = nullptr;
        server.stream = nullptr;
        listener = nullptr;
        cleared.set_value();
    });
    cleared.get_future().wait();
    return result;
}

}  // namespace

TEST_CASE("a good certificate: bytes travel; any other is refused in words") {
    const TestCertificates files;
    CHECK(talk(files, "good", files.ca_file()) == "");
    CHECK(talk(files, "expired", files.ca_file()) == "the certificate of 127.0.0.1 has expired");
    CHECK(talk(files, "early", files.ca_file()) ==
          "the certificate of 127.0.0.1 is not valid yet (is the clock right?)");
    CHECK(talk(files, "self_signed", files.ca_file()) == "the certificate of 127.0.0.1 is self-signed");
    CHECK(talk(files, "wrong_host", files.ca_file()) == "the certificate is for another host than 127.0.0.1");
    CHECK(talk(files, "good", "") == "the certificate of 127.0.0.1 was issued by an unknown CA");
    // Another CA of the same name: the signature is found to be wrong only when it is computed.
    CHECK(talk(files, "good", TestCertificates().ca_file()) ==
          "the certificate of 127.0.0.1 was issued by an unknown CA (one we know has the same name, but another key)");
    CHECK(talk(files, "good", files.ca_file(), false) == "127.0.0.1 does not speak TLS");
}

namespace {

// A server with a certificate, and one connection after the other to it.
struct Stage {
    TestCertificates files;
    std::shared_ptr<const TlsContext> server_tls = context("good");
    std::shared_ptr<const TlsContext> client_tls = *TlsContext::client({.ca_file = files.ca_file()});
    Peer server;
    Peer client;
    std::unique_ptr<Listener> listener;
    LoopThread thread{"test-tls"};

    Stage() {
        run([this] {
            listener = std::move(*thread.loop()->listen({"127.0.0.1", 0}, server_tls, [this](auto stream, const auto&) {
                stream->set_events(server);
                server.stream = std::move(stream);
            }));
        });
    }
    ~Stage() {
        run([this] {
            client.stream = nullptr;
            server.stream = nullptr;
            listener = nullptr;
        });
    }
    std::shared_ptr<const TlsContext> context(const std::string& certificate) const {
        return *TlsContext::server({files.certificate_file(certificate), files.key_file(certificate)});
    }
    // On the loop's thread.
    void run(const std::function<void()>& step) {
        std::promise<void> done;
        thread.loop()->post([&] {
            step();
            done.set_value();
        });
        done.get_future().wait();
    }
    // Connects, sends `bytes`, closes; what the server then had received, and how it ended for the client.
    std::pair<std::size_t, StreamEnd> send(std::size_t bytes) {
        std::promise<StreamEnd> server_end;
        std::promise<StreamEnd> client_end;
        server.received = 0;
        server.closed = [&](const StreamEnd& end) { server_end.set_value(end); };
        client.closed = [&](const StreamEnd& end) { client_end.set_value(end); };
        client.opened = [&, bytes] {
            client.stream->out().append(std::string(bytes, 'x'));
            client.stream->flush_later();
            client.stream->close_after_flush();
        };
        run([this] {
            server.stream = nullptr;
            client.stream = thread.loop()->connect({"127.0.0.1", listener->port()}, client_tls, client);
        });
        server_words = server_end.get_future().get().message;
        return {server.received, client_end.get_future().get()};
    }
    std::string server_words;
};

}  // namespace

TEST_CASE("what was sent before the end arrives before the end is told, however it was cut into records") {
    Stage stage;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{16'384}, std::size_t{3'000'000}}) {
        const auto [received, end] = stage.send(bytes);
        CHECK(received == bytes);
        CHECK(end.kind == StreamEnd::Kind::Closed);
    }
}

TEST_CASE("a reconnecting client resumes its session, once per ticket; another certificate starts anew") {
    Stage stage;
    // The server answers, so that the client reads, and finds the ticket.
    stage.server.data = [&](std::span<char>) {
        stage.server.stream->out().append("y");
        stage.server.stream->flush_later();
    };
    const auto talk_once = [&] {
        std::promise<void> answered;
        stage.client.opened = [&] {
            stage.client.stream->out().append("x");
            stage.client.stream->flush_later();
        };
        stage.client.data = [&](std::span<char>) { answered.set_value(); };
        stage.client.closed = [](const StreamEnd& end) { FAIL(end.message); };
        stage.run([&] {
            stage.server.stream = nullptr;
            stage.client.stream = nullptr;
            stage.client.stream =
                stage.thread.loop()->connect({"127.0.0.1", stage.listener->port()}, stage.client_tls, stage.client);
        });
        answered.get_future().wait();
    };
    for (int i = 0; i < 3; ++i) talk_once();
    CHECK(stage.client_tls->counts().handshakes == 3);
    CHECK(stage.client_tls->counts().resumed == 2);
    CHECK(stage.server_tls->counts().resumed == 2);

    const auto renewed = stage.context("good");
    stage.run([&] { stage.listener->replace_tls(renewed); });
    talk_once();
    CHECK(stage.client_tls->counts().handshakes == 4);
    CHECK(stage.client_tls->counts().resumed == 2);
    CHECK(renewed->counts().handshakes == 1);
}

TEST_CASE("after replace_tls new connections see the new certificate; the server is told in words what they say") {
    Stage stage;
    CHECK(stage.send(1).first == 1);
    stage.run([&] { stage.listener->replace_tls(stage.context("expired")); });
    const auto [received, end] = stage.send(1);
    CHECK(received == 0);
    CHECK(end.kind == StreamEnd::Kind::Tls);
    CHECK(end.message == "the certificate of 127.0.0.1 has expired");
    CHECK(stage.server_words.ends_with(" says that our certificate has expired"));
}

TEST_CASE("files that are missing or wrong are named") {
    const TestCertificates files;
    const auto missing = TlsContext::client({.ca_file = "/nowhere/ca.pem"});
    REQUIRE(!missing);
    CHECK(missing.error() == "the CA file /nowhere/ca.pem cannot be read: No such file or directory");
    const auto other = TlsContext::server({files.certificate_file("good"), files.key_file("expired")});
    REQUIRE(!other);
    CHECK(other.error().contains("is not that of the certificate"));
}

}  // namespace nyamesh::net
