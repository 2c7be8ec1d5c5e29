#include "bus/thread_context.h"

#include <atomic>

namespace nyamesh::bus {

namespace {

// Frees the context when its thread ends. What other thread-local destructors send after that gets a new
// context, which is then not freed: the price of never failing there.
struct Owner {
    std::unique_ptr<ThreadContext> context;
    ThreadContext** current = nullptr;
    ~Owner() {
        if (current != nullptr) *current = nullptr;
    }
};
thread_local Owner t_owner;

std::atomic<std::uint32_t> g_threads{0};

}  // namespace

constinit thread_local ThreadContext* ThreadContext::current_ = nullptr;

ThreadContext& ThreadContext::make() {
    auto made = std::make_unique<ThreadContext>();
    made->number = ++g_threads;
    current_ = made.get();
    t_owner.current = &current_;
    t_owner.context = std::move(made);
    return *current_;
}

}  // namespace nyamesh::bus
