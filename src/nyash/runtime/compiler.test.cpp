#include "nyash/runtime/compiler.h"

#include <doctest/doctest.h>

#include "nyash/runtime/runtime.h"
#include "nyash/syntax/parser.h"

using nyash::Runtime;

namespace {

// The instructions' names and operands, one program's all functions, without numbers and lines.
std::string code(const std::string& text) {
    Runtime::Options options;
    options.channels = {[](std::string_view) {}, [](std::string_view) {}, [](std::string&) { return false; }, {}};
    Runtime runtime(std::move(options));
    auto program = nyash::parse(std::make_shared<const nyash::Source>("test", text));
    REQUIRE(program.has_value());
    auto main = runtime.load(std::move(*program));
    if (!main) return main.error().text.substr(0, main.error().text.find('\n'));
    std::string out;
    const std::string listing = nyash::disassemble(**main, runtime.globals());
    for (std::size_t at = 0; at < listing.size();) {
        const std::size_t end = listing.find('\n', at);
        std::string line = listing.substr(at, end - at);
        at = end + 1;
        if (!line.starts_with(' ')) continue;
        line = line.substr(19);
        std::string squeezed;
        for (char c : line) {
            if (c != ' ' || (!squeezed.empty() && squeezed.back() != ' ')) squeezed += c;
        }
        while (squeezed.ends_with(' ')) squeezed.pop_back();
        out += squeezed + "; ";
    }
    return out;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("locals and literals are operands of arithmetic, without moving them") {
    CHECK(has(code("function f(a, b) { local c = a + b * 2  return c }"),
              "Multiply r3 r1 2; Add r2 r0 r3 n=0; Clear r3 1; Return r2 n=1; "));
}

TEST_CASE("a condition is one test and one jump") {
    CHECK(has(code("function f(n) { if n < 2 { return 1 } return 2 }"),
              "TestLess n=0 r0 2; Jump to 3; Return 1 n=1; Return 2 n=1; "));
}

TEST_CASE("only what a lambda uses lives in a cell") {
    const auto listing = code("function f() { local a = 1  local b = 2  return function() { return a } }");
    CHECK(has(listing, "LoadInteger r0 1; NewCell r0; LoadInteger r1 2; NewFunction r2 function#0; "));
    CHECK(has(listing, "GetCapture r0 0; Return r0 n=1; "));
}

TEST_CASE("an undeclared name is a global at the top, and decided at run time in a function") {
    CHECK(has(code("x = 1"), "SetGlobal r0 x"));
    CHECK(has(code("function f() { x = 1 }"), "SetCreated r1 r0 x"));
    CHECK(has(code("function f() { return x }"), "GetGlobal r0 x"));
}

TEST_CASE("temporaries that may hold an object are emptied at the end of the statement") {
    CHECK(has(code("a.b(1)\nc = 2"), "Invoke r0 r1 .b n=1; Clear r0 3; "));
    CHECK(!has(code("function f(a, b) { if a < b { a = a + 1 } return a }"), "Clear"));
}

TEST_CASE("a block empties what it declared, also on the way out of a loop") {
    CHECK(has(code("function f() { loop { local a = [1]  break } }"), "Clear r0 1; Jump to"));
}

TEST_CASE("what a program must not say is found before it runs") {
    CHECK(code("break") == "error: 'break' outside a loop");
    CHECK(code("loop { f = function() { continue } }") == "error: 'continue' outside a loop");
    CHECK(code("me.x = 1") == "error: 'me' is only known inside a box");
    std::string many;
    for (int i = 0; i < 5000; ++i) many += "local v" + std::to_string(i) + "\n";
    CHECK(code(many) == "error: The function needs too many variables (more than 4096)");
}

TEST_CASE("a finally block is compiled once, and every way out goes through it") {
    const auto listing = code("function f(x) { loop { try { if x { return 1 } break } finally { print(x) } } }");
    const auto count = [&](std::string_view what) {
        std::size_t found = 0;
        for (auto at = listing.find(what); at != std::string::npos; at = listing.find(what, at + 1)) ++found;
        return found;
    };
    CHECK(count("Print") == 1);
    CHECK(count("Rethrow") == 1);
}

TEST_CASE("a try block costs nothing until something is thrown") {
    CHECK(has(code("function f(a) { try { a.x() } catch (e) { } }"), "Invoke r1 r2 .x n=0; Clear r1 2; Jump"));
}
