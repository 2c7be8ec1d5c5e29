// SimWorld: a network in one thread, in which the same seed gives the same run.
//
// It hands out SimLoops, each of them a process's net::Loop, and moves virtual time from one event to the next. Loops
// reach each other by address, as in reality; what they write travels with a delay that varies, keeps its order,
// arrives in any portions, and waits in bounded socket buffers when the receiver does not read. Hub,
// transport and sessions run on it as they do in production, thousands of times faster, and with every fault a test
// wants: cut connections, silent ones, refused ones, and processes that die.
//
//     SimWorld world(seed);
//     auto hub = world.loop("hub");
//     auto alice = world.loop("alice");
//     … listen on one, connect from the other …
//     world.run_for(10s);
//     CHECK(world.trace_hash() == …);        // proves that two runs were the same
//
// A loop's turn is short, but not infinitely so: what happens within it is flushed together. TLS contexts are ignored.
// One thread for all of it. Streams, listeners and loops may outlive the world, but are dead then.
#pragma once

#include <nya/clock.h>
#include <nya/random.h>

#include "net/loop.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::testing {

struct SimCore;
struct SimProcess;
class SimLoop;

struct SimSettings {
    // One way, of each portion: drawn between the two.
    std::chrono::nanoseconds least_latency = std::chrono::microseconds(50);
    std::chrono::nanoseconds most_latency = std::chrono::microseconds(500);
    std::chrono::nanoseconds longest_turn = std::chrono::microseconds(20);
    std::size_t socket_buffer = 256 * 1024;                            // bytes under way or unread, per direction
    bool splits_portions = true;                                       // what arrives comes in random pieces
    std::string client_ip = "127.0.0.1";                               // what listeners take connections to come from
    std::chrono::nanoseconds connect_time = std::chrono::seconds(10);  // after which connecting is given up
    std::size_t largest_portion = 128 * 1024;                          // 1: what arrives comes byte by byte
};

class SimWorld {
public:
    using ConnectionId = std::uint64_t;

    explicit SimWorld(std::uint64_t seed, const SimSettings& settings = {});
    ~SimWorld();
    SimWorld(const SimWorld&) = delete;
    SimWorld& operator=(const SimWorld&) = delete;

    // A new process. The name is for people.
    std::shared_ptr<SimLoop> loop(std::string name);

    const std::shared_ptr<nya::Clock>& clock() const noexcept;
    nya::Clock::time_point now() const noexcept;
    // For the code under test; the world draws from another one.
    const std::shared_ptr<nya::Random>& random() const noexcept;
    SimSettings& settings() noexcept;  // may be changed at any time

    // Each returns whether there is anything left to do.
    bool step();  // the next event
    bool run_until(nya::Clock::time_point time);
    bool run_for(nya::Clock::duration duration);
    // Until nothing is left, timers included; false: there is still something after `most_events`.
    bool run_until_idle(std::uint64_t most_events = 10'000'000);
    // Until `is_so()`, asked after each event; false: it is not so after `within`.
    bool run_until(const std::function<bool()>& is_so, nya::Clock::duration within);

    // Faults. Connections that are over are ignored.
    std::vector<ConnectionId> connections() const;  // the living, in the order they were made
    std::vector<ConnectionId> connections(const SimLoop& of) const;
    static ConnectionId connection_of(const net::Stream& stream);
    void cut(ConnectionId connection);  // both ends see Reset; what was under way is lost
    // Only the connecting end sees Reset, or the accepting one; the other hears nothing any more: half-open.
    enum class Side : std::uint8_t { Connecting, Accepting };
    void cut_one_end(ConnectionId connection, Side sees_it);
    // Nothing arrives any more, and nobody is told. After heal() all arrives that was swallowed, as with TCP.
    void swallow(ConnectionId connection);
    void heal(ConnectionId connection);
    void refuse(const net::Address& address, bool refuses = true);
    // Connecting to it hears nothing, until the time for connecting is up.
    void silence(const net::Address& address, bool is_silent = true);
    void name_host(std::string name, std::string ip);  // "localhost" is 127.0.0.1
    // Hears every portion as it is put on the wire, by which end of the connection.
    using BytesCallback = std::function<void(ConnectionId connection, Side from, std::string_view bytes)>;
    void on_bytes(BytesCallback callback);

    std::uint64_t trace_hash() const noexcept;  // of all that has happened
    std::uint64_t event_count() const noexcept;

private:
    std::shared_ptr<SimCore> core_;
};

class SimLoop final : public net::Loop {
public:
    SimLoop(std::shared_ptr<SimCore> core, std::shared_ptr<SimProcess> process);
    ~SimLoop() override;  // as die()

    // The process ends here and now: no callback comes any more, tasks and timers are dropped, post() returns false.
    // Peers see Reset, or nothing if the machine died with it. A restart is a new loop.
    enum class Death : std::uint8_t { PeersSeeReset, PeersSeeNothing };
    void die(Death how = Death::PeersSeeReset);
    bool is_dead() const noexcept;
    // The same for everybody else; but it runs on without a network, so that what lives on it can be taken down in the
    // usual way, unheard.
    void unplug(Death how = Death::PeersSeeReset);
    // Nothing of it runs for that time, as if the process had been stopped: what arrives waits in bounded socket
    // buffers, and its timers are late.
    void freeze(nya::Clock::duration duration);
    std::size_t timer_count() const noexcept;
    const std::string& name() const noexcept;

    bool post(nya::Task task) override;
    bool runs_here() const noexcept override;  // while one of this loop's callbacks runs
    const std::shared_ptr<nya::Clock>& clock() const noexcept override;
    TimerId call_at(nya::Clock::time_point when, nya::Task task) override;
    void cancel(TimerId timer) override;
    std::unique_ptr<net::Stream> connect(const net::Target& target, std::shared_ptr<const net::TlsContext> tls,
                                         net::StreamEvents& events) override;
    std::expected<std::unique_ptr<net::Listener>, std::string> listen(const net::Address& where,
                                                                      std::shared_ptr<const net::TlsContext> tls,
                                                                      AcceptCallback on_accept) override;

private:
    friend class SimWorld;
    const std::shared_ptr<SimCore> core_;
    const std::shared_ptr<SimProcess> process_;
};

}  // namespace nyamesh::testing
