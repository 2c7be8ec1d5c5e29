#include "bus/pending_calls.h"

#include "intent/quote.h"

#include <algorithm>
#include <utility>

namespace nyamesh::bus {

namespace {

constexpr std::chrono::hours kLongestWait{24 * 365 * 50};  // far from where a clock's time points overflow

}  // namespace

PendingCall::PendingCall(bool is_for_answer, Names names, std::chrono::milliseconds timeout, Report report)
    : Completion(is_for_answer), names_(std::move(names)), timeout_(timeout), report_(std::move(report)) {}

bool PendingCall::has_ended() const {
    const std::lock_guard guard(mutex_);
    return has_ended_;
}

bool PendingCall::complete(Answer ending) {
    {
        const std::lock_guard guard(mutex_);
        if (std::exchange(has_ended_, true)) return false;
        if (is_being_made_) {
            early_.emplace(std::move(ending));  // made() reports it
            return true;
        }
    }
    const auto keep_alive = shared_from_this();
    if (const auto list = list_.lock()) list->forget(*this);
    report(std::move(ending), false);
    return true;
}

void PendingCall::expire() {
    complete(std::unexpected(SendError(SendError::Reason::MayHaveRun,
                                       "node " + quote(names_.to) + " did not " +
                                           (wants_answer ? "answer" : "finish handling") + " intent " +
                                           quote(names_.intent) + " within " + std::to_string(timeout_.count()) +
                                           " ms; it is still in its queue or running",
                                       "Raise SendOpts::timeout, or look for a handler that blocks")));
}

void PendingCall::report(Answer ending, bool is_caller) {
    // `done` is called or posted by whoever ended the call, and that is one.
    const std::shared_ptr<nya::Executor> executor = std::move(report_.executor);
    if (!executor || (is_caller && (report_.may_run_on_caller || executor->runs_here()))) {
        return std::exchange(report_.done, {})(std::move(ending));
    }
    // An executor that has stopped runs nothing more: then `done` is destroyed uncalled.
    executor->post([done = std::move(report_.done), ending = std::move(ending)]() mutable { done(std::move(ending)); });
}

bool PendingCalls::add(const NodeSlot& owner, const std::shared_ptr<PendingCall>& call) {
    Part& part = part_of(owner);
    const nya::Lock lock(part.mutex);
    auto& calls = part.calls[&owner];
    if (calls.size() >= kMaxPerNode) return false;
    call->list_ = weak_from_this();
    call->owner_ = &owner;
    call->place_ = calls.size();
    call->is_listed_ = true;
    calls.push_back(call);
    return true;
}

void PendingCalls::made(PendingCall& call) {
    std::optional<Answer> early;
    {
        const std::lock_guard guard(call.mutex_);
        call.is_being_made_ = false;
        early.swap(call.early_);
    }
    if (early) {
        const auto keep_alive = call.shared_from_this();
        forget(call);
        return call.report(*std::move(early), true);
    }
    const auto timeout = std::min<std::chrono::milliseconds>(call.timeout_, kLongestWait);
    const auto key = deadlines_.add(clock_->now() + timeout, call.weak_from_this());
    const std::lock_guard guard(call.mutex_);
    if (call.has_ended_) return deadlines_.take_back(key);
    call.deadline_ = key;
}

// Out of the list, and its deadline taken back.
void PendingCalls::forget(PendingCall& call) {
    std::shared_ptr<PendingCall> last;  // destroyed under no lock
    if (call.owner_ != nullptr) {
        Part& part = part_of(*call.owner_);
        const nya::Lock lock(part.mutex);
        if (std::exchange(call.is_listed_, false)) {
            const auto found = part.calls.find(call.owner_);
            auto& calls = found->second;
            last = std::move(calls[call.place_]);
            if (call.place_ + 1 < calls.size()) {
                calls[call.place_] = std::move(calls.back());
                calls[call.place_]->place_ = call.place_;
            }
            calls.pop_back();
            if (calls.empty()) part.calls.erase(found);
        }
    }
    std::optional<Deadlines::Key> deadline;
    {
        const std::lock_guard guard(call.mutex_);
        deadline.swap(call.deadline_);
    }
    if (deadline) deadlines_.take_back(*deadline);
}

void PendingCalls::end_all(const NodeSlot& owner, const SendError& error) {
    std::vector<std::shared_ptr<PendingCall>> ended;
    {
        Part& part = part_of(owner);
        const nya::Lock lock(part.mutex);
        const auto found = part.calls.find(&owner);
        if (found == part.calls.end()) return;
        ended = std::move(found->second);
        part.calls.erase(found);
        for (const auto& call : ended) call->is_listed_ = false;
    }
    for (const auto& call : ended) call->complete(std::unexpected(error));
}

}  // namespace nyamesh::bus
