#include "nyash/syntax/diagnostic.h"

#include <doctest/doctest.h>

#include <array>

using nyash::Diagnostic;
using nyash::Source;

TEST_CASE("an error shows the place, the line, a caret under the whole token, and help") {
    const Source source("cart.nyash", "a = 1\n\nprint(totl)\n");
    CHECK(nyash::render(source, Diagnostic{"Undefined variable 'totl'", {13, 4}, "did you mean 'total'?", {}}) ==
          "error: Undefined variable 'totl'\n"
          "  --> cart.nyash:3:7\n"
          "   |\n"
          " 3 | print(totl)\n"
          "   |       ^^^^\n"
          "help: did you mean 'total'?\n");
}

TEST_CASE("columns count characters; carets allow for wide ones and keep tabs") {
    const Source source("t", "\t\"日本\" + x");
    const auto text = nyash::render(source, Diagnostic{"E", {12, 1}, {}, {}});
    CHECK(text.find("--> t:1:9\n") != std::string::npos);
    CHECK(text.find("   | \t         ^\n") != std::string::npos);
}

TEST_CASE("an error at the end of the text points behind the last line") {
    const Source source("t", "f(");
    CHECK(nyash::render(source, Diagnostic{"E", {2, 0}, {}, {}}) == "error: E\n  --> t:1:3\n   |\n 1 | f(\n   |   ^\n");
}

TEST_CASE("an endless line is cut") {
    const Source source("t", std::string(100'000, 'x'));
    CHECK(nyash::render(source, Diagnostic{"E", {0, 100'000}, {}, {}}).size() < 1000);
    CHECK(nyash::render(source, Diagnostic{"E", {99'999, 1}, {}, {}}).size() < 1000);
}

TEST_CASE("a suggestion is close, and never the name itself") {
    constexpr std::array<std::string_view, 5> names{"total", "count", "toString", "x", "length"};
    CHECK(nyash::closest("totl", names) == "total");
    CHECK(nyash::closest("tostring", names) == "toString");
    CHECK(nyash::closest("lenght", names) == "length");
    CHECK(nyash::closest("total", names) == "");
    CHECK(nyash::closest("banana", names) == "");
    CHECK(nyash::closest("y", names) == "");
    CHECK(nyash::did_you_mean("cuont", names) == "did you mean 'count'?");
}

TEST_CASE("colours mark what kind of line each is and change no text") {
    const std::string plain =
        "error: Undefined variable 'totl'\n"
        "  --> cart.nyash:3:7\n"
        "   |\n"
        " 3 | print(totl)\n"
        "   |       ^^^^\n"
        "   = in 'f', called at cart.nyash:9:1\n"
        "help: did you mean 'total'?\n";
    const std::string shown = nyash::coloured(plain);
    CHECK(shown.starts_with("\x1b[1;31merror:\x1b[0m\x1b[1m Undefined variable 'totl'\x1b[0m\n"));
    CHECK(shown.find("\x1b[1;31m       ^^^^\x1b[0m\n") != std::string::npos);
    CHECK(shown.find("\x1b[34m 3 |\x1b[0m print(totl)\n") != std::string::npos);
    CHECK(shown.ends_with("\x1b[32mhelp:\x1b[0m did you mean 'total'?\n"));
    std::string without;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (shown[i] == '\x1b') {
            i = shown.find('m', i);
        } else {
            without += shown[i];
        }
    }
    CHECK(without == plain);
}
