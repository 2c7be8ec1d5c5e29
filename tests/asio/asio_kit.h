// What the tests of asio.h share.
//
// g++ 12 crashes on co_await inside a statement-expression, and NYA_TRY is one: results are named first, then checked.
// It crashes on a list in braces inside an awaited expression, too: intents with one are made before.
#pragma once

#include <nyamesh/asio.h>
#include <nyamesh/nyamesh.h>

#include "support/bus_kit.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh::testing {

namespace net = boost::asio;

// "none", or the reason's name.
template <class T>
std::string reason_of(const std::expected<T, SendError>& result) {
    return result ? "none" : std::string(to_string(result.error().reason));
}

// Takes work, which nobody does.
class Idle final : public nya::Executor {
public:
    bool post(nya::Task task) override {
        const std::lock_guard guard(mutex_);
        tasks_.push_back(std::move(task));
        return true;
    }
    bool runs_here() const noexcept override { return false; }

private:
    std::mutex mutex_;
    std::vector<nya::Task> tasks_;
};

// Two nodes of one process, and a context.
struct Pair {
    P2PBox open(std::string_view id, std::shared_ptr<nya::Executor> executor = nullptr) const {
        return P2PBox::open(id, TransportKind::InProcess, {.bus = bus, .executor = std::move(executor)}).value();
    }
    // Runs the context until the coroutine has ended.
    template <class Coroutine>
    void runs(Coroutine coroutine) {
        bool has_ended = false;
        net::co_spawn(context, std::move(coroutine), [&](std::exception_ptr problem) {
            if (problem) std::rethrow_exception(problem);
            has_ended = true;
        });
        context.run();
        CHECK(has_ended);
    }

    net::io_context context;
    std::shared_ptr<MessageBus> bus = make_bus();
    P2PBox alice = open("alice");
    P2PBox bob = open("bob");
};

}  // namespace nyamesh::testing
