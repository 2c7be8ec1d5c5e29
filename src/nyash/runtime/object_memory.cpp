#include "nyash/runtime/object_memory.h"

#include <new>

namespace nyash::object_memory {
namespace {

// Gives the lists of a thread back at its end. What is freed after that is not kept.
struct Cleaner {
    ~Cleaner() {
        for (FreeList& list : free_lists) {
            while (FreeBlock* block = list.first) {
                list.first = block->next;
                ::operator delete(block);
            }
            list.count = kMaxKept;
        }
    }
};

thread_local Cleaner cleaner;

}  // namespace

constinit thread_local std::array<FreeList, kLargest / kStep + 1> free_lists{};

void* allocate_slowly(std::size_t size) {
    // Whatever a list holds was once allocated here, so a thread with a list has its cleaner; or it was freed by
    // a thread that never made an object, which keeps it to its end.
    [[maybe_unused]] Cleaner* const made = &cleaner;
    return ::operator new(list_of(size) * kStep);
}

void free_slowly(void* memory) noexcept {
    ::operator delete(memory);
}

}  // namespace nyash::object_memory
