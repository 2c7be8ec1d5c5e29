// NodeSlot: one node on the bus, one cache line.
//
// Everything that must be decided in one atomic step about a node is in its state word: who it is
// (a generation, so that an outdated route can never reach the node that took over the slot),
// whether somebody runs it, whether envelopes wait, whether it is closed. Sending to an idle node is
// one compare-exchange from "this very node, idle" to "mine": it checks the route, takes the node
// and keeps the sender's order, all at once.
//
// Most nodes are only ever sent to by one thread at a time for long stretches. Such a node is *biased* to
// that thread, which then enters and leaves it with plain loads and stores; the first other thread to
// need the node takes the bias away for good (bias.h). Half of the cost of a send is saved that way.
//
// Slots are never given back to the allocator before the bus goes, so a stale pointer is harmless.
#pragma once

#include <nya/executor.h>
#include <nyamesh/transport_kind.h>

#include "bus/handler_table.h"
#include "bus/mailbox.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace nyamesh::bus {

// The state word: flags, and from bit 16 the generation.
namespace state {
using Word = std::uint64_t;
inline constexpr Word kOwned = 1;          // somebody has the right to run it
inline constexpr Word kInCall = 2;         // ... and is doing so (set only with kOwned)
inline constexpr Word kPosted = 4;         // ... or will: whoever turns this into kInCall is the runner
inline constexpr Word kQueued = 8;         // the mailbox's `incoming` is not empty (set only with kOwned)
inline constexpr Word kAttention = 16;     // somebody waits for a pause, or there are retired tables
inline constexpr Word kClosed = 32;        // takes no more envelopes
inline constexpr Word kCleaned = 64;       // closed, and nothing is left of it but its name
inline constexpr Word kReleased = 128;     // its LocalNode is gone
inline constexpr Word kHasExecutor = 256;  // runs on `executor` only
inline constexpr Word kBiased = 512;       // idle, or run by the thread it is biased to (set alone)
inline constexpr Word kRevoking = 1024;    // the bias is being taken away: wait a moment (set alone)
inline constexpr Word kInherited = 2048;   // owned by the thread it was biased to, which does not know yet
inline constexpr Word kIdentity = ~Word{0xFFFF} | kHasExecutor;
inline constexpr Word kGeneration = Word{1} << 16;

inline bool same_node(Word a, Word b) noexcept {
    return ((a ^ b) & kIdentity) == 0;
}
}  // namespace state

// The node's name and who opened it, in one block.
struct NodeIdentity {
    std::uint64_t instance;  // fresh for every registration
    TransportKind kind;
    std::uint8_t size;
    char bytes[1];  // `size` of them

    std::string_view id() const noexcept { return {bytes, size}; }
    static NodeIdentity* make(std::string_view id, TransportKind kind, std::uint64_t instance);
    static void free(NodeIdentity* identity) noexcept;
};

struct alignas(64) NodeSlot {
    std::atomic<state::Word> word{0};
    // A HandlerTable. Replaced by registrations; read by the runner only.
    std::atomic<std::uintptr_t> handlers{0};
    std::atomic<Mailbox*> mailbox{nullptr};
    // Envelopes some handler has seen. Written by the runner only.
    std::atomic<std::uint64_t> delivered{0};
    // The rest changes only while the slot is in nobody's reach.
    NodeIdentity* identity = nullptr;
    std::shared_ptr<nya::Executor> executor;
    // Who it is biased to: see bias.h.
    std::atomic<std::uintptr_t> bias{0};

    std::string_view id() const noexcept { return identity->id(); }
};
static_assert(sizeof(NodeSlot) == 64);

}  // namespace nyamesh::bus
