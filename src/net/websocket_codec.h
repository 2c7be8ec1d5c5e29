// RFC 6455 frames: a reader that checks everything, and a writer. No sockets.
//
// The reader is given bytes as they come, in any portions, and calls back for each whole message; one that lies whole
// in the portion is handed on in place, without a copy. Both directions are here: a server reads masked frames
// and writes plain ones, a client the other way round (5.1, 5.3).
#pragma once

#include "net/out_buffer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace nyamesh::net {

enum class Role : std::uint8_t { Client, Server };
enum class Opcode : std::uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };  // 5.2

// Why a connection must be failed (7.1.7): the close code to send, and words for people.
struct CodecError {
    std::uint16_t close_code = 0;
    const char* message = "";
};

class FrameHandler {
public:
    virtual ~FrameHandler() = default;
    // A whole message; `bytes` is valid during the call. Text is checked UTF-8. False: read no further (the connection
    // is being closed, or reading pauses); the rest of the portion is kept and comes with the next read().
    virtual bool on_message(Opcode text_or_binary, std::string_view bytes) = 0;
    virtual bool on_ping(std::string_view payload) = 0;
    virtual bool on_pong(std::string_view payload) = 0;
    // 7.1.5; the code is 1005 if there was none. Nothing is read after it.
    virtual void on_close(std::uint16_t code, std::string_view reason) = 0;
};

class FrameReader {
public:
    FrameReader(Role reads_as, std::size_t max_message_bytes);
    ~FrameReader();  // may be inside a callback of read()
    FrameReader(const FrameReader&) = delete;
    FrameReader& operator=(const FrameReader&) = delete;
    void set_max_message_bytes(std::size_t bytes) noexcept { max_message_bytes_ = bytes; }

    // Takes `bytes` apart (and unmasks them in place). An error is final: fail the connection with it. Nothing is
    // allocated unless a frame is left unfinished; then it is bounded by the largest message.
    // Large text is checked for UTF-8 as it arrives, so that it fails fast (8.1).
    const CodecError* read(std::span<char> bytes, FrameHandler& handler);
    // Puts `bytes` behind the rest, to be read by the next read().
    void keep(std::string_view bytes);
    // What a handler that returned false left behind, and what was put there.
    bool has_rest() const noexcept;
    bool has_failed() const noexcept { return error_ != nullptr; }

private:
    struct Partial;  // only while a frame or a fragmented message is unfinished, or there is a rest
    struct Head;
    struct Portion;
    enum class Outcome : std::uint8_t { GoOn, Stop };

    std::size_t read_head(const char* bytes, std::size_t size, Head& head);
    const CodecError* check_first_byte(const Head& head, std::uint8_t byte) const;
    const CodecError* check_length(const Head& head) const;
    Outcome take_next(Portion& portion, FrameHandler& handler);
    Outcome complete_start(Portion& portion, FrameHandler& handler);
    Outcome take_whole(const Head& head, char* payload, FrameHandler& handler);
    Outcome take_control(const Head& head, char* payload, FrameHandler& handler);
    Outcome take_close(std::string_view payload, FrameHandler& handler);
    void start_frame(const Head& head);
    Outcome take_payload(char* bytes, std::size_t size, FrameHandler& handler);
    Outcome fail(const CodecError& error);
    Partial& partial();

    std::unique_ptr<Partial> partial_;
    std::size_t max_message_bytes_;
    const CodecError* error_ = nullptr;
    bool* is_gone_ = nullptr;  // of the read() under way: tells it of the destructor
    Role role_;
    bool has_ended_ = false;
};

// Appends one whole frame. A client masks it with `mask` (never 0 from a real client; RFC 6455, 10.3: unpredictable).
void write_frame(OutBuffer& out, Opcode opcode, std::string_view payload);
void write_masked_frame(OutBuffer& out, Opcode opcode, std::string_view payload, std::uint32_t mask);
// Close's payload; the reason is cut to 123 bytes at a character's end.
std::string close_payload(std::uint16_t code, std::string_view reason);
// Whether a peer may send it (7.4).
bool is_valid_close_code(std::uint16_t code) noexcept;

}  // namespace nyamesh::net
