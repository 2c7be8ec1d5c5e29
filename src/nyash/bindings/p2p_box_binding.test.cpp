// The asynchronous forms of send and request, as `nowait` calls them: `begin(node, "request", to, message)` here.
#include "nyash/bindings/bindings.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nyamesh/p2p_box.h>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/runtime.h"
#include "nyash/syntax/parser.h"

using namespace nyash;

namespace {

// begin(receiver, method, arguments...): the method's asynchronous form.
Result begin(NativeCall& call) {
    const Value receiver = call[0];
    const std::string name = call[1].as_string().text();
    const auto& type = call.runtime.type_of(receiver);
    const NativeFunction* function = type.find_method(call.runtime.names().intern(name)).native;
    REQUIRE(function != nullptr);
    REQUIRE((function->async_code != nullptr));
    std::vector<Value> arguments(call.arguments.begin() + 2, call.arguments.end());
    arguments.resize(function->most);
    NativeCall inner(call.vm, *function, receiver, arguments);
    return function->async_code(inner);
}

struct Script {
    std::string out;
    Runtime runtime{[this] {
        Runtime::Options options;
        options.channels.out = [this](std::string_view text) { out += text; };
        options.channels.err = [this](std::string_view text) { out += text; };
        return options;
    }()};

    Script() {
        add_boxes(runtime);
        add_intent_box(runtime);
        add_p2p_box(runtime);
        runtime.define_function("begin", "values...", begin);
    }
    std::string run(std::string text) {
        auto program = parse(std::make_shared<const Source>("test", std::move(text)));
        REQUIRE(program.has_value());
        auto main = runtime.load(std::move(*program));
        REQUIRE(main.has_value());
        auto result = runtime.vm().run_main(**main);
        if (!result) out += runtime.describe(result.error());
        runtime.loop()->run_until_idle();
        return std::exchange(out, {});
    }
};

}  // namespace

TEST_CASE("an idle node has answered when the future is made") {
    Script script;
    CHECK(script.run(R"(
        alice = new P2PBox("alice")
        bob = new P2PBox("bob")
        bob.on("double", function(intent, from) { return intent.payload * 2 })
        f = begin(alice, "request", "bob", new IntentBox("double", 21))
        print(f)
        print(f.get())
        print(begin(alice, "send", "bob", "double:x"))
        print(begin(alice, "request", "nobody", "x").get().getError().kind)
    )") == "Future(ready: Ok(42))\nOk(42)\nFuture(ready: Ok(true))\nNodeNotFound\n");
}

TEST_CASE("a busy node answers once its handler has ended; the loop runs while the script waits") {
    Script script;
    CHECK(script.run(R"(
        alice = new P2PBox("alice")
        bob = new P2PBox("bob")
        kept = null
        bob.on("value", function(intent, from) { return 7 })
        bob.on("start", function(intent, from) {
            kept = begin(alice, "request", "bob", "value:x")
            print(kept)
        })
        alice.send("bob", "start:x")
        print(kept.get())
    )") == "Future(pending)\nOk(7)\n");
}

TEST_CASE("a future nobody waits for keeps the script alive until it is ready") {
    Script script;
    CHECK(script.run(R"(
        alice = new P2PBox("alice")
        bob = new P2PBox("bob")
        bob.on("start", function(intent, from) {
            kept = begin(alice, "send", "bob", "value:x", { wait: "handled", timeout: 1 })
            r = kept.get()
            print(r.getError().reason)
        })
        alice.send("bob", "start:x")
    )") == "may_have_run\n");
    CHECK_FALSE(script.runtime.loop()->has_work());
}

TEST_CASE("a node that closes, or goes with its last reference, ends what it waits for and keeps nothing alive") {
    Script script;
    CHECK(script.run(R"(
        bob = new P2PBox("bob")
        bob.on("value", function(intent, from) { return 7 })
        function ask() {
            local alice = new P2PBox("alice")
            return begin(alice, "request", "bob", "value:x", { timeout: 86400000 })
        }
        bob.on("start", function(intent, from) {
            f = ask()
            print(f.get().getError().message)
            carol = new P2PBox("carol")
            g = begin(carol, "request", "bob", "value:x", { timeout: 86400000 })
            carol.close()
            print(g.get().getError().reason)
        })
        bob.send("bob", "start:x")
    )") == "node \"alice\" has been closed\nclosed\n");
    CHECK_FALSE(script.runtime.loop()->has_work());
}

TEST_CASE("a script asks a node of another thread, and that thread answers through the script's loop") {
    const auto home = std::make_shared<nya::ThreadExecutor>("far");
    auto far = nyamesh::P2PBox::open("far", nyamesh::TransportKind::InProcess, {.executor = home}).value();
    const auto main_thread = std::this_thread::get_id();
    far.on("ask", [&](const nyamesh::IntentBox& intent, std::string_view) {
        CHECK(std::this_thread::get_id() != main_thread);
        return intent.payload();
    });
    Script script;
    CHECK(script.run(R"(
        alice = new P2PBox("alice")
        print(alice.request("far", "ask:one"))
        f = begin(alice, "request", "far", "ask:two")
        print(f.get())
    )") == "Ok(one)\nOk(two)\n");
}

TEST_CASE("a script that ends with an error leaves pending futures to nobody") {
    const auto home = std::make_shared<nya::ManualExecutor>();
    auto far = nyamesh::P2PBox::open("far", nyamesh::TransportKind::InProcess, {.executor = home}).value();
    far.on("ask", [&](const nyamesh::IntentBox& intent, std::string_view) { return intent.payload(); });
    std::thread far_away([&] { home->bind_to_this_thread(); });
    far_away.join();
    {
        Script script;
        auto program = parse(std::make_shared<const Source>("test", R"(
            alice = new P2PBox("alice")
            f = begin(alice, "request", "far", "ask:one")
            print(nothere)
        )"));
        REQUIRE(program.has_value());
        auto main = script.runtime.load(std::move(*program));
        REQUIRE(main.has_value());
        CHECK_FALSE(script.runtime.vm().run_main(**main).has_value());
    }
    home->bind_to_this_thread();
    home->run_ready();  // the answer comes when the script has gone
    CHECK(far.bus()->statistics().nodes >= 1);
}
