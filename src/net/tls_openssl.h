// What tls.cpp and tls_session.cpp share: the OpenSSL side of a TlsContext.
#pragma once

#include "net/tls.h"

#include <openssl/ssl.h>

namespace nyamesh::net {

struct OpenSslContext final : TlsContext {
    explicit OpenSslContext(SSL_CTX* the_context, bool server, bool does_verify)
        : context(the_context), is_server(server), verifies(does_verify) {}
    ~OpenSslContext() override { SSL_CTX_free(context); }
    OpenSslContext(const OpenSslContext&) = delete;
    OpenSslContext& operator=(const OpenSslContext&) = delete;

    SSL_CTX* const context;
    const bool is_server;
    const bool verifies;
};

}  // namespace nyamesh::net
