#include "client.h"

#include "measure.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hub_load {
namespace {

// The key of RFC 6455, 1.3, and what a server has to answer to it: so this program needs no SHA-1.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// Different for every frame, so that no server can do without unmasking (xorshift64).
std::uint32_t next_mask() {
    static std::uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<std::uint32_t>(state);
}

void apply_mask(char* bytes, std::size_t size, std::uint32_t mask) {
    const std::uint64_t wide = (std::uint64_t{mask} << 32) | mask;
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes + at, 8);
        word ^= wide;
        std::memcpy(bytes + at, &word, 8);
    }
    char key[4];
    std::memcpy(key, &mask, 4);
    for (; at < size; ++at) bytes[at] = static_cast<char>(bytes[at] ^ key[at % 4]);
}

std::string lowered(std::string_view text) {
    std::string low(text);
    for (char& c : low) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return low;
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

// The handshake goes on by itself with the first writes and reads.
void start_tls(Client& client) {
    static SSL_CTX* const context = [] {
        SSL_CTX* made = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(
            made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
        return made;
    }();
    client.tls = SSL_new(context);
    SSL_set_fd(client.tls, client.fd);
    SSL_set_connect_state(client.tls);
}

// Bytes moved; 0: nothing for now; -1: the connection is over, or broken.
ssize_t tls_result(const Client& client, int result, bool& waits_to_write) {
    if (result > 0) return result;
    const int why = SSL_get_error(client.tls, result);
    ERR_clear_error();
    waits_to_write = why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

[[noreturn]] void fail_closed(const Client& client, std::string_view payload) {
    std::string why = client.name + ": the server closed the connection";
    if (payload.size() >= 2) {
        why += ", code " + std::to_string(big_endian(payload.substr(0, 2))) + " " + std::string(payload.substr(2));
    }
    fail(why);
}

}  // namespace

void open(Client& client, std::uint16_t port, bool has_tls, const std::string& path, const std::string& headers) {
    client.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client.fd < 0) fail(std::string("socket: ") + std::strerror(errno));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Blocks for a moment at most: the caller has fewer connections on their way than any server's backlog takes.
    if (::connect(client.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail(std::string("connect: ") + std::strerror(errno));
    }
    ::fcntl(client.fd, F_SETFL, O_NONBLOCK);
    const int on = 1;
    ::setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Ends with a reset, so that thousands of connections do not stay behind as TIME_WAIT and meet the next round.
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (has_tls) start_tls(client);

    client.out += "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                  "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                  std::string(kKey) + "\r\n" + headers + "\r\n";
}

// RFC 6455, 5.2 and 5.3.
void append_frame(Client& client, Opcode opcode, std::string_view first, std::string_view second,
                  std::string_view third) {
    const std::size_t size = first.size() + second.size() + third.size();
    if (size > 0xffff) fail("this generator sends no messages above 64 KiB");
    char header[8];
    std::size_t length = 2;
    header[0] = static_cast<char>(0x80 | static_cast<unsigned>(opcode));
    if (size < 126) {
        header[1] = static_cast<char>(0x80 | size);
    } else {
        header[1] = static_cast<char>(0x80 | 126);
        header[2] = static_cast<char>(size >> 8);
        header[3] = static_cast<char>(size);
        length = 4;
    }
    const std::uint32_t mask = next_mask();
    std::memcpy(header + length, &mask, 4);
    client.out.append(header, length + 4);
    const std::size_t begin = client.out.size();
    client.out.append(first).append(second).append(third);
    apply_mask(client.out.data() + begin, size, mask);
}

std::size_t read(Client& client, char* buffer, std::size_t size) {
    if (client.tls == nullptr) {
        const ssize_t got = ::recv(client.fd, buffer, size, 0);
        if (got > 0) return static_cast<std::size_t>(got);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        fail(client.name + ": the server has hung up");
    }
    // A TLS record at a time: what stays inside the library would not wake us again.
    std::size_t filled = 0;
    while (filled < size) {
        bool waits_to_write = false;
        const int read = SSL_read(client.tls, buffer + filled, static_cast<int>(size - filled));
        const ssize_t got = tls_result(client, read, waits_to_write);
        if (got < 0) fail(client.name + ": the server has hung up, or refuses TLS");
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    return filled;
}

bool flush(Client& client) {
    while (!client.out.empty()) {
        bool waits_to_write = false;
        ssize_t sent = 0;
        if (client.tls != nullptr) {
            const int written = SSL_write(client.tls, client.out.data(), static_cast<int>(client.out.size()));
            sent = tls_result(client, written, waits_to_write);
            if (sent == 0) return !waits_to_write;
        } else {
            sent = ::send(client.fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
        }
        if (sent < 0) fail(client.name + ": the server takes no more: " + std::strerror(errno));
        if (static_cast<std::size_t>(sent) == client.out.size()) {
            client.out.clear();
        } else {
            client.out.erase(0, static_cast<std::size_t>(sent));
        }
    }
    return true;
}

std::size_t take_upgrade(const Client& client, std::string_view bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (bytes.size() > 16'384) fail(client.name + ": the answer to the upgrade has no end");
        return 0;
    }
    const std::string_view head = bytes.substr(0, end + 2);
    const std::string low = lowered(head);
    const std::string accept = "\r\nsec-websocket-accept: " + lowered(kAccept) + "\r\n";
    if (!head.starts_with("HTTP/1.1 101 ") || !low.contains(accept)) {
        fail(client.name + ": no upgrade: " + std::string(head));
    }
    return end + 4;
}

std::size_t take_frames(Client& client, std::string_view bytes, const OnMessage& on_message) {
    std::size_t taken = 0;
    for (;;) {
        const std::string_view rest = bytes.substr(taken);
        if (rest.size() < 2) return taken;
        const auto opcode = static_cast<Opcode>(rest[0] & 0x0f);
        const bool is_final = (rest[0] & 0x80) != 0;
        std::uint64_t size = static_cast<unsigned char>(rest[1]);
        if (size > 127) fail(client.name + ": a masked frame from the server");
        std::size_t header = 2;
        if (size >= 126) {
            header = size == 126 ? 4 : 10;
            if (rest.size() < header) return taken;
            size = big_endian(rest.substr(2, header - 2));
            if (size > 16U << 20) fail(client.name + ": a frame of " + std::to_string(size) + " bytes");
        }
        if (rest.size() < header + size) return taken;
        const std::string_view payload = rest.substr(header, size);
        taken += header + size;
        switch (opcode) {
            case Opcode::Continuation:
            case Opcode::Text:
            case Opcode::Binary:
                if (!is_final || opcode == Opcode::Continuation) fail(client.name + ": a fragmented message");
                on_message(payload);
                break;
            case Opcode::Ping:
                append_frame(client, Opcode::Pong, payload);
                break;
            case Opcode::Pong:
                break;
            case Opcode::Close:
                fail_closed(client, payload);
            default:
                fail(client.name + ": unknown opcode " + std::to_string(static_cast<int>(opcode)));
        }
    }
}

}  // namespace hub_load
