// nyamesh listen: prints what a name receives.
//
// Handlers are registered by name, and nobody tells in advance which names will come. So the bus's trace shows each
// arrival before it is handed on, and the first of a name registers the handler for it.
#include "commands.h"
#include "node.h"
#include "output.h"
#include "signals.h"

#include <atomic>
#include <mutex>
#include <set>
#include <utility>

namespace tool {

namespace {

constexpr std::size_t kMaxNames = 1'024;  // of intents; more of them go unheard

struct Listener {
    const ListenCommand& command;
    nya::Json answer = {};
    std::uint64_t heard = 0;
    std::atomic<bool> is_done = false;
    std::atomic<bool> has_failed = false;
    std::mutex mutex = {};
    nyamesh::ConnectionState state = nyamesh::ConnectionState::Connecting;
    std::set<std::string, std::less<>> names = {};

    void listen_to(nyamesh::P2PBox& box, std::string_view name) {
        {
            const std::lock_guard lock(mutex);
            if (names.size() >= kMaxNames || !names.emplace(name).second) return;
        }
        static_cast<void>(box.on(name, [this](const nyamesh::Arrival& arrival) { hear(arrival); }));
    }

    void tell_state(const nyamesh::P2PBox& box, nyamesh::ConnectionState now, const std::string& problem) {
        {
            const std::lock_guard lock(mutex);
            if (std::exchange(state, now) == now) return;
        }
        if (command.node.is_json) {
            put_json(nya::Json{{"state", to_string(now)}, {"problem", problem}});
        } else {
            complain("'" + std::string(box.node_id()) + "' is " + std::string(to_string(now)) +
                     (problem.empty() ? "" : ": " + printable(problem)));
        }
        if (now != nyamesh::ConnectionState::Failed) return;
        has_failed = true;
        ask_to_stop();
    }

    void hear(const nyamesh::Arrival& arrival) {
        if (is_done || arrival.room() == nyamesh::kNewsRoom) return;
        if (!command.answer.empty()) arrival.answer(answer);
        bool is_read = false;
        if (command.node.is_json) {
            is_read = put_json(nya::Json{
                {"from", arrival.from}, {"intent", arrival.intent.name()}, {"payload", arrival.intent.payload()}});
        } else {
            is_read = put_line(printable(arrival.from) + " " + printable(arrival.intent.name()) + " " +
                               std::string(arrival.intent.payload_text()));
        }
        ++heard;
        if (!is_read || (command.count != 0 && heard >= command.count)) {
            is_done = true;
            ask_to_stop();
        }
    }
};

}  // namespace

int run_listen(const ListenCommand& command) {
    const bool is_json = command.node.is_json;
    Listener listener{.command = command};
    if (!command.answer.empty()) {
        auto answer = typed_intent("answer", command.answer);
        if (!answer) return fail(answer.error(), is_json);
        listener.answer = answer->payload();
    }
    auto box = begin_node(command.node, "listen");
    if (!box) return fail(box.error(), is_json);
    for (const std::string& name : command.intents) listener.listen_to(*box, name);
    if (command.intents.empty()) {
        box->bus()->set_trace([&](const nyamesh::TraceEvent& event) {
            if (event.step == nyamesh::TraceEvent::Step::Arrived) listener.listen_to(*box, event.intent.name());
        });
    }
    static_cast<void>(box->on_state(
        [&](const nyamesh::StateChange& change) { listener.tell_state(*box, change.state, change.problem); }));
    static_cast<void>(box->on_gap([&](const nyamesh::MissedIntents& gap) {
        if (is_json) {
            put_json(nya::Json{{"from", gap.from}, {"missed", gap.missed}});
        } else {
            complain(std::to_string(gap.missed) + " messages of '" + printable(gap.from) + "' are missing");
        }
    }));
    wait_for_signal();
    box->close();
    box->bus()->set_trace({});
    return listener.has_failed ? kFailed : kOk;
}

}  // namespace tool
