#include "nyash/syntax/parser.h"

#include <doctest/doctest.h>

#include "nyash/syntax/ast_dump.h"

namespace {

// The tree in one line: levels of indentation become brackets.
std::string tree(const std::string& text) {
    auto program = nyash::parse(std::make_shared<const nyash::Source>("test", text));
    if (!program) return "error: " + program.error().message;
    std::string out;
    int depth = 0;
    const std::string dump = nyash::dump_ast(*program);
    for (std::size_t at = dump.find('\n') + 1; at < dump.size();) {
        const std::size_t end = dump.find('\n', at);
        const std::size_t first = dump.find_first_not_of(' ', at);
        const int level = static_cast<int>(first - at) / 2;
        if (level > depth) out += "(";
        for (; depth > level; --depth) out += ")";
        if (!out.empty() && !out.ends_with('(')) out += " ";
        out += dump.substr(first, end - first);
        depth = level;
        at = end + 1;
    }
    for (; depth > 1; --depth) out += ")";
    return out.substr(1);
}

std::string repeated(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
}

}  // namespace

TEST_CASE("operators bind as the grammar says, all to the left") {
    CHECK(tree("x = 1 + 2 * 3 - 4") == "assign =(name x -(+(1 *(2 3)) 4))");
    CHECK(tree("x = a or b and not c == d") == "assign =(name x or(name a and(name b ==(not(name c) name d))))");
    CHECK(tree("x = -a * b") == "assign =(name x *(negate(name a) name b))");
    CHECK(tree("x = a < b < c") == "assign =(name x <(<(name a name b) name c))");
    CHECK(tree("x = a ? b : c ? d : e") == "assign =(name x ? :(name a name b ? :(name c name d name e)))");
}

TEST_CASE("two statements on one line need no separator") {
    CHECK(tree("x = 1  y = 2") == "assign =(name x 1) assign =(name y 2)");
    CHECK(tree("if a { return 1 }") == "if(name a then(return(1)))");
}

TEST_CASE("( and [ go on with an expression only on its line") {
    CHECK(tree("f\n(x)") == "name f name x");
    CHECK(tree("f(x)") == "call(name f name x)");
    CHECK(tree("a\n[1]") == "name a array(1)");
}

TEST_CASE("line ends are skipped where the language says so") {
    CHECK(tree("x = 1 +\n2") == "assign =(name x +(1 2))");
    CHECK(tree("x =\n1") == "assign =(name x 1)");
    CHECK(tree("a\n  .b()\n  .c") == "field .c(call .b(name a))");
    CHECK(tree("f(\n1\n,\n2\n)") == "call(name f 1 2)");
    CHECK(tree("if a\n{ }\nelse\n{ }") == "if(name a then) else");
    CHECK(tree("x = { a: 1\n, b: 2\n}") == "assign =(name x object(\"a\":(1) \"b\":(2)))");
    CHECK(tree("f(function() {\na\nb\n})") == "call(name f function()(name a name b))");
    CHECK(tree("return\nx") == "return name x");
}

TEST_CASE("keywords are names after a dot, as keys, labels and parameters") {
    CHECK(tree("a.box.new()") == "call .new(field .box(name a))");
    CHECK(tree("f(from: 1, if: 2)") == "call(name f from:(1) if:(2))");
    CHECK(tree("x = { loop: 1 }") == "assign =(name x object(\"loop\":(1)))");
    CHECK(tree("f = function(intent, from) { return from }") ==
          "assign =(name f function(intent, from)(return(name from)))");
}

TEST_CASE("`from` begins a parent call only before a name and a dot") {
    CHECK(tree("x = from + 1") == "assign =(name x +(name from 1))");
    CHECK(tree("from Base.birth(1)") == "from Base.birth(1)");
    CHECK(tree("from Base(1)") == "error: A parent's constructor is called by name");
}

TEST_CASE("loops with and without a condition") {
    CHECK(tree("loop { }") == "loop(do)");
    CHECK(tree("loop() { }") == "loop(do)");
    CHECK(tree("loop(a < 1) { break }") == "loop(<(name a 1) do(break))");
    CHECK(tree("loop (a) < 1 { continue }") == "loop(<(name a 1) do(continue))");
}

TEST_CASE("a box with everything it can have") {
    CHECK(tree("box A<T> from P, Q interface I {\n init { x, weak y }\n public { z }\n n: Integer = 1\n"
               " birth(a) { }\n override m() { }\n static s() { }\n print\n}") ==
          "box A from P, Q interface I(field x weak field y public field z field n(return(1)) field print "
          "constructor birth(a) override method m() static method s())");
    CHECK(tree("static box Main { static { a } main(args) { } }") ==
          "static box Main(method main(args) static(name a))");
    CHECK(tree("interface box I { a(x) b() }") == "interface I(a(x) b())");
    CHECK(tree("static function U.f(x) { x }") == "static function of U: f(x)(name x)");
}

TEST_CASE("errors and the rest of the statements") {
    CHECK(tree("try { a } catch (T e) { b } catch { } finally { c }") ==
          "try(name a) catch T e(name b) catch finally(name c)");
    CHECK(tree("throw x") == "throw(name x)");
    CHECK(tree("nowait f = await g") == "nowait f(await(name g))");
    CHECK(tree("include \"a\"\nusing b.c as d") == "include \"a\" using b.c as d");
    CHECK(tree("try { }") == "error: 'try' without 'catch' or 'finally'");
}

TEST_CASE("what is missing is named, with what stands there instead") {
    CHECK(tree("x = (1") == "error: Expected ')' to close the '(', found the end of the file");
    CHECK(tree("f(1 2)") == "error: Expected ',' between the arguments, found a number");
    CHECK(tree("x = ") == "error: Expected a value here, found the end of the file");
    CHECK(tree("1 = 2") == "error: This cannot be assigned to");
    CHECK(tree("function f(a, a) { }") == "error: The parameter 'a' is named twice");
}

TEST_CASE("no text is nested deep enough to hurt") {
    const auto deep = [](const std::string& open, const std::string& close) {
        return tree("x = " + repeated(open, 100'000) + "1" + repeated(close, 100'000));
    };
    const std::string too_deep = "error: The nesting is too deep (more than 200 levels)";
    CHECK(deep("(", ")") == too_deep);
    CHECK(deep("[", "]") == too_deep);
    CHECK(deep("{a:", "}") == too_deep);
    CHECK(deep("-", "") == too_deep);
    CHECK(deep("f(", ")") == too_deep);
    CHECK(deep("function() { x = ", "}") == too_deep);
    CHECK(deep("a ? ", " : b") == too_deep);
    CHECK(tree(repeated("{", 100'000)) == too_deep);
    CHECK(tree(repeated("if a { } else ", 10'000) + "{ }").starts_with("if"));
    const std::string too_long = "error: The expression is too long (more than 1000 steps)";
    CHECK(tree("x = a" + repeated(" + a", 100'000)) == too_long);
    CHECK(tree("x = a" + repeated(".b", 100'000)) == too_long);
    CHECK(tree("x = a" + repeated("[0]", 100'000)) == too_long);
    CHECK(tree("x = a" + repeated("()", 100'000)) == too_long);
}
