// One end of `verify` and `bench`: a node in a process of its own. It tells what happens to it, a JSON line each, and
// leaves every judgement to its parent. Times are milliseconds of the system's steady clock.
//
//   {"ready":true}                        the hub knows it
//   {"got":17,"ms":81234.5}               a message was handled
//   {"gap":3}                             so many will never come
//   {"refused":18,"reason":"…"}           send() said no
//   {"unconfirmed":19,"reason":"…"}
//   {"done":true}                         all that was sent has been handled or reported
//
// The one with --to sends: after the word `go` on its stdin. End of input ends it.
#include "commands.h"
#include "node.h"
#include "output.h"

#include <iostream>
#include <thread>

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;

double now_ms() {
    return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
}

void send_all(nyamesh::P2PBox& box, const EndCommand& command) {
    const auto began = Clock::now();
    for (std::uint64_t n = 0; n < command.messages; ++n) {
        const auto at = std::chrono::nanoseconds(n * 1'000'000'000 / command.rate);
        std::this_thread::sleep_until(began + at);  // the rate is the point
        const auto sent = box.send(command.to, nyamesh::IntentBox("n", n));
        if (!sent) put_json(nya::Json{{"refused", n}, {"reason", to_string(sent.error().reason)}});
    }
}

// In order: whatever became of the messages before it is known when this one is answered. Where it ends with a session,
// or finds no room, there may still be others in the next session: it is asked again.
nyamesh::Answer ask_for_the_end(nyamesh::P2PBox& box, const EndCommand& command) {
    const auto deadline = Clock::now() + 2 * command.node.resume_window + std::chrono::seconds(10);
    for (;;) {
        auto answer = box.request(command.to, nyamesh::IntentBox("done", 0),
                                  {nyamesh::Wait::Handled, command.node.resume_window + std::chrono::seconds(10)});
        if (answer || Clock::now() > deadline) return answer;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // nothing tells when there is room again
    }
}

}  // namespace

int run_end(const EndCommand& command) {
    auto box = begin_node(command.node, "end");
    if (!box) return fail(box.error(), true);
    const bool is_quiet = command.rate == 0;
    std::uint64_t heard = 0;
    static_cast<void>(box->on("n", [&](const nyamesh::IntentBox& intent, std::string_view) {
        ++heard;
        if (!is_quiet) put_json(nya::Json{{"got", intent.payload()}, {"ms", now_ms()}});
    }));
    static_cast<void>(box->on("done", [&](const nyamesh::IntentBox&, std::string_view) { return nya::Json(heard); }));
    static_cast<void>(
        box->on("echo", [](const nyamesh::IntentBox& intent, std::string_view) { return intent.payload(); }));
    static_cast<void>(box->on_gap([](const nyamesh::MissedIntents& gap) { put_json(nya::Json{{"gap", gap.missed}}); }));
    static_cast<void>(box->on_unconfirmed([](const nyamesh::UnconfirmedIntent& lost) {
        if (lost.intent.name() == "n")
            put_json(nya::Json{{"unconfirmed", lost.intent.payload()}, {"reason", lost.reason}});
    }));
    if (const auto connected = wait_until_connected(*box, command.node); !connected)
        return fail(connected.error(), true);
    put_json(nya::Json{{"ready", true}});
    for (std::string word; std::getline(std::cin, word);) {
        if (word != "go") continue;
        send_all(*box, command);
        const auto last = ask_for_the_end(*box, command);
        put_json(nya::Json{{"done", true}, {"reason", last ? std::string_view() : to_string(last.error().reason)}});
    }
    box->close();
    return kOk;
}

}  // namespace tool
