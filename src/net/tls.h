// TlsContext: certificates and rules for TLS connections, shared by them. OpenSSL stays behind it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

namespace nyamesh::net {

// TLS 1.2 or newer. Immutable once made; any thread.
class TlsContext {
public:
    virtual ~TlsContext() = default;

    // How many connections have been opened with it, and how many of these resumed an earlier one's session, which
    // saves the certificate's part of the handshake. A client does so by the tickets it was given.
    struct Counts {
        std::uint64_t handshakes = 0;
        std::uint64_t resumed = 0;
    };
    virtual Counts counts() const noexcept { return {}; }

    struct Server {
        std::string certificate_file;  // PEM, with its chain
        std::string key_file;          // PEM
    };
    struct Client {
        std::string ca_file = {};  // PEM; empty: the system's
        bool verifies = true;      // false only on an explicit wish; says so in the log
    };
    // Errors name the file and what is wrong with it.
    static std::expected<std::shared_ptr<const TlsContext>, std::string> server(const Server& files);
    static std::expected<std::shared_ptr<const TlsContext>, std::string> client(const Client& options);
};

}  // namespace nyamesh::net
