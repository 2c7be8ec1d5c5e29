// Of WholeWorld: programs, their nodes, and what these send and handle.
#include "simulation/whole/world.h"
#include "transport/websocket/websocket_transport.h"
#include "wire/frame_codec.h"

#include <algorithm>
#include <array>
#include <utility>

namespace nyamesh::simulation {

using namespace std::chrono_literals;
using Reason = SendError::Reason;
using session::Waits;

namespace {

constexpr const char* kUrl = "ws://10.0.0.1:8080";

Reason reason_of(std::string_view text) {
    for (int i = 0; i <= static_cast<int>(Reason::WouldDeadlock); ++i) {
        if (to_string(static_cast<Reason>(i)) == text) return static_cast<Reason>(i);
    }
    return Reason::Unconfirmed;
}

}  // namespace

// ---- programs ----

void WholeWorld::start(Place& place) {
    auto program = std::make_unique<Program>();
    const std::string name = place.name + std::to_string(++place.programs);
    program->net = world_.loop(name + ".net");
    program->app = world_.loop(name + ".app");
    program->links = std::make_shared<websocket::Links>(program->net, nya::Random::seeded(draws_.next()));
    MessageBus::Options options;
    options.clock = std::make_shared<nya::ManualClock>();
    options.random = nya::Random::seeded(draws_.next());
    options.delivery = program->app;
    options.on_handler_error = [](std::string_view, std::string_view, std::string_view) {};
    program->bus = MessageBus::create(std::move(options));
    place.program = std::move(program);
    for (Node* node : place.nodes) open(*node);
}

void WholeWorld::open(Node& node) {
    Program& program = *node.place->program;
    WebSocketOptions options;
    options.url = kUrl;
    options.key = "the key of " + node.name;  // as its key store has it, through all its lives
    options.linger = std::chrono::milliseconds(draws_.between(0, 2'000));
    options.resume_window = weather_.resume_window;
    auto transport = WebSocketTransport::open(node.name, program.links, program.app, options).value();
    P2PBoxOptions box_options;
    box_options.bus = program.bus;
    box_options.executor = program.app;
    box_options.queue_limit = weather_.queue_limit;
    node.box = std::make_unique<P2PBox>(P2PBox::open(std::move(transport), std::move(box_options)).value());
    const Life life = node.life = ++last_life_;
    program.lives.push_back(life);
    node.closes_in_handler = node.is_closing = false;
    ledger_.begins(node.name, life);
    trace("open", node.name, life);

    node.box->on("m", [this, &node, life](const Arrival& arrival) { handle(node, life, arrival); }).value();
    node.box->on_unconfirmed([this, life](const UnconfirmedIntent& lost) { is_unconfirmed(life, lost); }).value();
    node.box
        ->on_gap([this, life](const MissedIntents& gap) {
            trace("gap", gap.from, life, gap.missed);
            ledger_.gap(life, gap.from, gap.missed);
        })
        .value();
    node.box
        ->on_state([this, name = node.name](const StateChange& change) {
            trace("state", name + " " + std::string(to_string(change.state)) + " " + change.problem);
        })
        .value();
}

// For everybody else it ends here and now. What lives in it is taken down later, without a network.
void WholeWorld::kill(Place& place) {
    Program& program = *place.program;
    trace("kill", place.name);
    program.net->unplug(draws_.one_in(2) ? Death::PeersSeeReset : Death::PeersSeeNothing);
    program.app->die();
    for (const Life life : program.lives) {  // who has closed may still have had something to hear
        ledger_.is_killed(life);
        killed_.insert(life);
    }
    for (Node* node : place.nodes) {
        if (!node->box) continue;
        node->life = 0;
        program.net->post([box = std::move(node->box)] {});
    }
    has_ended(place);
}

void WholeWorld::close(Node& node) {
    if (node.is_closing || !node.box) return;
    trace("close", node.name, node.life);
    node.is_closing = true;
    node.closes_in_handler = draws_.one_in(3);
    // On the loop's thread and in handlers a close does not wait.
    after(node.closes_in_handler ? 1s : 0s, [this, &node, life = node.life] {
        if (!lives(node, life)) return;
        node.place->program->net->post([this, &node, life] {
            if (lives(node, life)) close_now(node);
        });
    });
}

void WholeWorld::close_now(Node& node) {
    trace("closes", node.name, node.life);
    const auto statistics = static_cast<WebSocketTransport&>(node.box->transport()).statistics();
    outcome_.statistics.sent_again += statistics.sent_again;
    outcome_.statistics.duplicates += statistics.duplicates;
    const std::unique_ptr<P2PBox> box = std::move(node.box);
    left_.insert(node.life);
    box->close();
    ledger_.leaves(std::exchange(node.life, 0));
    Place& place = *node.place;
    // At once another one of that name, while the old one's farewell may be on its way.
    if (place.nodes.size() == 1 && !is_healed_ && draws_.one_in(3)) {
        after(draw_up_to(50ms), [this, &node, program = place.program.get()] {
            if (node.place->program.get() == program && !node.box) open(node);
        });
        return;
    }
    if (std::ranges::none_of(place.nodes, [](const Node* other) { return other->box != nullptr; })) has_ended(place);
}

// It may come back; as another program then.
void WholeWorld::has_ended(Place& place) {
    ended_.push_back(std::move(place.program));
    if (is_healed_ || draws_.one_in(6)) return;
    after(draws_.one_in(2) ? draw_up_to(100ms) : draw_up_to(6s), [this, &place] {
        if (place.program || is_healed_) return;
        start(place);
        if (!weather_.has_kills || !draws_.one_in(3)) return;
        after(draw_up_to(1s), [this, &place, number = place.programs] {  // it crashes again and again
            if (place.program && place.programs == number && !is_healed_) kill(place);
        });
    });
}

// ---- sending ----

void WholeWorld::keep_sending(Node& node) {
    if (is_healed_) return;
    if (node.box && !node.is_closing) {
        // On the program's own thread: it waits while that is busy.
        node.place->program->app->post([this, &node, life = node.life] {
            if (lives(node, life) && !is_healed_) send_something(node);
        });
    }
    if (node.burst_left == 0 && draws_.one_in(50)) node.burst_left = draws_.below(100);
    auto wait = draw_up_to(Duration(weather_.between_sends) * 2);
    if (node.burst_left > 0) {
        --node.burst_left;
        wait = draw_up_to(50us);
    }
    after(wait, [this, &node] { keep_sending(node); });
}

Ledger::Sending WholeWorld::draw_sending(Node& node) {
    Ledger::Sending sending;
    sending.from = node.life;
    std::size_t other = draws_.below(nodes_.size() - 1);
    if (nodes_[other].get() == &node) other = nodes_.size() - 1;
    sending.to = draws_.one_in(200) ? "nobody" + std::to_string(draws_.below(3)) : nodes_[other]->name;
    sending.is_local = node.place->program->bus->has_node(sending.to);
    sending.is_request = draws_.percent(weather_.requests);
    sending.waits = Waits::Accepted;
    if (sending.is_request) {
        sending.waits = Waits::Answer;
    } else if (draws_.percent(weather_.waiting)) {
        sending.waits = draws_.one_in(2) ? Waits::Delivered : Waits::Handled;
    }
    sending.token = ++node.last_token;
    return sending;
}

void WholeWorld::ping(Node& node) {
    const std::uint64_t token = ++node.last_token;
    const std::string& to = nodes_[draws_.below(nodes_.size())]->name;
    trace("ping", node.name + " > " + to, token);
    ledger_.pings(node.life, token);
    static_cast<WebSocketTransport&>(node.box->transport())
        .ping(to, draws_.between(100ms, 5'000ms),
              [this, life = node.life, token](const std::expected<void, SendError>& result) {
                  is_settled(life, token, result ? Answer() : Answer(std::unexpected(result.error())));
              });
}

void WholeWorld::send_something(Node& node) {
    if (draws_.one_in(200)) return ping(node);
    const Ledger::Sending sending = draw_sending(node);
    const MessageId id = ledger_.sends(sending);
    const std::size_t padding = draws_.one_in(10) ? draws_.below(weather_.largest_payload + 1) : 0;
    SendOpts opts;
    opts.timeout = draws_.one_in(3) ? 60'000ms : draws_.between(1ms, 5'000ms);
    opts.wait = sending.waits == Waits::Delivered ? Wait::Delivered
                : sending.waits == Waits::Handled ? Wait::Handled
                                                  : Wait::Accepted;
    trace("send", node.name + " > " + sending.to, id, static_cast<int>(sending.waits), opts.timeout.count());
    send(node, sending, IntentBox("m", Ledger::payload_of(id, padding)), opts);
}

void WholeWorld::send(Node& node, const Ledger::Sending& sending, const IntentBox& intent, const SendOpts& opts) {
    const auto settle = [this, life = sending.from, token = sending.token](Answer result) {
        is_settled(life, token, std::move(result));
    };
    if (sending.is_request) return node.box->request_async(sending.to, intent, opts, settle);
    node.box->send_async(sending.to, intent, opts, [settle](const std::expected<void, SendError>& sent) {
        if (sent) return settle(Answer());
        settle(std::unexpected(sent.error()));
    });
}

void WholeWorld::is_settled(Life life, std::uint64_t token, Answer result) {
    if (killed_.contains(life)) return;
    trace("settled", result ? result->dump() : result.error().to_string(), life, token);
    // A node that closes ends its own waits: what it waited for may have run.
    if (!result && result.error().reason == Reason::Closed && left_.contains(life))
        result = std::unexpected(SendError(Reason::MayHaveRun, "closed"));
    ledger_.is_settled(life, token, result);
}

void WholeWorld::is_unconfirmed(Life life, const UnconfirmedIntent& lost) {
    trace("lost", lost.reason, life, Ledger::id_of(lost.intent.payload()));
    ledger_.is_unconfirmed(life, {lost.to, lost.intent, reason_of(lost.reason)});
}

// ---- handling ----

void WholeWorld::handle(Node& node, Life life, const Arrival& arrival) {
    const MessageId id = Ledger::id_of(arrival.intent.payload());
    trace("handle", node.name, id, life);
    ledger_.is_delivered(life, id, std::string(arrival.from), arrival.is_request());
    if (!is_healed_ && weather_.slowest_handler > 0us) {
        node.place->program->app->freeze(draw_up_to(weather_.slowest_handler));
    }
    std::optional<Reason> failure;
    if (draws_.percent(weather_.failing_handlers)) {
        failure = arrival.is_request() && draws_.one_in(2) ? Reason::NoHandler : Reason::HandlerFailed;
    }
    ledger_.is_handled(life, id, failure);
    if (!is_healed_ && draws_.one_in(20) && !node.is_closing) send_something(node);
    if (node.closes_in_handler && lives(node, life)) close_now(node);
    if (failure == Reason::HandlerFailed) throw ReportedFailure(std::string(draws_.below(300), '"'));
    if (!failure) arrival.answer(Ledger::answer_to(id));
}

void WholeWorld::is_on_wire(bool is_up, std::string_view frame) {
    if (trace_.prints()) trace(is_up ? "up" : "down", frame);
    ++outcome_.frames;
    if (!is_up) return;
    const auto decoded = wire::decode(frame, scratch_);
    if (!decoded) return ledger_.violated("a frame cannot be read: " + decoded.error().message);
    const wire::Head& head = decoded->head;
    if (head.type != wire::FrameType::Message || head.session.number == 0) return;
    const auto id = head.kind == wire::MessageKind::Reply ? std::nullopt : Ledger::id_in(decoded->payload);
    ledger_.is_on_wire(head.session, head.sequence, head.instance, id);
}

}  // namespace nyamesh::simulation
