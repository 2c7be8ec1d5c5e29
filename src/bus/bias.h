// Bias: entering and leaving a node without an atomic read-modify-write.
//
// A node biased to a thread has kBiased in its word and that thread's context in `bias`. The thread enters by
// noting the slot in its own `inside` list and then checking that the word still says so; it leaves by
// clearing the note and checking again. Whoever else needs the node changes the word, makes every running
// thread execute a memory barrier (membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED), and reads the holder's
// notes: after the barrier either the holder sees the changed word, or we see its note. The expensive half
// of the handshake is paid once per node, by the one who takes the bias away; the holder pays nothing.
//
// A node whose bias was taken away is shared: threads take it with a compare-exchange. Once one thread has done
// so often in a row it is biased again, so a wrong guess costs little either way.
//
// Without a membarrier (old kernels, some sandboxes, valgrind) nodes are never biased.
#pragma once

#include <cstdint>

namespace nyamesh::bus {

struct ThreadContext;

namespace bias {

// NodeSlot::bias is a context's address with these in its spare bits. The owner of the node writes it.
inline constexpr std::uintptr_t kNone = 0;    // not yet biased to anybody
inline constexpr std::uintptr_t kInside = 1;  // its thread is running the node
inline constexpr std::uintptr_t kShared = 2;  // not biased; the context is that of the last runner
inline constexpr std::uintptr_t kNever = 4;   // never to be biased

// Of a shared node: how many times in a row the last runner has been the runner, and how many make it biased.
inline constexpr std::uintptr_t kOnce = std::uintptr_t{1} << 48;
inline constexpr std::uintptr_t kOften = 1024 * kOnce;

inline std::uintptr_t to(const ThreadContext& thread) noexcept {
    return reinterpret_cast<std::uintptr_t>(&thread);
}

// What `bias` becomes when `thread` lets go of a node after an undisturbed run. Biased to it if it says so.
inline std::uintptr_t after_run(std::uintptr_t bias, const ThreadContext& thread) noexcept {
    if ((bias & kNever) != 0) return bias;
    if ((bias & kShared) == 0) return to(thread);
    const std::uintptr_t shared_by_us = to(thread) | kShared;
    if ((bias & (kOnce - 1)) != shared_by_us) return shared_by_us;
    return bias + kOnce < kOften ? bias + kOnce : to(thread);
}

// Whether this process can use biasing at all. Constant after the first call.
bool is_available() noexcept;

// Every thread of this process that is running now has passed a full memory barrier when this returns.
void barrier_everywhere() noexcept;

}  // namespace bias
}  // namespace nyamesh::bus
