#include "nyash/runtime/object.h"

#include <vector>

namespace nyash {
namespace {

// Deeper chains than this are freed from the list instead of by recursion.
constexpr int kMaxDestroyDepth = 32;

thread_local int destroy_depth = 0;
thread_local std::int64_t live_objects = 0;

}  // namespace

Object::Object(const BoxType& type) noexcept : type_(&type) {
#ifndef NDEBUG
    ++live_objects;
#endif
}

Object::~Object() {
#ifndef NDEBUG
    --live_objects;
#endif
}

std::int64_t Object::live_count() noexcept {
    return live_objects;
}

void Object::destroy(Object* object) noexcept {
    static thread_local std::vector<Object*> waiting;
    if (destroy_depth >= kMaxDestroyDepth) {
        waiting.push_back(object);
        return;
    }
    ++destroy_depth;
    delete object;
    if (destroy_depth == 1) {
        while (!waiting.empty()) {
            Object* next = waiting.back();
            waiting.pop_back();
            delete next;
        }
    }
    --destroy_depth;
}

Container::Container(Heap& heap, const BoxType& type) noexcept : Object(type), next_(heap.first_), heap_(&heap) {
    if (next_) next_->previous_ = this;
    heap.first_ = this;
}

Container::~Container() {
    if (previous_) {
        previous_->next_ = next_;
    } else {
        heap_->first_ = next_;
    }
    if (next_) next_->previous_ = previous_;
}

void Heap::clear() noexcept {
    // Clearing one object may free any others, so hold them all while it goes on.
    std::vector<Ref<Container>> all;
    for (Container* c = first_; c; c = c->next_) all.emplace_back(c);
    for (auto& container : all) container->clear();
}

}  // namespace nyash
