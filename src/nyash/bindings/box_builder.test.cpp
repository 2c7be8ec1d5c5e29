#include <nyash/box_builder.h>

#include <doctest/doctest.h>

#include <stdexcept>

#include <nyash/interpreter.h>

using nyash::Interpreter;

namespace {

int counters_alive = 0;

class Counter {
public:
    explicit Counter(int start) : value_(start) { ++counters_alive; }
    Counter(const Counter& other) : value_(other.value_) { ++counters_alive; }
    ~Counter() { --counters_alive; }
    void add(int n) { value_ += n; }
    int value() const { return value_; }
    void take_all(Counter& other) { value_ += std::exchange(other.value_, 0); }
    std::expected<int, std::string> divided_by(int n) const {
        if (n == 0) return std::unexpected("a counter cannot be divided by 0");
        return value_ / n;
    }
    void explode() { throw std::runtime_error("boom"); }
    std::string label = "plain";

private:
    int value_;
};

struct Script {
    std::string out;
    Interpreter interpreter;

    Script()
        : interpreter([&] {
              Interpreter::Options options;
              options.out = [this](std::string_view text) { out += text; };
              options.err = [](std::string_view) {};
              return options;
          }()) {
        interpreter.box<Counter>("CounterBox")
            .constructor<int>("start")
            .method("add", &Counter::add, "amount")
            .method("takeAll", &Counter::take_all)
            .method("dividedBy", &Counter::divided_by)
            .method("explode", &Counter::explode)
            .method("twice", [](Counter& counter, int n) { return 2 * (counter.value() + n); })
            .property("value", &Counter::value)
            .property("label", &Counter::label);
    }
    nyash::Outcome run(std::string text) { return interpreter.run_source("test", std::move(text)); }
    std::string error(std::string text) { return run(std::move(text)).message; }
};

}  // namespace

TEST_CASE("a C++ class is a box: constructed, called, read, printed") {
    Script script;
    CHECK(script
              .run("c = new CounterBox(5)\nc.add(3)\nprint(c.value)\nprint(c.label)\nprint(c.twice(1))\n"
                   "print(c.type_name())\nprint(c)\nprint(c.add(1))")
              .ok());
    CHECK(script.out == "8\nplain\n18\nCounterBox\nCounterBox()\nvoid\n");
}

TEST_CASE("the C++ object lives as long as somebody refers to it") {
    {
        Script script;
        CHECK(script.run("c = new CounterBox(1)\nd = new CounterBox(2)").ok());
        CHECK(counters_alive == 2);
        CHECK(script.run("d = null").ok());
        CHECK(counters_alive == 1);
        auto* counter = script.interpreter.global("c").native<Counter>();
        REQUIRE(counter);
        counter->add(41);
        CHECK(script.interpreter.evaluate("c.value")->as_integer() == 42);
        CHECK(script.interpreter.evaluate("[]")->native<Counter>() == nullptr);
    }
    CHECK(counters_alive == 0);
    CHECK(nyash::live_objects() == 0);
}

TEST_CASE("a box of the same class is an argument by reference") {
    Script script;
    CHECK(script.run("a = new CounterBox(1)\nb = new CounterBox(2)\na.takeAll(b)\nprint(a.value + \" \" + b.value)")
              .ok());
    CHECK(script.out == "3 0\n");
    CHECK(script.error("a.takeAll([])") == "takeAll expects another box as 'argument1', got ArrayBox");
}

TEST_CASE("a script's box can be made from a C++ box, and passes as one") {
    Script script;
    CHECK(script
              .run("box Double from CounterBox {\n"
                   "    birth(start) { from CounterBox.birth(2 * start) }\n"
                   "    twiceMore() { me.add(me.value)  return me.value }\n"
                   "}\n"
                   "d = new Double(5)\nd.add(1)\nprint(d.value)\n"
                   "plain = new CounterBox(1)\nplain.takeAll(d)\nprint(plain.value)")
              .ok());
    CHECK(script.out == "11\n12\n");
    CHECK(script.interpreter.global("d").native<Counter>() != nullptr);
    CHECK(script.interpreter.global("d").type_name() == "Double");
}

TEST_CASE("wrong counts and types are errors as with built-in boxes") {
    Script script;
    CHECK(script.error("new CounterBox()") == "Function CounterBox expects 1 argument, got 0");
    CHECK(script.error("new CounterBox(\"x\")") ==
          "CounterBox expects an Integer of a smaller range as 'start', got StringBox");
    CHECK(script.error("c = new CounterBox(1)\nc.add(1, 2)") == "Function add expects 1 argument, got 2");
    CHECK(script.error("c.add(5000000000)") == "add expects an Integer of a smaller range as 'amount', got IntegerBox");
    CHECK(script.error("c.nope()").starts_with("Method 'nope' not found in CounterBox"));
    CHECK(script.error("c.valeu").starts_with("Field 'valeu' not found in CounterBox"));
    CHECK(script.run("c.add(amount: 2)\nprint(c.value)").ok());
    CHECK(script.out == "3\n");
}

TEST_CASE("what C++ throws, or answers as an error, is an error of the script with its place") {
    Script script;
    const auto outcome = script.run("c = new CounterBox(1)\nc.explode()");
    CHECK(outcome.message == "boom");
    CHECK(outcome.diagnostic.find("--> test:2:3") != std::string::npos);
    CHECK(script.error("c.dividedBy(0)") == "a counter cannot be divided by 0");
    CHECK(script.interpreter.evaluate("c.dividedBy(1)")->as_integer() == 1);
}

TEST_CASE("functions of C++ take and give what C++ has") {
    Script script;
    auto& interpreter = script.interpreter;
    interpreter.define("twice", [](std::int64_t x) { return 2 * x; });
    interpreter.define("half", [](double x) { return x / 2; });
    interpreter.define("shout", [](std::string_view text) { return std::string(text) + "!"; });
    interpreter.define("find", [](const std::string& key) -> std::optional<int> {
        if (key == "a") return 1;
        return std::nullopt;
    });
    interpreter.define("range", [](int n) {
        std::vector<int> numbers;
        for (int i = 0; i < n; ++i) numbers.push_back(i);
        return numbers;
    });
    interpreter.define("size", [](const nya::Json& json) { return static_cast<int>(json.size()); });
    interpreter.define("fail", [] { throw 1; });
    CHECK(script
              .run("print(twice(21))\nprint(half(5))\nprint(shout(\"hi\"))\nprint(find(\"a\"))\nprint(find(\"b\"))\n"
                   "print(range(3))\nprint(size([1, 2]))")
              .ok());
    CHECK(script.out == "42\n2.5\nhi!\n1\nnull\n[0, 1, 2]\n2\n");
    CHECK(script.error("twice(1.5)") == "twice expects an Integer as 'argument1', got FloatBox");
    CHECK(script.error("size(twice)") == "size expects a value that JSON can hold as 'argument1', got FunctionBox");
    CHECK(script.error("fail()") == "The native code failed");
}

TEST_CASE("C++ keeps a script's function and calls it later") {
    Script script;
    nyash::ScriptValue callback;
    script.interpreter.define("onEvent", [&](nyash::ScriptValue function) { callback = std::move(function); });
    CHECK(script.run("onEvent(function(name) { print(\"event \" + name) })").ok());
    CHECK(callback.call("start").has_value());
    CHECK(script.out == "event start\n");
}

TEST_CASE("a later definition replaces an earlier one; a box's name must be free") {
    Script script;
    script.interpreter.define("version", [] { return 1; });
    script.interpreter.define("version", [] { return 2; });
    CHECK(script.interpreter.call("version")->as_integer() == 2);
    CHECK_THROWS_AS(script.interpreter.box<Counter>("ArrayBox"), std::invalid_argument);
    CHECK_THROWS_AS(script.interpreter.box<Counter>("CounterBox"), std::invalid_argument);
}
