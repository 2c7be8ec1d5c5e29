#include <nyash/interpreter.h>

#include <doctest/doctest.h>

#include <thread>

#include <nyamesh/p2p_box.h>

using nyash::Interpreter;

namespace {

// An interpreter whose output stays here.
struct Script {
    std::string out;
    std::string err;
    Interpreter interpreter;

    explicit Script(std::uint64_t max_steps = 0)
        : interpreter([&] {
              Interpreter::Options options;
              options.out = [this](std::string_view text) { out += text; };
              options.err = [this](std::string_view text) { err += text; };
              options.read_line = [](std::string& line) {
                  line = "typed";
                  return true;
              };
              options.wall_clock_ms = [] { return std::int64_t{1234}; };
              options.random = nya::Random::seeded(1);
              options.max_steps = max_steps;
              return options;
          }()) {}
    nyash::Outcome run(std::string text) { return interpreter.run_source("test", std::move(text)); }
};

}  // namespace

TEST_CASE("a run that ends well has no diagnostic") {
    Script script;
    const auto outcome = script.run("print(6 * 7)");
    CHECK(outcome.ok());
    CHECK(outcome.diagnostic.empty());
    CHECK(script.out == "42\n");
    CHECK(script.err.empty());
}

TEST_CASE("a syntax error prevents any execution") {
    Script script;
    const auto outcome = script.run("print(1)\nprint(");
    CHECK(outcome.exit_code == 1);
    CHECK(script.out.empty());
    CHECK(script.err == outcome.diagnostic);
}

TEST_CASE("an uncaught error shows the calls that led there") {
    Script script;
    const auto outcome = script.run("function f(x) { return x.nope }\nfunction g() { return f([]) }\ng()");
    CHECK(outcome.diagnostic ==
          "error: Field 'nope' not found in ArrayBox\n"
          "  --> test:1:26\n"
          "   |\n"
          " 1 | function f(x) { return x.nope }\n"
          "   |                          ^^^^\n"
          "   = in 'f', called at test:2:23\n"
          "   = in 'g', called at test:3:1\n");
}

TEST_CASE("globals stay from one run to the next") {
    Script script;
    CHECK(script.run("x = 1\nfunction f() { return x + 1 }").ok());
    CHECK(script.run("print(f())").ok());
    CHECK(script.out == "2\n");
}

TEST_CASE("the world of a script is what its options say") {
    Script script;
    CHECK(
        script
            .run("print(new TimeBox().nowMs())\nprint(new ConsoleBox().readLine())\nprint(new MathBox().random() < 1)")
            .ok());
    CHECK(script.out == "1234\ntyped\ntrue\n");
}

TEST_CASE("a limit on steps ends endless loops, recursion and callbacks alike") {
    for (const char* endless : {"loop { }", "function f() { loop { g() } } function g() { } f()",
                                "a = [1]\na.forEach(function(x) { a.push(x) })"}) {
        Script script(10'000);
        const auto outcome = script.run(endless);
        CHECK(outcome.diagnostic.starts_with("error: The script took more than 10000 steps"));
    }
}

TEST_CASE("a handler that uses up the steps ends the script that sent to it") {
    Script script(1'000);
    const auto outcome = script.run(
        "node = new P2PBox(\"steps\")\n"
        "node.on(\"x\", function(i) { node.send(\"steps\", \"x:2\") loop { } })\n"
        "node.send(\"steps\", \"x:1\")\n"
        "print(\"after\")");
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.diagnostic.starts_with("error: The script took more than 1000 steps\n  --> test:3:6"));
    CHECK(script.out.empty());
    // Said once, not once for every message in the queue.
    CHECK(script.err.find("in the handler") == script.err.rfind("in the handler"));
}

TEST_CASE("a handler that uses up the steps while the event loop runs is an error of the script") {
    Script script(1'000);
    CHECK(script.run("node = new P2PBox(\"late\")\nnode.on(\"x\", function(i) { loop { } })").ok());
    std::thread([] {
        auto native = nyamesh::P2PBox::open("native").value();
        CHECK(native.send("late", nyamesh::IntentBox("x", nya::Json::object())).has_value());
    }).join();
    const auto outcome = script.run("new TimeBox().sleep(60000)");
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.diagnostic.starts_with("error: The script took more than 1000 steps\n  --> test:1:15"));
}

TEST_CASE("interrupt ends a running script from another thread") {
    Script script;
    std::thread other([&] { script.interpreter.interrupt(); });
    const auto outcome = script.run("loop { }");
    other.join();
    CHECK(outcome.diagnostic.starts_with("error: Interrupted"));
}

TEST_CASE("check compiles and runs nothing") {
    Script script;
    CHECK(script.interpreter.check_source("test", "print(1)").ok());
    CHECK(script.interpreter.check_source("test", "print(").exit_code == 1);
    CHECK(script.out.empty());
}

TEST_CASE("a file that cannot be read is an error that says why") {
    Script script;
    CHECK(script.interpreter.run_file("no/such/file").diagnostic ==
          "error: Cannot read 'no/such/file': No such file or directory\n");
    CHECK(script.interpreter.run_file(".").diagnostic == "error: Cannot read '.': it is a directory\n");
}

TEST_CASE("a message from a C++ node on another thread waits for the script's event loop") {
    Script script;
    CHECK(script
              .run("node = new P2PBox(\"script\")\n"
                   "node.on(\"hi\", function(intent, from) { print(from + \" says \" + intent.payload.text) })")
              .ok());
    std::thread([] {
        auto native = nyamesh::P2PBox::open("native").value();
        CHECK(native.send("script", nyamesh::IntentBox("hi", nya::Json{{"text", "hello"}})).has_value());
    }).join();
    CHECK(script.out.empty());
    CHECK(script.run("new TimeBox().sleep(0)").ok());
    CHECK(script.out == "native says hello\n");
}

TEST_CASE("nodes leave the bus with their interpreter") {
    {
        Script script;
        CHECK(script.run("node = new P2PBox(\"leaving\")").ok());
        CHECK(nyamesh::MessageBus::global()->has_node("leaving"));
    }
    CHECK(!nyamesh::MessageBus::global()->has_node("leaving"));
    CHECK(nyash::live_objects() == 0);
}
