// SocketStream: a TCP connection, with TLS or without, from connecting to its end.
//
//   Connecting → (Handshaking) → Open → (Lingering: all is sent, the peer's end is waited for) → Over
//
// A socket is read when it is readable, into the loop's buffer, and sent to at the end of a turn; writability is
// waited for only after the kernel took less than all. Callbacks may destroy the stream: each comes last, or `gone_`
// tells.
#pragma once

#include "net/address.h"
#include "net/loop_core.h"
#include "net/stream.h"
#include "net/tls_session.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nyamesh::net {

class SocketStream final : public Stream, Watcher, AtTurnsEnd {
public:
    static constexpr auto kConnectTime = std::chrono::seconds(10);
    static constexpr auto kHandshakeTime = std::chrono::seconds(5);  // a server's patience
    static constexpr auto kLingerTime = std::chrono::seconds(2);     // without progress
    static constexpr auto kClosingTime = std::chrono::seconds(10);   // with it
    static constexpr int kMostReads = 4;                             // per turn; then others have theirs

    explicit SocketStream(std::shared_ptr<LoopCore> core);
    ~SocketStream() override;

    void connect(const Target& target, std::shared_ptr<const TlsContext> tls, StreamEvents& events);
    void accepted(int descriptor, const Address& peer, const std::shared_ptr<const TlsContext>& tls);

    void set_events(StreamEvents& events) override { events_ = &events; }
    void flush_later() override;
    void pause_reading() override { is_paused_ = true; }
    void resume_reading() override;
    void close_after_flush() override;
    bool took_bytes_since_last_asked() noexcept override { return std::exchange(took_bytes_, false); }

private:
    enum class State : std::uint8_t { Connecting, Handshaking, Open, Lingering, Over };
    struct Connecting;
    struct Got {
        std::size_t bytes;
        enum class More { None, Maybe, Ended } more;
        StreamEnd end = {};  // with Ended, which comes after the bytes
    };

    void on_readable() override;
    void on_writable() override;
    void finish_turn() override;

    void try_next_address();
    void connect_ended();
    void begin_tls(const std::shared_ptr<const TlsContext>& context, const std::string& host);
    void handshake();
    void opened();
    Got receive();
    void send_some();
    void linger();
    void check_linger();
    void end_later(StreamEnd end);
    void end(StreamEnd end);
    void set_timer(nya::Clock::duration delay, nya::Task task);

    const std::shared_ptr<LoopCore> core_;
    StreamEvents* events_ = nullptr;
    std::optional<Reactor::Watch> watch_;
    std::unique_ptr<TlsSession> tls_;
    std::shared_ptr<Connecting> connecting_;
    std::string peer_;  // for words
    bool* gone_ = nullptr;
    std::uint64_t timer_ = 0;
    nya::Clock::time_point closes_at_;  // at the latest, once it is closing
    State state_ = State::Connecting;
    bool is_paused_ = false;
    bool is_closing_ = false;
    bool is_blocked_ = false;  // the kernel takes no more for now
    bool was_high_ = false;
    bool took_bytes_ = false;
    bool reads_again_ = false;       // there may be more than the wait would tell
    bool read_wants_write_ = false;  // TLS
    bool write_wants_read_ = false;
};

// Turns a numeric address into the system's, and back. For streams and listeners.
struct SystemAddress {
    alignas(8) unsigned char bytes[28] = {};
    unsigned length = 0;
    int family() const noexcept;
    Address to_address() const;
    static bool parse(const std::string& ip, std::uint16_t port, SystemAddress& result);
};

}  // namespace nyamesh::net
