// IntentBox: a name and a JSON payload, immutable once built, shared when copied.
#include <nyamesh/intent_box.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace nyamesh;
using nya::Json;

namespace {

IntentBox from_json(std::string_view name, std::string_view text) {
    auto intent = IntentBox::from_json(name, text);
    REQUIRE_MESSAGE(intent.has_value(), text, ": ", intent ? std::string() : intent.error().to_string());
    return *std::move(intent);
}

// Each way a message may be kept: inside the object, as a text in a block, as a value in a block.
std::vector<IntentBox> one_of_each() {
    const std::string long_text(100, 'x');
    return {from_json("small", R"({"n":1})"),
            from_json("text", "\"" + long_text + "\""),
            IntentBox("value", {{"text", long_text}, {"list", Json::array({1, 2})}}),
            IntentBox("container", {{"n", 1}}),
            IntentBox("number", 42),
            IntentBox("empty", Json::object())};
}

std::string deep(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

}  // namespace

TEST_CASE("the guide's sample: a name, and a payload whose fields can be read") {
    const auto msg = IntentBox::create("chat.message", {{"text", "Hello P2P!"}, {"timestamp", 12345}});
    REQUIRE(msg.has_value());
    CHECK(msg->name() == "chat.message");
    CHECK(msg->payload()["text"].as_string() == "Hello P2P!");
    CHECK(msg->payload_text() == R"({"text":"Hello P2P!","timestamp":12345})");
}

TEST_CASE("without a payload it is an empty object") {
    const auto msg = IntentBox::create("ping").value();
    CHECK(msg.payload() == Json::object());
    CHECK(msg.payload_text() == "{}");
}

TEST_CASE("any JSON value can be a payload") {
    const auto text = [](Json payload) { return std::string(IntentBox("x", std::move(payload)).payload_text()); };
    CHECK(text(nullptr) == "null");
    CHECK(text(true) == "true");
    CHECK(text(-7) == "-7");
    CHECK(text(1.5) == "1.5");
    CHECK(text("hi") == "\"hi\"");
    CHECK(text(Json::array({1, "a"})) == "[1,\"a\"]");
}

TEST_CASE("texts and numbers can be given as they are") {
    CHECK(IntentBox("x", "hello").payload() == Json("hello"));
    CHECK(IntentBox("x", std::string("hello")).payload() == Json("hello"));
    CHECK(IntentBox("x", "quote \" and \n").payload_text() == R"("quote \" and \n")");
    CHECK(IntentBox("x", 0).payload_text() == "0");
    CHECK(IntentBox("x", std::numeric_limits<std::int64_t>::min()).payload_text() == "-9223372036854775808");
    CHECK(IntentBox("x", std::numeric_limits<std::int64_t>::max()).payload_text() == "9223372036854775807");
    CHECK(IntentBox("x", true).payload_text() == "true");
    CHECK(IntentBox("x", std::string(1'000, 'y')).payload().as_string().size() == 1'000);
}

TEST_CASE("a JSON text from elsewhere is kept as the bytes it is") {
    const auto msg = from_json("x", R"({ "b" : 1.0, "a" : 1e2 })");
    CHECK(msg.payload_text() == R"({ "b" : 1.0, "a" : 1e2 })");
    CHECK(msg.payload()["a"].as_number() == 100);
    CHECK(msg.payload_text() == R"({ "b" : 1.0, "a" : 1e2 })");
}

TEST_CASE("every size around the inline limit is kept whole") {
    for (std::size_t name_size :
         {std::size_t{1}, std::size_t{20}, std::size_t{68}, std::size_t{69}, std::size_t{255}}) {
        for (std::size_t text_size = 0; text_size < 90; ++text_size) {
            const std::string name(name_size, 'n');
            const std::string text(text_size, 't');
            CAPTURE(name_size);
            CAPTURE(text_size);
            for (const IntentBox& made : {IntentBox(name, text), from_json(name, "\"" + text + "\"")}) {
                const IntentBox copy = made;
                REQUIRE(copy.name() == name);
                REQUIRE(copy.payload().as_string() == text);
                REQUIRE(copy.payload_text() == "\"" + text + "\"");
            }
        }
    }
}

// ---- Copies and moves

TEST_CASE("a copy is equal, and lives on its own") {
    for (const IntentBox& original : one_of_each()) {
        CAPTURE(original.name());
        const std::string name(original.name());
        const std::string text(original.payload_text());
        auto source = std::make_unique<IntentBox>(original);
        const IntentBox before = *source;  // copied before its value is first asked for
        static_cast<void>(source->payload());
        const IntentBox after = *source;  // and after
        source.reset();
        for (const IntentBox* copy : {&before, &after}) {
            CHECK(copy->name() == name);
            CHECK(copy->payload_text() == text);
            CHECK(copy->payload() == Json::parse(text).value());
            CHECK(copy->name_hash() == original.name_hash());
        }
    }
}

TEST_CASE("copies of a large payload share it") {
    const IntentBox original("x", {{"list", Json::array({1, 2, 3})}});
    const IntentBox copy = original;
    CHECK(&copy.payload() == &original.payload());
    CHECK(copy.payload_text().data() == original.payload_text().data());
}

TEST_CASE("the payload's value and text are made once") {
    for (const IntentBox& msg : one_of_each()) {
        CAPTURE(msg.name());
        CHECK(&msg.payload() == &msg.payload());
        CHECK(msg.payload_text().data() == msg.payload_text().data());
    }
}

TEST_CASE("moving hands the message on, and leaves something that can be looked at, assigned to and destroyed") {
    for (IntentBox& source : one_of_each()) {
        const std::string name(source.name());
        const std::string text(source.payload_text());
        IntentBox target = std::move(source);
        CHECK(target.name() == name);
        CHECK(target.payload_text() == text);
        static_cast<void>(source.name());
        static_cast<void>(source.payload());
        static_cast<void>(source.payload_text());
        source = target;
        CHECK(source.name() == name);
    }
}

TEST_CASE("assignment replaces, also itself") {
    const auto all = one_of_each();
    for (const IntentBox& from : all) {
        for (const IntentBox& to : all) {
            IntentBox target = to;
            static_cast<void>(target.payload());
            target = from;
            CHECK(target.name() == from.name());
            CHECK(target.payload() == from.payload());
            IntentBox& alias = target;
            target = alias;
            CHECK(target.payload() == from.payload());
            target = IntentBox(to);
            CHECK(target.name() == to.name());
            CHECK(target.payload_text() == to.payload_text());
        }
    }
}

TEST_CASE("equal names have equal hashes, different ones different") {
    CHECK(IntentBox("chat", 1).name_hash() == IntentBox("chat", std::string(200, 'x')).name_hash());
    CHECK(IntentBox("chat", 1).name_hash() != IntentBox("chbt", 1).name_hash());
}

TEST_CASE("several threads may read one message, and its copies, for the first time at once") {
    for (int round = 0; round < 50; ++round) {
        for (const IntentBox& fresh : one_of_each()) {
            const IntentBox shared = fresh;
            std::atomic<int> ready{0};
            std::vector<const Json*> values(3);
            std::vector<std::jthread> readers;
            for (std::size_t i = 0; i < values.size(); ++i) {
                readers.emplace_back([&, i] {
                    ++ready;
                    while (ready < 3) std::this_thread::yield();
                    const IntentBox copy = shared;
                    if (i % 2 == 0) static_cast<void>(shared.payload_text());
                    values[i] = &shared.payload();
                    if (copy.payload() != *values[i]) FAIL_CHECK("a copy differs");
                    if (Json::parse(copy.payload_text()).value() != copy.payload()) FAIL_CHECK("text and value differ");
                });
            }
            readers.clear();
            CHECK(values[0] == values[1]);
            CHECK(values[0] == values[2]);
        }
    }
}

// ---- What is refused

TEST_CASE("an invalid name is an error from create and from_json") {
    for (const std::string_view name : {std::string_view(""), std::string_view("a\nb"), std::string_view("\xff")}) {
        CHECK(IntentBox::create(name).error().reason == SendError::Reason::InvalidName);
        CHECK(IntentBox::from_json(name, "1").error().reason == SendError::Reason::InvalidName);
    }
    CHECK(IntentBox::create(std::string(256, 'x')).error().reason == SendError::Reason::InvalidName);
}

TEST_CASE("what create refuses, the constructors throw") {
    CHECK_THROWS_AS(IntentBox("", 1), std::invalid_argument);
    CHECK_THROWS_AS(IntentBox("", "text"), std::invalid_argument);
    CHECK_THROWS_AS(IntentBox("", Json::object()), std::invalid_argument);
    Json value;
    for (std::size_t i = 0; i <= nya::kMaxJsonDepth; ++i) {
        Json::Array around;
        around.push_back(std::move(value));
        value = Json(std::move(around));
    }
    CHECK_THROWS_AS(IntentBox("x", value), std::invalid_argument);
    CHECK(IntentBox::create("x", value).error().reason == SendError::Reason::Malformed);
}

TEST_CASE("malformed JSON is refused with its place") {
    const auto refused = IntentBox::from_json("chat", "{\"text\":\n  hello}");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == SendError::Kind::SerializationError);
    CHECK(refused.error().reason == SendError::Reason::Malformed);
    CHECK(refused.error().message.contains("\"chat\""));
    CHECK(refused.error().message.contains("line 2, column 3 (byte 11)"));
    for (const std::string_view text : {"", " ", "{", "1 2", "{\"a\":1,}", "nul", "\"\x01\"", "[1,]"}) {
        CAPTURE(text);
        CHECK(IntentBox::from_json("chat", text).error().reason == SendError::Reason::Malformed);
    }
}

TEST_CASE("nesting is limited, and what is at the limit works") {
    const auto at_limit = from_json("x", deep(nya::kMaxJsonDepth));
    CHECK(at_limit.payload().depth() == nya::kMaxJsonDepth);
    CHECK(IntentBox::create("x", at_limit.payload()).has_value());
    CHECK(IntentBox::from_json("x", deep(nya::kMaxJsonDepth + 1)).error().reason == SendError::Reason::Malformed);
    CHECK(IntentBox::from_json("x", deep(100'000)).error().reason == SendError::Reason::Malformed);
}
