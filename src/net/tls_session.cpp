// SSL_read and SSL_write right on the socket, so that they fill and empty the loop's and the stream's own buffers.
//
// OpenSSL keeps errors in a queue of the thread, which must be empty before each call or its answer is misread.
#include "net/tls_session.h"

#include "net/tls_openssl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <algorithm>
#include <cerrno>
#include <climits>

namespace nyamesh::net {

namespace {

constexpr std::size_t kMaxPart = std::size_t{1} << 30;  // OpenSSL counts in int

// Why a certificate was not believed.
std::string certificate_words(long reason, const std::string& host) {
    const std::string whose = "the certificate of " + host;
    switch (reason) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return whose + " has expired";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return whose + " is not valid yet (is the clock right?)";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "the certificate is for another host than " + host;
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return whose + " is self-signed";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return whose + " was issued by an unknown CA";
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return whose + " was issued by an unknown CA (one we know has the same name, but another key)";
        default:
            break;
    }
    return whose + " is not accepted: " + X509_verify_cert_error_string(reason);
}

class OpenSslSession final : public TlsSession {
public:
    OpenSslSession(SSL* ssl, std::shared_ptr<const OpenSslContext> context, std::string host, std::string peer)
        : ssl_(ssl), context_(std::move(context)), host_(std::move(host)), peer_(std::move(peer)) {
        if (context_->is_server) return;
        SSL_set_app_data(ssl_, &peer_);  // for the tickets that come
        context_->resume(ssl_, peer_);
    }
    ~OpenSslSession() override {
        // Else OpenSSL takes the session of a connection that was cut for unfit to be resumed: a rule of TLS 1.0 (RFC
        // 2246, 7.2.1) that later versions have dropped. Just then it is wanted.
        SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(ssl_);
    }
    OpenSslSession(const OpenSslSession&) = delete;
    OpenSslSession& operator=(const OpenSslSession&) = delete;

    Result handshake() override {
        ERR_clear_error();
        const int result = context_->is_server ? SSL_accept(ssl_) : SSL_connect(ssl_);
        if (result == 1) {
            context_->note_handshake(SSL_session_reused(ssl_) == 1);
            return {Outcome::Done};
        }
        is_shaking_ = true;
        const Result failed = outcome_of(result);
        is_shaking_ = false;
        return failed;
    }
    Result read(char* place, std::size_t room) override {
        ERR_clear_error();
        const int n = SSL_read(ssl_, place, static_cast<int>(std::min(room, kMaxPart)));
        return n > 0 ? Result{Outcome::Done, static_cast<std::size_t>(n)} : outcome_of(n);
    }
    Result write(const char* bytes, std::size_t n) override {
        ERR_clear_error();
        const int written = SSL_write(ssl_, bytes, static_cast<int>(std::min(n, kMaxPart)));
        return written > 0 ? Result{Outcome::Done, static_cast<std::size_t>(written)} : outcome_of(written);
    }
    bool has_more() const noexcept override { return SSL_pending(ssl_) > 0 || SSL_has_pending(ssl_) == 1; }
    void send_close_notify() override {
        ERR_clear_error();
        if (!has_failed_) SSL_shutdown(ssl_);
        ERR_clear_error();
    }
    const std::string& error() const noexcept override { return error_; }

private:
    Result outcome_of(int result) {
        const int system_error = errno;
        switch (SSL_get_error(ssl_, result)) {
            case SSL_ERROR_WANT_READ:
                return {Outcome::WantsRead};
            case SSL_ERROR_WANT_WRITE:
                return {Outcome::WantsWrite};
            case SSL_ERROR_ZERO_RETURN:
                return {Outcome::Ended};
            default:
                break;
        }
        has_failed_ = true;  // SSL_shutdown is forbidden from here on
        const unsigned long code = ERR_peek_error();
        const bool is_eof = ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
        if (code == 0 || is_eof) {
            if (!is_shaking_) return {Outcome::Broken};
            error_ = host_ + (system_error != 0 && !is_eof ? " reset the connection" : " closed the connection") +
                     " during the TLS handshake";
            return {Outcome::Failed};
        }
        error_ = words_of(code);
        ERR_clear_error();
        return {Outcome::Failed};
    }

    std::string words_of(unsigned long code) const {
        // `code` is the first of several errors, and a wrong signature is one of arithmetic before it is one of ours.
        const long verified = SSL_get_verify_result(ssl_);
        if (is_shaking_ && !context_->is_server && context_->verifies && verified != X509_V_OK)
            return certificate_words(verified, host_);
        switch (ERR_GET_REASON(code)) {
            case SSL_R_WRONG_VERSION_NUMBER:
            case SSL_R_HTTP_REQUEST:
            case SSL_R_HTTPS_PROXY_REQUEST:
            case SSL_R_PACKET_LENGTH_TOO_LONG:
            case SSL_R_BAD_PACKET_LENGTH:
                if (is_shaking_) return host_ + " does not speak TLS";
                break;
            case SSL_R_UNSUPPORTED_PROTOCOL:
            case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
                return host_ + " speaks no TLS version from 1.2 on";
            case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
                return host_ + " does not know the CA of our certificate";
            case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
                return host_ + " says that our certificate has expired";
            case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
                return host_ + " does not accept our certificate";
            default:
                break;
        }
        const char* words = ERR_reason_error_string(code);
        return "TLS with " + host_ + " failed: " + (words == nullptr ? "reason unknown" : words);
    }

    SSL* const ssl_;
    const std::shared_ptr<const OpenSslContext> context_;
    const std::string host_;
    std::string peer_;
    std::string error_;
    bool is_shaking_ = false;
    bool has_failed_ = false;
};

bool is_numeric(const std::string& host) {
    in6_addr ignored{};
    return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace

std::unique_ptr<TlsSession> TlsSession::make(const std::shared_ptr<const TlsContext>& context, int socket,
                                             const std::string& host, const std::string& peer) {
    auto shared = std::static_pointer_cast<const OpenSslContext>(context);
    const OpenSslContext& ours = *shared;
    SSL* const ssl = SSL_new(ours.context);
    if (ssl == nullptr || SSL_set_fd(ssl, socket) != 1) {
        SSL_free(ssl);
        return nullptr;
    }
    SSL_set_read_ahead(ssl, 1);  // a record costs one read instead of two
    if (!ours.is_server) {
        const bool is_ip = is_numeric(host);
        if (!is_ip) SSL_set_tlsext_host_name(ssl, host.c_str());  // RFC 6066, 3: names only
        if (ours.verifies) {
            X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl);
            X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
            const int is_set = is_ip ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str())
                                     : X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size());
            if (is_set != 1) {
                SSL_free(ssl);
                return nullptr;
            }
        }
    }
    return std::make_unique<OpenSslSession>(ssl, std::move(shared), host, peer);
}

}  // namespace nyamesh::net
