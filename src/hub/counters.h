// Counters: what a hub has done since its start. Plain numbers, of the loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace nyamesh::hub {

struct Counters {
    std::uint64_t accepted = 0;
    struct {
        std::uint64_t full = 0;       // more connections than the hub or the address may have
        std::uint64_t handshake = 0;  // no good upgrade, or none in time
        std::uint64_t origin = 0;
    } refused;
    std::uint64_t auth_failures = 0;
    std::uint64_t messages_received = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t messages_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t relayed = 0;
    struct {
        std::uint64_t absent = 0;     // nobody has that name now
        std::uint64_t slow = 0;       // its client's queue is full
        std::uint64_t forbidden = 0;  // the sender's token does not allow it
    } dropped;
    std::uint64_t slow_consumers = 0;  // cut
    std::uint64_t holds = 0;
    std::uint64_t pauses = 0;  // connections that were too fast
    std::uint64_t takeovers = 0;
    std::map<std::uint16_t, std::uint64_t> closes;  // by code; at most kMaxCodes
    static constexpr std::size_t kMaxCodes = 64;

    void count_close(std::uint16_t code) {
        // Clients choose codes too: those beyond the bound are counted as "none given".
        if (closes.size() >= kMaxCodes && !closes.contains(code)) code = 1005;
        ++closes[code];
    }
};

}  // namespace nyamesh::hub
