// Stream: one connection's bytes, both ways. TCP, TLS over TCP, or a simulated pipe.
//
// Writing appends to `out()` and marks the stream dirty; the loop sends once per turn. Reading comes as views into
// the loop's own buffer, so an idle stream holds no memory for either.
//
// Single owner, one thread: the loop's. Destroying a Stream closes the socket at once, whatever is unsent; it may be
// done inside its own callbacks.
#pragma once

#include "net/out_buffer.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace nyamesh::net {

// Why a stream has ended.
struct StreamEnd {
    enum class Kind { Closed, Refused, Reset, TimedOut, NotFound, Tls, Other };
    Kind kind = Kind::Closed;  // Closed: the other side ended it in an orderly way
    std::string message;       // "127.0.0.1:8080 refused the connection"; with Tls: expired, wrong host, unknown CA, …
};

class StreamEvents {
public:
    virtual ~StreamEvents() = default;
    virtual void on_open() {}  // of connect() only
    // Writable, so that masks can be undone in place. Valid during the call.
    virtual void on_data(std::span<char> bytes) = 0;
    // Once after flushing has left less than the low mark, if it had been above the high mark before (see Stream).
    virtual void on_drained() {}
    // The last call, and never inside a call to the stream.
    virtual void on_closed(const StreamEnd& end) = 0;
};

class Stream {
public:
    virtual ~Stream() = default;

    // Who hears of it. Before the first turn of an accepted stream ends; later only to hand it over.
    virtual void set_events(StreamEvents& events) = 0;

    // What is to be sent. After appending call flush_later().
    OutBuffer& out() noexcept { return out_; }
    const OutBuffer& out() const noexcept { return out_; }
    // Sends at the end of this turn, and goes on by itself until all is sent.
    virtual void flush_later() = 0;

    // Stops reading and goes on: pressure toward the sender by TCP's own means.
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;

    // Sends what is left, then closes; on_closed() follows. After it nothing is read.
    virtual void close_after_flush() = 0;

    // When the socket last took a byte while something was waiting; used to cut clients that take nothing.
    virtual bool took_bytes_since_last_asked() noexcept = 0;

    void set_marks(std::size_t low, std::size_t high) noexcept {
        low_mark_ = low;
        high_mark_ = high;
    }
    std::size_t high_mark() const noexcept { return high_mark_; }

protected:
    OutBuffer out_;
    std::size_t low_mark_ = 64 * 1024;
    std::size_t high_mark_ = 256 * 1024;
};

}  // namespace nyamesh::net
