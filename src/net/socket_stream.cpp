#include "net/socket_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

namespace nyamesh::net {

namespace {

constexpr int kMostLookups = 32;  // at the same time, in the process
constexpr std::size_t kMostAddresses = 8;
constexpr std::size_t kTlsRecord = 16 * 1024 + 1;

std::atomic<int> g_lookups{0};

std::vector<SystemAddress> look_up(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    std::vector<SystemAddress> addresses;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return addresses;
    for (const addrinfo* one = found; one != nullptr && addresses.size() < kMostAddresses; one = one->ai_next) {
        if (one->ai_addrlen > sizeof(SystemAddress::bytes)) continue;
        SystemAddress& address = addresses.emplace_back();
        std::memcpy(address.bytes, one->ai_addr, one->ai_addrlen);
        address.length = one->ai_addrlen;
    }
    ::freeaddrinfo(found);
    return addresses;
}

StreamEnd words_for(int error, const std::string& peer) {
    switch (error) {
        case ECONNREFUSED:
            return {StreamEnd::Kind::Refused, peer + " refused the connection"};
        case ECONNRESET:
        case EPIPE:
            return {StreamEnd::Kind::Reset, "the connection to " + peer + " was reset"};
        case ETIMEDOUT:
            return {StreamEnd::Kind::TimedOut, peer + " did not answer"};
        default:
            return {StreamEnd::Kind::Other, "the connection to " + peer + " failed: " + std::strerror(error)};
    }
}

}  // namespace

int SystemAddress::family() const noexcept {
    sockaddr head{};
    std::memcpy(&head, bytes, sizeof head);
    return head.sa_family;
}

bool SystemAddress::parse(const std::string& ip, std::uint16_t port, SystemAddress& result) {
    sockaddr_in ip4{};
    sockaddr_in6 ip6{};
    if (::inet_pton(AF_INET, ip.c_str(), &ip4.sin_addr) == 1) {
        ip4.sin_family = AF_INET;
        ip4.sin_port = htons(port);
        std::memcpy(result.bytes, &ip4, sizeof ip4);
        result.length = sizeof ip4;
        return true;
    }
    if (::inet_pton(AF_INET6, ip.c_str(), &ip6.sin6_addr) != 1) return false;
    ip6.sin6_family = AF_INET6;
    ip6.sin6_port = htons(port);
    std::memcpy(result.bytes, &ip6, sizeof ip6);
    result.length = sizeof ip6;
    return true;
}

Address SystemAddress::to_address() const {
    char text[INET6_ADDRSTRLEN] = {};
    if (family() == AF_INET) {
        sockaddr_in ip4{};
        std::memcpy(&ip4, bytes, sizeof ip4);
        ::inet_ntop(AF_INET, &ip4.sin_addr, text, sizeof text);
        return {text, ntohs(ip4.sin_port)};
    }
    sockaddr_in6 ip6{};
    std::memcpy(&ip6, bytes, sizeof ip6);
    ::inet_ntop(AF_INET6, &ip6.sin6_addr, text, sizeof text);
    const std::string_view ip(text);
    constexpr std::string_view kInside = "::ffff:";  // an IPv4 client of a socket for both
    const bool is_ip4 = ip.starts_with(kInside) && ip.contains('.');
    return {std::string(is_ip4 ? ip.substr(kInside.size()) : ip), ntohs(ip6.sin6_port)};
}

// What is needed only until the connection is open. Shared with a lookup under way.
struct SocketStream::Connecting {
    Target target;
    std::shared_ptr<const TlsContext> tls;
    std::vector<SystemAddress> addresses;
    std::size_t next = 0;
    int last_error = 0;
};

SocketStream::SocketStream(std::shared_ptr<LoopCore> core) : core_(std::move(core)) {}

SocketStream::~SocketStream() {
    if (gone_ != nullptr) *gone_ = true;
    core_->cancel(timer_);
    unlist();
    tls_ = nullptr;
    watch_.reset();
}

// ---- connecting -----------------------------------------------------------------------------------------------------

void SocketStream::connect(const Target& target, std::shared_ptr<const TlsContext> tls, StreamEvents& events) {
    events_ = &events;
    connecting_ = std::make_shared<Connecting>();
    connecting_->target = target;
    connecting_->tls = std::move(tls);
    peer_ = Address{target.host, target.port}.to_string();
    set_timer(kConnectTime, [this] { end({StreamEnd::Kind::TimedOut, peer_ + " did not answer within 10 s"}); });

    SystemAddress numeric;
    if (SystemAddress::parse(target.host, target.port, numeric)) {
        connecting_->addresses.push_back(numeric);
        return try_next_address();
    }
    if (g_lookups.fetch_add(1) >= kMostLookups) {
        --g_lookups;
        return end_later({StreamEnd::Kind::Other, "too many host names are being looked up"});
    }
    // A lookup may take longer than we or the loop live; it then finds nobody.
    std::thread([inbox = core_->inbox(), state = std::weak_ptr(connecting_), target, this] {
        auto addresses = look_up(target.host, target.port);
        --g_lookups;
        inbox->post([state, addresses = std::move(addresses), this]() mutable {
            const auto connecting = state.lock();
            if (connecting == nullptr) return;
            connecting->addresses = std::move(addresses);
            if (!connecting->addresses.empty()) return try_next_address();
            end({StreamEnd::Kind::NotFound, "there is no host named " + connecting->target.host});
        });
    }).detach();
}

void SocketStream::try_next_address() {
    while (connecting_->next < connecting_->addresses.size()) {
        const SystemAddress& address = connecting_->addresses[connecting_->next++];
        const int descriptor = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0) {
            connecting_->last_error = errno;
            continue;
        }
        const int on = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(descriptor, reinterpret_cast<const sockaddr*>(address.bytes), address.length) != 0 &&
            errno != EINPROGRESS) {
            connecting_->last_error = errno;
            ::close(descriptor);
            continue;
        }
        watch_.emplace(core_->reactor(), descriptor, static_cast<Watcher&>(*this));
        watch_->wait_writable();
        return;
    }
    end_later(words_for(connecting_->last_error, peer_));
}

void SocketStream::connect_ended() {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(watch_->descriptor(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        connecting_->last_error = error;
        watch_.reset();
        return try_next_address();
    }
    if (connecting_->tls != nullptr) return begin_tls(connecting_->tls, connecting_->target.host);
    opened();
}

void SocketStream::accepted(int descriptor, const Address& peer, const std::shared_ptr<const TlsContext>& tls) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peer_ = peer.to_string();
    watch_.emplace(core_->reactor(), descriptor, static_cast<Watcher&>(*this));
    if (tls == nullptr) {
        state_ = State::Open;
        return watch_->wait_readable();
    }
    set_timer(kHandshakeTime,
              [this] { end({StreamEnd::Kind::TimedOut, peer_ + " did not finish the TLS handshake within 5 s"}); });
    begin_tls(tls, peer_);
}

void SocketStream::begin_tls(const std::shared_ptr<const TlsContext>& context, const std::string& host) {
    state_ = State::Handshaking;
    tls_ = TlsSession::make(context, watch_->descriptor(), host, peer_);
    if (tls_ == nullptr) return end_later({StreamEnd::Kind::Tls, "TLS with " + peer_ + " cannot be set up"});
    if (connecting_ != nullptr) return handshake();
    watch_->wait_readable();  // a client speaks first
}

void SocketStream::handshake() {
    switch (tls_->handshake().outcome) {
        case TlsSession::Outcome::Done:
            return opened();
        case TlsSession::Outcome::WantsRead:
            return watch_->wait_readable();
        case TlsSession::Outcome::WantsWrite:
            return watch_->wait_writable();
        default:
            return end({StreamEnd::Kind::Tls, tls_->error()});
    }
}

void SocketStream::opened() {
    const bool is_client = connecting_ != nullptr;
    state_ = State::Open;
    connecting_ = nullptr;
    core_->cancel(std::exchange(timer_, 0));
    reads_again_ = tls_ != nullptr && tls_->has_more();  // bytes may have come with the handshake
    watch_->wait_readable();
    if (!out_.empty() || is_closing_ || reads_again_) core_->at_turns_end(*this);
    if (is_client && events_ != nullptr) events_->on_open();
}

// ---- reading --------------------------------------------------------------------------------------------------------

void SocketStream::on_readable() {
    if (state_ == State::Handshaking) return handshake();
    if (state_ != State::Open && state_ != State::Lingering) return;
    if (write_wants_read_) {
        write_wants_read_ = is_blocked_ = false;
        core_->at_turns_end(*this);
    }
    if (is_paused_ && !is_closing_) return;
    bool gone = false;
    for (int i = 0; i < kMostReads; ++i) {
        Got got = receive();
        if (got.bytes > 0) {
            gone_ = &gone;
            if (!is_closing_ && events_ != nullptr) events_->on_data({core_->read_buffer(), got.bytes});
            if (gone) return;
            gone_ = nullptr;
        }
        if (got.more == Got::More::Ended) {
            if (state_ == State::Lingering) got.end = {StreamEnd::Kind::Closed, "closed"};  // all has been said
            return end(std::move(got.end));
        }
        if (state_ == State::Over) return;
        if (is_paused_ && !is_closing_) {
            reads_again_ = tls_ != nullptr && tls_->has_more();
            return;
        }
        if (got.more == Got::More::None) return watch_->wait_readable();
    }
    if (tls_ != nullptr && tls_->has_more()) {  // no wait tells of what OpenSSL holds
        reads_again_ = true;
        core_->at_turns_end(*this);
    }
    watch_->wait_readable();
}

// What is there, up to a buffer full.
SocketStream::Got SocketStream::receive() {
    char* const buffer = core_->read_buffer();
    if (tls_ == nullptr) {
        const ssize_t n = ::recv(watch_->descriptor(), buffer, LoopCore::kReadBufferBytes, 0);
        if (n == 0) return {0, Got::More::Ended, {StreamEnd::Kind::Closed, peer_ + " closed the connection"}};
        if (n > 0) {
            const auto bytes = static_cast<std::size_t>(n);
            return {bytes, bytes == LoopCore::kReadBufferBytes ? Got::More::Maybe : Got::More::None};
        }
        if (errno != EAGAIN && errno != EINTR) return {0, Got::More::Ended, words_for(errno, peer_)};
        return {0, Got::More::None};
    }
    std::size_t total = 0;
    while (LoopCore::kReadBufferBytes - total >= kTlsRecord) {
        const auto [outcome, n] = tls_->read(buffer + total, LoopCore::kReadBufferBytes - total);
        total += n;
        switch (outcome) {
            case TlsSession::Outcome::Done:
                if (!tls_->has_more()) return {total, Got::More::None};  // saves a look at the socket
                continue;
            case TlsSession::Outcome::WantsWrite:
                read_wants_write_ = true;
                watch_->wait_writable();
                return {total, Got::More::None};
            case TlsSession::Outcome::WantsRead:
                return {total, Got::More::None};
            case TlsSession::Outcome::Ended:
                return {total, Got::More::Ended, {StreamEnd::Kind::Closed, peer_ + " closed the connection"}};
            case TlsSession::Outcome::Broken:
                return {total, Got::More::Ended, words_for(ECONNRESET, peer_)};
            case TlsSession::Outcome::Failed:
                return {total, Got::More::Ended, {StreamEnd::Kind::Tls, tls_->error()}};
        }
    }
    return {total, Got::More::Maybe};
}

void SocketStream::resume_reading() {
    if (!std::exchange(is_paused_, false) || !watch_ || state_ != State::Open) return;
    watch_->wait_readable();
    if (reads_again_) core_->at_turns_end(*this);
}

// ---- writing --------------------------------------------------------------------------------------------------------

void SocketStream::flush_later() {
    if (state_ == State::Open && !is_blocked_) core_->at_turns_end(*this);
}

void SocketStream::on_writable() {
    if (state_ == State::Connecting) return connect_ended();
    if (state_ == State::Handshaking) return handshake();
    is_blocked_ = false;
    if (state_ == State::Open) core_->at_turns_end(*this);
    if (std::exchange(read_wants_write_, false)) on_readable();
}

// The end of a turn: what was written is sent.
void SocketStream::finish_turn() {
    if (state_ == State::Open && !is_blocked_) {
        was_high_ = was_high_ || out_.size() > high_mark_;
        send_some();
        if (state_ == State::Over) return;
        if (out_.empty() && is_closing_) linger();
        if (was_high_ && out_.size() < low_mark_ && events_ != nullptr) {
            was_high_ = false;
            bool gone = false;
            gone_ = &gone;
            events_->on_drained();
            if (gone) return;
            gone_ = nullptr;
        }
    }
    if (std::exchange(reads_again_, false)) on_readable();
}

void SocketStream::send_some() {
    while (!out_.empty()) {
        const std::string_view bytes = out_.view();
        std::size_t sent = 0;
        if (tls_ == nullptr) {
            const ssize_t n = ::send(watch_->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN && errno != EINTR) return end_later(words_for(errno, peer_));
            sent = n > 0 ? static_cast<std::size_t>(n) : 0;
            is_blocked_ = sent < bytes.size();
        } else {
            const auto [outcome, n] = tls_->write(bytes.data(), bytes.size());
            sent = n;
            if (outcome == TlsSession::Outcome::WantsRead) {
                write_wants_read_ = is_blocked_ = true;
                watch_->wait_readable();
                return;
            }
            if (outcome == TlsSession::Outcome::Failed) return end_later({StreamEnd::Kind::Tls, tls_->error()});
            if (outcome == TlsSession::Outcome::Broken) return end_later(words_for(ECONNRESET, peer_));
            is_blocked_ = outcome == TlsSession::Outcome::WantsWrite;
        }
        took_bytes_ = took_bytes_ || sent > 0;
        out_.consume(sent);
        if (is_blocked_) return watch_->wait_writable();
    }
}

// ---- ending ---------------------------------------------------------------------------------------------------------

void SocketStream::close_after_flush() {
    if (state_ == State::Over || std::exchange(is_closing_, true)) return;
    if (state_ != State::Open) return end_later({StreamEnd::Kind::Closed, "closed before it was open"});
    took_bytes_ = false;
    closes_at_ = core_->clock()->now() + kClosingTime;
    set_timer(kLingerTime, [this] { check_linger(); });
    watch_->wait_readable();
    flush_later();
}

// All is sent: says so, and waits for the peer to end too. Closing at once would reset what is under way.
void SocketStream::linger() {
    state_ = State::Lingering;
    if (tls_ != nullptr) tls_->send_close_notify();
    ::shutdown(watch_->descriptor(), SHUT_WR);
}

void SocketStream::check_linger() {
    if (state_ == State::Open && std::exchange(took_bytes_, false) && core_->clock()->now() < closes_at_) {
        return set_timer(kLingerTime, [this] { check_linger(); });
    }
    end({StreamEnd::Kind::Closed, "closed"});
}

void SocketStream::set_timer(nya::Clock::duration delay, nya::Task task) {
    core_->cancel(timer_);
    timer_ = core_->call_after(delay, std::move(task));
}

// From inside calls, and where a callback must not come yet. Nothing else happens to the stream from here on.
void SocketStream::end_later(StreamEnd end) {
    state_ = State::Over;
    connecting_ = nullptr;
    set_timer({}, [this, end = std::move(end)]() mutable { this->end(std::move(end)); });
}

void SocketStream::end(StreamEnd end) {
    state_ = State::Over;
    core_->cancel(std::exchange(timer_, 0));
    connecting_ = nullptr;
    unlist();
    if (tls_ != nullptr && end.kind == StreamEnd::Kind::Closed) tls_->send_close_notify();
    tls_ = nullptr;
    watch_.reset();
    out_.clear();
    if (events_ != nullptr) events_->on_closed(end);
}

}  // namespace nyamesh::net
