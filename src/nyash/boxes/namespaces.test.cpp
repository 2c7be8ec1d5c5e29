#include "nyash/boxes/namespaces.h"

#include <doctest/doctest.h>

#include "nyash/boxes/script_for_tests.h"

using nyash::enable_namespace;
using nyash::ScriptForTests;

TEST_CASE("nyashstd makes its names known") {
    ScriptForTests script;
    CHECK(script.run("print(string)") == "error: Undefined variable 'string'");
    REQUIRE(enable_namespace(script.runtime, "nyashstd").has_value());
    CHECK(script.run("print(string.create(5) + string.upper(\"aé\"))") == "5AÉ\n");
    CHECK(script.run("print(integer.create(\"41\") + 1)") == "42\n");
    CHECK(script.run("print(bool.create(\"true\").not())") == "false\n");
    CHECK(script.run("print(array.create(1, 2).push(3))") == "[1, 2, 3]\n");
    CHECK(script.run("print(array.create())") == "[]\n");
    CHECK(script.run("console.log(1, \"b\")") == "1 b\n");
    CHECK(script.run("string.lower(\"a\")").starts_with("error: Method 'lower' not found"));
    CHECK(script.run("string.upper(5)") == "error: upper expects a String as 'text', got IntegerBox");
}

TEST_CASE("the statement `using` enables it from there on") {
    ScriptForTests script;
    CHECK(script.run("using nyashstd\nprint(string.upper(\"a\"))") == "A\n");
    CHECK(script.run("using nyash") == "error: Unknown namespace 'nyash'");
}

TEST_CASE("what the script itself calls so stays") {
    ScriptForTests script;
    script.run("console = 5\nfunction string() { return \"mine\" }");
    REQUIRE(enable_namespace(script.runtime, "nyashstd").has_value());
    CHECK(script.run("print(console, string())") == "5 mine\n");
}

TEST_CASE("another namespace is an error that says which there is") {
    ScriptForTests script;
    const auto close = enable_namespace(script.runtime, "nyashst");
    REQUIRE_FALSE(close.has_value());
    CHECK(close.error()->message == "Unknown namespace 'nyashst'");
    CHECK(close.error()->help == "did you mean 'nyashstd'?");
    CHECK(enable_namespace(script.runtime, "boost").error()->help == "the only namespace is nyashstd");
}
