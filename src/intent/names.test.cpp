// Which names NyaMesh accepts, and the guide's "name:rest" sugar.
#include <nyamesh/names.h>

#include <doctest/doctest.h>

#include <string>

using namespace nyamesh;

namespace {

std::string problem(std::string_view name) {
    const auto checked = check_node_id(name);
    if (checked) return "fine";
    CHECK(checked.error().kind == SendError::Kind::SerializationError);
    CHECK(checked.error().reason == SendError::Reason::InvalidName);
    CHECK_FALSE(checked.error().hint.empty());
    return checked.error().message;
}

void splits(std::string_view text, std::string_view name, std::string_view rest) {
    CAPTURE(text);
    const Sugar sugar = split_sugar(text);
    CHECK(sugar.intent_name == name);
    CHECK(sugar.text == rest);
}

}  // namespace

TEST_CASE("names are 1 to 255 bytes of printable UTF-8") {
    for (const std::string_view name : {"a", "alice", "chat.message", "has space", "ねこ", "🐈", "é", "a:b/c?d"}) {
        CAPTURE(name);
        CHECK(check_node_id(name).has_value());
        CHECK(check_intent_name(name).has_value());
    }
    CHECK(problem(std::string(255, 'x')) == "fine");
}

TEST_CASE("an empty name is refused") {
    CHECK(problem("") == "node id is empty");
    CHECK(check_intent_name("").error().message == "intent name is empty");
}

TEST_CASE("a name that is too long is refused, with its length and the limit") {
    const std::string message = problem(std::string(256, 'x'));
    CHECK(message.contains("256 bytes"));
    CHECK(message.contains("255"));
    std::string wide;  // 86 characters, but 258 bytes
    for (int i = 0; i < 86; ++i) wide += "ね";
    CHECK(problem(wide).contains("258 bytes"));
}

TEST_CASE("a control character is refused, with its place") {
    CHECK(problem("a\nb").contains("control character at byte 1"));
    CHECK(problem(std::string_view("ab\0", 3)).contains("byte 2"));
    CHECK(problem("\x7f").contains("byte 0"));
    CHECK(problem("ab\x1b[31m").contains("byte 2"));
    CHECK(problem("a\xc2\x80").contains("control character at byte 1"));  // U+0080
    CHECK(problem("a\xc2\x9f").contains("control character at byte 1"));  // U+009F
    CHECK(problem("a\xc2\xa0") == "fine");                                // U+00A0
}

TEST_CASE("an error never writes control characters to a terminal") {
    const std::string message = problem("a\x1b[31m\n");
    CHECK(message.find('\x1b') == std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.contains("\\x1b"));
}

TEST_CASE("what is not UTF-8 is refused, with its place") {
    CHECK(problem("a\xff").contains("byte 1"));
    CHECK(problem("\x80").contains("byte 0"));    // a continuation byte alone
    CHECK(problem("ab\xc3").contains("byte 2"));  // cut short
    CHECK(problem("\xe3\x81").contains("byte 0"));
    CHECK(problem("\xf0\x9f\x90").contains("byte 0"));
    CHECK(problem("\xc0\xaf").contains("byte 0"));  // overlong
    CHECK(problem("\xe0\x80\xaf").contains("byte 0"));
    CHECK(problem("\xf0\x80\x80\xaf").contains("byte 0"));
    CHECK(problem("\xed\xa0\x80").contains("byte 0"));      // a surrogate
    CHECK(problem("\xf4\x90\x80\x80").contains("byte 0"));  // above U+10FFFF
    CHECK(problem("\xf4\x8f\xbf\xbf") == "fine");           // U+10FFFF
    CHECK(problem("\xed\x9f\xbf") == "fine");               // U+D7FF
}

// ---- Sugar (the guide's Level 2)

TEST_CASE("a plain text is the intent \"message\"") {
    splits("hello", "message", "hello");
    splits("", "message", "");
    splits("hello world", "message", "hello world");
}

TEST_CASE("\"chat:hello\" is the intent \"chat\" with the text \"hello\"") {
    splits("chat:hello", "chat", "hello");
    splits("chat:", "chat", "");
    splits("file.share:x", "file.share", "x");
    splits("_private:x", "_private", "x");
    splits("A-b_c.9:x", "A-b_c.9", "x");
    splits("x:1", "x", "1");
}

TEST_CASE("only the first colon counts") {
    splits("chat:a:b", "chat", "a:b");
    splits("chat::b", "chat", ":b");
    splits("chat:see: this", "chat", "see: this");
    splits("time 12:30", "message", "time 12:30");
}

TEST_CASE("a colon followed by a space or a slash makes no intent") {
    splits("note: x", "message", "note: x");
    splits("http://x", "message", "http://x");
    splits("c:/windows", "message", "c:/windows");
    splits("chat:\thello", "chat", "\thello");  // only a space and a slash do
}

TEST_CASE("a prefix that is no name makes no intent") {
    splits(":hello", "message", ":hello");
    splits("9lives:x", "message", "9lives:x");
    splits(".hidden:x", "message", ".hidden:x");
    splits("-flag:x", "message", "-flag:x");
    splits("two words:x", "message", "two words:x");
    splits("ねこ:x", "message", "ねこ:x");
    splits("a/b:x", "message", "a/b:x");
}

TEST_CASE("a prefix too long for a name is text") {
    const std::string longest = std::string(255, 'n');
    splits(longest + ":x", longest, "x");
    splits(longest + "n:x", "message", longest + "n:x");
}
