// Loop: one thread's sockets and timers, real (epoll_loop.h) or simulated (tests/simulation).
//
// All networked state lives on one loop. Everything here may be called only on the loop's thread, but for post() and
// runs_here(). Callbacks come on that thread, never from inside the call that asked for them.
//
//   turn: wait for readiness → read what is there, hand it to the streams' owners → run what was posted and the
//   timers that are due → flush(): every stream that was written to sends once
//
// That last step is why the hub is fast: whatever was appended to a connection during a turn leaves in one system call.
#pragma once

#include <nya/clock.h>
#include <nya/executor.h>

#include "net/address.h"
#include "net/stream.h"
#include "net/tls.h"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace nyamesh::net {

// A listening socket; destroying it ends the listening.
class Listener {
public:
    virtual ~Listener() = default;
    virtual std::uint16_t port() const noexcept = 0;  // the system's choice if 0 was asked for
    // For connections accepted from now on (SIGHUP). Only of a listener with TLS.
    virtual void replace_tls(std::shared_ptr<const TlsContext> context) = 0;
    // How often it had to leave connections waiting for a little, because the process had no descriptor (or the system
    // no memory) for them.
    virtual std::uint64_t times_out_of_descriptors() const noexcept { return 0; }
    // Stops and resumes accepting, e.g. to spread a storm.
    virtual void pause() = 0;
    virtual void resume() = 0;
};

class Loop : public nya::Executor {
public:
    using TimerId = std::uint64_t;  // 0: none
    // Takes the stream, and gives its events a receiver by Stream::set_events() before it returns; or drops it.
    using AcceptCallback = std::function<void(std::unique_ptr<Stream> stream, const Address& peer)>;

    virtual const std::shared_ptr<nya::Clock>& clock() const noexcept = 0;

    // Runs `task` once, not before `when`.
    virtual TimerId call_at(nya::Clock::time_point when, nya::Task task) = 0;
    virtual void cancel(TimerId timer) = 0;  // of one that has run, or of 0: nothing happens

    // Starts to connect: `events` hears on_open() or on_closed(). Host names are looked up without blocking the loop.
    // With a `tls` context the handshake is part of it, and `target.host` is verified.
    virtual std::unique_ptr<Stream> connect(const Target& target, std::shared_ptr<const TlsContext> tls,
                                            StreamEvents& events) = 0;

    // `where` is numeric. Errors name the address and the system's reason.
    virtual std::expected<std::unique_ptr<Listener>, std::string> listen(const Address& where,
                                                                         std::shared_ptr<const TlsContext> tls,
                                                                         AcceptCallback on_accept) = 0;
};

}  // namespace nyamesh::net
