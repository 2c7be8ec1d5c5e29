// What tls.cpp and tls_session.cpp share: the OpenSSL side of a TlsContext.
#pragma once

#include "base/mutex.h"
#include "net/tls.h"

#include <openssl/ssl.h>
#include <atomic>
#include <deque>
#include <memory>
#include <string>

namespace nyamesh::net {

// Of a client it also keeps the tickets that servers gave, to resume their sessions: the newest kMostTickets of all
// servers. Each is used once (RFC 8446, C.4), and each connection brings a new one.
class OpenSslContext final : public TlsContext {
public:
    static constexpr std::size_t kMostTickets = 256;

    OpenSslContext(SSL_CTX* the_context, bool server, bool does_verify);
    ~OpenSslContext() override;
    OpenSslContext(const OpenSslContext&) = delete;
    OpenSslContext& operator=(const OpenSslContext&) = delete;

    Counts counts() const noexcept override { return {handshakes_.load(), resumed_.load()}; }
    void note_handshake(bool is_resumed) const noexcept {
        ++handshakes_;
        if (is_resumed) ++resumed_;
    }
    // Lets `ssl` resume a session with `peer`, if there is one.
    void resume(SSL* ssl, const std::string& peer) const;

    SSL_CTX* const context;
    const bool is_server;
    const bool verifies;

private:
    using Session = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;
    struct Ticket {
        std::string peer;
        Session session;
    };
    static int on_ticket(SSL* ssl, SSL_SESSION* session);

    mutable std::atomic<std::uint64_t> handshakes_{0};
    mutable std::atomic<std::uint64_t> resumed_{0};
    mutable nya::Mutex mutex_;
    mutable std::deque<Ticket> tickets_ NYA_GUARDED_BY(mutex_);  // the newest last
};

}  // namespace nyamesh::net
