// TLS contexts: the rules, and the files they come from.
#include "net/tls.h"

#include "net/tls_openssl.h"

#include <openssl/err.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace nyamesh::net {

namespace {

using Error = std::unexpected<std::string>;
using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// What OpenSSL says of the last thing that went wrong; its queue of errors is empty then.
std::string last_words() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* words = ERR_reason_error_string(code);
    return words == nullptr ? "reason unknown" : words;
}

std::expected<void, std::string> check_readable(const char* what, const std::string& file) {
    errno = 0;
    std::ifstream stream(file);
    if (stream.get() != std::ifstream::traits_type::eof()) return {};
    return Error(std::string("the ") + what + " " + file + (errno != 0 ? " cannot be read: " : " is empty") +
                 (errno != 0 ? std::strerror(errno) : ""));
}

ContextPtr make_context(const SSL_METHOD* method) {
    ContextPtr context(SSL_CTX_new(method), &SSL_CTX_free);
    SSL_CTX* const raw = context.get();
    if (raw == nullptr) return context;
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // An idle connection gives its record buffers (32 KB) back; what is retried may lie elsewhere by then.
    SSL_CTX_set_mode(raw,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

}  // namespace

// ---- tickets --------------------------------------------------------------------------------------------------------

OpenSslContext::OpenSslContext(SSL_CTX* the_context, bool server, bool does_verify)
    : context(the_context), is_server(server), verifies(does_verify) {
    if (is_server) return;
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &OpenSslContext::on_ticket);
}

OpenSslContext::~OpenSslContext() {
    SSL_CTX_free(context);
}

// Of TLS 1.2 when the handshake is done; of 1.3 later, while something is read. 1: the session is ours now.
int OpenSslContext::on_ticket(SSL* ssl, SSL_SESSION* session) {
    const auto& self = *static_cast<const OpenSslContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto& peer = *static_cast<const std::string*>(SSL_get_app_data(ssl));
    const nya::Lock lock(self.mutex_);
    if (self.tickets_.size() == kMostTickets) self.tickets_.pop_front();
    self.tickets_.push_back({peer, {session, &SSL_SESSION_free}});
    return 1;
}

void OpenSslContext::resume(SSL* ssl, const std::string& peer) const {
    Session session{nullptr, &SSL_SESSION_free};
    {
        const nya::Lock lock(mutex_);
        const auto newest = std::ranges::find(tickets_.rbegin(), tickets_.rend(), peer, &Ticket::peer);
        if (newest == tickets_.rend()) return;
        session = std::move(newest->session);
        tickets_.erase(std::next(newest).base());
    }
    SSL_set_session(ssl, session.get());  // takes a reference of its own; of one that is too old it makes no use
}

// ---- contexts -------------------------------------------------------------------------------------------------------

std::expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::server(const Server& files) {
    if (auto readable = check_readable("certificate", files.certificate_file); !readable) {
        return Error(readable.error());
    }
    if (auto readable = check_readable("key", files.key_file); !readable) return Error(readable.error());
    ERR_clear_error();
    ContextPtr context = make_context(TLS_server_method());
    if (context == nullptr) return Error("TLS cannot be set up: " + last_words());
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1) {
        return Error("the certificate " + files.certificate_file + " is not good PEM: " + last_words());
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        const std::string words = last_words();
        if (words.contains("mismatch")) {
            return Error("the key " + files.key_file + " is not that of the certificate " + files.certificate_file);
        }
        return Error("the key " + files.key_file + " is not good PEM: " + words);
    }
    // Session tickets, which are on by default, make a reconnect cheap; this names whose they are. They are all the
    // memory there is: nothing is kept here of a connection that has ended.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    constexpr unsigned char kName[] = "nyamesh";
    SSL_CTX_set_session_id_context(context.get(), kName, sizeof kName - 1);
    return std::make_shared<OpenSslContext>(context.release(), true, false);
}

std::expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::client(const Client& options) {
    ERR_clear_error();
    ContextPtr context = make_context(TLS_client_method());
    if (context == nullptr) return Error("TLS cannot be set up: " + last_words());
    if (!options.ca_file.empty()) {
        if (auto readable = check_readable("CA file", options.ca_file); !readable) return Error(readable.error());
        if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
            return Error("the CA file " + options.ca_file + " is not good PEM: " + last_words());
        }
    } else if (options.verifies && SSL_CTX_set_default_verify_paths(context.get()) != 1) {
        return Error("the system's CA certificates cannot be read: " + last_words());
    }
    SSL_CTX_set_verify(context.get(), options.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    return std::make_shared<OpenSslContext>(context.release(), false, options.verifies);
}

}  // namespace nyamesh::net
