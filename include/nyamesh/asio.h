// For programs that run on Boost.Asio: sends and requests that a coroutine waits for, and an io_context as the place
// where a node's handlers run.
//
//     boost::asio::awaitable<void> greet(nyamesh::P2PBox& alice) {
//         nyamesh::Answer answer = co_await nyamesh::async_request(alice, "bob", question);
//         …                                             // here again: on this coroutine's executor
//     }
//
//     nyamesh::P2PBoxOptions options;
//     options.executor = nyamesh::asio_executor(context);    // bob's handlers run where context.run() is called
//     auto bob = nyamesh::P2PBox::open("bob", nyamesh::TransportKind::WebSocket, options);
//
// No other header of ours includes Boost, and nyamesh.h does not include this one: who does not use it needs no
// Boost headers. It is for Boost.Asio, 1.81 or later, not for the standalone Asio. docs/async.md has the longer story.
//
// The one rule: the context outlives the calls. Close a node before the context that its handlers run on, or that
// its callers wait on, is destroyed. Who does it the other way round gets no undefined behaviour: what waits is
// destroyed without being called, as Asio does with all it holds, and an executor for nodes refuses from then on. How:
// a service in the context keeps a list of them all (detail::AsioGuests), and a gate that is shut in its shutdown().
#pragma once

#include <nya/executor.h>
#include <nyamesh/p2p_box.h>

#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution/context_as.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace nyamesh {

namespace detail {

// What lives on an Asio context without belonging to it. Either its end or the context's comes first, and claims it.
class AsioGuest {
public:
    virtual ~AsioGuest() = default;
    // The context goes: what is of it is destroyed now, unless it has been claimed. On the thread that destroys it.
    virtual void leave() noexcept = 0;

protected:
    bool claim() noexcept { return !is_claimed_.exchange(true); }

private:
    friend class AsioGuests;
    std::atomic<bool> is_claimed_{false};
    AsioGuest* next_ = nullptr;  // guarded by AsioGuests::mutex_, as are the following
    AsioGuest* before_ = nullptr;
    std::shared_ptr<AsioGuest> self_;  // while it is listed
};

// All guests of one context, and the gate before it: whoever is inside may use the context.
class AsioGuests {
public:
    // Inside while it lives, unless the context is gone or about to be. Any thread.
    class Visit {
    public:
        explicit Visit(AsioGuests& guests) noexcept : guests_(guests), is_inside_(guests.enter()) {}
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;
        ~Visit() {
            if (is_inside_) guests_.go_out();
        }
        explicit operator bool() const noexcept { return is_inside_; }

    private:
        AsioGuests& guests_;
        const bool is_inside_;
    };

    // Both by visitors only. A guest is kept alive until it is forgotten or has left.
    void add(const std::shared_ptr<AsioGuest>& guest) {
        const std::lock_guard lock(mutex_);
        guest->next_ = first_;
        if (first_ != nullptr) first_->before_ = guest.get();
        first_ = guest.get();
        guest->self_ = guest;
    }
    void forget(AsioGuest& guest) noexcept {
        std::shared_ptr<AsioGuest> last;  // destroyed under no lock
        const std::lock_guard lock(mutex_);
        last = take_out(guest);
    }
    // The context goes: waits for the visitors, and has all guests leave.
    void shut() noexcept {
        inside_.fetch_or(kShut);
        for (auto inside = inside_.load(); inside != kShut; inside = inside_.load()) inside_.wait(inside);
        while (const auto guest = take_first()) guest->leave();
    }

    // Those of the executor's context; of an executor that tells of none, guests that nobody sends away.
    template <class Executor>
    static std::shared_ptr<AsioGuests> of(const Executor& executor);

private:
    static constexpr std::size_t kShut = 1;
    static constexpr std::size_t kVisitor = 2;

    bool enter() noexcept {
        if ((inside_.fetch_add(kVisitor) & kShut) == 0) return true;
        go_out();
        return false;
    }
    void go_out() noexcept {
        if (inside_.fetch_sub(kVisitor) == (kVisitor | kShut)) inside_.notify_all();
    }
    std::shared_ptr<AsioGuest> take_first() noexcept {
        const std::lock_guard lock(mutex_);
        return first_ != nullptr ? take_out(*first_) : nullptr;
    }
    std::shared_ptr<AsioGuest> take_out(AsioGuest& guest) noexcept {
        (guest.before_ != nullptr ? guest.before_->next_ : first_) = guest.next_;
        if (guest.next_ != nullptr) guest.next_->before_ = guest.before_;
        return std::move(guest.self_);
    }

    std::atomic<std::size_t> inside_{0};  // kVisitor for each, and kShut once it is
    std::mutex mutex_;
    AsioGuest* first_ = nullptr;
};

// How we hear that a context goes.
class AsioService final : public boost::asio::execution_context::service {
public:
    using key_type = AsioService;
    inline static boost::asio::execution_context::id id;

    explicit AsioService(boost::asio::execution_context& context) : service(context) {}
    const std::shared_ptr<AsioGuests>& guests() const noexcept { return guests_; }

private:
    void shutdown() override { guests_->shut(); }

    const std::shared_ptr<AsioGuests> guests_ = std::make_shared<AsioGuests>();
};

template <class Executor>
std::shared_ptr<AsioGuests> AsioGuests::of(const Executor& executor) {
    using Context = boost::asio::execution::context_as_t<boost::asio::execution_context&>;
    if constexpr (boost::asio::can_query_v<const Executor&, Context>) {
        boost::asio::execution_context& context = boost::asio::query(executor, Context());
        return boost::asio::use_service<AsioService>(context).guests();
    } else {
        return std::make_shared<AsioGuests>();
    }
}

// A completion handler that waits for the end of a send or request. It is called once, on its own executor, whose
// context has work until then. The first to claim it has it: the end, a cancellation, or the context's destruction.
template <class Handler, class Result>
class AsioCall final : public AsioGuest {
public:
    using Executor = boost::asio::associated_executor_t<Handler>;

    AsioCall(Handler handler, std::shared_ptr<AsioGuests> guests)
        : guests_(std::move(guests)), held_(std::in_place, std::move(handler)) {}

    // Any thread. Posts: the handler never runs inside the call that begins it, nor inside another node's turn.
    void end(Result result) {
        const AsioGuests::Visit visit(*guests_);
        if (!visit || !claim()) return;
        guests_->forget(*this);
        boost::asio::post(boost::asio::append(std::move(held_->handler), std::move(result)));
        held_.reset();
    }
    void leave() noexcept override {
        if (claim()) held_.reset();
    }

    // Tells the call how it ends, also if it is destroyed uncalled.
    class Callback {
    public:
        explicit Callback(std::shared_ptr<AsioCall> call) noexcept : call_(std::move(call)) {}
        Callback(Callback&&) noexcept = default;
        Callback& operator=(Callback&&) = delete;
        ~Callback() {
            if (call_) call_->end(std::unexpected(CallsAnywhere::nobody_left()));
        }
        void operator()(Result result) { std::exchange(call_, nullptr)->end(std::move(result)); }

    private:
        std::shared_ptr<AsioCall> call_;
    };
    // Calls begin(callback), unless the context is on its way out; then the handler is destroyed uncalled.
    template <class Begin>
    static void start(Handler handler, Begin begin) {
        const auto guests = AsioGuests::of(boost::asio::get_associated_executor(handler));
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        std::shared_ptr<AsioCall> call;
        {
            const AsioGuests::Visit visit(*guests);
            if (!visit) return;
            call = std::make_shared<AsioCall>(std::move(handler), guests);
            guests->add(call);
        }
        if (slot.is_connected()) slot.assign(Cancels{call});
        begin(Callback(std::move(call)));
    }

private:
    struct Held {
        explicit Held(Handler&& one) : handler(std::move(one)), work(boost::asio::get_associated_executor(handler)) {}
        Handler handler;
        boost::asio::executor_work_guard<Executor> work;
    };
    struct Cancels {
        std::weak_ptr<AsioCall> call;
        void operator()(boost::asio::cancellation_type type) const {
            using Type = boost::asio::cancellation_type;
            // `total` asks that nothing has happened: that cannot be had of a message that is on its way.
            if ((type & (Type::terminal | Type::partial)) == Type::none) return;
            if (const auto waiting = call.lock()) waiting->end(std::unexpected(cancelled()));
        }
    };
    static SendError cancelled() {
        return {SendError::Reason::MayHaveRun,
                "the wait was cancelled; the message may have been handled all the same"};
    }

    const std::shared_ptr<AsioGuests> guests_;
    std::optional<Held> held_;  // of whoever has claimed it
};

// What async_initiate() calls, at once or when the operation is awaited: so everything is owned but the node.
struct BeginsRequest {
    template <class Handler>
    void operator()(Handler&& handler, P2PBox* node, const std::string& to, const IntentBox& intent,
                    const SendOpts& opts) const {
        AsioCall<std::decay_t<Handler>, Answer>::start(std::forward<Handler>(handler), [&](auto callback) {
            CallsAnywhere::request(*node, to, intent, opts, std::move(callback));
        });
    }
};
struct BeginsSend {
    template <class Handler>
    void operator()(Handler&& handler, P2PBox* node, const std::string& to, const IntentBox& intent,
                    const SendOpts& opts) const {
        AsioCall<std::decay_t<Handler>, std::expected<void, SendError>>::start(
            std::forward<Handler>(handler),
            [&](auto callback) { CallsAnywhere::send(*node, to, intent, opts, std::move(callback)); });
    }
};

using RequestSignature = void(Answer);
using SendSignature = void(std::expected<void, SendError>);

}  // namespace detail

// P2PBox::request_async() and P2PBox::send_async() for any of Asio's completion tokens; what is awaited is the Answer,
// or the std::expected<void, SendError>, itself: errors are values, nothing is thrown.
//
//     auto answer = co_await async_request(alice, "bob", question);
//     auto future = async_request(alice, "bob", question, {.timeout = 1s}, boost::asio::use_future);
//     async_send(alice, "bob", note, boost::asio::bind_executor(strand, [](auto sent) { … }));
//
// - The handler runs on its associated executor, always posted to it; without one, on Asio's system executor, that is
//   on a thread of Asio's own.
// - The context has work as long as the call is under way: run() does not return.
// - The node has to stay where it is until the call has begun: with use_awaitable and deferred that is when it is
//   awaited. From then on it may be moved, closed or destroyed (which ends the call: BusError(closed)).
// - Cancellation, terminal and partial, by the handler's slot: it ends the wait with Timeout(may_have_run), not the
//   message, which counts as under way (see P2PBox::request_async()) until its own end.
template <boost::asio::completion_token_for<detail::RequestSignature> Token = boost::asio::use_awaitable_t<>>
auto async_request(P2PBox& node, std::string to, IntentBox intent, SendOpts opts, Token&& token = {}) {
    return boost::asio::async_initiate<Token, detail::RequestSignature>(detail::BeginsRequest(), token, &node,
                                                                        std::move(to), std::move(intent), opts);
}
template <boost::asio::completion_token_for<detail::RequestSignature> Token = boost::asio::use_awaitable_t<>>
auto async_request(P2PBox& node, std::string to, IntentBox intent, Token&& token = {}) {
    return async_request(node, std::move(to), std::move(intent), SendOpts(), std::forward<Token>(token));
}

template <boost::asio::completion_token_for<detail::SendSignature> Token = boost::asio::use_awaitable_t<>>
auto async_send(P2PBox& node, std::string to, IntentBox intent, SendOpts opts, Token&& token = {}) {
    return boost::asio::async_initiate<Token, detail::SendSignature>(detail::BeginsSend(), token, &node, std::move(to),
                                                                     std::move(intent), opts);
}
template <boost::asio::completion_token_for<detail::SendSignature> Token = boost::asio::use_awaitable_t<>>
auto async_send(P2PBox& node, std::string to, IntentBox intent, Token&& token = {}) {
    return async_send(node, std::move(to), std::move(intent), SendOpts(), std::forward<Token>(token));
}

// An executor of Asio's that can tell whether this thread is its: a strand of any executor, or an io_context's own.
template <class T>
concept SerialAsioExecutor = boost::asio::execution::is_executor<T>::value && requires(const T& executor) {
    { executor.running_in_this_thread() } -> std::convertible_to<bool>;
};

// Asio's place to run work as ours: see asio_executor().
template <SerialAsioExecutor T>
class AsioExecutor final : public nya::Executor {
public:
    explicit AsioExecutor(T executor)
        : guests_(detail::AsioGuests::of(executor)), seat_(std::make_shared<Seat>(std::move(executor))) {
        if (const detail::AsioGuests::Visit visit(*guests_); visit) guests_->add(seat_);
    }
    ~AsioExecutor() override {
        if (const detail::AsioGuests::Visit visit(*guests_); visit) seat_->give_up(*guests_);
    }
    AsioExecutor(const AsioExecutor&) = delete;
    AsioExecutor& operator=(const AsioExecutor&) = delete;

    bool post(nya::Task task) override {
        const detail::AsioGuests::Visit visit(*guests_);
        if (!visit) return false;
        boost::asio::post(*seat_->executor, [task = std::move(task)]() mutable noexcept { task(); });
        return true;
    }
    bool runs_here() const noexcept override {
        const detail::AsioGuests::Visit visit(*guests_);
        return visit && seat_->executor->running_in_this_thread();
    }

private:
    // A strand is of its context, and goes with it.
    struct Seat final : detail::AsioGuest {
        explicit Seat(T one) : executor(std::move(one)) {}
        void leave() noexcept override {
            if (claim()) executor.reset();
        }
        void give_up(detail::AsioGuests& guests) noexcept {
            if (!claim()) return;
            guests.forget(*this);
            executor.reset();
        }
        std::optional<T> executor;
    };

    const std::shared_ptr<detail::AsioGuests> guests_;
    const std::shared_ptr<Seat> seat_;
};

// For P2PBoxOptions::executor and wherever else a nya::Executor is asked for: work runs on the threads that run the
// context, in order, one at a time.
//
// - An io_context as it is: only if one thread runs it. Then what its coroutines and handlers send to a node that
//   is idle is handled before send returns, as between nodes of one executor. Run by several threads, it needs a
//   strand; so does a thread_pool.
// - A strand: the same for those who run on that strand; for everybody else, posted.
// - It gives the context no work: as with anything that other threads feed, a work guard keeps run() from returning.
//   What is posted while the context is stopped waits until it runs again (a game may poll() once a frame).
// - Once the context is destroyed, it refuses: sends to the node answer BusError(closed).
template <SerialAsioExecutor T>
std::shared_ptr<AsioExecutor<T>> asio_executor(T executor) {
    return std::make_shared<AsioExecutor<T>>(std::move(executor));
}
inline auto asio_executor(boost::asio::io_context& context) {
    return asio_executor(context.get_executor());
}

}  // namespace nyamesh
