// PendingCall: one send_async or request_async under way; PendingCalls: all of a bus.
//
// A call ends exactly once: with its answer, with an error, at its deadline, or when its node is closed; whichever
// comes first. What ends before the call has been made (most do: the target was idle) is reported by the caller's own
// thread, before send_async returns, if the node's handlers may run there. Anything later is reported where the
// node's handlers run: on its executor, or on the bus's delivery executor. Never under a lock, and never in
// the middle of a handler of the node that answered.
#pragma once

#include <nyamesh/handler.h>

#include "base/mutex.h"
#include "bus/completion.h"
#include "bus/deadlines.h"
#include "bus/node_slot.h"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace nyamesh::bus {

class PendingCalls;

class PendingCall final : public Completion, public Expiring, public std::enable_shared_from_this<PendingCall> {
public:
    // Where `done` is called: on `executor`; without one, on any thread.
    struct Report {
        AnswerCallback done;
        std::shared_ptr<nya::Executor> executor;
        bool may_run_on_caller;
    };
    struct Names {
        std::string to;
        std::string intent;
    };
    PendingCall(bool is_for_answer, Names names, std::chrono::milliseconds timeout, Report report);

    bool complete(Answer ending) override;
    void expire() override;
    bool has_ended() const;

private:
    friend class PendingCalls;
    void report(Answer ending, bool is_caller);

    const Names names_;
    const std::chrono::milliseconds timeout_;
    Report report_;

    mutable std::mutex mutex_;  // guards the following
    bool has_ended_ = false;
    bool is_being_made_ = true;
    std::optional<Answer> early_;  // it ended while it was being made
    std::optional<Deadlines::Key> deadline_;

    // Of PendingCalls, and guarded by it.
    std::weak_ptr<PendingCalls> list_;
    const NodeSlot* owner_ = nullptr;
    std::size_t place_ = 0;
    bool is_listed_ = false;
};

class PendingCalls : public std::enable_shared_from_this<PendingCalls> {
public:
    static constexpr std::size_t kMaxPerNode = 65'536;

    explicit PendingCalls(std::shared_ptr<nya::Clock> clock) : clock_(std::move(clock)), deadlines_(clock_) {}

    // The node's own; false if it has too many under way.
    bool add(const NodeSlot& owner, const std::shared_ptr<PendingCall>& call);
    // The envelope is on its way, or the call has ended: from now on it may end at any time.
    void made(PendingCall& call);
    // The node is closed: all its calls end with this.
    void end_all(const NodeSlot& owner, const SendError& error);

private:
    friend class PendingCall;
    struct alignas(64) Part {
        nya::Mutex mutex;
        std::unordered_map<const NodeSlot*, std::vector<std::shared_ptr<PendingCall>>> calls NYA_GUARDED_BY(mutex);
    };
    Part& part_of(const NodeSlot& owner) noexcept {
        return parts_[(reinterpret_cast<std::uintptr_t>(&owner) / sizeof(NodeSlot)) % parts_.size()];
    }
    void forget(PendingCall& call);

    const std::shared_ptr<nya::Clock> clock_;
    std::array<Part, 16> parts_;
    Deadlines deadlines_;
};

}  // namespace nyamesh::bus
