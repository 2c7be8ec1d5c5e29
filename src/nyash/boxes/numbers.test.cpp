#include "nyash/boxes/numbers.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "nyash/runtime/text_writer.h"

using nyash::float_text;
using nyash::parse_integer;
using nyash::parse_number;
using nyash::Rounding;
using nyash::to_integer;

TEST_CASE("a float prints as the shortest decimal that reads back, never with an exponent") {
    CHECK(float_text(0.1) == "0.1");
    CHECK(float_text(3.0) == "3");
    CHECK(float_text(-0.5) == "-0.5");
    CHECK(float_text(1e21) == "1000000000000000000000");
    CHECK(float_text(5e-324).starts_with("0.000"));
    CHECK(parse_number(float_text(5e-324)) == 5e-324);
    CHECK(float_text(std::numeric_limits<double>::infinity()) == "inf");
    CHECK(float_text(std::nan("")) == "NaN");
}

TEST_CASE("a number is the whole text or none of it") {
    CHECK(parse_integer(" +42\n") == 42);
    CHECK(parse_integer("-9223372036854775808") == INT64_MIN);
    CHECK(!parse_integer("9223372036854775808"));
    CHECK(!parse_integer("4x"));
    CHECK(!parse_integer(""));
    CHECK(!parse_integer("+-4"));
    CHECK(parse_number("2.5e3") == 2500.0);
    CHECK(!parse_number("2.5.1"));
}

TEST_CASE("what does not fit an Integer is an error, not a wrong number") {
    CHECK(to_integer(-3.7, Rounding::Truncate)->as_integer() == -3);
    CHECK(to_integer(-3.2, Rounding::Floor)->as_integer() == -4);
    CHECK(to_integer(2.5, Rounding::Nearest)->as_integer() == 3);
    CHECK(to_integer(-9223372036854775808.0, Rounding::Truncate)->as_integer() == INT64_MIN);
    CHECK(!to_integer(9223372036854775808.0, Rounding::Truncate));
    CHECK(!to_integer(std::nan(""), Rounding::Floor));
}
