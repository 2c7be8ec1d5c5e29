#include "bus/thread_context.h"

#include "base/mutex.h"

#include <memory>
#include <utility>

namespace nyamesh::bus {

namespace {

struct Contexts {
    nya::Mutex mutex;
    std::vector<std::unique_ptr<ThreadContext>> all NYA_GUARDED_BY(mutex);
    std::vector<ThreadContext*> unused NYA_GUARDED_BY(mutex);
    std::uint32_t threads NYA_GUARDED_BY(mutex) = 0;
};

// Never destroyed: threads may outlive every static object.
Contexts& contexts() {
    static Contexts* const shared = new Contexts;
    return *shared;
}

// Gives the context back when its thread ends. What other thread-local destructors send after that gets
// another one, which is then not given back: the price of never failing there.
struct Holder {
    ThreadContext* context = nullptr;
    ThreadContext** current = nullptr;
    ~Holder() {
        if (context == nullptr) return;
        *current = nullptr;
        const nya::Lock lock(contexts().mutex);
        contexts().unused.push_back(context);
    }
};
thread_local Holder t_holder;

}  // namespace

constinit thread_local ThreadContext* ThreadContext::current_ = nullptr;

ThreadContext& ThreadContext::make() {
    Contexts& shared = contexts();
    const nya::Lock lock(shared.mutex);
    if (shared.unused.empty()) {
        shared.all.push_back(std::make_unique<ThreadContext>());
        shared.unused.push_back(shared.all.back().get());
    }
    ThreadContext* const context = shared.unused.back();
    shared.unused.pop_back();
    context->number = ++shared.threads;
    context->last_envelope_id = std::uint64_t{context->number} << 40;
    current_ = context;
    t_holder.context = context;
    t_holder.current = &current_;
    return *context;
}

}  // namespace nyamesh::bus
