#include "net/socket_listener.h"

#include "net/socket_stream.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace nyamesh::net {

std::expected<std::unique_ptr<Listener>, std::string> SocketListener::listen(std::shared_ptr<LoopCore> core,
                                                                             const Address& where,
                                                                             std::shared_ptr<const TlsContext> tls,
                                                                             Loop::AcceptCallback on_accept) {
    const auto failed = [&](int error) {
        return std::unexpected("cannot listen on " + where.to_string() + ": " + std::strerror(error));
    };
    SystemAddress address;
    if (!SystemAddress::parse(where.ip, where.port, address)) return failed(EINVAL);
    int descriptor = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0 && errno == EAFNOSUPPORT && where.ip == "::") {  // a system without IPv6
        SystemAddress::parse("0.0.0.0", where.port, address);
        descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (descriptor < 0) return failed(errno);
    const int on = 1;
    const int off = 0;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.family() == AF_INET6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    SystemAddress bound;
    socklen_t length = sizeof bound.bytes;
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(address.bytes), address.length) != 0 ||
        ::listen(descriptor, SOMAXCONN) != 0 ||
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(bound.bytes), &length) != 0) {
        const int error = errno;
        ::close(descriptor);
        return failed(error);
    }
    return std::make_unique<SocketListener>(std::move(core), descriptor, bound.to_address().port, std::move(tls),
                                            std::move(on_accept));
}

SocketListener::SocketListener(std::shared_ptr<LoopCore> core, int descriptor, std::uint16_t port,
                               std::shared_ptr<const TlsContext> tls, Loop::AcceptCallback on_accept)
    : core_(std::move(core)),
      port_(port),
      tls_(std::move(tls)),
      on_accept_(std::make_shared<Loop::AcceptCallback>(std::move(on_accept))),
      watch_(core_->reactor(), descriptor, *this) {
    watch_.wait_readable();
}

SocketListener::~SocketListener() {
    if (gone_ != nullptr) *gone_ = true;
    core_->cancel(timer_);
}

void SocketListener::on_readable() {
    bool gone = false;
    gone_ = &gone;
    const auto call = on_accept_;
    for (int i = 0; i < kMostPerLook && !is_paused_; ++i) {
        SystemAddress peer;
        socklen_t length = sizeof peer.bytes;
        const int descriptor = ::accept4(watch_.descriptor(), reinterpret_cast<sockaddr*>(peer.bytes), &length,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN) break;
            // Out of descriptors or memory: whoever waits in the backlog waits a little longer.
            gone_ = nullptr;
            ++times_short_;
            timer_ = core_->call_after(kPauseWithoutDescriptors, [this] { watch_.wait_readable(); });
            return;
        }
        const Address address = peer.to_address();
        auto stream = std::make_unique<SocketStream>(core_);
        stream->accepted(descriptor, address, tls_);
        (*call)(std::move(stream), address);
        if (gone) return;
    }
    gone_ = nullptr;
    if (!is_paused_) watch_.wait_readable();
}

}  // namespace nyamesh::net
