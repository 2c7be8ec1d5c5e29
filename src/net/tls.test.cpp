// TLS over real loopback connections, with certificates made for the test.
#include "net/tls.h"

#include "net/asio_loop.h"
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
    CHECK(talk(files, "wrong_host", files.ca_file()) == "the certificate is for another host than 127.0.0.1");
    CHECK(talk(files, "good", "") == "the certificate of 127.0.0.1 was issued by an unknown CA");
    CHECK(talk(files, "good", files.ca_file(), false) == "127.0.0.1 does not speak TLS");
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
