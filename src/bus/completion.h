// Completion: who hears how an envelope ended.
//
// It travels with the envelope: by reference while its handlers run on the sender's thread, in the cell while it
// waits in a queue. So an answer needs no table and no number to find its way back. Two kinds:
//   BlockedSender   a thread that waits (send with Wait::Handled, request)
//   PendingCall     a function to be called (send_async, request_async): pending_calls.h
#pragma once

#include <nyamesh/handler.h>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace nyamesh::bus {

class Completion {
public:
    explicit Completion(bool is_for_answer) noexcept : wants_answer(is_for_answer) {}
    virtual ~Completion() = default;
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    // The answer, null where none was asked for, or why there is none. Any thread; runs no user code. False: nobody
    // waits any more.
    virtual bool complete(Answer ending) = 0;

    const bool wants_answer;
};

class BlockedSender final : public Completion {
public:
    using Completion::Completion;

    bool complete(Answer outcome) override {
        {
            const std::lock_guard guard(mutex);
            if (is_given_up || is_done) return false;
            is_done = true;
            ending = std::move(outcome);
        }
        changed.notify_all();
        return true;
    }
    void offer() {
        const std::lock_guard guard(mutex);
        may_take = true;
        changed.notify_all();
    }

    std::mutex mutex;  // guards the following
    std::condition_variable changed;
    bool is_done = false;
    bool is_given_up = false;  // the sender has gone on without it
    bool may_take = false;     // the target has been handed on: whoever can may run it
    Answer ending;
};

}  // namespace nyamesh::bus
