// WebSocket: a Stream with the opening handshake, frames and the closing handshake (RFC 6455) on top.
//
// Single owner, on the loop's thread. Messages are handed over in place; sending appends to the stream's buffer, so
// all of a turn leaves together. Heartbeats are its own: a ping after so much silence, given up after so much more.
#pragma once

#include <nya/random.h>

#include "net/http.h"
#include "net/loop.h"
#include "net/websocket_codec.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace nyamesh::net {

// How a WebSocket came to its end.
struct WebSocketEnd {
    // The peer's close code if it sent one, ours if we closed, else 1006.
    std::uint16_t code = 1006;
    std::string reason;
    // Of a connection that never opened: the HTTP status the server answered with; 0: it did not come that far.
    int http_status = 0;
    bool was_open = false;
    StreamEnd stream;  // what ended the bytes
};

class WebSocketEvents {
public:
    virtual ~WebSocketEvents() = default;
    virtual void on_open() {}  // the handshake is done (of a client)
    // False: pause; see WebSocket::resume_reading().
    virtual bool on_message(Opcode text_or_binary, std::string_view bytes) = 0;
    virtual void on_pong(std::string_view payload) { static_cast<void>(payload); }
    virtual void on_drained() {}  // see Stream::set_marks()
    // The last call, never inside a call to the WebSocket. The WebSocket may be destroyed in it.
    virtual void on_closed(const WebSocketEnd& end) = 0;
};

struct WebSocketSettings {
    std::size_t max_message_bytes = 256 * 1024;
    std::chrono::milliseconds handshake_time{5'000};
    std::chrono::milliseconds heartbeat_after{3'000};  // 0: no heartbeats
    std::chrono::milliseconds dead_after{8'000};
    std::chrono::milliseconds close_time{2'000};  // how long the peer may take to answer our close
};

class WebSocket {
public:
    virtual ~WebSocket() = default;  // drops the connection, without a closing handshake

    struct ClientRequest {
        Url url;
        std::shared_ptr<const TlsContext> tls;  // for wss
        std::string subprotocol;                // offered, and demanded in the answer
        std::string authorization = {};         // the header's value; empty: none
        std::string origin = {};                // for tests
    };
    static std::unique_ptr<WebSocket> connect(Loop& loop, const ClientRequest& request,
                                              const WebSocketSettings& settings, std::shared_ptr<nya::Random> random,
                                              WebSocketEvents& events);
    // Of a server, which has read the request, found it good (see http.h: check_upgrade()) and written the answer to
    // the stream; `rest` is what came behind the request.
    static std::unique_ptr<WebSocket> accept(Loop& loop, std::unique_ptr<Stream> stream,
                                             const WebSocketSettings& settings, std::string_view rest,
                                             WebSocketEvents& events);

    // Appends one message. Not open: dropped.
    virtual void send_text(std::string_view bytes) = 0;
    virtual void send_binary(std::string_view bytes) = 0;
    virtual void ping(std::string_view payload) = 0;  // of at most 125 bytes
    // Starts the closing handshake; on_closed() follows. Nothing is received after it.
    virtual void close(std::uint16_t code, std::string_view reason) = 0;

    virtual bool is_open() const noexcept = 0;
    virtual void set_max_message_bytes(std::size_t bytes) = 0;
    virtual void set_heartbeat(std::chrono::milliseconds after, std::chrono::milliseconds dead_after) = 0;
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;
    virtual Stream& stream() noexcept = 0;  // until on_closed()
};

}  // namespace nyamesh::net
