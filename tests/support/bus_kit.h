// What tests of the bus share: gates instead of sleeps, a log that threads may write to, and short
// ways to open nodes and to listen.
//
// Nothing here decides a test by time: kGuard only ends a test that would otherwise hang.
#pragma once

#include <nyamesh/message_bus.h>

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh::testing {

inline constexpr std::chrono::seconds kGuard{60};

// Opens once; whoever waits passes then.
class Gate {
public:
    void open() {
        const std::lock_guard guard(mutex_);
        is_open_ = true;
        changed_.notify_all();  // under the lock: whoever passes may destroy the gate at once
    }
    void wait() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, kGuard, [&] { return is_open_; })) FAIL("nobody opened the gate");
    }
    bool is_open() const {
        const std::lock_guard guard(mutex_);
        return is_open_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool is_open_ = false;
};

// A count that threads raise and that can be waited for.
class Counter {
public:
    void add(std::size_t by = 1) {
        const std::lock_guard guard(mutex_);
        count_ += by;
        changed_.notify_all();
    }
    std::size_t value() const {
        const std::lock_guard guard(mutex_);
        return count_;
    }
    void wait_for(std::size_t at_least) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, kGuard, [&] { return count_ >= at_least; })) FAIL("the count was never reached");
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
};

// Lines in the order they were written, by any thread.
class Log {
public:
    void add(std::string line) {
        const std::lock_guard guard(mutex_);
        lines_.push_back(std::move(line));
    }
    std::vector<std::string> lines() const {
        const std::lock_guard guard(mutex_);
        return lines_;
    }
    // "first, second"
    std::string text() const {
        std::string all;
        for (const std::string& line : lines()) all += (all.empty() ? "" : ", ") + line;
        return all;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

// Tells whether it has been destroyed, and lets the test look when it is: state for handlers.
class Trackable {
public:
    explicit Trackable(std::function<void()> on_end) : on_end_(std::move(on_end)) {}
    Trackable(Trackable&& other) noexcept : on_end_(std::exchange(other.on_end_, nullptr)) {}
    Trackable& operator=(Trackable&&) = delete;
    ~Trackable() {
        if (on_end_) on_end_();
    }

private:
    std::function<void()> on_end_;
};

// A bus that keeps handler errors to itself.
inline MessageBus::Options quiet(MessageBus::Options options = {}) {
    if (!options.on_handler_error) {
        options.on_handler_error = [](std::string_view, std::string_view, std::string_view) {};
    }
    return options;
}

inline std::shared_ptr<MessageBus> make_bus(MessageBus::Options options = {}) {
    return MessageBus::create(quiet(std::move(options)));
}

inline LocalNode open_node(MessageBus& bus, std::string_view id, MessageBus::NodeOptions options = {}) {
    auto node = bus.register_node(id, std::move(options));
    REQUIRE_MESSAGE(node.has_value(), id, ": ", node ? std::string() : node.error().to_string());
    return *std::move(node);
}

inline LocalNode open_on(MessageBus& bus, std::string_view id, std::shared_ptr<nya::Executor> executor) {
    MessageBus::NodeOptions options;
    options.executor = std::move(executor);
    return open_node(bus, id, std::move(options));
}

template <class F>
Registration listen(LocalNode& node, std::string_view intent_name, F&& handler) {
    auto registration = node.on(intent_name, make_handler(std::forward<F>(handler)));
    REQUIRE(registration.has_value());
    return *registration;
}

template <class F>
Registration listen_once(LocalNode& node, std::string_view intent_name, F&& handler) {
    auto registration = node.on_once(intent_name, make_handler(std::forward<F>(handler)));
    REQUIRE(registration.has_value());
    return *registration;
}

inline IntentBox ping() {
    return IntentBox("ping", nya::Json::object());
}

inline SendOpts until_handled(std::chrono::milliseconds timeout = kGuard) {
    return {Wait::Handled, timeout};
}

// The reason a send was refused for, as text; "accepted" if it was not.
inline std::string outcome(const std::expected<void, SendError>& sent) {
    return sent ? "accepted" : std::string(to_string(sent.error().reason));
}

// routed == delivered + dropped + queued, as BusStatistics promises for a bus at rest.
inline bool adds_up(const BusStatistics& s) {
    return s.routed == s.delivered + s.dropped.no_handler + s.dropped.closed + s.queued;
}

}  // namespace nyamesh::testing
