// The floor under all others: what reading, looking up a name and writing cost on this machine, and nothing else. One
// thread on raw epoll, one read per ready connection, one write per turn and connection. No limits, no timeouts, no
// authentication, no fragmentation, no control frames but ping: not a server anybody should run. GET /echo and
// GET /relay/NAME are described in dialects.cpp.
//
// Prints its port and serves until it is ended.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr int kEventsPerTurn = 512;

struct Connection {
    int fd = -1;
    bool is_open = false;
    bool is_dirty = false;
    bool waits_to_write = false;
    std::string name;  // empty: echo
    std::string in;    // the beginning of a frame whose end has not come yet
    std::string out;
};

int epoll = -1;
std::vector<Connection*> dirty;
std::unordered_map<std::string_view, Connection*> names;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

void send_later(Connection& connection) {
    if (connection.is_dirty) return;
    connection.is_dirty = true;
    dirty.push_back(&connection);
}

// RFC 6455, 5.2: a frame from a server is not masked.
void append_frame(Connection& to, unsigned opcode, std::string_view payload) {
    char header[4] = {static_cast<char>(0x80 | opcode)};
    if (payload.size() < 126) {
        header[1] = static_cast<char>(payload.size());
        to.out.append(header, 2);
    } else {
        header[1] = 126;
        header[2] = static_cast<char>(payload.size() >> 8);
        header[3] = static_cast<char>(payload.size());
        to.out.append(header, 4);
    }
    to.out.append(payload);
    send_later(to);
}

void unmask(char* bytes, std::size_t size, const char* key) {
    std::uint32_t mask = 0;
    std::memcpy(&mask, key, 4);
    const std::uint64_t wide = (std::uint64_t{mask} << 32) | mask;
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes + at, 8);
        word ^= wide;
        std::memcpy(bytes + at, &word, 8);
    }
    for (; at < size; ++at) bytes[at] = static_cast<char>(bytes[at] ^ key[at % 4]);
}

// The generator's key is always the one of RFC 6455, 1.3.
std::size_t take_request(Connection& connection, std::string_view bytes) {
    constexpr std::string_view kRelay = "GET /relay/";
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    if (bytes.starts_with(kRelay)) {
        connection.name = bytes.substr(kRelay.size(), bytes.find(' ', kRelay.size()) - kRelay.size());
        names[connection.name] = &connection;
    }
    connection.out +=
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    connection.is_open = true;
    send_later(connection);
    return end + 4;
}

void on_message(Connection& connection, std::string_view payload) {
    if (connection.name.empty()) return append_frame(connection, 1, payload);
    const auto target = names.find(payload.substr(0, payload.find('\n')));
    if (target != names.end()) append_frame(*target->second, 1, payload);
}

std::size_t take_frames(Connection& connection, char* bytes, std::size_t size) {
    std::size_t taken = 0;
    for (;;) {
        char* frame = bytes + taken;
        const std::size_t rest = size - taken;
        if (rest < 2) return taken;
        std::size_t length = frame[1] & 0x7f;
        std::size_t header = 6;
        if (length == 126) {
            header = 8;
            if (rest < header) return taken;
            length = static_cast<std::size_t>(static_cast<unsigned char>(frame[2])) << 8 |
                     static_cast<unsigned char>(frame[3]);
        }
        if (rest < header + length) return taken;
        unmask(frame + header, length, frame + header - 4);
        const std::string_view payload(frame + header, length);
        switch (frame[0] & 0x0f) {
            case 1:
            case 2:
                on_message(connection, payload);
                break;
            case 9:
                append_frame(connection, 10, payload);
                break;
            default:
                break;
        }
        taken += header + length;
    }
}

void close_connection(Connection& connection) {
    if (const auto mine = names.find(connection.name); mine != names.end()) names.erase(mine);
    ::close(connection.fd);
    connection.fd = -1;
    connection.out.clear();  // the object stays: it may be on the list of the dirty, and nobody counts these
}

void read(Connection& connection, std::vector<char>& buffer) {
    const std::size_t kept = connection.in.size();
    std::memcpy(buffer.data(), connection.in.data(), kept);
    const ssize_t got = ::recv(connection.fd, buffer.data() + kept, buffer.size() - kept, 0);
    if (got <= 0) return close_connection(connection);
    const std::size_t size = kept + static_cast<std::size_t>(got);
    std::size_t taken = connection.is_open ? 0 : take_request(connection, {buffer.data(), size});
    if (connection.is_open) taken += take_frames(connection, buffer.data() + taken, size - taken);
    connection.in.assign(buffer.data() + taken, size - taken);
}

void send_dirty() {
    for (Connection* connection : dirty) {
        connection->is_dirty = false;
        if (connection->fd < 0) continue;
        const ssize_t sent = ::send(connection->fd, connection->out.data(), connection->out.size(), MSG_NOSIGNAL);
        if (sent > 0) connection->out.erase(0, static_cast<std::size_t>(sent));
        const bool waits = !connection->out.empty();
        if (waits == connection->waits_to_write) continue;
        connection->waits_to_write = waits;
        epoll_event event{.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.ptr = connection}};
        ::epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
    }
    dirty.clear();
}

void accept_one(int listener) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* connection = new Connection;
    connection->fd = fd;
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int listen_on_loopback() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, generic, size) != 0 || ::listen(listener, 1024) != 0) fail("listen");
    ::getsockname(listener, generic, &size);
    std::printf("%u\n", static_cast<unsigned>(ntohs(address.sin_port)));
    std::fflush(stdout);
    return listener;
}

}  // namespace

int main() {
    epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const int listener = listen_on_loopback();
    epoll_event accepting{.events = EPOLLIN, .data = {.ptr = nullptr}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting);
    std::vector<char> buffer(kReadBytes);
    for (;;) {
        epoll_event events[kEventsPerTurn];
        const int count = ::epoll_wait(epoll, events, kEventsPerTurn, -1);
        for (int i = 0; i < count; ++i) {
            auto* connection = static_cast<Connection*>(events[i].data.ptr);
            if (connection == nullptr) {
                accept_one(listener);
                continue;
            }
            if ((events[i].events & EPOLLOUT) != 0) send_later(*connection);
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(*connection, buffer);
        }
        send_dirty();
    }
}
