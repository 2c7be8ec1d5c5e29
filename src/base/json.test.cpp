#include <nya/json.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using nya::Json;
using nya::kMaxJsonDepth;

namespace {

Json parsed(std::string_view text) {
    auto value = Json::parse(text);
    REQUIRE_MESSAGE(value.has_value(), text, ": ", value ? std::string() : value.error().message);
    return std::move(*value);
}

std::string rewritten(std::string_view text) {
    return parsed(text).dump();
}

// [[[...]]], built from the inside.
Json nested_arrays(std::size_t levels) {
    Json value = Json::array();
    for (std::size_t i = 1; i < levels; ++i) {
        Json::Array around;
        around.push_back(std::move(value));
        value = Json(std::move(around));
    }
    return value;
}

Json nested_objects(std::size_t levels) {
    Json value = Json::object();
    for (std::size_t i = 1; i < levels; ++i) {
        Json::Object around;
        around.append_new("in", std::move(value));
        value = Json(std::move(around));
    }
    return value;
}

}  // namespace

TEST_CASE("an object is written as it was made, members in their order") {
    Json greeting{{"text", "Hello P2P!"}, {"timestamp", 12345}};
    CHECK(greeting.dump() == R"({"text":"Hello P2P!","timestamp":12345})");
    CHECK(greeting["text"].as_string() == "Hello P2P!");
    CHECK(greeting["timestamp"].as_integer() == 12345);
    CHECK(greeting.size() == 2);
}

TEST_CASE("every kind of value is made from its C++ counterpart") {
    CHECK(Json().is_null());
    CHECK(Json(nullptr).is_null());
    CHECK(Json(true).is_bool());
    CHECK(Json(7).is_integer());
    CHECK(Json(7u).as_integer() == 7);
    CHECK(Json(std::int64_t{-7}).as_integer() == -7);
    CHECK(Json(0.5).is_float());
    CHECK(Json(0.5f).as_number() == 0.5);
    CHECK(Json("text").is_string());
    CHECK(Json(std::string("text")).is_string());
    CHECK(Json(std::string_view("text")).is_string());
    CHECK(Json::array({1, "two", nullptr}).dump() == R"([1,"two",null])");
    CHECK(Json::array().dump() == "[]");
    CHECK(Json::object().dump() == "{}");
    CHECK(Json{{"list", Json::array({1, 2})}, {"inner", Json{{"a", 1}}}}.dump() == R"({"list":[1,2],"inner":{"a":1}})");
}

TEST_CASE("a missing member or element is null, never an error") {
    const Json value = parsed(R"({"list":[10,20]})");
    CHECK(value["nobody"].is_null());
    CHECK(value["nobody"]["further"].is_null());
    CHECK(value["list"][1].as_integer() == 20);
    CHECK(value["list"][2].is_null());
    CHECK(value["list"][-1].is_null());
    CHECK(value[0].is_null());
    CHECK(Json("text")["x"].is_null());
    CHECK(Json("text").size() == 0);
}

TEST_CASE("asking for another kind throws and says what was found") {
    CHECK_THROWS_WITH_AS(Json().as_string(), "expected a string, found null", nya::JsonTypeError);
    CHECK_THROWS_WITH_AS(Json("1").as_integer(), "expected an integer, found a string", nya::JsonTypeError);
    CHECK_THROWS_WITH_AS(Json(1.5).as_integer(), "expected an integer, found a float", nya::JsonTypeError);
    CHECK_THROWS_WITH_AS(Json(true).as_number(), "expected a number, found a bool", nya::JsonTypeError);
    CHECK_THROWS_WITH_AS(Json::array().as_object(), "expected an object, found an array", nya::JsonTypeError);
    CHECK_THROWS_WITH_AS(Json::object().as_array(), "expected an array, found an object", nya::JsonTypeError);
    CHECK_THROWS_WITH_AS(Json(1).as_bool(), "expected a bool, found an integer", nya::JsonTypeError);
    CHECK(Json(3).as_number() == 3.0);
}

TEST_CASE("setting a member replaces it in its place, erasing keeps the others in order") {
    Json value{{"a", 1}, {"b", 2}, {"c", 3}};
    auto& object = value.as_object();
    object.set("b", "two");
    object.set("d", 4);
    CHECK(value.dump() == R"({"a":1,"b":"two","c":3,"d":4})");
    CHECK(object.erase("a"));
    CHECK_FALSE(object.erase("a"));
    CHECK(value.dump() == R"({"b":"two","c":3,"d":4})");
    CHECK(object.contains("c"));
    CHECK(object.find("a") == nullptr);
    *object.find("c") = Json::array();
    CHECK(value["c"].is_array());
    CHECK_FALSE(object.empty());
}

TEST_CASE("of equal keys the last value wins, in the place of the first") {
    CHECK(rewritten(R"({"a":1,"b":2,"a":3})") == R"({"a":3,"b":2})");
    CHECK(rewritten(R"({"a":1,"\u0061":2})") == R"({"a":2})");
    CHECK(rewritten(R"({"a":1,"a":2,"a":3})") == R"({"a":3})");
    CHECK(Json{{"a", 1}, {"a", 2}}.dump() == R"({"a":2})");

    std::string many = "{";
    for (int i = 0; i < 50; ++i) many += "\"k" + std::to_string(i % 25) + "\":" + std::to_string(i) + ",";
    many.back() = '}';
    const Json value = parsed(many);
    CHECK(value.size() == 25);
    int i = 0;
    for (const auto& [key, member] : value.as_object()) {
        CHECK(key == "k" + std::to_string(i));
        CHECK(member.as_integer() == 25 + i++);
    }
}

TEST_CASE("an object of 100,000 members is read and compared without quadratic work" * doctest::timeout(30)) {
    std::string forward = "{", backward = "{";
    for (int i = 0; i < 100'000; ++i) {
        forward += "\"key" + std::to_string(i) + "\":1,";
        backward += "\"key" + std::to_string(99'999 - i) + "\":1,";
    }
    forward.back() = backward.back() = '}';
    const Json a = parsed(forward), b = parsed(backward);
    CHECK(a.size() == 100'000);
    CHECK(a == b);
}

TEST_CASE("a number is an integer where its text is one that fits, else a double") {
    CHECK(parsed("9223372036854775807").as_integer() == std::numeric_limits<std::int64_t>::max());
    CHECK(parsed("-9223372036854775808").as_integer() == std::numeric_limits<std::int64_t>::min());
    CHECK(parsed("9223372036854775808").is_float());
    CHECK(parsed("9223372036854775808").as_number() == 9223372036854775808.0);
    CHECK(parsed("18446744073709551616").as_number() == 18446744073709551616.0);
    CHECK(parsed("1.0").is_float());
    CHECK(parsed("1e2").is_float());
    CHECK(parsed("-0").as_integer() == 0);
    CHECK(std::signbit(parsed("-0.0").as_number()));
}

TEST_CASE("a double is read correctly rounded") {
    CHECK(parsed("0.1").as_number() == 0.1);
    CHECK(parsed("1.7976931348623157e308").as_number() == std::numeric_limits<double>::max());
    CHECK(parsed("1.7976931348623158e308").as_number() == std::numeric_limits<double>::max());
    CHECK(parsed("4.9e-324").as_number() == std::numeric_limits<double>::denorm_min());
    CHECK(parsed("2.2250738585072011e-308").as_number() == 2.2250738585072011e-308);
    CHECK(parsed("9007199254740993.0").as_number() == 9007199254740992.0);
    CHECK(parsed("123456789012345678901234567890").as_number() == 123456789012345678901234567890.0);
    CHECK(parsed("1e-999").as_number() == 0.0);
    CHECK(std::signbit(parsed("-1e-999").as_number()));
    CHECK(parsed("0e999").as_number() == 0.0);
}

TEST_CASE("a double is written in the shortest form that reads back equal") {
    CHECK(Json(0.1).dump() == "0.1");
    CHECK(Json(3.0).dump() == "3");  // as scripts and browsers print it
    CHECK(parsed("3") == Json(3.0));
    CHECK(Json(-0.0).dump() == "-0.0");  // the sign stays
    CHECK(Json(100000.0).dump() == "100000");
    CHECK(Json(1e20).dump() == "100000000000000000000");
    CHECK(Json(1e21).dump() == "1e+21");
    CHECK(Json(1e-7).dump() == "0.0000001");
    CHECK(Json(5e-324).dump() == "5e-324");
    CHECK(Json(1.0 / 3.0).dump() == "0.3333333333333333");
    for (double value :
         {0.1, 1.0 / 3.0, 1e21, 123456789012345680000.0, 5e-324, 1.7976931348623157e308, -2.5e-9, 9007199254740993.0}) {
        CHECK(parsed(Json(value).dump()) == Json(value));
    }
}

TEST_CASE("a number JSON does not have becomes null") {
    CHECK(Json(std::numeric_limits<double>::infinity()).dump() == "null");
    CHECK(Json(-std::numeric_limits<double>::infinity()).dump() == "null");
    CHECK(Json(std::nan("")).dump() == "null");
}

TEST_CASE("text is escaped where it must be and nowhere else") {
    CHECK(Json("\"\\/\b\f\n\r\t").dump() == R"("\"\\/\b\f\n\r\t")");
    CHECK(Json(std::string("\0\x01\x1f\x7f", 4)).dump() == "\"\\u0000\\u0001\\u001f\x7f\"");
    CHECK(Json("ニャ 🐱").dump() == "\"ニャ 🐱\"");
    CHECK(Json("long enough to be looked at eight bytes at a time, \"quoted\" near the end").dump() ==
          R"("long enough to be looked at eight bytes at a time, \"quoted\" near the end")");
    CHECK(Json{{"k\"ey", 1}}.dump() == R"({"k\"ey":1})");
}

TEST_CASE("bytes that are not UTF-8 are written as U+FFFD, so what is written can always be read") {
    CHECK(Json("a\xFFz").dump() == "\"a\xEF\xBF\xBDz\"");
    CHECK(Json("\xC0\xAF").dump() == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // overlong '/'
    CHECK(Json("\xED\xA0\x80").dump() == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate
    CHECK(Json("\xE3\x83").dump() == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // cut short
    CHECK(Json("\xF4\x90\x80\x80").dump().size() == 2 + 4 * 3);                        // beyond U+10FFFF
    CHECK(Json::validate(Json("\xF0\x80\x80\x80\xE0\x80").dump()).has_value());
}

TEST_CASE("escapes are read, surrogate pairs as one character") {
    CHECK(parsed(R"("\"\\\/\b\f\n\r\t")").as_string() == "\"\\/\b\f\n\r\t");
    CHECK(parsed(R"("\u0041\u00e9\u30cb\ud83d\udc31")").as_string() == "A\xC3\xA9ニ🐱");
    CHECK(parsed(R"("\u0000")").as_string() == std::string(1, '\0'));
    CHECK(parsed(R"({"\u006bey":1})")["key"].as_integer() == 1);
    const std::string long_text(10'000, 'x');
    CHECK(parsed("\"" + long_text + "\\n" + long_text + "\"").as_string() == long_text + "\n" + long_text);
}

TEST_CASE("white space may stand around every token") {
    CHECK(rewritten(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n") == R"({"a":[1,2],"b":{}})");
}

TEST_CASE("what was written reads back equal") {
    for (const char* text :
         {R"({"text":"Hello P2P!","timestamp":12345})", "[]", "{}", "[[],{}]", "null", "true", "false", "-1", "0.25",
          R"("")", R"([1,[2,[3,[4]]],{"a":{"b":{"c":[null]}}}])", R"({"":{"":[]},"🐱":"ニャ"})"}) {
        CHECK(rewritten(text) == text);
        CHECK(parsed(rewritten(text)) == parsed(text));
    }
}

TEST_CASE("dump_to appends") {
    std::string line = "payload: ";
    Json::array({1, 2}).dump_to(line);
    CHECK(line == "payload: [1,2]");
}

TEST_CASE("an error says where and what, and validate says the same") {
    struct Case {
        std::string_view text;
        std::size_t offset, line, column;
        std::string_view message;
    };
    const Case cases[] = {
        {"", 0, 1, 1, "expected a value, found the end of the text"},
        {" \n ", 3, 2, 2, "expected a value, found the end of the text"},
        {"]", 0, 1, 1, "expected a value, found ']'"},
        {"[1,]", 3, 1, 4, "expected a value, found ']'"},
        {"[,", 1, 1, 2, "expected a value or ']', found ','"},
        {"[1,,2]", 3, 1, 4, "expected a value, found ','"},
        {"[1 2]", 3, 1, 4, "expected ',' or ']', found '2'"},
        {"[1}", 2, 1, 3, "expected ',' or ']', found '}'"},
        {"[1,2", 4, 1, 5, "expected ',' or ']', found the end of the text"},
        {"[1,\n 2,\n x]", 9, 3, 2, "expected a value, found 'x'"},
        {"{a:1}", 1, 1, 2, "expected a key in double quotes or '}', found 'a'"},
        {"{1:1}", 1, 1, 2, "expected a key in double quotes or '}', found '1'"},
        {"{\"a\" 1}", 5, 1, 6, "expected ':' after the key, found '1'"},
        {"{\"a\":}", 5, 1, 6, "expected a value, found '}'"},
        {"{\"a\":1,}", 7, 1, 8, "expected a key in double quotes, found '}'"},
        {"{\"a\":1 \"b\":2}", 7, 1, 8, "expected ',' or '}', found a string"},
        {"{\"a\":1", 6, 1, 7, "expected ',' or '}', found the end of the text"},
        {"{\"a\\\"b\":1]", 9, 1, 10, "expected ',' or '}', found ']'"},
        {"1 2", 2, 1, 3, "expected nothing after the value, found '2'"},
        {"{} {}", 3, 1, 4, "expected nothing after the value, found '{'"},
        {"tru", 0, 1, 1, "expected a value, found 'tru'"},
        {"truex", 0, 1, 1, "expected a value, found 'truex'"},
        {"[nul]", 1, 1, 2, "expected a value or ']', found 'nul'"},
        {"NaN", 0, 1, 1, "expected a value, found 'NaN'"},
        {"+1", 0, 1, 1, "expected a value, found '+1'"},
        {".5", 0, 1, 1, "expected a value, found '.5'"},
        {"01", 0, 1, 1, "'01' is not a number: it must not begin with 0"},
        {"[-]", 1, 1, 2, "'-' is not a number"},
        {"[1.]", 1, 1, 2, "'1.' is not a number"},
        {"1e+", 0, 1, 1, "'1e+' is not a number"},
        {"12abc", 0, 1, 1, "'12abc' is not a number"},
        {"[1, 1e999]", 4, 1, 5, "the number 1e999 is too large: the largest is about 1.8e308"},
        {"[-1e309 ]", 1, 1, 2, "the number -1e309 is too large: the largest is about 1.8e308"},
        {"1e99999999999", 0, 1, 1, "the exponent of 1e99999999999 is too large"},
        {"'a'", 0, 1, 1, "expected a value, found ''a'' (strings take double quotes)"},
        {"[1] // one", 4, 1, 5, "expected nothing after the value, found '//'"},
        {"[// one\n1]", 1, 1, 2, "expected a value or ']', found '//' (JSON has no comments)"},
        {"\xEF\xBB\xBF{}", 0, 1, 1, "expected a value, found a byte order mark"},
        {"\x01", 0, 1, 1, "expected a value, found byte 0x01"},
        {"[\xFF]", 1, 1, 2, "expected a value or ']', found byte 0xFF"},
        {"\"abc", 4, 1, 5, "the string that begins at line 1, column 1 is not closed"},
        {"[\n\"abc\\", 7, 2, 6, "the string that begins at line 2, column 1 is not closed"},
        {"\"a\nb\"", 2, 1, 3, "a string cannot contain byte 0x0A as it is: write it as an escape, such as \\n"},
        {"\"a\xFF\"", 2, 1, 3, "a string cannot contain byte 0xFF here: it is not UTF-8"},
        {"{\"\xC0\xAF\":1}", 2, 1, 3, "a string cannot contain byte 0xC0 here: it is not UTF-8"},
        {"\"\\x\"", 1, 1, 2, "unknown escape: \\ followed by 'x'"},
        {"\"\\u12g4\"", 5, 1, 6, "expected four hexadecimal digits after \\u, found 'g'"},
        {"\"\\u12", 5, 1, 6, "expected four hexadecimal digits after \\u, found the end of the text"},
        {"\"\\ud800 \"", 1, 1, 2,
         "'\\ud800' is half a surrogate pair: \\uD800 to \\uDBFF must be followed by \\uDC00 to \\uDFFF"},
        {"\"\\udc00\"", 1, 1, 2,
         "'\\udc00' is half a surrogate pair: \\uD800 to \\uDBFF must be followed by \\uDC00 to \\uDFFF"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const auto value = Json::parse(c.text);
        REQUIRE_FALSE(value.has_value());
        CHECK(value.error().message == c.message);
        CHECK(value.error().offset == c.offset);
        CHECK(value.error().line == c.line);
        CHECK(value.error().column == c.column);
        const auto valid = Json::validate(c.text);
        REQUIRE_FALSE(valid.has_value());
        CHECK(valid.error().message == c.message);
        CHECK(valid.error().offset == c.offset);
    }
}

TEST_CASE("a long wrong word is shown cut") {
    const auto value = Json::parse(std::string(1000, 'x'));
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().message == "expected a value, found '" + std::string(32, 'x') + "...'");
}

TEST_CASE("a text nested deeper than kMaxJsonDepth is refused at the bracket that is too much") {
    const std::string most = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
    CHECK(parsed(most).depth() == kMaxJsonDepth);
    CHECK(Json::validate(most).has_value());

    const std::string more = std::string(kMaxJsonDepth + 1, '[') + std::string(kMaxJsonDepth + 1, ']');
    const auto value = Json::parse(more);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().message == "nested deeper than 256 levels");
    CHECK(value.error().offset == kMaxJsonDepth);
    CHECK_FALSE(Json::validate(more).has_value());
    CHECK_FALSE(Json::parse(std::string(1'000'000, '[')).has_value());
    CHECK_FALSE(Json::parse("{\"a\":" + most + "}").has_value());
}

TEST_CASE("depth counts levels of nesting") {
    CHECK(Json(1).depth() == 0);
    CHECK(Json::array().depth() == 1);
    CHECK(Json::object().depth() == 1);
    CHECK(parsed(R"([1,{"a":[]},[]])").depth() == 3);
}

TEST_CASE("a value nested a million deep by hand can be measured, printed, copied, compared and destroyed") {
    constexpr std::size_t kLevels = 1'000'000;
    for (const Json& value : {nested_arrays(kLevels), nested_objects(kLevels)}) {
        CHECK(value.depth() == kLevels);
        CHECK(value.dump().starts_with(value.is_array() ? "[[[[" : R"({"in":{"in":)"));
        const Json copy = value;
        CHECK(copy == value);
    }
}

TEST_CASE("numbers are equal by value, exactly, whatever their kind") {
    CHECK(Json(3) == Json(3.0));
    CHECK(Json(0) == Json(-0.0));
    CHECK(Json(3) != Json(3.5));
    CHECK(Json(9007199254740993) != Json(9007199254740992.0));  // 2^53 + 1 is no double
    CHECK(Json(9007199254740992) == Json(9007199254740992.0));
    CHECK(Json(std::numeric_limits<std::int64_t>::max()) != Json(9223372036854775808.0));
    CHECK(Json(std::numeric_limits<std::int64_t>::min()) == Json(-9223372036854775808.0));
    CHECK(Json(1) != Json(1e300));
    CHECK(Json(1) != Json(true));
    CHECK(Json(1) != Json("1"));
    CHECK(Json(std::nan("")) != Json(0));
}

TEST_CASE("objects are equal whatever the order of their members, arrays only in order") {
    CHECK(parsed(R"({"a":1,"b":[2]})") == parsed(R"({"b":[2],"a":1})"));
    CHECK(parsed(R"({"a":1})") != parsed(R"({"a":1,"b":2})"));
    CHECK(parsed(R"({"a":1,"b":2})") != parsed(R"({"a":1,"c":2})"));
    CHECK(parsed(R"({"a":{"x":1}})") != parsed(R"({"a":{"x":2}})"));
    CHECK(parsed("[1,2]") != parsed("[2,1]"));
    CHECK(parsed("[]") != parsed("{}"));
    CHECK(parsed("null") == Json());
}

TEST_CASE("a copy is a value of its own") {
    const Json original = parsed(R"({"a":{"b":[1,2]},"c":"x"})");
    Json copy = original;
    copy.as_object().find("a")->as_object().set("b", 7);
    CHECK(original.dump() == R"({"a":{"b":[1,2]},"c":"x"})");
    CHECK(copy.dump() == R"({"a":{"b":7},"c":"x"})");
}

TEST_CASE("a value may be replaced by a part of itself") {
    Json value = parsed(R"({"a":[{"b":1}]})");
    value = value["a"];
    CHECK(value.dump() == R"([{"b":1}])");
    value = std::move(value.as_array()[0]);
    CHECK(value.dump() == R"({"b":1})");
    Json moved = std::move(value);
    CHECK(moved.dump() == R"({"b":1})");
    value = moved;
    CHECK(value == moved);
}

TEST_CASE("reading goes on after an error, and in several threads at once") {
    std::vector<std::thread> readers;
    for (int thread = 0; thread < 4; ++thread) {
        readers.emplace_back([] {
            for (int i = 0; i < 200; ++i) {
                if (Json::parse(R"({"a":["unfinished)").has_value()) throw std::logic_error("accepted");
                if (Json::parse(R"({"a":[1,{"b":"c\n"}]})")->dump() != R"({"a":[1,{"b":"c\n"}]})")
                    throw std::logic_error("wrong");
            }
        });
    }
    for (auto& reader : readers) reader.join();
    CHECK(rewritten("[1]") == "[1]");
}
