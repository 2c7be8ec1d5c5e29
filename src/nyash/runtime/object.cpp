#include "nyash/runtime/object.h"

#include <vector>

namespace nyash {
namespace {

// Deeper chains than this are freed from the list instead of by recursion.
constexpr int kMaxDestroyDepth = 32;

constinit thread_local int destroy_depth = 0;
// Reaching a vector of the thread costs a check, so this says whether there is anything in it.
constinit thread_local bool is_any_waiting = false;
thread_local std::vector<Object*> waiting;

}  // namespace

constinit thread_local std::int64_t Object::live_objects_ = 0;

std::int64_t Object::live_count() noexcept {
    return live_objects_;
}

void Object::destroy(Object* object) noexcept {
    if (destroy_depth >= kMaxDestroyDepth) {
        waiting.push_back(object);
        is_any_waiting = true;
        return;
    }
    ++destroy_depth;
    delete object;
    if (destroy_depth == 1 && is_any_waiting) {
        while (!waiting.empty()) {
            Object* next = waiting.back();
            waiting.pop_back();
            delete next;
        }
        is_any_waiting = false;
    }
    --destroy_depth;
}

void Heap::clear() noexcept {
    // Clearing one object may free any others, so hold them all while it goes on.
    std::vector<Ref<Container>> all;
    for (HeapLink* link = ring_.next; link != &ring_; link = link->next)
        all.emplace_back(static_cast<Container*>(link));
    for (auto& container : all) container->clear();
}

}  // namespace nyash
