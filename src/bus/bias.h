// Bias: entering and leaving a node without an atomic read-modify-write.
//
// A node biased to a thread has kBiased in its word and that thread's context in `bias`. The thread enters by
// noting the slot in its own `inside` list and then checking that the word still says so; it leaves by
// clearing the note and checking again. Whoever else needs the node changes the word, makes every running
// thread execute a memory barrier (membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED), and reads the holder's
// notes: after the barrier either the holder sees the changed word, or we see its note. The expensive half
// of the handshake is paid once per node, by the one who takes the bias away; the holder pays nothing.
//
// Without a membarrier (old kernels, some sandboxes, valgrind) nodes are never biased.
#pragma once

#include <cstdint>

namespace nyamesh::bus {

struct ThreadContext;

namespace bias {

// Values of NodeSlot::bias.
inline constexpr std::uintptr_t kNone = 0;     // not yet biased to anybody
inline constexpr std::uintptr_t kShared = 2;   // several threads send to it: never biased again
inline constexpr std::uintptr_t kInside = 1;   // with a context: its thread is running the node

inline std::uintptr_t to(const ThreadContext& thread) noexcept { return reinterpret_cast<std::uintptr_t>(&thread); }

// Whether this process can use biasing at all. Constant after the first call.
bool is_available() noexcept;

// Every thread of this process that is running now has passed a full memory barrier when this returns.
void barrier_everywhere() noexcept;

}  // namespace bias
}  // namespace nyamesh::bus
