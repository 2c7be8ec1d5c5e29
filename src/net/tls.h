// TlsContext: certificates and rules for TLS connections, shared by them. OpenSSL stays behind it.
#pragma once

#include <expected>
#include <memory>
#include <string>

namespace nyamesh::net {

// TLS 1.2 or newer. Immutable once made; any thread.
class TlsContext {
public:
    virtual ~TlsContext() = default;

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
