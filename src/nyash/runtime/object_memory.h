// Object memory: where objects live, and wait to be used again.
//
// Scripts make and drop small objects all the time: a text, a captured variable, a message. Their memory is kept
// in one list per size instead of going back to malloc, which halves the price of such an object. The lists
// belong to the thread, are bounded, and are given back when the thread ends. A block may be freed on another
// thread than it came from: each is a malloc block of its own.
//
// With a sanitizer there are no lists, so that it sees every use of freed memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace nyash::object_memory {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kKeepsFreed = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kKeepsFreed = false;
#else
inline constexpr bool kKeepsFreed = true;
#endif
#else
inline constexpr bool kKeepsFreed = true;
#endif

inline constexpr std::size_t kStep = 16;         // sizes are rounded up to a multiple of this
inline constexpr std::size_t kLargest = 192;     // larger objects are not kept
inline constexpr std::uint32_t kMaxKept = 2048;  // of one size

struct FreeBlock {
    FreeBlock* next;
};

struct FreeList {
    FreeBlock* first = nullptr;
    std::uint32_t count = 0;
};

// Without a destructor of its own, so that reaching it costs no check; allocate_slowly() sees to its end.
extern constinit thread_local std::array<FreeList, kLargest / kStep + 1> free_lists;

void* allocate_slowly(std::size_t size);
void free_slowly(void* memory) noexcept;

inline std::size_t list_of(std::size_t size) noexcept {
    return (size + kStep - 1) / kStep;
}

inline void* allocate(std::size_t size) {
    if (kKeepsFreed && size <= kLargest) {
        FreeList& list = free_lists[list_of(size)];
        if (FreeBlock* block = list.first) {
            list.first = block->next;
            --list.count;
            return block;
        }
    }
    return allocate_slowly(size);
}

// `size` is what allocate() was asked for.
inline void free(void* memory, std::size_t size) noexcept {
    if (kKeepsFreed && size <= kLargest) {
        FreeList& list = free_lists[list_of(size)];
        if (list.count < kMaxKept) {
            list.first = new (memory) FreeBlock{list.first};
            ++list.count;
            return;
        }
    }
    free_slowly(memory);
}

}  // namespace nyash::object_memory
