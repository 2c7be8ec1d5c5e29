// TlsSession: one connection's TLS, on a non-blocking socket that somebody else owns and watches.
#pragma once

#include "net/tls.h"

#include <cstddef>
#include <memory>
#include <string>

namespace nyamesh::net {

class TlsSession {
public:
    enum class Outcome {
        Done,
        WantsRead,   // goes on when the socket is readable
        WantsWrite,  // goes on when it is writable
        Ended,       // the peer's close_notify
        Broken,      // the connection was reset
        Failed,      // error() says why
    };
    struct Result {
        Outcome outcome;
        std::size_t bytes = 0;
    };

    virtual ~TlsSession() = default;
    // Of a client: `host` is who the certificate must be for, and `peer` (host and port) whose earlier sessions may be
    // resumed. Null: out of memory.
    static std::unique_ptr<TlsSession> make(const std::shared_ptr<const TlsContext>& context, int socket,
                                            const std::string& host, const std::string& peer);

    virtual Result handshake() = 0;
    virtual Result read(char* place, std::size_t room) = 0;
    virtual Result write(const char* bytes, std::size_t n) = 0;
    virtual bool has_more() const noexcept = 0;  // bytes that have left the socket, but are still to be read here
    virtual void send_close_notify() = 0;        // tries once
    virtual const std::string& error() const noexcept = 0;
};

}  // namespace nyamesh::net
