// P2PBox: the guide's two flows, word for word.
//
//   send     does the bus know `to`? yes: the bus delivers; no: this node's transport sends
//   receive  for me? dispatch to my handlers; for another node of this process? route it on the
//            bus; else trace_drop. Arrivals run on the node's executor, never on the transport's thread.
#include <nyamesh/p2p_box.h>

#include <nya/expected.h>
#include <nyamesh/names.h>

#include "base/mutex.h"
#include "bus/bus_core.h"
#include "intent/quote.h"
#include "p2p/gateways.h"
#include "transport/in_process/in_process_transport.h"
#include "transport/websocket/websocket_transport.h"

#include <algorithm>
#include <future>
#include <string>
#include <utility>

namespace nyamesh {

struct P2PBox::Impl {
    std::shared_ptr<MessageBus> bus;
    LocalNode node;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<p2p::Gateway> gateway = {};  // of one that lends its connection
    // What was borrowed until the close: one inside a handler did not wait for it to leave.
    nya::Mutex borrowed_mutex = {};
    std::shared_ptr<Transport> borrowed NYA_GUARDED_BY(borrowed_mutex) = {};

    ~Impl() { close(); }

    // The wire first hears that nothing more is taken, so that what the bus drops does not count as handled.
    void close() {
        if (gateway) gateway->stop();
        const auto lent = borrows();
        if (lent) lent->node_closing(node.id());
        transport->begin_close();
        node.close();
        transport->close();
        if (const auto leaving = give_back(lent.get())) leaving->close();
    }

    std::shared_ptr<Transport> give_back(p2p::Gateways* lent) {
        auto fresh = lent ? lent->node_closed(node.id()) : nullptr;
        const nya::Lock lock(borrowed_mutex);
        if (fresh) borrowed = std::move(fresh);
        return borrowed;
    }

    // The gateways of its bus, if it may use them.
    std::shared_ptr<p2p::Gateways> borrows() const {
        const bool may = transport->kind() == TransportKind::InProcess && p2p::Gateways::any();
        return may ? p2p::Gateways::find(bus) : nullptr;
    }

    // Where what the bus does not know goes.
    std::shared_ptr<Transport> wire() const {
        if (const auto lent = borrows()) {
            if (auto transport_of_gateway = lent->transport_of(node.id())) return transport_of_gateway;
        }
        return {std::shared_ptr<void>(), transport.get()};
    }
};

namespace {

std::expected<void, SendError> receive(MessageBus& bus, std::string_view node_id, const IntentEnvelope& envelope,
                                       bool is_request, AnswerCallback done) {
    if (envelope.to != node_id && !bus.has_node(envelope.to)) {
        bus.trace_drop(envelope);
        return std::unexpected(bus.node_not_found(envelope.to));
    }
    if (!done) return bus.dispatch_to_local(envelope.to, envelope);
    return bus.dispatch_to_local(envelope.to, envelope, is_request, std::move(done));
}

// The bus may be gone before a transport's last arrival.
Transport::ReceiveCallback receiver(const std::weak_ptr<MessageBus>& bus, std::string_view node_id) {
    return [weak = bus, id = std::string(node_id)](const IntentEnvelope& envelope, bool is_request,
                                                   AnswerCallback done) -> std::expected<void, SendError> {
        if (const auto alive = weak.lock()) return receive(*alive, id, envelope, is_request, std::move(done));
        return std::unexpected(SendError(SendError::Reason::Closed, "the bus is gone"));
    };
}

// How much later than a wire's own deadline a call is ended here.
constexpr std::chrono::milliseconds kWireGrace{250};

// A send's result as a call ends with it, and back.
Answer answer_of(const std::expected<void, SendError>& sent) {
    if (!sent) return std::unexpected(sent.error());
    return {};
}

// What another thread will tell; it may tell after we have given up.
template <class Value>
struct WaitingFor {
    std::promise<std::expected<Value, SendError>> promise;

    std::expected<Value, SendError> wait(std::chrono::milliseconds timeout, const std::string& too_late) {
        auto told = promise.get_future();
        if (told.wait_for(timeout) == std::future_status::ready) return told.get();
        return std::unexpected(
            SendError(SendError::Reason::NotSent, too_late + " (within " + std::to_string(timeout.count()) + " ms)"));
    }
};

constexpr std::size_t kMaxListed = 1'000;

std::expected<void, SendError> sending_of(const Answer& answer) {
    if (!answer) return std::unexpected(answer.error());
    return {};
}

// As an end of a call that was made for a send.
AnswerCallback hears_sending(SentCallback done) {
    return [done = std::move(done)](Answer ending) mutable {
        if (ending) return done({});
        done(std::unexpected(std::move(ending.error())));
    };
}

// Keeps a promise once, also when it is destroyed uncalled.
template <class Result>
class KeepsPromise {
public:
    std::future<Result> future() { return promise_->get_future(); }
    KeepsPromise() = default;
    KeepsPromise(KeepsPromise&&) noexcept = default;
    KeepsPromise& operator=(KeepsPromise&&) = delete;
    ~KeepsPromise() {
        if (promise_) (*this)(std::unexpected(detail::CallsAnywhere::nobody_left()));
    }
    void operator()(Result result) { std::exchange(promise_, {})->set_value(std::move(result)); }

private:
    std::unique_ptr<std::promise<Result>> promise_ = std::make_unique<std::promise<Result>>();
};

}  // namespace

P2PBox::P2PBox(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
P2PBox::P2PBox(P2PBox&&) noexcept = default;
P2PBox& P2PBox::operator=(P2PBox&&) noexcept = default;
P2PBox::~P2PBox() = default;

std::expected<P2PBox, SendError> P2PBox::open(std::string_view id, TransportKind kind, P2PBoxOptions options) {
    NYA_TRY(check_node_id(id));
    if (!options.bus) options.bus = MessageBus::global();
    if (kind == TransportKind::WebSocket) {
        const WebSocketOptions wire{options.url,     options.key,    options.token,        options.renew_token,
                                    options.ca_file, options.linger, options.resume_window};
        auto transport = NYA_TRY(WebSocketTransport::open(id, options.bus, wire));
        return open_on(std::move(transport), std::move(options));
    }
    if (kind != TransportKind::InProcess) {
        return std::unexpected(SendError(SendError::Reason::Unsupported,
                                         "node " + quote(id) + " cannot be opened: this version has no " +
                                             std::string(to_string(kind)) + " transport",
                                         "Use the transport inprocess or websocket"));
    }
    auto transport = std::make_unique<InProcessTransport>(std::string(id), options.bus);
    return open_on(std::move(transport), std::move(options));
}

std::expected<P2PBox, SendError> P2PBox::open(std::unique_ptr<Transport> transport, P2PBoxOptions options) {
    if (!options.bus) options.bus = MessageBus::global();
    return open_on(std::move(transport), std::move(options));
}

std::expected<P2PBox, SendError> P2PBox::open_on(std::unique_ptr<Transport> transport, P2PBoxOptions options) {
    MessageBus::NodeOptions node_options{options.executor, options.queue_limit, transport->kind()};
    auto node = NYA_TRY(options.bus->register_node(transport->node_id(), std::move(node_options)));
    auto impl = std::make_unique<Impl>(options.bus, std::move(node), std::move(transport));
    impl->transport->on_receive(receiver(impl->bus, impl->node.id()));
    if (impl->transport->kind() == TransportKind::WebSocket && options.gateway) {
        WebSocketOptions lent{
            options.url,          {}, options.token, options.renew_token, options.ca_file, options.linger,
            options.resume_window};
        impl->gateway = p2p::Gateways::open(impl->bus, std::move(lent), &receiver);
    } else if (const auto gateways = impl->borrows()) {
        static_cast<void>(gateways->transport_of(impl->node.id()));
    }
    return P2PBox(std::move(impl));
}

std::expected<Registration, SendError> P2PBox::add_handler(std::string_view intent_name, IntentHandler handler,
                                                           bool once) {
    return once ? impl_->node.on_once(intent_name, std::move(handler))
                : impl_->node.on(intent_name, std::move(handler));
}

std::expected<std::size_t, SendError> P2PBox::off(std::string_view intent_name) {
    return impl_->node.off(intent_name);
}

std::expected<void, SendError> P2PBox::send(std::string_view to, const IntentBox& intent, const SendOpts& opts) {
    // The shortest way first: one call, no error to build.
    const LocalNode& node = impl_->node;
    if (opts.wait != Wait::Handled && node.core().send_now(node.ref(), to, intent)) [[likely]]
        return {};
    if (auto sent = node.core().send_if_known(node.ref(), to, intent, opts)) return *std::move(sent);
    auto sent = impl_->wire()->send(to, intent, opts);
    impl_->bus->trace_transport(node_id(), to, intent, sent);
    return sent;
}

std::expected<void, SendError> P2PBox::send(std::string_view to, std::string_view text, const SendOpts& opts) {
    const Sugar sugar = split_sugar(text);
    auto intent = NYA_TRY(IntentBox::create(sugar.intent_name, sugar.text));
    return send(to, intent, opts);
}

std::expected<void, SendError> P2PBox::send(std::string_view to, const char* text, const SendOpts& opts) {
    return send(to, std::string_view(text), opts);
}

std::expected<void, SendError> P2PBox::send(const NodeRef& to, const IntentBox& intent, const SendOpts& opts) {
    const LocalNode& node = impl_->node;
    if (opts.wait != Wait::Handled && node.core().send_now(node.ref(), to, intent)) [[likely]]
        return {};
    return node.core().send(node.ref(), to, intent, opts);
}

Answer P2PBox::request(std::string_view to, const IntentBox& intent, const SendOpts& opts) {
    const LocalNode& node = impl_->node;
    nya::Json answer;
    if (auto sent = node.core().send_if_known(node.ref(), to, intent, {Wait::Handled, opts.timeout}, &answer)) {
        if (!*sent) return std::unexpected(std::move(sent->error()));
        return answer;
    }
    // Over a wire: the call knows its deadline and when this node closes, so the wait needs neither.
    const auto waiter = std::make_shared<bus::BlockedSender>(true);
    start(to, intent, opts, true, [waiter](Answer ending) { waiter->complete(std::move(ending)); }, true);
    std::unique_lock lock(waiter->mutex);
    waiter->changed.wait(lock, [&] { return waiter->is_done; });
    return std::move(waiter->ending);
}

Answer P2PBox::request(std::string_view to, std::string_view text, const SendOpts& opts) {
    const Sugar sugar = split_sugar(text);
    auto intent = NYA_TRY(IntentBox::create(sugar.intent_name, sugar.text));
    return request(to, intent, opts);
}

Answer P2PBox::request(std::string_view to, const char* text, const SendOpts& opts) {
    return request(to, std::string_view(text), opts);
}

void P2PBox::request_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done) {
    start(to, intent, opts, true, std::move(done));
}

void P2PBox::send_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, SentCallback done) {
    start(to, intent, opts, false, hears_sending(std::move(done)));
}

std::future<Answer> P2PBox::request_async(std::string_view to, const IntentBox& intent, const SendOpts& opts) {
    KeepsPromise<Answer> promise;
    auto future = promise.future();
    start(to, intent, opts, true, std::move(promise), true);
    return future;
}

std::future<std::expected<void, SendError>> P2PBox::send_async(std::string_view to, const IntentBox& intent,
                                                               const SendOpts& opts) {
    KeepsPromise<std::expected<void, SendError>> promise;
    auto future = promise.future();
    start(to, intent, opts, false, hears_sending(std::move(promise)), true);
    return future;
}

void detail::CallsAnywhere::request(P2PBox& node, std::string_view to, const IntentBox& intent, const SendOpts& opts,
                                    AnswerCallback done) {
    node.start(to, intent, opts, true, std::move(done), true);
}

void detail::CallsAnywhere::send(P2PBox& node, std::string_view to, const IntentBox& intent, const SendOpts& opts,
                                 SentCallback done) {
    node.start(to, intent, opts, false, hears_sending(std::move(done)), true);
}

SendError detail::CallsAnywhere::nobody_left() {
    return {SendError::Reason::Closed, "the node or its bus is gone, and nobody is left who could tell how this ended"};
}

// The guide's flow for what does not wait: the bus, else the transport.
void P2PBox::start(std::string_view to, const IntentBox& intent, const SendOpts& opts, bool wants_answer,
                   AnswerCallback done, bool runs_anywhere) {
    using RunsDone = bus::BusCore::RunsDone;
    const LocalNode& node = impl_->node;
    const std::shared_ptr<bus::BusCore> core = node.core().shared_from_this();  // `done` may destroy this node
    // A wire keeps the time itself, and can tell what has not been sent from what may have run: it is to be first.
    SendOpts limits = opts;
    if (!impl_->bus->has_node(to)) limits.timeout += kWireGrace;
    const auto call = core->begin_call(node.ref(), to, intent, limits, wants_answer, std::move(done),
                                       runs_anywhere ? RunsDone::AnyThread : RunsDone::WhereHandlersRun);
    const bool waits_for_end = wants_answer || opts.wait == Wait::Handled;
    if (!call->has_ended()) {
        const auto told = waits_for_end ? call : nullptr;
        if (const auto sent = core->send_if_known(node.ref(), to, intent, opts, nullptr, told)) {
            if (!*sent || !waits_for_end) call->complete(answer_of(*sent));
        } else {
            // A wire reports on its own thread, when this node may be gone.
            auto ended = [core, call, bus = impl_->bus, from = std::string(node_id()), name = std::string(to),
                          intent](Answer answer) {
                bus->trace_transport(from, name, intent, sending_of(answer));
                core->tell(*call, std::move(answer));
            };
            if (wants_answer) {
                impl_->wire()->request(to, intent, opts, std::move(ended));
            } else {
                impl_->wire()->send_async(
                    to, intent, opts,
                    [ended = std::move(ended)](const std::expected<void, SendError>& sent) { ended(answer_of(sent)); });
            }
        }
    }
    core->call_made(*call);
}

bool P2PBox::is_inside_handler_of(std::string_view id) const {
    return impl_->node.core().is_inside_handler_of(id);
}

std::expected<NodeRef, SendError> P2PBox::resolve(std::string_view id) const {
    return impl_->bus->resolve(id);
}

std::string_view P2PBox::node_id() const noexcept {
    return impl_->node.id();
}

TransportKind P2PBox::transport_kind() const noexcept {
    return impl_->transport->kind();
}

bool P2PBox::is_open() const noexcept {
    return impl_ && impl_->node.is_open();
}

bool P2PBox::is_reachable(std::string_view id) const {
    return impl_->node.is_open() && (impl_->bus->has_node(id) || impl_->wire()->is_reachable(id));
}

std::expected<std::chrono::microseconds, SendError> P2PBox::ping(std::string_view id,
                                                                 std::chrono::milliseconds timeout) const {
    using Clock = std::chrono::steady_clock;
    if (impl_->bus->has_node(id)) return std::chrono::microseconds(0);
    const auto wire = std::dynamic_pointer_cast<WebSocketTransport>(impl_->wire());
    if (!wire) return std::unexpected(impl_->bus->node_not_found(id));
    const auto waiter = std::make_shared<WaitingFor<void>>();
    const auto asked = Clock::now();
    wire->ping(id, timeout,
               [waiter](std::expected<void, SendError> result) { waiter->promise.set_value(std::move(result)); });
    NYA_TRY(waiter->wait(timeout + kWireGrace, "node " + quote(id) + " gave no sign of life"));
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - asked);
}

std::expected<std::vector<std::string>, SendError> P2PBox::list_names(std::string_view prefix,
                                                                      std::chrono::milliseconds timeout) const {
    std::vector<std::string> names;
    if (const auto wire = std::dynamic_pointer_cast<WebSocketTransport>(impl_->wire())) {
        const auto waiter = std::make_shared<WaitingFor<std::vector<std::string>>>();
        wire->list_names(std::string(prefix), [waiter](std::expected<std::vector<std::string>, SendError> result) {
            waiter->promise.set_value(std::move(result));
        });
        const std::string problem = wire->problem();
        names = NYA_TRY(waiter->wait(timeout, problem.empty() ? "the hub did not say who is there" : problem));
    } else {
        for (std::string& name : impl_->bus->nodes()) {
            if (name.starts_with(prefix) && names.size() < kMaxListed) names.push_back(std::move(name));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

const std::shared_ptr<MessageBus>& P2PBox::bus() const noexcept {
    return impl_->bus;
}

Transport& P2PBox::transport() const noexcept {
    return *impl_->transport;
}

void P2PBox::close() {
    impl_->close();
}

// ---- news of the wire ----

ConnectionState P2PBox::state() const {
    return impl_->node.is_open() ? impl_->wire()->state() : ConnectionState::Closed;
}

std::expected<Registration, SendError> P2PBox::on_news(std::string_view name,
                                                       std::move_only_function<void(const nya::Json&)> handler) {
    auto registered = impl_->node.on(name, [handler = std::move(handler)](const Arrival& arrival) mutable {
        if (arrival.room() == kNewsRoom) handler(arrival.intent.payload());
    });
    if (registered) impl_->transport->want_news(name);
    return registered;
}

std::expected<Registration, SendError> P2PBox::on_state(std::move_only_function<void(const StateChange&)> handler) {
    return on_news(news::kState, [handler = std::move(handler)](const nya::Json& news) mutable {
        StateChange change{ConnectionState::Connecting, {}};
        for (const auto state : {ConnectionState::Connecting, ConnectionState::Connected, ConnectionState::Reconnecting,
                                 ConnectionState::Failed, ConnectionState::Closed}) {
            if (news["state"].as_string() == to_string(state)) change.state = state;
        }
        if (news["error"].is_object()) change.problem = news["error"]["message"].as_string();
        handler(change);
    });
}

std::expected<Registration, SendError> P2PBox::on_unconfirmed(
    std::move_only_function<void(const UnconfirmedIntent&)> handler) {
    return on_news(news::kUnconfirmed, [handler = std::move(handler)](const nya::Json& news) mutable {
        auto intent = IntentBox::create(news["name"].as_string(), news["payload"]);
        if (intent) handler({news["to"].as_string(), *std::move(intent), news["reason"].as_string()});
    });
}

std::expected<Registration, SendError> P2PBox::on_gap(std::move_only_function<void(const MissedIntents&)> handler) {
    return on_news(news::kGap, [handler = std::move(handler)](const nya::Json& news) mutable {
        handler({news["from"].as_string(), static_cast<std::uint64_t>(news["missed"].as_integer())});
    });
}

}  // namespace nyamesh
