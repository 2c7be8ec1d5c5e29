// The public faces of BusCore: MessageBus, LocalNode, Registration.
#include <nyamesh/message_bus.h>

#include <nya/expected.h>
#include <nyamesh/names.h>

#include "bus/bus_core.h"

#include <utility>

namespace nyamesh {

std::string_view to_string(TraceEvent::Step step) noexcept {
    switch (step) {
        case TraceEvent::Step::Sent:
            return "sent";
        case TraceEvent::Step::Queued:
            return "queued";
        case TraceEvent::Step::Delivering:
            return "delivering";
        case TraceEvent::Step::Handled:
            return "handled";
        case TraceEvent::Step::HandlerFailed:
            return "handler_failed";
        case TraceEvent::Step::Dropped:
            return "dropped";
        case TraceEvent::Step::ToTransport:
            return "to_transport";
        case TraceEvent::Step::Arrived:
            return "arrived";
        case TraceEvent::Step::SentAgain:
            return "sent_again";
        case TraceEvent::Step::Refused:
            return "refused";
        case TraceEvent::Step::Unconfirmed:
            return "unconfirmed";
        case TraceEvent::Step::Connected:
            return "connected";
        case TraceEvent::Step::Disconnected:
            return "disconnected";
    }
    return "?";
}

IntentEnvelope Arrival::to_envelope() const {
    const std::uint64_t envelope_id = id != 0 ? id : bus::ThreadContext::here().next_envelope_id();
    return {std::string(from), std::string(to), intent, envelope_id, hops, std::string(room())};
}

// ---- Registration

bool Registration::off() {
    const auto core = core_.lock();
    if (!core) return false;
    const std::uint32_t id = handler_id_;
    return core->remove_handlers(node_, [id](const bus::Handler& handler) { return handler.id == id; }) > 0;
}

Registration::Scoped Registration::scoped() const {
    return Scoped(*this);
}

Registration::Scoped::Scoped(Registration registration) noexcept
    : registration_(std::make_unique<Registration>(std::move(registration))) {}

Registration::Scoped& Registration::Scoped::operator=(Scoped&& other) noexcept {
    if (this != &other) {
        if (registration_) registration_->off();
        registration_ = std::move(other.registration_);
    }
    return *this;
}

Registration::Scoped::~Scoped() {
    if (registration_) registration_->off();
}

// ---- LocalNode

LocalNode::LocalNode(LocalNode&& other) noexcept : core_(std::move(other.core_)), ref_(std::exchange(other.ref_, {})) {}

LocalNode& LocalNode::operator=(LocalNode&& other) noexcept {
    if (this != &other) {
        LocalNode old(std::move(*this));
        core_ = std::move(other.core_);
        ref_ = std::exchange(other.ref_, {});
    }
    return *this;
}

LocalNode::~LocalNode() {
    if (!core_) return;
    core_->close_node(ref_);
    core_->release_node(ref_);
}

std::string_view LocalNode::id() const noexcept {
    return core_ ? core_->id_of(ref_) : std::string_view();
}

bool LocalNode::is_open() const noexcept {
    return core_ && core_->is_open(ref_);
}

std::expected<Registration, SendError> LocalNode::add(std::string_view intent_name, IntentHandler handler,
                                                      bool is_once) {
    Registration registration;
    registration.handler_id_ = NYA_TRY(core_->add_handler(ref_, intent_name, std::move(handler), is_once));
    registration.core_ = core_;
    registration.node_ = ref_;
    return registration;
}

std::expected<Registration, SendError> LocalNode::on(std::string_view intent_name, IntentHandler handler) {
    return add(intent_name, std::move(handler), false);
}

std::expected<Registration, SendError> LocalNode::on_once(std::string_view intent_name, IntentHandler handler) {
    return add(intent_name, std::move(handler), true);
}

std::expected<std::size_t, SendError> LocalNode::off(std::string_view intent_name) {
    NYA_TRY(check_intent_name(intent_name));
    return core_->remove_handlers(ref_,
                                  [&](const bus::Handler& handler) { return handler.intent_name() == intent_name; });
}

std::expected<void, SendError> LocalNode::send(std::string_view to, const IntentBox& intent, const SendOpts& opts) {
    if (auto result = send_if_known(to, intent, opts)) [[likely]]
        return *std::move(result);
    return std::unexpected(core_->refuse_unknown(id(), to, intent));
}

std::expected<void, SendError> LocalNode::send(const NodeRef& to, const IntentBox& intent, const SendOpts& opts) {
    if (opts.wait != Wait::Handled && core_->send_now(ref_, to, intent)) [[likely]]
        return {};
    return core_->send(ref_, to, intent, opts);
}

std::optional<std::expected<void, SendError>> LocalNode::send_if_known(std::string_view to, const IntentBox& intent,
                                                                       const SendOpts& opts) {
    if (opts.wait != Wait::Handled && core_->send_now(ref_, to, intent)) return std::expected<void, SendError>();
    return core_->send_if_known(ref_, to, intent, opts);
}

Answer LocalNode::request(std::string_view to, const IntentBox& intent, const SendOpts& opts) {
    nya::Json answer;
    auto sent = core_->send_if_known(ref_, to, intent, {Wait::Handled, opts.timeout}, &answer);
    if (!sent) return std::unexpected(core_->refuse_unknown(id(), to, intent));
    if (!*sent) return std::unexpected(std::move(sent->error()));
    return answer;
}

void LocalNode::request_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done) {
    const auto call = core_->begin_call(ref_, to, intent, opts, true, std::move(done));
    if (!call->has_ended()) {
        auto sent = core_->send_if_known(ref_, to, intent, opts, nullptr, call);
        if (!sent) {
            call->complete(std::unexpected(core_->refuse_unknown(id(), to, intent)));
        } else if (!*sent) {
            call->complete(std::unexpected(std::move(sent->error())));
        }
    }
    core_->call_made(*call);
}

void LocalNode::close() {
    if (core_) core_->close_node(ref_);
}

// ---- MessageBus

MessageBus::MessageBus(std::shared_ptr<bus::BusCore> core) : core_(std::move(core)) {}

MessageBus::~MessageBus() = default;

const std::shared_ptr<MessageBus>& MessageBus::global() {
    static const std::shared_ptr<MessageBus> bus = create();
    return bus;
}

std::shared_ptr<MessageBus> MessageBus::create() {
    return create(Options());
}

std::shared_ptr<MessageBus> MessageBus::create(Options options) {
    return std::shared_ptr<MessageBus>(new MessageBus(std::make_shared<bus::BusCore>(std::move(options))));
}

std::expected<LocalNode, SendError> MessageBus::register_node(std::string_view id) {
    return register_node(id, NodeOptions());
}

std::expected<LocalNode, SendError> MessageBus::register_node(std::string_view id, NodeOptions options) {
    LocalNode node;
    node.ref_ = NYA_TRY(core_->add_node(id, std::move(options)));
    node.core_ = core_;
    return node;
}

bool MessageBus::has_node(std::string_view id) const {
    return core_->has_node(id);
}

std::vector<std::string> MessageBus::nodes(std::size_t limit) const {
    return core_->nodes({}, limit);
}

std::vector<std::string> MessageBus::nodes(TransportKind kind, std::size_t limit) const {
    return core_->nodes(kind, limit);
}

std::expected<NodeRef, SendError> MessageBus::resolve(std::string_view id) const {
    return core_->resolve(id);
}

std::expected<void, SendError> MessageBus::route(const IntentEnvelope& envelope, const SendOpts& opts) {
    return core_->route(envelope, envelope.to, bus::Origin::Local, opts);
}

std::expected<void, SendError> MessageBus::dispatch_to_local(std::string_view node_id, const IntentEnvelope& envelope) {
    return core_->route(envelope, node_id, bus::Origin::Wire, {});
}

std::expected<void, SendError> MessageBus::dispatch_to_local(std::string_view node_id, const IntentEnvelope& envelope,
                                                             bool is_request, AnswerCallback done) {
    class WireCall final : public bus::Completion {
    public:
        WireCall(bool is_for_answer, AnswerCallback callback) : Completion(is_for_answer), done_(std::move(callback)) {}
        bool complete(Answer ending) override {
            if (has_ended_.exchange(true)) return false;
            done_(std::move(ending));
            return true;
        }

        bool has_ended() const noexcept { return has_ended_; }

    private:
        std::atomic<bool> has_ended_{false};
        AnswerCallback done_;
    };
    const auto call = std::make_shared<WireCall>(is_request, std::move(done));
    auto routed = core_->route(envelope, node_id, bus::Origin::Wire, {}, call);
    if (!routed && call->has_ended()) return {};  // told already: the node's executor has stopped
    return routed;
}

void MessageBus::trace_transport(std::string_view from, std::string_view to, const IntentBox& intent,
                                 const std::expected<void, SendError>& result) {
    if (!result) return core_->refused(from, to, intent, result.error());
    if (!core_->is_tracing()) return;
    const std::uint64_t id = bus::ThreadContext::here().next_envelope_id();
    core_->trace(TraceEvent::Step::Sent, id, from, to, intent);
    core_->trace(TraceEvent::Step::ToTransport, id, from, to, intent);
}

void MessageBus::trace_wire(TraceEvent::Step step, std::string_view from, std::string_view to, const IntentBox& intent,
                            std::optional<SendError::Reason> reason, std::string_view detail) {
    if (core_->is_tracing()) core_->trace(step, 0, from, to, intent, reason, detail);
}

const std::shared_ptr<const std::atomic<bool>>& MessageBus::tracing_flag() const noexcept {
    return core_->wires().tracing_flag();
}

std::uint64_t MessageBus::add_wire(WireCounter counter) {
    return core_->wires().add(std::move(counter));
}

void MessageBus::remove_wire(std::uint64_t number) {
    core_->wires().remove(number);
}

void MessageBus::trace_drop(const IntentEnvelope& envelope) {
    core_->trace_drop(envelope);
}

SendError MessageBus::node_not_found(std::string_view id) const {
    return core_->node_not_found(id);
}

BusStatistics MessageBus::statistics() const {
    return core_->statistics();
}

void MessageBus::set_trace(TraceHook hook) {
    core_->set_trace(std::move(hook));
}

const std::shared_ptr<nya::Executor>& MessageBus::delivery() const noexcept {
    return core_->delivery();
}

const nya::Clock& MessageBus::clock() const noexcept {
    return core_->clock();
}

}  // namespace nyamesh
