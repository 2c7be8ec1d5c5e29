// P2PBox in a script: a node whose handlers are Nyash functions.
//
// The node is bound to the script's event loop, so handlers run on the script's thread whoever sends.
// A send from this script finds itself on that thread already, and is an ordinary nested call: from the
// VM through the bus back into the VM.
//
// Who owns what: the script object owns the node and the handlers' function values; what the bus keeps
// is a pointer to a slot that is emptied, on the script's thread, by off, close and the end of the script.
// So values never travel to another thread, and a handler that uses its own node (a cycle) goes away.
// Futures that wait for an answer are kept the same way, and settled when the node closes.
//
// A node on a wire keeps the script running while it is open, and itself as soon as it listens: a server is a node with
// handlers, whoever still holds it. close() lets go of it, also the failure of a connection for good.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nyamesh/names.h>
#include <nyamesh/p2p_box.h>

#include "nyash/bindings/bindings.h"
#include "nyash/bindings/intent_box_binding.h"
#include "nyash/bindings/send_errors.h"
#include "nyash/boxes/json_conversion.h"
#include "nyash/boxes/result_box.h"
#include "nyash/runtime/future.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

class P2PBoxHandle;

// One registration: what the bus's handler and the script's node share.
struct HandlerSlot {
    P2PBoxHandle* node = nullptr;  // null once the node is closed
    std::string intent_name;
    Value function;  // Undefined once unregistered
    bool is_once = false;
};

// What the bus's handlers for news of the wire share with the node: it is told while it is open.
struct NewsSlot {
    P2PBoxHandle* node = nullptr;  // null once the node is closed
};

// The futures of sends and requests under way, by number: what the bus is given is the number.
class PendingFutures {
public:
    explicit PendingFutures(Runtime& runtime) : runtime_(runtime) {}

    std::uint64_t add(const Ref<Future>& future) {
        entries_.try_emplace(++last_, Value(future), *runtime_.loop());
        return last_;
    }
    // On the script's thread. Nothing if the future has been settled, or the script is being ended.
    void settle(std::uint64_t number, const std::function<Value(Runtime&)>& value) {
        const auto entry = entries_.extract(number);
        if (entry) entry.mapped().future.as<Future>()->resolve(value(runtime_));
    }
    void settle_all(const nyamesh::SendError& error) {
        while (!entries_.empty()) {
            settle(entries_.begin()->first, [&](Runtime& runtime) { return err_from(runtime, error); });
        }
    }
    void drop_all() noexcept {
        const auto dropped = std::move(entries_);
        entries_.clear();
    }

private:
    struct Entry {
        Entry(Value value, EventLoop& loop) : future(std::move(value)), keep_alive(loop) {}
        Value future;
        EventLoop::KeepAlive keep_alive;
    };
    Runtime& runtime_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, Entry> entries_;
};

// A close inside a handler could not wait until everything has been received: this does, and keeps the script running.
void await_close(Runtime& runtime, std::shared_ptr<nyamesh::P2PBox> node) {
    static constexpr std::chrono::milliseconds kPause{10};
    runtime.loop()->post([&runtime, node = std::move(node)] {
        node->close();
        // Still inside a handler, which waits for something: then once more a little later.
        if (node->transport().state() == nyamesh::ConnectionState::Closed) return;
        runtime.loop()->call_at(runtime.clock().now() + kPause, [&runtime, node] { await_close(runtime, node); });
    });
}

class P2PBoxHandle final : public Container {
public:
    P2PBoxHandle(Runtime& runtime, const BoxType& type, nyamesh::P2PBox node)
        : Container(runtime.heap(), type),
          runtime_(runtime),
          id_(node.node_id()),
          kind_(node.transport_kind()),
          node_(std::make_shared<nyamesh::P2PBox>(std::move(node))),
          pending_(std::make_shared<PendingFutures>(runtime)),
          news_(std::make_shared<NewsSlot>(this)) {
        if (is_on_wire()) open_wire();
    }
    ~P2PBoxHandle() override { close(); }

    const std::string& id() const { return id_; }
    nyamesh::TransportKind kind() const { return kind_; }
    nyamesh::P2PBox& node() { return *node_; }
    bool is_on_wire() const { return kind_ != nyamesh::TransportKind::InProcess; }

    std::expected<void, nyamesh::SendError> on(const std::string& intent_name, Value function, bool once);
    std::expected<std::size_t, nyamesh::SendError> off(const std::string& intent_name);
    // For onState, onUnconfirmed and onGap: called by wires, which a node in process has none of.
    enum class News : std::uint8_t { State, Unconfirmed, Gap };
    std::expected<void, nyamesh::SendError> listen_to_wire(News news, Value function);
    const std::shared_ptr<PendingFutures>& pending() const { return pending_; }
    void close();
    nyamesh::SendError closed_error() const {
        return {nyamesh::SendError::Reason::Closed, "node \"" + id_ + "\" has been closed", "Open it again"};
    }

    void write(TextWriter& out) const override {
        out.text("P2PBox[" + id_ + ":" + std::string(to_string(kind_)) + "]");
    }
    void clear() noexcept override {
        pending_->drop_all();
        close();
    }

    Ref<String> last_from;  // null before the first message
    std::string last_intent_name;

private:
    static void arrive(HandlerSlot& slot, const nyamesh::Arrival& arrival);
    void forget(const HandlerSlot& slot);
    void open_wire();
    void stay_while_open();
    void state_changed(const nyamesh::StateChange& change);
    void tell(News news, std::span<const Value> arguments);

    Runtime& runtime_;
    std::string id_;
    nyamesh::TransportKind kind_;
    std::shared_ptr<nyamesh::P2PBox> node_;  // shared with its close, which may take a while
    std::shared_ptr<PendingFutures> pending_;
    std::vector<std::shared_ptr<HandlerSlot>> slots_;
    // Of a node on a wire.
    struct Listener {
        News news;
        Value function;
    };
    std::vector<Listener> listeners_;
    std::shared_ptr<NewsSlot> news_;
    nyamesh::ConnectionState told_ = nyamesh::ConnectionState::Connecting;
    std::optional<EventLoop::KeepAlive> keep_alive_;
    Ref<P2PBoxHandle> self_;
};

std::expected<void, nyamesh::SendError> P2PBoxHandle::on(const std::string& intent_name, Value function, bool once) {
    auto slot = std::make_shared<HandlerSlot>(this, intent_name, std::move(function), once);
    const auto handler = [slot](const nyamesh::Arrival& arrival) { arrive(*slot, arrival); };
    auto registered = once ? node_->on_once(intent_name, handler) : node_->on(intent_name, handler);
    if (!registered) return std::unexpected(registered.error());
    slots_.push_back(std::move(slot));
    stay_while_open();
    return {};
}

// On the script's thread: the node is bound to its event loop.
void P2PBoxHandle::arrive(HandlerSlot& slot, const nyamesh::Arrival& arrival) {
    if (!slot.node) return;
    // A script that is being ended has said so; what still waits in its queues is not run.
    if (auto done = slot.node->runtime_.vm().check_limits(); !done)
        throw nyamesh::ReportedFailure(done.error()->message);
    // The handler may close its node, drop the last reference to it or unregister itself.
    const Ref<P2PBoxHandle> self(slot.node);
    const Value function = slot.is_once ? std::move(slot.function) : slot.function;
    if (function.is_undefined()) return;  // unregistered while the message was on its way
    if (slot.is_once) self->forget(slot);
    Runtime& runtime = self->runtime_;
    // Messages come in rows from the same sender, of the same name: one String serves them all.
    if (!self->last_from || self->last_from->text() != arrival.from)
        self->last_from = runtime.string(std::string(arrival.from));
    if (self->last_intent_name != arrival.intent.name()) self->last_intent_name = arrival.intent.name();

    const auto failed = [&](const ScriptError& error) {
        runtime.report(error, "in the handler of node '" + self->id_ + "' for '" + slot.intent_name + "'");
        throw nyamesh::ReportedFailure(error->message);
    };
    const Value arguments[] = {Value(make_intent_box(runtime, arrival.intent)), Value(self->last_from)};
    auto result = runtime.vm().call(function, arguments, true);
    if (!result) return failed(result.error());
    if (!arrival.is_request() || result->is_void() || !runtime.vm().returned_explicitly()) return;
    auto answer = json_from(runtime.vm(), *result);
    if (!answer) return failed(answer.error());
    arrival.answer(*std::move(answer));
}

void P2PBoxHandle::forget(const HandlerSlot& slot) {
    std::erase_if(slots_, [&](const auto& kept) { return kept.get() == &slot; });
}

std::expected<std::size_t, nyamesh::SendError> P2PBoxHandle::off(const std::string& intent_name) {
    auto removed = node_->off(intent_name);
    std::vector<Value> functions;  // freed last: that may run code
    for (auto& slot : slots_) {
        if (slot->intent_name == intent_name) functions.push_back(std::move(slot->function));
    }
    std::erase_if(slots_, [&](const auto& slot) { return slot->intent_name == intent_name; });
    return removed;
}

// ---- the wire ----

void P2PBoxHandle::open_wire() {
    keep_alive_.emplace(*runtime_.loop());
    static_cast<void>(node_->on_state([news = news_](const nyamesh::StateChange& change) {
        if (news->node) news->node->state_changed(change);
    }));
}

void P2PBoxHandle::stay_while_open() {
    if (is_on_wire() && node_->is_open()) self_ = Ref<P2PBoxHandle>(this);
}

std::expected<void, nyamesh::SendError> P2PBoxHandle::listen_to_wire(News news, Value function) {
    if (!node_->is_open()) return std::unexpected(closed_error());
    const bool is_first =
        std::ranges::none_of(listeners_, [&](const Listener& listener) { return listener.news == news; });
    std::expected<nyamesh::Registration, nyamesh::SendError> registered;
    if (is_first && news == News::Unconfirmed) {
        registered = node_->on_unconfirmed([slot = news_](const nyamesh::UnconfirmedIntent& lost) {
            if (!slot->node) return;
            Runtime& runtime = slot->node->runtime_;
            const Value about[] = {Value(runtime.string(lost.to)), Value(make_intent_box(runtime, lost.intent)),
                                   Value(runtime.string(lost.reason))};
            slot->node->tell(News::Unconfirmed, about);
        });
    } else if (is_first && news == News::Gap) {
        registered = node_->on_gap([slot = news_](const nyamesh::MissedIntents& gap) {
            if (!slot->node) return;
            const Value about[] = {Value(slot->node->runtime_.string(gap.from)),
                                   Value::integer(static_cast<std::int64_t>(gap.missed))};
            slot->node->tell(News::Gap, about);
        });
    }
    if (!registered) return std::unexpected(registered.error());
    listeners_.emplace_back(news, std::move(function));
    stay_while_open();
    return {};
}

void P2PBoxHandle::state_changed(const nyamesh::StateChange& change) {
    if (change.state == told_) return;
    const Ref<P2PBoxHandle> self(this);
    told_ = change.state;
    const bool is_over = change.state == nyamesh::ConnectionState::Failed;
    const bool is_heard =
        std::ranges::any_of(listeners_, [](const Listener& listener) { return listener.news == News::State; });
    if (is_over) {
        keep_alive_.reset();  // nothing will come any more
        if (!is_heard) {
            runtime_.channels().err("warning: node '" + id_ + "' has lost its hub for good: " + change.problem +
                                    "\nhelp: onState(function(state, problem) { … }) hears of it\n");
        }
    }
    const Value about[] = {Value(runtime_.string(std::string(to_string(change.state)))),
                           Value(runtime_.string(change.problem))};
    tell(News::State, about);
}

void P2PBoxHandle::tell(News news, std::span<const Value> arguments) {
    constexpr std::string_view kMethods[] = {"onState", "onUnconfirmed", "onGap"};
    const Ref<P2PBoxHandle> self(this);
    std::vector<Value> functions;  // a handler may add and remove some
    for (const Listener& listener : listeners_) {
        if (listener.news == news) functions.push_back(listener.function);
    }
    for (const Value& function : functions) {
        if (!runtime_.vm().check_limits() || !news_->node) return;
        auto result = runtime_.vm().call(function, arguments, true);
        if (!result) {
            runtime_.report(result.error(), "in the handler of node '" + id_ + "' for " +
                                                std::string(kMethods[static_cast<std::size_t>(news)]));
        }
    }
}

void P2PBoxHandle::close() {
    const Ref<P2PBoxHandle> self = std::move(self_);  // may be the last reference: goes at the end
    node_->close();
    keep_alive_.reset();
    if (is_on_wire()) await_close(runtime_, node_);
    pending_->settle_all(closed_error());
    news_->node = nullptr;
    const auto listeners = std::move(listeners_);
    listeners_.clear();
    const auto slots = std::move(slots_);
    slots_.clear();
    std::vector<Value> functions;
    for (const auto& slot : slots) {
        slot->node = nullptr;
        functions.push_back(std::move(slot->function));
    }
}

// ---- what scripts call ----

P2PBoxHandle& self(NativeCall& call) {
    return call.object<P2PBoxHandle>();
}

// What the third argument of the constructor may say.
struct NodeOption {
    std::string_view name;
    bool is_for_wires;  // not for an in-process node
    bool (*accepts)(const Value& value);
    std::string_view wanted;
};
constexpr std::int64_t kMaxQueueLimit = 1'048'576;
constexpr std::int64_t kMaxLinger = 60'000;
constexpr std::int64_t kMaxResumeWindow = 86'400'000;

bool is_text(const Value& value) {
    return value.is_string();
}

bool is_time(const Value& value, std::int64_t least, std::int64_t most) {
    return value.is_integer() && value.as_integer() >= least && value.as_integer() <= most;
}

constexpr NodeOption kNodeOptions[] = {
    {"queue_limit", false,
     [](const Value& v) { return v.is_integer() && v.as_integer() >= 1 && v.as_integer() <= kMaxQueueLimit; },
     "an Integer from 1 to 1048576"},
    {"url", true, &is_text, "a String"},
    {"key", true, &is_text, "a String"},
    {"token", true, &is_text, "a String"},
    {"ca_file", true, &is_text, "a String"},
    {"gateway", true, [](const Value& v) { return v.is_bool(); }, "true or false"},
    {"linger", true, [](const Value& v) { return is_time(v, 0, kMaxLinger); }, "milliseconds from 0 to 60000"},
    {"resume_window", true, [](const Value& v) { return is_time(v, 1, kMaxResumeWindow); },
     "milliseconds from 1 to 86400000"},
    {"ice_servers", true, [](const Value& v) { return v.as<Array>() != nullptr; }, "an Array"},
};

// What the option says, which it accepts.
void set_option(nyamesh::P2PBoxOptions& options, std::string_view name, const Value& value) {
    const auto text = [&] { return value.as_string().text(); };
    const auto time = [&] { return std::chrono::milliseconds(value.as_integer()); };
    if (name == "queue_limit") options.queue_limit = static_cast<std::size_t>(value.as_integer());
    if (name == "url") options.url = text();
    if (name == "key") options.key = text();
    if (name == "token") options.token = text();
    if (name == "ca_file") options.ca_file = text();
    if (name == "gateway") options.gateway = value.as_bool();
    if (name == "linger") options.linger = time();
    if (name == "resume_window") options.resume_window = time();
}

std::expected<nyamesh::P2PBoxOptions, ScriptError> node_options(NativeCall& call, std::size_t i,
                                                                nyamesh::TransportKind kind) {
    nyamesh::P2PBoxOptions options;
    options.executor = call.runtime.loop();
    if (!call.has(i)) return options;
    const auto* map = call.as<Map>(i);
    if (!map) return std::unexpected(call.wrong_type(i, "a Map"));
    const bool has_wire = kind != nyamesh::TransportKind::InProcess;
    std::optional<ScriptError> wrong;
    map->for_each([&](const String& key, const Value& value) {
        if (wrong) return;
        const std::string option = "the option '" + key.text() + "'";
        std::vector<std::string_view> known;
        for (const NodeOption& o : kNodeOptions) {
            if (has_wire || !o.is_for_wires) known.push_back(o.name);
            if (o.name != key.text()) continue;
            if (!has_wire && o.is_for_wires) {
                wrong.emplace(error_kind::kArguments, "P2PBox: " + option + " is not for the transport inprocess",
                              "leave it out, or use the transport websocket or webrtc");
            } else if (!o.accepts(value)) {
                const std::string got =
                    value.is_integer() ? std::to_string(value.as_integer()) : call.vm.type_name(value);
                wrong.emplace(error_kind::kType, "P2PBox: " + option + " is " + std::string(o.wanted) + ", got " + got);
            } else {
                set_option(options, o.name, value);
            }
            return;
        }
        std::string help = did_you_mean(key.text(), known);
        if (help.empty()) {
            for (const auto& name : known) help += (help.empty() ? "the options are " : ", ") + std::string(name);
        }
        wrong.emplace(error_kind::kArguments, "P2PBox does not know " + option, std::move(help));
    });
    if (wrong) return std::unexpected(std::move(*wrong));
    return options;
}

Result make_node(NativeCall& call) {
    const String& id = *NYA_TRY(call.string(0));
    auto kind = nyamesh::TransportKind::InProcess;
    if (call.has(1)) {
        auto parsed = nyamesh::parse_transport_kind(NYA_TRY(call.string(1))->text());
        if (!parsed) return std::unexpected(script_error_from(parsed.error()));
        kind = *parsed;
    }
    if (kind != nyamesh::TransportKind::InProcess && !call.runtime.allows_network()) {
        return fail(error_kind::kUnsupported, "Nodes on a wire are not available to this script");
    }
    auto options = NYA_TRY(node_options(call, 2, kind));
    auto node = nyamesh::P2PBox::open(id.text(), kind, std::move(options));
    if (!node) return std::unexpected(script_error_from(node.error()));
    return Value(make<P2PBoxHandle>(call.runtime, call.runtime.types().named("P2PBox"), std::move(*node)));
}

Result register_handler(NativeCall& call, bool once) {
    const String& name = *NYA_TRY(call.string(0));
    Value function = NYA_TRY(handler_from(call, 1));
    if (auto done = self(call).on(name.text(), std::move(function), once); !done)
        return err_from(call.runtime, done.error());
    return make_ok(call.runtime, Value::boolean(true));
}

Result on(NativeCall& call) {
    return register_handler(call, false);
}

Result on_once(NativeCall& call) {
    return register_handler(call, true);
}

Result off(NativeCall& call) {
    auto removed = self(call).off(NYA_TRY(call.string(0))->text());
    if (!removed) return err_from(call.runtime, removed.error());
    return make_ok(call.runtime, Value::boolean(*removed > 0));
}

// Of send: { wait: "accepted"|"delivered"|"handled", timeout: ms }; of request only the timeout.
std::expected<nyamesh::SendOpts, ScriptError> send_options(NativeCall& call, std::size_t i, bool is_request) {
    nyamesh::SendOpts options;
    if (!call.has(i)) return options;
    const auto* map = call.as<Map>(i);
    if (!map) return std::unexpected(call.wrong_type(i, "a Map"));
    std::optional<ScriptError> wrong;
    map->for_each([&](const String& key, const Value& value) {
        const std::string text = value.is_string() ? value.as_string().text() : "";
        const bool is_wait = key.text() == "wait" && !is_request;
        if (is_wait && text == "accepted") {
            options.wait = nyamesh::Wait::Accepted;
        } else if (is_wait && text == "delivered") {
            options.wait = nyamesh::Wait::Delivered;
        } else if (is_wait && text == "handled") {
            options.wait = nyamesh::Wait::Handled;
        } else if (key.text() == "timeout" && value.is_integer() && value.as_integer() >= 0 &&
                   value.as_integer() <= 86'400'000) {
            options.timeout = std::chrono::milliseconds(value.as_integer());
        } else {
            wrong.emplace(error_kind::kArguments,
                          call.function.name + " does not know the option '" + key.text() + "' with this value",
                          is_request ? "the option is timeout: milliseconds up to a day"
                                     : "options are wait: \"accepted\", \"delivered\" or \"handled\", and timeout: "
                                       "milliseconds up to a day");
        }
    });
    if (wrong) return std::unexpected(std::move(*wrong));
    return options;
}

// An IntentBox, or a text that stands for one.
std::expected<nyamesh::IntentBox, ScriptError> message_from(NativeCall& call, std::size_t i) {
    if (const auto* intent = call.as<IntentBoxHandle>(i)) return intent->intent();
    if (!call[i].is_string()) return std::unexpected(call.wrong_type(i, "an IntentBox or a String"));
    const nyamesh::Sugar sugar = nyamesh::split_sugar(call[i].as_string().text());
    auto intent = nyamesh::IntentBox::create(sugar.intent_name, sugar.text);
    if (!intent) return std::unexpected(script_error_from(intent.error()));
    return *intent;
}

Result start_sending(NativeCall& call, const String& to, const nyamesh::IntentBox& message,
                     const nyamesh::SendOpts& options) {
    const Ref<P2PBoxHandle> node(&self(call));
    auto future = call.runtime.future();
    node->node().send_async(to.text(), message, options,
                            [pending = node->pending(), number = node->pending()->add(future)](
                                const std::expected<void, nyamesh::SendError>& sent) {
                                pending->settle(number, [&](Runtime& runtime) {
                                    return sent ? make_ok(runtime, Value::boolean(true))
                                                : err_from(runtime, sent.error());
                                });
                            });
    NYA_TRY(call.vm.check_limits());
    return Value(future);
}

Result send(NativeCall& call) {
    const String& to = *NYA_TRY(call.string(0));
    const auto options = NYA_TRY(send_options(call, 2, false));
    const auto message = NYA_TRY(message_from(call, 1));  // a copy: the script's handle may change meanwhile
    const Ref<P2PBoxHandle> node(&self(call));            // a handler may drop the last reference to it
    // What waits for another process waits as `await` does: the script's other handlers run meanwhile.
    if (options.wait != nyamesh::Wait::Accepted && !node->node().bus()->has_node(to.text())) {
        const Value future = NYA_TRY(start_sending(call, to, message, options));
        return call.vm.await(future);
    }
    const auto sent = node->node().send(to.text(), message, options);
    NYA_TRY(call.vm.check_limits());  // what ends a handler for good ends its sender, too
    if (!sent) return err_from(call.runtime, sent.error());
    return make_ok(call.runtime, Value::boolean(true));
}

// `nowait f = node.send(…)`
Result start_send(NativeCall& call) {
    const String& to = *NYA_TRY(call.string(0));
    const auto options = NYA_TRY(send_options(call, 2, false));
    const auto message = NYA_TRY(message_from(call, 1));
    return start_sending(call, to, message, options);
}

Value result_of(Runtime& runtime, const nyamesh::Answer& answer) {
    if (!answer) return err_from(runtime, answer.error());
    auto document = nyamesh::IntentBox::create("answer", *answer);  // a view shows objects and arrays
    if (!document) return err_from(runtime, document.error());
    return make_ok(runtime, json_value(runtime, Ref<JsonDocument>(make_intent_box(runtime, *document))));
}

// `nowait f = node.request(…)`
Result start_request(NativeCall& call) {
    const String& to = *NYA_TRY(call.string(0));
    const auto options = NYA_TRY(send_options(call, 2, true));
    const auto message = NYA_TRY(message_from(call, 1));
    const Ref<P2PBoxHandle> node(&self(call));
    auto future = call.runtime.future();
    node->node().request_async(
        to.text(), message, options,
        [pending = node->pending(), number = node->pending()->add(future)](const nyamesh::Answer& answer) {
            pending->settle(number, [&](Runtime& runtime) { return result_of(runtime, answer); });
        });
    NYA_TRY(call.vm.check_limits());
    return Value(future);
}

// Waits as `await` does: the event loop runs meanwhile, so that others can answer.
Result request(NativeCall& call) {
    const String& to = *NYA_TRY(call.string(0));
    if (self(call).node().is_inside_handler_of(to.text())) {
        using enum nyamesh::SendError::Reason;
        return err_from(call.runtime,
                        {WouldDeadlock,
                         "waiting for node \"" + to.text() +
                             "\" to answer an intent, inside one of its own handlers, would wait for ever",
                         "Ask with nowait here, and await the answer after the handler has ended"});
    }
    const Value future = NYA_TRY(start_request(call));
    return call.vm.await(future);
}

// onState, onUnconfirmed, onGap: what wires tell. A node in process has none, so that they are never called.
template <P2PBoxHandle::News news>
Result listen_to_wire(NativeCall& call) {
    Value function = NYA_TRY(handler_from(call, 0));
    if (auto done = self(call).listen_to_wire(news, std::move(function)); !done)
        return err_from(call.runtime, done.error());
    return make_ok(call.runtime, Value::boolean(true));
}

// "connected", "reconnecting", …
Result state(NativeCall& call) {
    return call.text(std::string(to_string(self(call).node().state())));
}

Result node_id(NativeCall& call) {
    return call.text(self(call).id());
}

Result transport_type(NativeCall& call) {
    return call.text(std::string(to_string(self(call).kind())));
}

Result is_reachable(NativeCall& call) {
    return Value::boolean(self(call).node().is_reachable(NYA_TRY(call.string(0))->text()));
}

// null before the first message.
Result last_from(NativeCall& call) {
    const auto& from = self(call).last_from;
    return from ? Value(from) : Value::null();
}

Result last_intent_name(NativeCall& call) {
    return self(call).last_from ? call.text(self(call).last_intent_name) : Result(Value::null());
}

// The ids of the nodes of this process.
Result debug_nodes(NativeCall& call) {
    auto list = call.runtime.array();
    for (const auto& id : self(call).node().bus()->nodes()) list->items.emplace_back(call.runtime.string(id));
    return Value(list);
}

Result close(NativeCall& call) {
    self(call).close();
    return Value::nothing();
}

}  // namespace

Result handler_from(NativeCall& call, std::size_t i) {
    if (!call[i].is_string()) return call.callable(i);
    const String& name = call[i].as_string();
    const Name known = call.runtime.names().find(name.text());  // what was never written is no function
    const Value found = known ? call.runtime.globals().find(known) : Value();
    if (Vm::is_callable(found)) return found;
    return fail(error_kind::kUndefined, "Undefined function '" + name.text() + "'",
                did_you_mean(name.text(), call.runtime.globals().defined_names()));
}

void add_p2p_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("P2PBox")
        .constructor(names, "id transport? options?", make_node)
        .method(names, "on", "name handler", on)
        .method(names, "onOnce", "name handler", on_once)
        .method(names, "off", "name", off)
        .method(names, "send", "to intent options?", send, start_send)
        .method(names, "request", "to intent options?", request, start_request)
        .method(names, "onState", "handler", listen_to_wire<P2PBoxHandle::News::State>)
        .method(names, "onUnconfirmed", "handler", listen_to_wire<P2PBoxHandle::News::Unconfirmed>)
        .method(names, "onGap", "handler", listen_to_wire<P2PBoxHandle::News::Gap>)
        .method(names, "state", "", state)
        .method(names, "getNodeId", "", node_id)
        .method(names, "getTransportType", "", transport_type)
        .method(names, "isReachable", "id", is_reachable)
        .method(names, "getLastFrom", "", last_from)
        .method(names, "getLastIntentName", "", last_intent_name)
        .method(names, "debugNodes", "", debug_nodes)
        .method(names, "close fini", "", close)
        .property(names, "nodeId", node_id);
}

}  // namespace nyash
