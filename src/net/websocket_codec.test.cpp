// The cases follow the public conformance suite's sections 1-7 and 10, under its numbers. Each is read whole, byte by
// byte and in random portions, by a server and by a client.
#include "net/websocket_codec.h"

#include <nya/random.h>

#include "support/websocket_frames.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace nyamesh::net;
using namespace nyamesh::net::test;

namespace {

constexpr std::size_t kLimit = 1 << 20;

struct Case {
    std::string name;
    std::vector<RawFrame> frames;
    std::string expected;  // a line for each message, ping, pong and close; last, perhaps, "failed CODE"
};

// Reads `bytes` in portions whose sizes `next_size` gives.
template <class NextSize>
std::string read_in_portions(std::string bytes, Role role, NextSize next_size) {
    FrameReader reader(role, kLimit);
    Listener listener;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t size = std::min<std::size_t>(next_size(), bytes.size() - at);
        std::string portion = bytes.substr(at, size);  // of its own, so that ASan sees a step beyond it
        at += size;
        if (const auto* error = reader.read(portion, listener)) {
            CHECK(std::string_view(error->message).size() <= 123);
            return listener.log + "failed " + std::to_string(error->close_code) + "\n";
        }
    }
    CHECK_FALSE(reader.has_rest());
    return listener.log;
}

void check(const std::vector<Case>& cases) {
    const auto random = nya::Random::seeded(4);
    for (const auto& [name, frames, expected] : cases) {
        for (const Role role : {Role::Server, Role::Client}) {
            INFO(name << (role == Role::Server ? ", read by a server" : ", read by a client"));
            const std::string bytes = frame_bytes(frames, role);
            CHECK(read_in_portions(bytes, role, [] { return kLimit; }) == expected);
            CHECK(read_in_portions(bytes, role, [] { return 1; }) == expected);
            for (const std::size_t largest : {4, 40, 4000}) {
                CHECK(read_in_portions(bytes, role, [&] { return 1 + random->next() % largest; }) == expected);
            }
        }
    }
}

std::string filled(std::size_t size, char with = '*') {
    return std::string(size, with);
}

const std::string kKosme = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";  // five letters, eleven bytes

}  // namespace

TEST_CASE("1: messages of every form of length") {
    std::vector<Case> cases;
    for (const std::size_t size : {0u, 1u, 7u, 8u, 31u, 32u, 33u, 125u, 126u, 127u, 128u, 65'535u, 65'536u, 100'003u}) {
        const std::string payload = filled(size);
        cases.push_back({"1.1 text of " + std::to_string(size), {{0x81, payload}}, "text " + shown(payload) + "\n"});
        const std::string bytes = filled(size, '\xFE');
        cases.push_back({"1.2 binary of " + std::to_string(size), {{0x82, bytes}}, "binary " + shown(bytes) + "\n"});
    }
    cases.push_back({"three in a row", {{0x81, "a"}, {0x82, "b"}, {0x81, ""}}, "text a\nbinary b\ntext \n"});
    check(cases);
}

TEST_CASE("2: pings and pongs") {
    const std::string odd("\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF", 8);
    check({
        {"2.1 without payload", {{0x89}}, "ping \n"},
        {"2.2 with text", {{0x89, "Hello, world!"}}, "ping Hello, world!\n"},
        {"2.3 with what is no text", {{0x89, odd}}, "ping " + odd + "\n"},
        {"2.4 of 125 bytes", {{0x89, filled(125)}}, "ping " + shown(filled(125)) + "\n"},
        {"2.5 of 126 bytes", {{0x89, filled(126)}}, "failed 1002\n"},
        {"2.7 a pong nobody asked for", {{0x8A}}, "pong \n"},
        {"2.8 with payload", {{0x8A, "unsolicited"}}, "pong unsolicited\n"},
        {"2.9 and then a ping", {{0x8A, "unsolicited"}, {0x89, "p"}}, "pong unsolicited\nping p\n"},
        {"2.10 several pings", {{0x89, "0"}, {0x89, "1"}, {0x89, "2"}}, "ping 0\nping 1\nping 2\n"},
        {"a pong of 126 bytes", {{0x8A, filled(126)}}, "failed 1002\n"},
        {"a ping with a length of eight bytes", {{0x89, "p", 8}}, "failed 1002\n"},
    });
}

TEST_CASE("3: reserved bits") {
    check({
        {"3.1 RSV 1", {{0xC1, "x"}}, "failed 1002\n"},
        {"3.2 RSV 2 behind a message", {{0x81, "Hello"}, {0xA1, "x"}, {0x89}}, "text Hello\nfailed 1002\n"},
        {"3.3 RSV 3", {{0x91, "x"}}, "failed 1002\n"},
        {"3.4 RSV 1 and 2", {{0xE1, "x"}}, "failed 1002\n"},
        {"3.5 on binary", {{0xD2, "x"}}, "failed 1002\n"},
        {"3.6 on a ping", {{0xE9, "x"}}, "failed 1002\n"},
        {"3.7 on a close", {{0xF8, "x"}}, "failed 1002\n"},
        {"on a continuation", {{0x01, "x"}, {0xC0, "x"}}, "failed 1002\n"},
    });
}

TEST_CASE("4: reserved opcodes") {
    std::vector<Case> cases;
    for (const std::uint8_t opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        const auto first = static_cast<std::uint8_t>(0x80 | opcode);
        const std::string name = "4: opcode " + std::to_string(opcode);
        cases.push_back({name, {{first}}, "failed 1002\n"});
        cases.push_back({name + ", fragmented", {{opcode, "x"}}, "failed 1002\n"});
        cases.push_back({name + " later", {{0x81, "Hello"}, {first, "x"}, {0x89}}, "text Hello\nfailed 1002\n"});
        cases.push_back({name + " within a message", {{0x01, "Hello"}, {first, "x"}}, "failed 1002\n"});
    }
    check(cases);
}

TEST_CASE("5: fragments, and what comes between them") {
    check({
        {"5.1 a ping in two fragments", {{0x09, "f1"}, {0x80, "f2"}}, "failed 1002\n"},
        {"5.2 a pong in two fragments", {{0x0A, "f1"}, {0x80, "f2"}}, "failed 1002\n"},
        {"5.3 text in two fragments", {{0x01, "f1"}, {0x80, "f2"}}, "text f1f2\n"},
        {"5.6 a ping between them", {{0x01, "f1"}, {0x89, "p"}, {0x80, "f2"}}, "ping p\ntext f1f2\n"},
        {"binary in three, one empty", {{0x02, "f1"}, {0x00}, {0x80, "f3"}}, "binary f1f3\n"},
        {"all of them empty", {{0x01}, {0x00}, {0x00}, {0x80}}, "text \n"},
        {"5.9 a continuation of nothing", {{0x80, "x"}}, "failed 1002\n"},
        {"5.10 and not its end", {{0x00, "x"}}, "failed 1002\n"},
        {"5.12 behind a message", {{0x81, "Hello"}, {0x80, "x"}}, "text Hello\nfailed 1002\n"},
        {"5.15 behind a fragmented one", {{0x01, "f1"}, {0x80, "f2"}, {0x00, "f3"}}, "text f1f2\nfailed 1002\n"},
        {"5.18 a text within a text", {{0x01, "f1"}, {0x81, "f2"}}, "failed 1002\n"},
        {"a binary within a text", {{0x01, "f1"}, {0x02, "f2"}}, "failed 1002\n"},
        {"5.19 many fragments and pings",
         {{0x01, "f1"}, {0x00, "f2"}, {0x89, "p1"}, {0x00, "f3"}, {0x00, "f4"}, {0x89, "p2"}, {0x80, "f5"}},
         "ping p1\nping p2\ntext f1f2f3f4f5\n"},
        {"a close between them ends it", {{0x01, "f1"}, {0x88}, {0x80, "f2"}}, "close 1005 \n"},
        {"a fragmented close", {{0x08, close_bytes(1000)}}, "failed 1002\n"},
    });
}

TEST_CASE("6: text is UTF-8") {
    check({
        {"6.1 empty", {{0x81}}, "text \n"},
        {"6.2.1 in one frame", {{0x81, kKosme}}, "text " + kKosme + "\n"},
        {"6.2.2 cut between characters",
         {{0x01, kKosme.substr(0, 5)}, {0x80, kKosme.substr(5)}},
         "text " + kKosme + "\n"},
        {"6.2.3 cut within a character",
         {{0x01, kKosme.substr(0, 3)}, {0x00}, {0x80, kKosme.substr(3)}},
         "text " + kKosme + "\n"},
        {"6.3.1 a surrogate in the middle", {{0x81, kKosme + "\xED\xA0\x80" + "edited"}}, "failed 1007\n"},
        {"6.3.2 cut into fragments", {{0x01, kKosme + "\xED"}, {0x80, "\xA0\x80"}}, "failed 1007\n"},
        {"a ping between the parts of a character",
         {{0x01, "\xCE"}, {0x89, "\xFF"}, {0x80, "\xBA"}},
         "ping \xFF\ntext \xCE\xBA\n"},
        {"binary may be anything", {{0x02, "\xFF"}, {0x80, "\xED\xA0\x80"}}, "binary \xFF\xED\xA0\x80\n"},
        {"the next message begins afresh", {{0x01, "\xCE"}, {0x80, "\xBA"}, {0x81, "a"}}, "text \xCE\xBA\ntext a\n"},
        {"the end comes within a character", {{0x01, "a"}, {0x80, "\xCE"}}, "failed 1007\n"},
    });

    std::vector<Case> cases;
    auto add = [&cases](std::string text, bool is_valid) {
        for (const std::size_t before : {0u, 1u, 7u, 31u, 32u, 39u}) {  // wherever the fast look at ASCII ends
            const std::string whole = filled(before) + text;
            cases.push_back({"6.5-6.23 " + text + " behind " + std::to_string(before),
                             {{0x81, whole}},
                             is_valid ? "text " + shown(whole) + "\n" : "failed 1007\n"});
        }
    };
    for (const char* text : {
             "\x7F",  // first and last of each length
             "\xC2\x80",
             "\xDF\xBF",
             "\xE0\xA0\x80",
             "\xEF\xBF\xBF",
             "\xF0\x90\x80\x80",
             "\xF4\x8F\xBF\xBF",
             "\xED\x9F\xBF",
             "\xEE\x80\x80",  // beside the surrogates
             "\xEF\xBF\xBD",
             "\xEF\xBF\xBE",
             "\xF0\x9F\xBF\xBE",
             "\xF0\x9F\x90\xB1 nya",
         })
        add(text, true);
    add(std::string("\x00", 1), true);
    for (const char* text : {
             "\x80",
             "\xBF",
             "\x80\xBF\x80",
             "a\x80z",  // continuations of nothing
             "\xC0",
             "\xC1",
             "\xF5",
             "\xFE",
             "\xFF",
             "\xC0 ",
             "\xE0 ",  // no first byte, or a lonely one
             "\xC2",
             "\xE0\xA0",
             "\xF0\x90\x80",
             "\xDF",
             "\xEF\xBF",  // cut
             "\xC0\xAF",
             "\xE0\x80\xAF",
             "\xF0\x80\x80\xAF",  // overlong
             "\xC1\xBF",
             "\xE0\x9F\xBF",
             "\xF0\x8F\xBF\xBF",
             "\xF8\x88\x80\x80\x80",
             "\xFC\x84\x80\x80\x80\x80",
             "\xED\xA0\x80",
             "\xED\xAF\xBF",
             "\xED\xB0\x80",
             "\xED\xBF\xBF",
             "\xED\xA0\x80\xED\xB0\x80",  // surrogates
             "\xF4\x90\x80\x80",
             "\xF7\xBF\xBF\xBF",  // above U+10FFFF
             "\xE2\x82"
             "a",
             "\xF0\x9F\x90"
             "a",
             "\xC3\xC3",  // cut by the next one
         })
        add(text, false);
    check(cases);
}

TEST_CASE("6.4: what cannot become UTF-8 fails at once, not at the end of the message") {
    auto read = [](FrameReader& reader, std::string bytes) {
        Listener listener;
        const auto* error = reader.read(bytes, listener);
        return error != nullptr ? error->close_code : 0;
    };
    SUBCASE("6.4.1 in the second fragment of three") {
        FrameReader reader(Role::Server, kLimit);
        CHECK(read(reader, frame_bytes({0x01, kKosme}, Role::Server)) == 0);
        CHECK(read(reader, frame_bytes({0x00, "\xF4\x90\x80\x80"}, Role::Server)) == 1007);
    }
    SUBCASE("6.4.2 by the second byte of a character, the last of a fragment") {
        FrameReader reader(Role::Server, kLimit);
        CHECK(read(reader, frame_bytes({0x01, kKosme + "\xF4"}, Role::Server)) == 0);
        CHECK(read(reader, frame_bytes({0x00, "\x90"}, Role::Server)) == 1007);
    }
    SUBCASE("6.4.3, 6.4.4 within a frame that has not come whole") {
        FrameReader reader(Role::Server, kLimit);
        const std::string bytes = frame_bytes({0x81, kKosme + "\xF4\x90\x80\x80" + "edited"}, Role::Server);
        const std::size_t head = 6;
        CHECK(read(reader, bytes.substr(0, head + kKosme.size() + 1)) == 0);
        CHECK(read(reader, bytes.substr(head + kKosme.size() + 1, 1)) == 1007);
    }
    SUBCASE("and it stays failed") {
        FrameReader reader(Role::Server, kLimit);
        CHECK(read(reader, frame_bytes({0x81, "\xFF"}, Role::Server)) == 1007);
        CHECK(read(reader, frame_bytes({0x81, "fine"}, Role::Server)) == 1007);
    }
}

TEST_CASE("7: close frames") {
    std::vector<Case> cases{
        {"7.1.1 behind a message", {{0x81, "Hello"}, {0x88, close_bytes(1000)}}, "text Hello\nclose 1000 \n"},
        {"7.1.3 nothing is read after it", {{0x88, close_bytes(1000)}, {0x89}}, "close 1000 \n"},
        {"7.1.4 not even a message", {{0x88, close_bytes(1000)}, {0x81, "x"}}, "close 1000 \n"},
        {"not even what is wrong", {{0x88, close_bytes(1000)}, {0xFF, "x"}}, "close 1000 \n"},
        {"7.1.6 behind a large message",
         {{0x81, filled(256 * 1024)}, {0x88, close_bytes(1000)}},
         "text " + shown(filled(256 * 1024)) + "\nclose 1000 \n"},
        {"7.3.1 without payload", {{0x88}}, "close 1005 \n"},
        {"7.3.2 one byte", {{0x88, "x"}}, "failed 1002\n"},
        {"7.3.3 a code", {{0x88, close_bytes(1000)}}, "close 1000 \n"},
        {"7.3.4 a code and a reason", {{0x88, close_bytes(1000, "Hello")}}, "close 1000 Hello\n"},
        {"7.3.5 the longest reason", {{0x88, close_bytes(1000, filled(123))}}, "close 1000 " + filled(123) + "\n"},
        {"7.3.6 one too long", {{0x88, close_bytes(1000, filled(124))}}, "failed 1002\n"},
        {"7.5.1 a reason that is not UTF-8", {{0x88, close_bytes(1000, kKosme + "\xED\xA0\x80")}}, "failed 1007\n"},
        {"a reason that is cut", {{0x88, close_bytes(1000, "\xCE")}}, "failed 1007\n"},
    };
    for (const unsigned code :
         {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
        CHECK(is_valid_close_code(static_cast<std::uint16_t>(code)));
        cases.push_back({"7.7", {{0x88, close_bytes(code)}}, "close " + std::to_string(code) + " \n"});
    }
    for (const unsigned code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
        CHECK_FALSE(is_valid_close_code(static_cast<std::uint16_t>(code)));
        cases.push_back({"7.9, 7.13", {{0x88, close_bytes(code)}}, "failed 1002\n"});
    }
    check(cases);
}

TEST_CASE("10.1: a large message in many small frames") {
    for (const std::size_t size : {1u, 125u, 1300u, 65'535u}) {
        const std::string whole = filled(65'536);
        std::vector<RawFrame> frames;
        for (std::size_t at = 0; at < whole.size(); at += size) {
            const bool is_last = at + size >= whole.size();
            const auto first = static_cast<std::uint8_t>((is_last ? 0x80 : 0) | (at == 0 ? 1 : 0));
            frames.push_back({first, whole.substr(at, size)});
        }
        check({{"10.1.1", frames, "text " + shown(whole) + "\n"}});
    }
}

TEST_CASE("lengths: in the shortest form, and below 2^63") {
    check({
        {"125 in two bytes", {{0x82, filled(125), 2}}, "failed 1002\n"},
        {"0 in two bytes", {{0x82, "", 2}}, "failed 1002\n"},
        {"126 in eight bytes", {{0x82, filled(126), 8}}, "failed 1002\n"},
        {"65,535 in eight bytes", {{0x82, filled(65'535), 8}}, "failed 1002\n"},
        {"2^63", {{0x82, "x", 0, std::uint64_t{1} << 63}}, "failed 1002\n"},
        {"2^64 - 1", {{0x82, "x", 0, ~std::uint64_t{0}}}, "failed 1002\n"},
    });
}

TEST_CASE("a message beyond the limit is refused by its header, before any of it is kept") {
    check({
        {"exactly the limit", {{0x82, filled(kLimit)}}, "binary " + shown(filled(kLimit)) + "\n"},
        {"one more", {{0x82, "", 0, kLimit + 1}}, "failed 1009\n"},
        {"2^63 - 1", {{0x82, "", 0, ~std::uint64_t{0} >> 1}}, "failed 1009\n"},
        {"together with the fragments before", {{0x02, filled(10)}, {0x80, "", 0, kLimit - 9}}, "failed 1009\n"},
        {"just not, together",
         {{0x02, filled(10)}, {0x80, filled(kLimit - 10)}},
         "binary " + shown(filled(kLimit)) + "\n"},
        {"a sum that would overflow", {{0x02, filled(10)}, {0x80, "", 0, ~std::uint64_t{0} >> 1}}, "failed 1009\n"},
    });
    SUBCASE("a new limit holds from the next frame on; control frames have their own") {
        FrameReader reader(Role::Client, kLimit);
        reader.set_max_message_bytes(4);
        Listener listener;
        std::string bytes =
            frame_bytes({{0x81, "four"}, {0x89, "a long ping"}, {0x01, "thr"}, {0x80, "ee"}}, Role::Client);
        const auto* error = reader.read(bytes, listener);
        REQUIRE(error);
        CHECK(error->close_code == 1009);
        CHECK(listener.log == "text four\nping a long ping\n");
    }
}

TEST_CASE("5.1: clients mask, servers do not") {
    for (const Role role : {Role::Server, Role::Client}) {
        const Role other = role == Role::Server ? Role::Client : Role::Server;
        for (const std::uint8_t first : {0x81, 0x89, 0x88}) {
            CHECK(read_in_portions(frame_bytes(RawFrame{first, ""}, other), role, [] { return 100; }) ==
                  "failed 1002\n");
        }
    }
}

TEST_CASE(
    "a message that lies whole in the portion is handed on in place; the next portion's is not mixed up with it") {
    struct : FrameHandler {
        bool on_message(Opcode, std::string_view bytes) override {
            seen = bytes;
            return true;
        }
        bool on_ping(std::string_view) override { return true; }
        bool on_pong(std::string_view) override { return true; }
        void on_close(std::uint16_t, std::string_view) override {}
        std::string_view seen;
    } handler;
    FrameReader reader(Role::Server, kLimit);
    std::string bytes = frame_bytes({0x81, "in place"}, Role::Server);
    CHECK(reader.read(bytes, handler) == nullptr);
    CHECK(handler.seen == "in place");
    CHECK(handler.seen.data() == bytes.data() + 6);
}

TEST_CASE("a handler that says no is asked again with the next read, which may be empty") {
    const std::vector<RawFrame> frames{{0x81, "a"}, {0x01, "b"}, {0x89, "p"}, {0x80, "c"}, {0x81, "d"}, {0x88}};
    for (const Role role : {Role::Server, Role::Client}) {
        FrameReader reader(role, kLimit);
        Listener listener;
        listener.goes_on = false;
        std::string bytes = frame_bytes(frames, role);
        const std::string behind = bytes.substr(bytes.size() - 3);
        bytes.resize(bytes.size() - 3);
        CHECK(reader.read(bytes, listener) == nullptr);
        CHECK(listener.log == "text a\n");
        CHECK(reader.has_rest());
        std::ranges::fill(bytes, '\0');  // the portion is gone
        CHECK(reader.read({}, listener) == nullptr);
        CHECK(listener.log == "text a\nping p\n");
        std::string more = behind;
        CHECK(reader.read(more, listener) == nullptr);
        CHECK(listener.log == "text a\nping p\ntext bc\n");
        listener.goes_on = true;
        CHECK(reader.read({}, listener) == nullptr);
        CHECK(listener.log == "text a\nping p\ntext bc\ntext d\nclose 1005 \n");
        CHECK_FALSE(reader.has_rest());
    }
}

TEST_CASE("a handler may destroy the reader") {
    struct : FrameHandler {
        bool on_message(Opcode, std::string_view bytes) override {
            reader.reset();
            seen = bytes;
            return goes_on;
        }
        bool on_ping(std::string_view payload) override { return on_message(Opcode::Text, payload); }
        bool on_pong(std::string_view payload) override { return on_message(Opcode::Text, payload); }
        void on_close(std::uint16_t, std::string_view reason) override { on_message(Opcode::Text, reason); }
        std::unique_ptr<FrameReader> reader;
        std::string seen;
        bool goes_on = true;
    } handler;
    for (const bool goes_on : {true, false}) {
        for (const auto& frames : std::vector<std::vector<RawFrame>>{
                 {{0x81, "seen"}, {0x81, "not"}},
                 {{0x01, "se"}, {0x80, "en"}, {0x81, "not"}},
                 {{0x89, "seen"}, {0x81, "not"}},
                 {{0x8A, "seen"}, {0x81, "not"}},
                 {{0x88, close_bytes(1000, "seen")}, {0x81, "not"}},
             }) {
            for (const std::size_t first : {1u, 6u, 200u}) {
                handler.goes_on = goes_on;
                handler.reader = std::make_unique<FrameReader>(Role::Server, kLimit);
                std::string bytes = frame_bytes(frames, Role::Server);
                std::string rest = bytes.substr(std::min<std::size_t>(first, bytes.size()));
                bytes.resize(bytes.size() - rest.size());
                CHECK(handler.reader->read(bytes, handler) == nullptr);
                if (handler.reader) CHECK(handler.reader->read(rest, handler) == nullptr);
                CHECK_FALSE(handler.reader);
                CHECK(handler.seen == "seen");
            }
        }
    }
}

TEST_CASE("what is written is read back: every form of length, both roles") {
    for (const std::size_t size : {0u, 1u, 3u, 4u, 5u, 31u, 32u, 33u, 125u, 126u, 65'535u, 65'536u}) {
        std::string payload = filled(size);
        for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>('a' + i % 26);
        OutBuffer plain;
        write_frame(plain, Opcode::Text, payload);
        CHECK(plain.view() == frame_bytes({0x81, payload}, Role::Client));
        CHECK(read_in_portions(std::string(plain.view()), Role::Client, [] { return kLimit; }) ==
              "text " + shown(payload) + "\n");
        OutBuffer masked;
        write_masked_frame(masked, Opcode::Binary, payload, 0xA1B2C3D4);
        CHECK(masked.size() == plain.size() + 4);
        CHECK(read_in_portions(std::string(masked.view()), Role::Server, [] { return kLimit; }) ==
              "binary " + shown(payload) + "\n");
        if (size >= 4) CHECK(masked.view().substr(masked.size() - size) != payload);
    }
}

TEST_CASE("5.7: the standard's own examples") {
    OutBuffer out;
    write_frame(out, Opcode::Text, "Hello");
    CHECK(out.view() == "\x81\x05Hello");
    std::string masked = "\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58";
    FrameReader reader(Role::Server, kLimit);
    Listener listener;
    CHECK(reader.read(masked, listener) == nullptr);
    CHECK(listener.log == "text Hello\n");
}

TEST_CASE("a close's reason is cut to what fits, at the end of a character") {
    CHECK(close_payload(1000, "") == close_bytes(1000));
    CHECK(close_payload(4001, "later") == close_bytes(4001, "later"));
    CHECK(close_payload(1005, "").empty());
    CHECK(close_payload(1000, filled(123)).size() == 125);
    CHECK(close_payload(1000, filled(124)) == close_bytes(1000, filled(123)));
    CHECK(close_payload(1000, filled(122) + "\xCE\xBA") == close_bytes(1000, filled(122)));
    CHECK(close_payload(1000, filled(121) + "\xCE\xBA" + "x") == close_bytes(1000, filled(121) + "\xCE\xBA"));
    CHECK(close_payload(1000, filled(120) + "\xF0\x9F\x90\xB1") == close_bytes(1000, filled(120)));
}
