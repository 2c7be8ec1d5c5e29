#include <nyash/interpreter.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

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

TEST_CASE("interrupt ends a script that waits") {
    Script script;
    std::thread other([&] { script.interpreter.interrupt(); });
    const auto outcome = script.run("new TimeBox().sleep(600000)");
    other.join();
    CHECK(outcome.exit_code == nyash::kInterrupted);
    CHECK(outcome.message == "Interrupted");
    CHECK(outcome.diagnostic.starts_with("error: Interrupted\n"));
}

TEST_CASE("after resume the interpreter runs scripts again") {
    Script script(100);
    script.interpreter.interrupt();
    CHECK(!script.run("print(1)").ok());
    script.interpreter.resume();
    CHECK(script.run("print(2)").ok());
    CHECK(!script.run("loop { }").ok());
    CHECK(!script.run("print(3)").ok());
    script.interpreter.resume();
    CHECK(script.run("print(4)").ok());
    CHECK(script.out == "2\n4\n");
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

TEST_CASE("C++ calls what a script defines, and gets values back") {
    Script script;
    REQUIRE(script.run("function add(a, b) { return a + b }\nfunction nothing() { }").ok());
    CHECK(script.interpreter.call("add", 1, 2)->as_integer() == 3);
    CHECK(script.interpreter.call("add", "a", 1.5)->as_string() == "a1.5");
    CHECK(script.interpreter.call("nothing")->is_void());
}

TEST_CASE("an error in a called function comes back, and is not written") {
    Script script;
    REQUIRE(script.run("function bad(x) { return x.nope }").ok());
    const auto failed = script.interpreter.call("bad", 1);
    REQUIRE(!failed);
    CHECK(failed.error().message == "Field 'nope' not found in IntegerBox");
    CHECK(failed.error().diagnostic.find("--> test:1:28") != std::string::npos);
    CHECK(script.err.empty());
    CHECK(script.interpreter.call("bda", 1).error().diagnostic ==
          "error: Undefined variable 'bda'\nhelp: did you mean 'bad'?\n");
    CHECK(script.interpreter.call("bad").error().message == "Function bad expects 1 argument, got 0");
}

TEST_CASE("globals go both ways") {
    Script script;
    script.interpreter.set_global("limit", 10);
    script.interpreter.set_global("point", nya::Json{{"x", 1}, {"tags", nya::Json::array({"a", "b"})}});
    CHECK(script.run("limit = limit + 1\npoint.tags.push(point.x)").ok());
    CHECK(script.interpreter.global("limit").as_integer() == 11);
    CHECK(script.interpreter.global("point").as_json().dump() == R"({"x":1,"tags":["a","b",1]})");
    CHECK(!script.interpreter.has_global("nope"));
    CHECK(script.interpreter.global("nope").is_null());
}

TEST_CASE("objects are references, functions among them, and keep what they refer to alive") {
    Script script;
    auto counter = script.interpreter.evaluate("count = 0\nfunction() { count = count + 1  return count }");
    REQUIRE(counter);
    CHECK(counter->call()->as_integer() == 1);
    CHECK(counter->call()->as_integer() == 2);
    auto list = script.interpreter.evaluate("[1, 2]").value();
    CHECK(list.type_name() == "ArrayBox");
    CHECK(list.invoke("push", 3).has_value());
    CHECK(list.to_string() == "[1, 2, 3]");
    CHECK(list.invoke("nope").error().message == "Method 'nope' not found in ArrayBox");
    script.interpreter.set_global("list", list);
    CHECK(script.interpreter.evaluate("list.length()")->as_integer() == 3);
    CHECK(script.interpreter.evaluate("({name: \"Mio\"})")->get("name")->as_string() == "Mio");
}

TEST_CASE("a value that outlives its interpreter is empty, not dangling") {
    nyash::ScriptValue list;
    nyash::ScriptValue text;
    {
        Script script;
        list = script.interpreter.evaluate("[1, 2]").value();
        text = script.interpreter.evaluate("\"kept\"").value();
    }
    CHECK(nyash::live_objects() == 0);
    CHECK(list.invoke("push", 3).error().message == "The interpreter of this value is gone");
    CHECK(list.as_json().is_null());
    CHECK(text.as_string() == "kept");
}

TEST_CASE("a value asked for as another kind says what it is") {
    const nyash::ScriptValue text = "x";
    CHECK_THROWS_WITH_AS((void)text.as_integer(), "expected an Integer, found StringBox", nyash::ScriptTypeError);
    Script script;
    const auto function = script.interpreter.evaluate("function() { }").value();
    CHECK_THROWS_AS((void)function.as_json(), nyash::ScriptTypeError);
    CHECK(nyash::ScriptValue(3).call().error().message == "Expected a function, found IntegerBox");
}

TEST_CASE("evaluate gives the value of an expression, and keeps every variable") {
    Script script;
    CHECK(script.interpreter.evaluate("local x = 20, y")->is_void());
    CHECK(script.interpreter.evaluate("x + 1")->as_integer() == 21);
    CHECK(script.interpreter.evaluate("y")->kind() == nyash::ScriptValue::Kind::Null);
    CHECK(script.interpreter.evaluate("x = 3")->is_void());
    CHECK(script.interpreter.evaluate("nope").error().diagnostic.find("--> input:1:1") != std::string::npos);
    CHECK(script.interpreter.evaluate("1 +").error().message.starts_with("Expected a value"));
    CHECK(script.err.empty());
}

TEST_CASE("an unfinished text is told from a wrong one") {
    for (const char* text : {"function f() {\n", "x = [1,\n", "print(\"a\n", "/* a\n", "1 +\n", "if x\n", "f(\n"})
        CHECK_MESSAGE(Interpreter::is_incomplete(text), text);
    for (const char* text : {"x = 1\n", "f(])\n", "}\n", "1 + * 2\n", "\n", "x = \\\n"})
        CHECK_MESSAGE(!Interpreter::is_incomplete(text), text);
}

TEST_CASE("completion knows keywords, names, boxes after new, and members of what a name holds") {
    Script script;
    REQUIRE(
        script.run("total = 1\nlist = [1]\nmap = {apple: 1, avocado: 2}\nfunction boom() { print(\"called\") }").ok());
    const auto& interpreter = script.interpreter;
    using Words = std::vector<std::string>;
    CHECK(interpreter.completions("print(tot") == Words{"total"});
    CHECK(interpreter.completions("x = fun") == Words{"function"});
    CHECK(interpreter.completions("new MapB") == Words{"MapBox"});
    CHECK(interpreter.completions("list.pu") == Words{"push"});
    CHECK(interpreter.completions("x + map.a") == Words{"apple", "avocado"});
    CHECK(interpreter.completions("boom().").empty());
    CHECK(interpreter.completions("map.apple.").empty());
    CHECK(interpreter.completions("").empty());
    CHECK(script.out.empty());
}

TEST_CASE("run_pending handles what other threads sent, and never waits") {
    Script script;
    REQUIRE(
        script.run("node = new P2PBox(\"pending\")\nnode.on(\"hi\", function(intent) { print(intent.payload) })").ok());
    std::thread([] {
        auto native = nyamesh::P2PBox::open("native").value();
        CHECK(native.send("pending", nyamesh::IntentBox("hi", "there")).has_value());
    }).join();
    CHECK(script.out.empty());
    CHECK(script.interpreter.run_pending().ok());
    CHECK(script.out == "there\n");
}

TEST_CASE("a descriptor is waited for while the event loop runs") {
    Script script;
    REQUIRE(
        script.run("node = new P2PBox(\"reader\")\nnode.on(\"hi\", function(intent) { print(intent.payload) })").ok());
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    std::thread other([&] {
        auto native = nyamesh::P2PBox::open("native").value();
        CHECK(native.send("reader", nyamesh::IntentBox("hi", "meanwhile")).has_value());
        CHECK(write(ends[1], "x", 1) == 1);
    });
    CHECK(script.interpreter.wait_readable(ends[0]));
    other.join();
    CHECK(script.out == "meanwhile\n");

    char byte = 0;
    CHECK(read(ends[0], &byte, 1) == 1);
    std::thread interrupting([&] { script.interpreter.interrupt(); });
    CHECK(!script.interpreter.wait_readable(ends[0]));
    interrupting.join();
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("arguments reach Main.main") {
    Script script;
    CHECK(script.interpreter.run_source("test", "static box Main { main(args) { print(args) } }", {"one", "two words"})
              .ok());
    CHECK(script.out == "[one, two words]\n");
}

TEST_CASE("without a network nodes stay in their process") {
    std::string diagnostic;
    Interpreter::Options options;
    options.err = [&](std::string_view text) { diagnostic += text; };
    options.allow_network = false;
    Interpreter interpreter(std::move(options));
    CHECK(interpreter.run_source("m", "new P2PBox(\"a\", transport: \"websocket\")").exit_code == 1);
    CHECK(diagnostic.find("Nodes on a wire are not available to this script") != std::string::npos);
    CHECK(interpreter.run_source("m", "new P2PBox(\"a\")").exit_code == 0);
}

TEST_CASE("without files nothing is included") {
    std::string diagnostic;
    Interpreter::Options options;
    options.err = [&](std::string_view text) { diagnostic += text; };
    options.allow_files = false;
    const auto folder = std::filesystem::temp_directory_path() / ("nyash_files_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "other.nyash") << "print(1)\n";
    const auto outcome =
        Interpreter(std::move(options)).run_source((folder / "main.nyash").string(), "include \"other.nyash\"");
    CHECK(outcome.exit_code == 1);
    CHECK(diagnostic.find("this program does not let scripts use files") != std::string::npos);
    std::filesystem::remove_all(folder);
}

TEST_CASE("fields and methods of a script's own box are completed") {
    Script script;
    REQUIRE(script.run("box Tea { init { leaves } steep() { } }\ntea = new Tea()").ok());
    CHECK(script.interpreter.completions("tea.le") == std::vector<std::string>{"leaves"});
    CHECK(script.interpreter.completions("tea.ste") == std::vector<std::string>{"steep"});
}

TEST_CASE("the value of a program is shown when asked for") {
    std::string out;
    Interpreter::Options options;
    options.out = [&](std::string_view text) { out += text; };
    options.shows_result = true;
    CHECK(Interpreter(std::move(options)).run_source("test", "6 * 7").ok());
    CHECK(out == "Result: 42\n");
}

TEST_CASE("a misspelt file name is guessed") {
    const auto folder = std::filesystem::temp_directory_path() / ("nyash_files_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "cart.nyash") << "print(1)\n";
    Script script;
    const std::string cart = (folder / "cart.nyash").string();
    CHECK(script.interpreter.run_file((folder / "crat.nyash").string())
              .diagnostic.ends_with("help: did you mean '" + cart + "'?\n"));
    CHECK(script.interpreter.run_file((folder / "cart").string())
              .diagnostic.ends_with("help: did you mean '" + cart + "'?\n"));
    std::filesystem::remove_all(folder);
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
