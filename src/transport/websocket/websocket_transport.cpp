#include "transport/websocket/websocket_transport.h"

#include <nya/expected.h>
#include <nyamesh/names.h>

#include "base/mutex.h"
#include "bus/thread_context.h"
#include "intent/quote.h"
#include "session/endpoint.h"
#include "transport/websocket/hub_link.h"
#include "transport/websocket/key_store.h"
#include "transport/websocket/links.h"

#include <atomic>
#include <deque>
#include <future>
#include <unordered_map>
#include <utility>

namespace nyamesh {

using Reason = SendError::Reason;
using namespace std::chrono_literals;

namespace {

// How soon a node whose queue was full is asked again, if it has not told by itself.
constexpr auto kAskAgain = 10ms;

enum News : unsigned { kState = 1, kUnconfirmed = 2, kGap = 4 };

unsigned news_bit(std::string_view name) {
    return name == news::kState ? kState : name == news::kUnconfirmed ? kUnconfirmed : name == news::kGap ? kGap : 0u;
}

nya::Json json_of(const SendError& error) {
    return nya::Json{{"kind", to_string(error.kind)},
                     {"reason", to_string(error.reason)},
                     {"message", error.message},
                     {"hint", error.hint},
                     {"retryable", error.retryable}};
}

session::Waits waits_of(Wait wait) {
    switch (wait) {
        case Wait::Accepted:
            return session::Waits::Accepted;
        case Wait::Delivered:
            return session::Waits::Delivered;
        case Wait::Handled:
            return session::Waits::Handled;
    }
    std::unreachable();
}

}  // namespace

// What the transport shares with its link and with calls under way; lives until the last of them ends.
class WebSocketTransport::Node final : public websocket::LinkedNode, public std::enable_shared_from_this<Node> {
public:
    Node(std::string name, const websocket::Links& links, std::shared_ptr<websocket::HubLink> link, std::string key,
         session::Settings settings, std::chrono::milliseconds linger)
        : name_(std::move(name)),
          instance_(fresh_instance(*links.random())),
          key_(std::move(key)),
          linger_(linger),
          loop_(links.loop()),
          link_(std::move(link)),
          endpoint_(name_, instance_, std::move(settings)) {}

    // Before start(): the bus hears of figures and traces.
    void report_to(const std::shared_ptr<MessageBus>& bus) {
        bus_ = bus;
        is_traced_ = bus->tracing_flag();
        wire_number_ = bus->add_wire([weak = weak_from_this(), address = link_->url_text()] {
            if (const auto alive = weak.lock()) return alive->figures();
            BusStatistics::Wire nothing;
            nothing.address = address;
            return nothing;
        });
    }

    // ---- for the application's threads ----

    void start(ReceiveCallback receive) {
        loop_->post([self = shared_from_this(), receive = std::move(receive)]() mutable {
            self->receive_ = std::move(receive);
            if (!self->is_closed_) self->link_->add(self);
        });
    }

    // Nothing if `done` will be told; else how it went at once.
    std::optional<std::expected<void, SendError>> submit(std::string_view to, const IntentBox& intent,
                                                         session::Waits waits, const SendOpts& opts,
                                                         AnswerCallback& done) {
        const auto now = loop_->clock()->now();
        bool is_pending = false;
        {
            const nya::Lock lock(mutex_);
            if (failure_) return std::unexpected(*failure_);
            const std::uint64_t token = ++last_token_;
            auto taken =
                endpoint_.submit(to, {intent, waits, waits == session::Waits::Answer, token, now + opts.timeout}, now);
            if (!taken) return std::unexpected(explained(std::move(taken.error())));
            is_pending = *taken == session::Endpoint::Taken::Waiting || waits != session::Waits::Accepted;
            if (is_pending) completions_.emplace(token, std::move(done));
        }
        poke();
        if (is_pending) return std::nullopt;
        return std::expected<void, SendError>();
    }

    void ping(std::string_view to, std::chrono::milliseconds timeout, AnswerCallback done) {
        const auto now = loop_->clock()->now();
        std::optional<SendError> error;
        {
            const nya::Lock lock(mutex_);
            const std::uint64_t token = ++last_token_;
            if (failure_) {
                error = failure_;
            } else if (auto asked = endpoint_.ping(to, token, now + timeout, now); !asked) {
                error = explained(std::move(asked.error()));
            } else {
                completions_.emplace(token, std::move(done));
            }
        }
        if (error) return done(std::unexpected(*std::move(error)));
        poke();
    }

    bool is_reachable(std::string_view peer) const {
        const nya::Lock lock(mutex_);
        return endpoint_.is_reachable(peer);
    }
    ConnectionState state() const noexcept { return state_.load(std::memory_order_acquire); }
    std::string problem() const {
        const nya::Lock lock(mutex_);
        return problem_;
    }
    // Who asks late is told the state all the same: a connection on one machine may fail sooner than anybody can ask.
    void want_news(unsigned bits) {
        wanted_news_.fetch_or(bits, std::memory_order_relaxed);
        if ((bits & kState) == 0) return;
        loop_->post([self = shared_from_this()] { self->tell_state(); });
    }
    bool runs_on_loop() const noexcept { return loop_->runs_here(); }

    void begin_close() {
        is_closing_.store(true, std::memory_order_release);
        {
            const nya::Lock lock(mutex_);
            endpoint_.begin_close(loop_->clock()->now());
        }
        poke();
    }

    // `left` is called on the loop's thread, when nothing is left to do.
    void leave(std::function<void()> left) {
        const auto deadline = loop_->clock()->now() + linger_;
        loop_->post([self = shared_from_this(), deadline, left = std::move(left)]() mutable {
            self->left_ = std::move(left);
            self->leave_by_ = deadline;
            self->is_closed_ = true;
            self->leave_timer_ = self->loop_->call_at(deadline, [weak = self->weak_from_this()] {
                if (const auto alive = weak.lock()) alive->link_->pump_now(alive);
            });
            self->link_->pump_now(self);
        });
    }

    // The handlers have returned; on whatever thread they ran.
    void handled(const session::InboundRef& ref, bool is_request, Answer outcome) {
        {
            const nya::Lock lock(mutex_);
            endpoint_.on_handled(ref, is_request, std::move(outcome), loop_->clock()->now());
        }
        poke();
    }

    session::EndpointStatistics statistics() const {
        const nya::Lock lock(mutex_);
        return endpoint_.statistics();
    }
    BusStatistics::Wire figures() const {
        BusStatistics::Wire wire;
        wire.address = link_->url_text();
        wire.nodes = 1;
        wire.connected = state() == ConnectionState::Connected ? 1 : 0;
        const nya::Lock lock(mutex_);
        const session::EndpointStatistics s = endpoint_.statistics();
        wire.connects = connects_;
        wire.breaks = breaks_;
        wire.sent = s.sent;
        wire.sent_again = s.sent_again;
        wire.received = s.received;
        wire.duplicates = s.duplicates;
        wire.refused = s.refused;
        wire.unconfirmed = s.unconfirmed;
        wire.gaps = s.gaps;
        wire.backpressure = s.backpressure;
        wire.late_replies = s.late_replies;
        wire.bytes_sent = s.bytes_sent;
        wire.bytes_received = s.bytes_received;
        return wire;
    }
    const std::shared_ptr<websocket::HubLink>& link() const noexcept { return link_; }
    const std::shared_ptr<net::Loop>& loop() const noexcept { return loop_; }

    // ---- websocket::LinkedNode: the loop's thread ----

    const std::string& name() const noexcept override { return name_; }
    std::uint64_t instance() const noexcept override { return instance_; }
    const std::string& key() const noexcept override { return key_; }

    void on_bound(std::size_t max_frame_bytes) override {
        {
            const nya::Lock lock(mutex_);
            problem_.clear();
            ++connects_;
            endpoint_.set_max_frame_bytes(max_frame_bytes);
            endpoint_.on_attached(loop_->clock()->now());
        }
        set_state(ConnectionState::Connected, nullptr);
    }

    void on_detached(const SendError& why) override {
        {
            const nya::Lock lock(mutex_);
            problem_ = why.message;
            reason_ = why.reason;
            if (state() == ConnectionState::Connected) ++breaks_;
            endpoint_.on_detached(loop_->clock()->now());
            endpoint_.set_connecting(false, loop_->clock()->now());
        }
        set_state(ConnectionState::Reconnecting, &why);
        link_->wants_to_send(shared_from_this());
    }

    void on_failed(const SendError& why) override {
        {
            const nya::Lock lock(mutex_);
            problem_ = why.message;
            failure_ = why;
            if (state() == ConnectionState::Connected) ++breaks_;
            endpoint_.on_detached(loop_->clock()->now());
            endpoint_.set_connecting(false, loop_->clock()->now());
            endpoint_.finish_close(loop_->clock()->now());
        }
        set_state(ConnectionState::Failed, &why);
        link_->wants_to_send(shared_from_this());
    }

    void on_frame(const wire::Frame& frame, bool is_binary) override {
        {
            const nya::Lock lock(mutex_);
            endpoint_.on_frame(frame, is_binary, loop_->clock()->now());
        }
        link_->wants_to_send(shared_from_this());
    }

    void on_peer(std::string_view peer, const session::PeerNews& news) override {
        const nya::Lock lock(mutex_);
        endpoint_.on_peer(peer, news, loop_->clock()->now());
    }

    void on_hold(std::string_view peer, bool is_held) override {
        {
            const nya::Lock lock(mutex_);
            endpoint_.on_hold(peer, is_held, loop_->clock()->now());
        }
        link_->wants_to_send(shared_from_this());
    }

    void pump(session::FrameSink& sink) override {
        offer_waiting();
        const auto now = loop_->clock()->now();
        std::vector<session::Event> events;
        session::Time next;
        {
            const nya::Lock lock(mutex_);
            endpoint_.observe(is_traced());
            if (endpoint_.next_time() <= now) endpoint_.on_time(now);
            endpoint_.pump(sink, now);
            events = endpoint_.take_events();
            next = endpoint_.next_time();
        }
        for (session::Event& event : events) {
            std::visit([this](auto& happened) { on_event(std::move(happened)); }, event);
        }
        arm(next);
        if (left_) try_to_leave(sink, now);
    }

private:
    using Lock = nya::Lock;

    struct Waiting {
        IntentEnvelope envelope;
        std::optional<session::InboundRef> ref;  // none: news
        bool is_request = false;
    };

    static std::uint64_t fresh_instance(nya::Random& random) {
        for (;;) {
            if (const std::uint64_t instance = random.next(); instance != 0) return instance;
        }
    }

    // Wakes the loop, once for everything that happens until it is awake.
    void poke() {
        if (is_poked_.exchange(true, std::memory_order_acq_rel)) return;
        loop_->post([self = shared_from_this()] {
            self->is_poked_.store(false, std::memory_order_release);
            self->link_->pump_now(self);
        });
    }

    void arm(session::Time next) {
        if (next >= armed_for_) return;  // it wakes early, looks, and is armed again
        loop_->cancel(timer_);
        armed_for_ = next;
        timer_ = loop_->call_at(next, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) return;
            self->timer_ = 0;
            self->armed_for_ = session::Time::max();
            self->link_->pump_now(self);
        });
    }

    // No connection is no connection; why, the link knows.
    SendError explained(SendError error) const NYA_REQUIRES(mutex_) {
        if (error.reason != Reason::Offline || problem_.empty()) return error;
        return {reason_ == Reason::NameTaken ? Reason::NameTaken : Reason::Offline, problem_, error.hint};
    }

    // ---- events ----

    void on_event(session::Deliver delivery) {
        Waiting waiting{
            {std::move(delivery.ref.from), name_, std::move(delivery.intent), 0, 1, {}}, {}, delivery.is_request};
        delivery.ref.from = waiting.envelope.from;
        waiting.ref = std::move(delivery.ref);
        hand_on(std::move(waiting));
    }

    void on_event(session::Settled settled) {
        AnswerCallback done;
        {
            const Lock lock(mutex_);
            const auto place = completions_.find(settled.token);
            if (place == completions_.end()) return;
            done = std::move(place->second);
            completions_.erase(place);
            if (!settled.result) settled.result = std::unexpected(explained(std::move(settled.result.error())));
        }
        done(std::move(settled.result));
    }

    void on_event(session::Unconfirmed lost) {
        if (is_traced()) [[unlikely]] {
            trace(TraceEvent::Step::Unconfirmed, name_, lost.to, lost.intent, lost.reason,
                  lost.reason == Reason::Unconfirmed ? "it may have been handled" : "it has not been handled");
        }
        if ((wanted_news_.load(std::memory_order_relaxed) & kUnconfirmed) == 0) return;
        tell(news::kUnconfirmed, nya::Json{{"to", lost.to},
                                           {"reason", to_string(lost.reason)},
                                           {"name", lost.intent.name()},
                                           {"payload", lost.intent.payload()}});
    }

    void on_event(session::Gap gap) {
        if ((wanted_news_.load(std::memory_order_relaxed) & kGap) == 0) return;
        tell(news::kGap, nya::Json{{"from", gap.from}, {"missed", gap.missed}});
    }

    void on_event(const session::SentAgain& again) {
        trace(TraceEvent::Step::SentAgain, name_, again.to, again.intent, {},
              "message " + std::to_string(again.sequence) + " of session " + std::to_string(again.session));
    }

    void on_event(const session::NotTaken& refused) {
        trace(TraceEvent::Step::Refused, refused.from, name_, refused.intent, {}, refused.why);
    }

    void set_state(ConnectionState state, const SendError* why) {
        if (state_.exchange(state, std::memory_order_acq_rel) == state) return;
        if (is_traced()) trace_state(state, why);
        state_news_ = nya::Json{{"state", to_string(state)}, {"error", why != nullptr ? json_of(*why) : nya::Json()}};
        tell_state();
    }

    // Once each, and only to somebody who listens.
    void tell_state() {
        if (state_news_.is_null() || (wanted_news_.load(std::memory_order_relaxed) & kState) == 0) return;
        tell(news::kState, std::exchange(state_news_, {}));
    }

    bool is_traced() const noexcept { return is_traced_ && is_traced_->load(std::memory_order_relaxed); }

    void trace(TraceEvent::Step step, std::string_view from, std::string_view to, const IntentBox& intent,
               std::optional<Reason> reason, std::string_view detail) {
        if (const auto bus = bus_.lock()) bus->trace_wire(step, from, to, intent, reason, detail);
    }

    void trace_state(ConnectionState state, const SendError* why) {
        const bool is_connected = state == ConnectionState::Connected;
        std::optional<Reason> reason;
        if (why != nullptr) reason = why->reason;
        trace(is_connected ? TraceEvent::Step::Connected : TraceEvent::Step::Disconnected, name_, link_->url_text(),
              IntentBox(news::kState, nya::Json{{"state", to_string(state)}}), reason,
              why != nullptr ? std::string_view(why->message) : std::string_view());
    }

    void tell(std::string_view what, nya::Json about) {
        auto intent = IntentBox::create(what, std::move(about));
        if (!intent) return;  // a payload nested too deep to be put into another one
        hand_on({{name_, name_, *std::move(intent), 0, 0, std::string(kNewsRoom)}, {}, false});
    }

    // To the bus, in order. What it has no place for waits: bounded by the windows our senders were granted.
    void hand_on(Waiting waiting) {
        if (waiting_.empty() && offer(waiting)) return;
        waiting_.push_back(std::move(waiting));
        ask_again_soon();
    }

    void offer_waiting() {
        while (!waiting_.empty() && offer(waiting_.front())) waiting_.pop_front();
        if (!waiting_.empty()) ask_again_soon();
    }

    void ask_again_soon() {
        if (ask_again_ != 0) return;
        ask_again_ = loop_->call_at(loop_->clock()->now() + kAskAgain, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) return;
            self->ask_again_ = 0;
            self->offer_waiting();
        });
    }

    // False: the node's queue is full.
    bool offer(const Waiting& waiting) {
        if (!receive_ || is_closing_.load(std::memory_order_acquire)) {
            refuse(waiting, SendError(Reason::Closed, "the node has been closed"));
            return true;
        }
        AnswerCallback done;
        if (waiting.ref) {
            done = [self = shared_from_this(), ref = *waiting.ref, is_request = waiting.is_request](Answer outcome) {
                self->handled(ref, is_request, std::move(outcome));
            };
        }
        const auto taken = receive_(waiting.envelope, waiting.is_request, std::move(done));
        if (taken) return true;
        if (taken.error().reason == Reason::Backpressure) return false;
        refuse(waiting, taken.error());
        return true;
    }

    void refuse(const Waiting& waiting, const SendError& error) {
        if (waiting.ref) handled(*waiting.ref, waiting.is_request, std::unexpected(error));
    }

    // ---- leaving ----

    void try_to_leave(session::FrameSink& sink, session::Time now) {
        std::vector<session::Event> events;
        {
            const Lock lock(mutex_);
            if (now < leave_by_ && !failure_ && !endpoint_.is_flushed()) return;
            endpoint_.finish_close(now);
            endpoint_.pump(sink, now);
            events = endpoint_.take_events();
        }
        const auto left = std::exchange(left_, nullptr);
        for (session::Event& event : events) {
            if (auto* settled = std::get_if<session::Settled>(&event)) on_event(std::move(*settled));
            if (auto* lost = std::get_if<session::Unconfirmed>(&event)) on_event(std::move(*lost));
        }
        while (!waiting_.empty()) {
            refuse(waiting_.front(), SendError(Reason::Closed, "the node has been closed"));
            waiting_.pop_front();
        }
        loop_->cancel(std::exchange(timer_, 0));
        loop_->cancel(std::exchange(ask_again_, 0));
        loop_->cancel(std::exchange(leave_timer_, 0));
        armed_for_ = session::Time::min();  // never again
        receive_ = nullptr;
        const SendError closed(Reason::Closed, "the node has been closed");
        if (state_.exchange(ConnectionState::Closed, std::memory_order_acq_rel) != ConnectionState::Failed &&
            is_traced()) {
            trace_state(ConnectionState::Closed, &closed);
        }
        if (const auto bus = bus_.lock()) bus->remove_wire(wire_number_);
        link_->remove(shared_from_this(), left);
    }

    const std::string name_;
    const std::uint64_t instance_;
    const std::string key_;
    const std::chrono::milliseconds linger_;
    const std::shared_ptr<net::Loop> loop_;
    const std::shared_ptr<websocket::HubLink> link_;

    std::weak_ptr<MessageBus> bus_;  // may be none, as the flag
    std::shared_ptr<const std::atomic<bool>> is_traced_;
    std::uint64_t wire_number_ = 0;

    std::atomic<ConnectionState> state_{ConnectionState::Connecting};
    std::atomic<bool> is_poked_{false};
    std::atomic<bool> is_closing_{false};
    std::atomic<unsigned> wanted_news_{0};

    mutable nya::Mutex mutex_;
    session::Endpoint endpoint_ NYA_GUARDED_BY(mutex_);
    std::unordered_map<std::uint64_t, AnswerCallback> completions_ NYA_GUARDED_BY(mutex_);
    std::uint64_t last_token_ NYA_GUARDED_BY(mutex_) = 0;
    std::optional<SendError> failure_ NYA_GUARDED_BY(mutex_);
    std::string problem_ NYA_GUARDED_BY(mutex_);
    Reason reason_ NYA_GUARDED_BY(mutex_) = Reason::Offline;
    std::uint64_t connects_ NYA_GUARDED_BY(mutex_) = 0;
    std::uint64_t breaks_ NYA_GUARDED_BY(mutex_) = 0;

    // The loop's thread only.
    ReceiveCallback receive_;
    std::deque<Waiting> waiting_;
    nya::Json state_news_;  // nobody has been told yet; null: all is told
    net::Loop::TimerId timer_ = 0;
    net::Loop::TimerId ask_again_ = 0;
    net::Loop::TimerId leave_timer_ = 0;
    session::Time armed_for_ = session::Time::max();
    std::function<void()> left_;
    session::Time leave_by_ = session::Time::max();
    bool is_closed_ = false;
};

std::expected<std::unique_ptr<WebSocketTransport>, SendError> WebSocketTransport::open(
    std::string_view node_id, const std::shared_ptr<MessageBus>& bus, const WebSocketOptions& options) {
    return open(node_id, websocket::Links::of(bus), bus->delivery(), options, bus);
}

std::expected<std::unique_ptr<WebSocketTransport>, SendError> WebSocketTransport::open(
    std::string_view node_id, std::shared_ptr<websocket::Links> links, std::shared_ptr<nya::Executor> renewer,
    const WebSocketOptions& options, const std::shared_ptr<MessageBus>& bus) {
    NYA_TRY(check_node_id(node_id));
    websocket::Links::Request request{options.url, options.token, options.ca_file, {}};
    if (options.renew_token) {
        // The option is the user's code: it runs where the user's code may.
        request.renew_token = [renew = options.renew_token, renewer,
                               loop = std::weak_ptr(links->loop())](std::function<void(std::string)> use) {
            renewer->post([renew, loop, use = std::move(use)] {
                std::string token = renew();
                if (const auto alive = loop.lock()) alive->post([use, token = std::move(token)] { use(token); });
            });
        };
    }
    auto link = NYA_TRY(links->to(request));
    std::string key = options.key;
    if (key.empty()) key = websocket::key_for(link->url_text(), node_id).text;
    session::Settings settings;
    settings.resume_window = options.resume_window;
    settings.send_budget = links->send_budget();
    settings.receive_budget = links->receive_budget();
    auto node = std::make_shared<Node>(std::string(node_id), *links, std::move(link), std::move(key),
                                       std::move(settings), options.linger);
    if (bus) node->report_to(bus);
    return std::unique_ptr<WebSocketTransport>(new WebSocketTransport(std::move(links), std::move(node)));
}

WebSocketTransport::WebSocketTransport(std::shared_ptr<websocket::Links> links, std::shared_ptr<Node> node) noexcept
    : links_(std::move(links)), node_(std::move(node)) {}

WebSocketTransport::~WebSocketTransport() {
    close();
}

std::string_view WebSocketTransport::node_id() const noexcept {
    return node_->name();
}

std::expected<void, SendError> WebSocketTransport::send(std::string_view to, const IntentBox& intent,
                                                        const SendOpts& opts) {
    const auto promise = std::make_shared<std::promise<Answer>>();
    AnswerCallback done = [promise](Answer ending) { promise->set_value(std::move(ending)); };
    if (auto sent = node_->submit(to, intent, waits_of(opts.wait), opts, done)) return *std::move(sent);
    if (node_->runs_on_loop()) {
        return std::unexpected(SendError(Reason::WouldDeadlock,
                                         "a send that waits would stop the thread that brings what it waits for",
                                         "Use send_async here"));
    }
    const Answer ending = promise->get_future().get();
    if (!ending) return std::unexpected(ending.error());
    return {};
}

void WebSocketTransport::send_async(std::string_view to, const IntentBox& intent, const SendOpts& opts,
                                    SentCallback done) {
    // Whether it waits is known once it is submitted; `told` has both endings.
    auto told = std::make_shared<SentCallback>(std::move(done));
    AnswerCallback later = [told](Answer ending) {
        if (ending) return (*told)({});
        (*told)(std::unexpected(std::move(ending.error())));
    };
    if (auto sent = node_->submit(to, intent, waits_of(opts.wait), opts, later)) (*told)(*std::move(sent));
}

void WebSocketTransport::request(std::string_view to, const IntentBox& intent, const SendOpts& opts,
                                 AnswerCallback done) {
    if (auto sent = node_->submit(to, intent, session::Waits::Answer, opts, done); sent && !*sent)
        done(std::unexpected(std::move(sent->error())));
}

void WebSocketTransport::on_receive(ReceiveCallback callback) {
    node_->start(std::move(callback));
}

bool WebSocketTransport::is_reachable(std::string_view node) const {
    return node_->is_reachable(node);
}

ConnectionState WebSocketTransport::state() const {
    return node_->state();
}

void WebSocketTransport::want_news(std::string_view name) {
    node_->want_news(news_bit(name));
}

void WebSocketTransport::begin_close() {
    node_->begin_close();
}

void WebSocketTransport::close() {
    const bool may_wait = bus::ThreadContext::here().depth == 0 && !node_->runs_on_loop();
    if (!is_closed_.exchange(true)) {
        node_->begin_close();
        const auto left = std::make_shared<std::promise<void>>(std::move(left_));
        if (may_wait) {
            node_->leave([left] { left->set_value(); });
        } else {
            // The loop has to live until it is done; it is ours to end once somebody has waited for that.
            node_->leave([left, links = std::make_shared<std::shared_ptr<websocket::Links>>(links_)] {
                links->reset();
                left->set_value();
            });
        }
    }
    // Also for who comes after a close inside a handler, which could not wait.
    if (may_wait) has_left_.wait();
}

void WebSocketTransport::ping(std::string_view to, std::chrono::milliseconds timeout, SentCallback done) {
    node_->ping(to, timeout, [done = std::move(done)](Answer ending) mutable {
        if (ending) return done({});
        done(std::unexpected(std::move(ending.error())));
    });
}

void WebSocketTransport::list_names(std::string prefix,
                                    std::function<void(std::expected<std::vector<std::string>, SendError>)> tell) {
    node_->loop()->post([link = node_->link(), prefix = std::move(prefix), tell = std::move(tell)]() mutable {
        link->list_names(std::move(prefix), std::move(tell));
    });
}

void WebSocketTransport::cut() {
    node_->loop()->post([link = node_->link()] { link->cut(); });
}

std::string WebSocketTransport::hub_url() const {
    return node_->link()->url_text();
}

std::string WebSocketTransport::problem() const {
    return node_->problem();
}

WebSocketTransport::Statistics WebSocketTransport::statistics() const {
    const session::EndpointStatistics s = node_->statistics();
    return {
        s.sent, s.sent_again, s.received, s.duplicates, s.unconfirmed, s.gaps, node_->link()->statistics().connects};
}

}  // namespace nyamesh
