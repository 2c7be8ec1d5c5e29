#include "cable.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <future>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;

class Socket {
public:
    explicit Socket(int fd = -1) noexcept : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    int fd() const noexcept { return fd_; }

    // Closing it is then a reset (RST), and drops what is unsent.
    void reset_on_close() const {
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }

private:
    int fd_;
};

void send_at_once(int fd) {
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

struct Piece {
    Clock::time_point due;
    std::string bytes;
};

// One direction of a connection.
struct Way {
    int from = -1, to = -1;
    std::deque<Piece> held;
    std::size_t held_bytes = 0;
    bool is_at_end = false;  // `from` has nothing more to say
    bool is_passed_on = false;

    bool wants_to_read() const { return !is_at_end && held_bytes < Cable::kHeldBytes; }
    bool wants_to_write(Clock::time_point now) const { return !held.empty() && held.front().due <= now; }
    bool has_ended() const { return is_at_end && held.empty(); }

    // False: the connection is broken.
    bool read(Clock::time_point due) {
        char bytes[16384];
        const ssize_t size = ::recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        if (size == 0) {
            is_at_end = true;
            return true;
        }
        held.push_back({due, std::string(bytes, static_cast<std::size_t>(size))});
        held_bytes += static_cast<std::size_t>(size);
        return true;
    }
    bool write(Clock::time_point now) {
        while (wants_to_write(now)) {
            std::string& bytes = held.front().bytes;
            const ssize_t size = ::send(to, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (size < 0) return errno == EAGAIN || errno == EINTR;
            held_bytes -= static_cast<std::size_t>(size);
            bytes.erase(0, static_cast<std::size_t>(size));
            if (!bytes.empty()) return true;
            held.pop_front();
        }
        if (has_ended() && !std::exchange(is_passed_on, true)) ::shutdown(to, SHUT_WR);
        return true;
    }
};

struct Pair {
    Socket near, far;
    Way there, back;

    Pair(Socket a, Socket b) : near(std::move(a)), far(std::move(b)) {
        there.from = back.to = near.fd();
        there.to = back.from = far.fd();
    }
    void reset_on_close() const {
        near.reset_on_close();
        far.reset_on_close();
    }
};

}  // namespace

class Cable::Machine {
public:
    Machine(Socket listener, sockaddr_storage target, socklen_t target_size, std::chrono::milliseconds latency)
        : listener_(std::move(listener)),
          wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
          target_(target),
          target_size_(target_size),
          latency_(latency) {
        sockaddr_in own{};
        socklen_t size = sizeof own;
        ::getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&own), &size);
        port_ = ntohs(own.sin_port);
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
    ~Machine() {
        thread_.request_stop();
        wake();
    }

    std::uint16_t port() const noexcept { return port_; }

    // Empty: mended.
    void set(std::optional<Break> wanted) {
        std::promise<void> done;
        auto is_done = done.get_future();
        {
            const std::lock_guard lock(mutex_);
            orders_.push_back({wanted, std::move(done)});
        }
        wake();
        is_done.wait();
    }

private:
    struct Order {
        std::optional<Break> wanted;
        std::promise<void> done;
    };

    void wake() const {
        const std::uint64_t one = 1;
        static_cast<void>(::write(wake_.fd(), &one, sizeof one) == sizeof one);
    }

    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            obey();
            wait();
            if (broken_ == Break::Silent) continue;
            const auto now = Clock::now();
            if ((polled_[1].revents & POLLIN) != 0) accept();
            std::erase_if(pairs_, [&](Pair& pair) { return !carry(pair, now); });
        }
        reset_all();
    }

    void obey() {
        std::deque<Order> orders;
        {
            const std::lock_guard lock(mutex_);
            orders.swap(orders_);
        }
        for (Order& order : orders) {
            if (order.wanted == Break::Reset || (!order.wanted && broken_ == Break::Silent)) reset_all();
            broken_ = order.wanted;
            order.done.set_value();
        }
    }

    // Polls for whatever can be done; wakes when the next held piece is due.
    void wait() {
        const auto now = Clock::now();
        auto next = Clock::time_point::max();
        polled_.assign({{wake_.fd(), POLLIN, 0}, {listener_.fd(), POLLIN, 0}});
        if (broken_ == Break::Silent) {
            polled_[1].events = 0;
        } else {
            for (const Pair& pair : pairs_) {
                for (const auto& [in, out] : {std::pair(&pair.there, &pair.back), std::pair(&pair.back, &pair.there)}) {
                    short events = 0;
                    if (in->wants_to_read()) events |= POLLIN;
                    if (out->wants_to_write(now)) events |= POLLOUT;
                    if (!in->held.empty() && in->held.front().due > now) next = std::min(next, in->held.front().due);
                    polled_.push_back({events != 0 ? in->from : -1, events, 0});
                }
            }
        }
        int timeout = -1;
        if (next != Clock::time_point::max())
            timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
        ::poll(polled_.data(), polled_.size(), timeout);
        if ((polled_[0].revents & POLLIN) != 0) {
            std::uint64_t count = 0;
            static_cast<void>(::read(wake_.fd(), &count, sizeof count) == sizeof count);
        }
    }

    void accept() {
        Socket near(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        if (near.fd() < 0) return;
        Socket far(::socket(target_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const bool is_through = broken_ != Break::Reset && far.fd() >= 0 &&
                                ::connect(far.fd(), reinterpret_cast<const sockaddr*>(&target_), target_size_) == 0;
        if (!is_through) return near.reset_on_close();
        send_at_once(near.fd());
        send_at_once(far.fd());
        pairs_.emplace_back(std::move(near), std::move(far));
    }

    // False: it has ended.
    bool carry(Pair& pair, Clock::time_point now) {
        for (Way* way : {&pair.there, &pair.back}) {
            if ((way->wants_to_read() && !way->read(now + latency_)) || !way->write(now)) {
                pair.reset_on_close();
                return false;
            }
        }
        return !(pair.there.has_ended() && pair.back.has_ended());
    }

    void reset_all() {
        for (const Pair& pair : pairs_) pair.reset_on_close();
        pairs_.clear();
    }

    Socket listener_, wake_;
    sockaddr_storage target_;
    socklen_t target_size_;
    std::chrono::milliseconds latency_;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::deque<Order> orders_;
    // The thread's own.
    std::optional<Break> broken_;
    std::list<Pair> pairs_;
    std::vector<pollfd> polled_;
    std::jthread thread_;
};

std::expected<std::unique_ptr<Cable>, std::string> Cable::lay(const std::string& host, const std::string& port,
                                                              std::chrono::milliseconds latency) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0)
        return std::unexpected("cannot find '" + host + "': " + ::gai_strerror(code));
    sockaddr_storage target{};
    const socklen_t target_size = found->ai_addrlen;
    std::memcpy(&target, found->ai_addr, target_size);
    ::freeaddrinfo(found);

    Socket listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener.fd() < 0 || ::bind(listener.fd(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
        ::listen(listener.fd(), 64) != 0)
        return std::unexpected(std::string("no port for a cable: ") + std::strerror(errno));
    return std::unique_ptr<Cable>(
        new Cable(std::make_unique<Machine>(std::move(listener), target, target_size, latency)));
}

Cable::Cable(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}
Cable::~Cable() = default;

std::uint16_t Cable::port() const noexcept {
    return machine_->port();
}
std::string Cable::url() const {
    return "ws://127.0.0.1:" + std::to_string(port());
}
void Cable::cut(Break how) {
    machine_->set(how);
}
void Cable::mend() {
    machine_->set(std::nullopt);
}

}  // namespace tool
