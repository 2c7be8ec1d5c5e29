#include "wire/frame_codec.h"

#include "wire/head_reader.h"
#include "wire/protocol.h"

#include <nya/json.h>
#include <nya/random.h>

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

using namespace nyamesh::wire;

namespace {

constexpr std::uint64_t kAlice = 0x4f2a9c01b2d3e4f5;
constexpr std::uint64_t kBob = 0x77abc0ffee123456;

std::string encoded(const Head& head, std::string_view payload = {}) {
    std::string out;
    encode(head, payload, out);
    return out;
}

Head message(std::string_view to, std::string_view from, std::string_view name) {
    Head head;
    head.to = to;
    head.from = from;
    head.name = name;
    return head;
}

// A reader of its own for each frame, kept for as long as its views are looked at.
struct Decoded {
    explicit Decoded(std::string text) : bytes(std::move(text)), frame(decode(bytes, scratch)) {
        const std::string shown = frame ? std::string() : frame.error().message;
        REQUIRE_MESSAGE(frame.has_value(), bytes, ": ", shown);
    }
    const Head& head() const { return frame->head; }

    std::string bytes;
    Scratch scratch;
    std::expected<Frame, DecodeError> frame;
};

DecodeError refused(std::string_view bytes) {
    Scratch scratch;
    const auto frame = decode(bytes, scratch);
    REQUIRE_MESSAGE(!frame.has_value(), bytes);
    const auto strictly = decode_strictly(bytes, scratch);
    REQUIRE_MESSAGE(!strictly.has_value(), bytes);
    CHECK(frame.error().message == strictly.error().message);
    CHECK(frame.error().offset == strictly.error().offset);
    return frame.error();
}

bool takes_fast_road(std::string_view line) {
    Head head;
    return detail::read_fast_head(line, head);
}

// The rest of a head behind "from", in a frame that would be fine without it.
std::string with(std::string_view more) {
    return R"({"t":"m","to":"bob","from":"alice","n":"x")" + std::string(more) + "}";
}

}  // namespace

TEST_CASE("a message is one line of JSON, a line feed and the payload") {
    Head head = message("bob", "alice", "chat.message");
    head.session = {kAlice, 1};
    head.instance = kBob;
    head.sequence = 17;
    const std::string bytes = encoded(head, R"({"text":"hello"})");
    CHECK(bytes == R"({"t":"m","to":"bob","from":"alice","n":"chat.message","s":"4f2a9c01b2d3e4f5.1",)"
                   R"("i":"77abc0ffee123456","q":17})"
                   "\n"
                   R"({"text":"hello"})");

    const Decoded decoded(bytes);
    CHECK(decoded.head().to == "bob");
    CHECK(decoded.head().from == "alice");
    CHECK(decoded.head().name == "chat.message");
    CHECK(decoded.head().session == SessionId{kAlice, 1});
    CHECK(decoded.head().instance == kBob);
    CHECK(decoded.head().sequence == 17);
    CHECK(decoded.frame->payload == R"({"text":"hello"})");
}

TEST_CASE("a payload may hold any bytes, line feeds too") {
    const std::string payload("\n\0\xFF{\"t\":\"x\"}\n", 13);
    CHECK(Decoded(encoded(message("bob", "alice", "x"), payload)).frame->payload == payload);
    CHECK(Decoded(encoded(message("bob", "alice", "x"))).frame->payload.empty());
}

TEST_CASE("every type of frame comes back as it was") {
    for (int i = 0; i <= static_cast<int>(FrameType::Expiring); ++i) {
        Head head = message("bob", "alice", "name");
        head.type = static_cast<FrameType>(i);
        head.instance = kBob;
        head.own_instance = kAlice;
        head.session = {kAlice, 4'294'967'295};
        head.sequence = 1;
        head.ack.session = {kBob, 2};
        head.token = head.hub = head.error = "word";
        head.state = PeerState::Here;
        const std::string bytes = encoded(head);
        CHECK(takes_fast_road(bytes));
        const Decoded decoded(bytes);
        CHECK(decoded.head().type == head.type);
        CHECK(encoded(decoded.head()) == bytes);
        CHECK(bytes.find("\"" + std::string(to_string(head.type)) + "\"") == 5);
    }
}

TEST_CASE("what became of messages travels with the counters") {
    Head head = message("alice", "bob", {});
    head.type = FrameType::Ack;
    head.ack = {{kAlice, 1}, 20, 18, 4116, {{17, "no_handler", ""}, {18, "handler_failed", "out of \"tea\"\n"}}};
    const std::string bytes = encoded(head);
    CHECK(bytes == R"({"t":"a","to":"alice","from":"bob","a":"4f2a9c01b2d3e4f5.1","r":20,"h":18,"c":4116,)"
                   R"("x":[[17,"no_handler"],[18,"handler_failed","out of \"tea\"\n"]]})");
    CHECK(Decoded(bytes).head().ack == head.ack);

    head.ack.session = {};  // without a session there are no counters
    CHECK(encoded(head) == R"({"t":"a","to":"alice","from":"bob"})");
}

TEST_CASE("members may come in any order, with white space, escapes and unknown ones among them") {
    const Decoded decoded(
        "{ \"new\" : [1, {\"a\":[null, -1.5e+3]}],\t\"from\":\"\\u0061lice\", \"q\":7, \"t\":\"m\","
        R"("n":"\ud83d\ude3a\/\u306d\u3053","later":true,"to":"b\u006fb","s":"4f2a9c01b2d3e4f5.1" })"
        "\n1");
    CHECK(decoded.head().to == "bob");
    CHECK(decoded.head().from == "alice");
    CHECK(decoded.head().name == "😺/ねこ");
    CHECK(decoded.head().sequence == 7);
    CHECK(decoded.frame->payload == "1");
}

TEST_CASE("a member with its default value is the same as an absent one") {
    const Decoded decoded(R"({"t":"list","n":"","i":"0000000000000000","q":0,"o":false,"sessions":true,"token":""})");
    CHECK(encoded(decoded.head()) == R"({"t":"list"})");
}

TEST_CASE("a member given twice is refused, known or not") {
    const auto error = refused(with(R"(,"from":"admin")"));
    CHECK(error.message == R"(the member "from" is given twice)");
    CHECK(error.offset == 43);
    CHECK(refused(with(R"(,"fr\u006fm":"admin")")).message == R"(the member "from" is given twice)");
    CHECK(refused(with(R"(,"t":"m")")).message == R"(the member "t" is given twice)");
    CHECK(refused(with(R"(,"q":1,"q":1)")).message == R"(the member "q" is given twice)");
    CHECK(refused(with(R"(,"new":1,"n\u0065w":1)")).message == R"(the member "new" is given twice)");
}

TEST_CASE("an error names the member and where it is") {
    struct Case {
        std::string bytes;
        std::size_t offset;
        std::string_view message;
    };
    const Case cases[] = {
        {"", 0, "a head begins with '{'"},
        {"\n{}", 0, "a head begins with '{'"},
        {" {\"t\":\"drain\"}", 0, "a head begins with '{'"},
        {"[]", 0, "a head begins with '{'"},
        {"\xEF\xBB\xBF{\"t\":\"drain\"}", 0, "a head begins with '{'"},
        {"{}", 0, R"(the member "t" is missing)"},
        {R"({"t":"drain"} )", 13, R"(expected the end of the head instead of " ")"},
        {"{\"t\":\"drain\"}\r\n1", 13, R"(expected the end of the head instead of "\x0d")"},
        {"{\"t\":\r\"drain\"}", 5, R"(the member "t" is not a string)"},
        {R"({"t":"drain",})", 13, "a member's name is not a string"},
        {R"({"t":"drain" "in":1})", 13, R"(expected ',' or '}' instead of "\"")"},
        {R"({"t":"drain")", 12, R"(expected ',' or '}' at the end of the head)"},
        {R"({"t" "drain"})", 5, R"(expected ':' after the member's name "t" instead of "\"")"},
        {R"({"t":"dra)", 5, R"(the member "t" is not closed with '"')"},
        {R"({"t":"fly"})", 5, R"(the member "t" is "fly", which is not a type of frame)"},
        {R"({"t":1})", 5, R"(the member "t" is not a string)"},
        {R"({"t":null})", 5, R"(the member "t" is not a string)"},
        {with(R"(,"q":-1)"), 47, R"(the member "q" is not an integer from 0 to 9223372036854775807)"},
        {with(R"(,"q":1.0)"), 47, R"(the member "q" is not an integer from 0 to 9223372036854775807)"},
        {with(R"(,"q":01)"), 47, R"(the member "q" is not an integer from 0 to 9223372036854775807)"},
        {with(R"(,"q":9223372036854775808)"), 47, R"(the member "q" is not an integer from 0 to 9223372036854775807)"},
        {with(R"(,"q":"1")"), 47, R"(the member "q" is not an integer from 0 to 9223372036854775807)"},
        {with(R"(,"o":1)"), 47, R"(the member "o" is neither true nor false)"},
        {with(R"(,"k":"m")"), 47, R"(the member "k" is "m", which is not "q" or "r")"},
        {with(R"(,"k":"")"), 47, R"(the member "k" is "", which is not "q" or "r")"},
        {with(R"(,"s":"4f2a9c01b2d3e4f5.0")"), 47, R"(the member "s" is not a session, such as "4f2a9c01b2d3e4f5.1")"},
        {with(R"(,"s":"4f2a9c01b2d3e4f5.01")"), 47, R"(the member "s" is not a session, such as "4f2a9c01b2d3e4f5.1")"},
        {with(R"(,"s":"4f2a9c01b2d3e4f5.4294967296")"), 47,
         R"(the member "s" is not a session, such as "4f2a9c01b2d3e4f5.1")"},
        {with(R"(,"i":"77ABC0FFEE123456")"), 47, R"(the member "i" is not 16 lower-case hex digits)"},
        {with(R"(,"i":"77abc0ffee12345g")"), 47, R"(the member "i" is not 16 lower-case hex digits)"},
        {with(R"(,"i":"77abc0ffee12345")"), 47, R"(the member "i" is not 16 lower-case hex digits)"},
        {with(R"(,"x":[17])"), 48, R"(the member "x" has an exception that is not a list)"},
        {with(R"(,"x":[[17]])"), 52, R"(the member "x" has an exception without sequence and reason)"},
        {with(R"(,"x":[[1,"a","b","c"]])"), 59, R"(the member "x" has an exception of more than three parts)"},
        {with(R"(,"e":"\x")"), 48, R"(the member "e" has an escape that JSON does not know)"},
        {with(R"(,"e":"\ud800")"), 48, R"(the member "e" has a \u escape that is no character)"},
        {with(R"(,"e":"\ude3a")"), 48, R"(the member "e" has a \u escape that is no character)"},
        {with(",\"e\":\"\t\""), 48, R"(the member "e" has a control character that is not escaped)"},
        {with(",\"e\":\"\xC0\x80\""), 48, R"(the member "e" is not UTF-8)"},
        {with(R"(,"later":wow)"), 51, R"(the member "later" has no JSON value instead of "w")"},
        {with(R"(,"later":01)"), 52, R"(expected ',' or '}' instead of "1")"},
        {with(R"(,"later":[1)"), 53, R"(the member "later" lacks a ',' or ']')"},
        {R"({"t":"m","from":"alice","n":"x"})", 32, R"(a frame of type "m" needs the member "to")"},
        {R"({"t":"ping","to":"bob","q":1})", 29, R"(a frame of type "ping" needs the member "from")"},
        {R"({"t":"m","to":"bob","from":"alice"})", 35, R"(a frame of type "m" needs the member "n")"},
        {with(R"(,"s":"4f2a9c01b2d3e4f5.1")"), 68, R"(a frame of type "m" needs the member "q")"},
        {with(R"(,"k":"r")"), 51, R"(a frame of type "m" needs the member "re")"},
        {with(R"(,"r":5)"), 49, R"(a frame of type "m" has counters without the member "a")"},
        {R"({"t":"bind","n":"alice"})", 24, R"(a frame of type "bind" needs the member "i")"},
    };
    for (const Case& c : cases) {
        const auto error = refused(c.bytes);
        CHECK_MESSAGE(error.message == c.message, c.bytes);
        CHECK_MESSAGE(error.offset == c.offset, c.bytes);
    }
}

TEST_CASE("names are checked wherever they stand") {
    const std::string longest(255, 'a');
    CHECK(Decoded(encoded(message(longest, "猫", "x"))).head().to == longest);
    CHECK(
        refused(encoded(message(longest + 'a', "alice", "x"))).message.starts_with(R"(the member "to" is no name: )"));
    CHECK(refused(R"({"t":"m","to":"a\u0000b","from":"c","n":"x"})").message ==
          R"(the member "to" is no name: node id "a\x00b" has a control character at byte 1)");
    CHECK(refused("{\"t\":\"resolve\",\"n\":\"a\x7F\"}").message ==
          R"(the member "n" is no name: node id "a\x7f" has a control character at byte 1)");
    CHECK(refused(with(R"(,"later":1)").replace(40, 1, "\\n")).message ==
          R"(the member "n" is no name: intent name "\x0a" has a control character at byte 0)");
}

TEST_CASE("what nobody could need is bounded") {
    std::string many = R"({"t":"drain")";
    for (int i = 1; i < 64; ++i) many += ",\"later" + std::to_string(i) + "\":0";
    CHECK(Decoded(many + "}").head().type == FrameType::Drain);
    CHECK(refused(many + R"(,"later":0})").message == "the head has more than 64 members");

    const auto nested = [](int depth) {
        return with(",\"later\":" + std::string(depth, '[') + std::string(depth, ']'));
    };
    CHECK(Decoded(nested(16)).head().name == "x");
    CHECK(refused(nested(17)).message == R"(the member "later" is nested more than 16 deep)");

    const std::string start = R"({"t":"drain","message":")";
    const auto head_of = [&](std::size_t size) { return start + std::string(size - start.size() - 2, 'm') + "\"}"; };
    CHECK(Decoded(head_of(kMaxHeadBytes)).frame->payload.empty());
    CHECK(Decoded(head_of(kMaxHeadBytes) + "\n1").frame->payload == "1");
    CHECK(refused(head_of(kMaxHeadBytes + 1)).message == "the head is longer than 16384 bytes");
    CHECK(refused(head_of(kMaxHeadBytes + 1) + "\n1").offset == 16384);
}

TEST_CASE("the longest names and the most exceptions fit in a head") {
    const std::string name(255, '\\');
    Head head = message(name, name, name);
    head.type = FrameType::Message;
    head.session = head.reply_to_session = head.ack.session = {kAlice, 4'294'967'295};
    head.instance = head.own_instance = kBob;
    for (auto* member : {&head.sequence, &head.base, &head.reply_to, &head.ack.received,
                         &head.ack.handled, &head.ack.credit}) {
        *member = std::numeric_limits<std::int64_t>::max();
    }
    head.is_opening = head.wants_ack = head.wants_answer = true;
    const Exception longest{head.sequence, "handler_failed", std::string(kMaxExceptionMessageBytes, '\x01')};
    head.ack.exceptions.assign(kMaxExceptions, longest);
    head.lost.assign(16, {4'294'967'295, head.sequence});
    CHECK(encoded(head).size() <= kMaxHeadBytes);
}

TEST_CASE("whatever a text holds, its frame is one line of valid JSON") {
    Head head = message("bob", "alice", "x");
    const std::string text("\x00\x1F\b\t\n\f\r\"\\/\x7F\xFF\xC3 é", 16);
    head.message = text;
    const std::string bytes = encoded(head);
    CHECK(bytes.find('\n') == std::string::npos);
    CHECK(bytes.find(R"("message":"\u0000\u001f\b\t\n\f\r\"\\/)") != std::string::npos);
    CHECK(nya::Json::validate(bytes).has_value());
    CHECK(Decoded(bytes).head().message == std::string("\x00\x1F\b\t\n\f\r\"\\/\x7F", 11) + "\uFFFD\uFFFD é");
}

TEST_CASE("the route of a relayed frame is found on the fast road") {
    const auto is_fast = [](std::string_view bytes) {
        Scratch scratch;
        const auto route = read_route(bytes, scratch);
        REQUIRE(route.has_value());
        CHECK(route->to == "bob");
        CHECK(route->from == "alice");
        return route->is_fast;
    };
    CHECK(is_fast(R"({"t":"m","to":"bob","from":"alice","n":"x"})"));
    CHECK(is_fast(R"({"t":"a","to":"bob","from":"alice"})"));
    CHECK(is_fast(with(R"(,"fi":"77abc0ffee123456","token":"t2")") + "\n\"from\""));
    CHECK(is_fast(with(R"(,"token":"to talk","f":1)") + "\n{\"from\":\"\\\\\"}"));
    CHECK_FALSE(is_fast(R"({"to":"bob","t":"m","from":"alice","n":"x"})"));
    CHECK_FALSE(is_fast(R"({"t":"m","to":"b\u006fb","from":"alice","n":"x"})"));
    CHECK_FALSE(is_fast(with(R"(,"e":"from")")));
    CHECK_FALSE(is_fast(with(R"(,"message":"\\")")));
}

TEST_CASE("frames for the hub itself have no route") {
    Scratch scratch;
    for (const std::string_view bytes :
         {R"({"t":"hello","to":"bob","from":"alice"})", R"({"to":"bob","from":"alice","t":"hello"})"}) {
        const auto route = read_route(bytes, scratch);
        REQUIRE(route.has_value());
        CHECK(route->type == FrameType::Hello);
        CHECK(route->to.empty());
        CHECK(route->from.empty());
    }
}

TEST_CASE("no second member gets past the hub, wherever in the head it stands") {
    Scratch scratch;
    for (const std::string_view forged :
         {R"("from":"eve")", R"("to":"eve")", R"("t":"welcome")", R"("fr\u006fm":"eve")", R"("from" :"eve")"}) {
        // Every distance from "from", and from the end: the scan goes in steps of sixteen bytes.
        for (std::size_t before = 0; before < 40; ++before) {
            for (std::size_t after = 0; after < 40; ++after) {
                std::string bytes = with(",\"b1\":\"" + std::string(before, '-') + "\"," + std::string(forged) +
                                         ",\"b2\":\"" + std::string(after, '-') + "\"");
                const auto route = read_route(bytes, scratch);
                REQUIRE_MESSAGE(!route.has_value(), bytes);
            }
        }
        CHECK_FALSE(read_route(with("," + std::string(forged)), scratch).has_value());
    }
}

TEST_CASE("a head that ends too early or too late has no route") {
    Scratch scratch;
    for (const std::string_view bytes : {
             R"({"t":"m","to":"bob","from":"alice")",
             "{\"t\":\"m\",\"to\":\"bob\",\"from\":\"alice\"\n,\"n\":\"x\"}",
             R"({"t":"m","to":"bob","from":"alice"}})",
             R"({"t":"m","to":"bob","from":"alice"x})",
             R"({"t":"m","to":"bob"})",
             R"({"t":"m","to":"","from":"alice","n":"x"})",
             R"({"t":"m","to":"bob","from":"ali)",
             R"({"t":"m)",
             "{\"t\":\"m\",\"to\":\"bob\",\"from\":\"al\xFFice\",\"n\":\"x\"}",
         }) {
        CHECK_MESSAGE(!read_route(bytes, scratch).has_value(), bytes);
    }
}

namespace {

// Heads at random: every member now and then, texts with and without what needs an escape.
class RandomHeads {
public:
    explicit RandomHeads(std::uint64_t seed) : random_(nya::Random::seeded(seed)) {}

    Head next() {
        Head head;
        head.type = static_cast<FrameType>(below(23));
        head.to = name();
        head.from = name();
        head.name = name();
        head.session = session();
        head.instance = integer();
        head.sequence = 1 + below(1000);
        head.base = integer();
        head.is_opening = coin();
        if (below(8) == 0) head.lost = {{0, integer()}, {3, integer()}};
        head.kind = static_cast<MessageKind>(below(3));
        head.reply_to_session = session();
        head.reply_to = 1 + below(1000);
        head.error = text();
        head.wants_ack = coin();
        head.wants_answer = coin();
        head.own_instance = 1 + below(1000);
        head.ack.session = {random_->next(), 1};
        head.ack.received = integer();
        head.ack.handled = integer();
        head.ack.credit = integer();
        if (below(8) == 0) head.ack.exceptions = {{integer(), "no_handler", ""}, {1, "", std::string(text())}};
        head.has_sessions = coin();
        head.token = "token";
        for (auto* member : {&head.key, &head.lease, &head.client, &head.message, &head.hint}) *member = text();
        head.state = static_cast<PeerState>(below(5));
        head.hub = "hub";
        if (head.error.empty()) head.error = "e";
        for (auto* member :
             {&head.epoch, &head.in_ms, &head.heartbeat_ms, &head.dead_ms, &head.max_bytes, &head.resume_ms}) {
            *member = integer();
        }
        head.session.number = 1;
        if (head.instance == 0) head.instance = 1;
        head.may_retry = coin();
        return head;
    }
    std::uint64_t below(std::uint64_t n) { return random_->next() % n; }

private:
    bool coin() { return below(2) == 0; }
    std::uint64_t integer() { return coin() ? 0 : random_->next() >> (1 + below(63)); }
    SessionId session() { return {random_->next(), static_cast<std::uint32_t>(random_->next() >> (32 + below(32)))}; }
    std::string_view name() {
        constexpr std::array<std::string_view, 6> kNames{"bob", "chat.message",        "a", "ねこ",
                                                         "t",   "it's a \"long\" name"};
        return kNames[below(below(4) == 0 ? 6 : 4)];
    }
    std::string_view text() {
        constexpr std::array<std::string_view, 6> kTexts{"",         "word",         "", "four words in all",
                                                         "Grüße 😺", "a\\b\"c\n\x01"};
        return kTexts[below(below(4) == 0 ? 6 : 5)];
    }

    std::shared_ptr<nya::Random> random_;
};

}  // namespace

TEST_CASE("both roads read what encode() writes, and read the same") {
    RandomHeads heads(20);
    int fast = 0;
    for (int i = 0; i < 5'000; ++i) {
        const std::string bytes = encoded(heads.next(), "{}");
        Scratch scratch, strict_scratch, route_scratch;
        const auto frame = decode(bytes, scratch);
        REQUIRE_MESSAGE(frame.has_value(), bytes);
        CHECK(encoded(frame->head, frame->payload) == bytes);
        const auto strictly = decode_strictly(bytes, strict_scratch);
        REQUIRE_MESSAGE(strictly.has_value(), bytes);
        CHECK(encoded(strictly->head, strictly->payload) == bytes);
        const auto route = read_route(bytes, route_scratch);
        REQUIRE_MESSAGE(route.has_value(), bytes);
        CHECK(route->type == frame->head.type);
        CHECK(route->to == (is_relayed(route->type) ? frame->head.to : ""));
        CHECK(route->from == (is_relayed(route->type) ? frame->head.from : ""));
        const bool has_lists = !frame->head.lost.empty() || !frame->head.ack.exceptions.empty();
        const bool is_plain = bytes.find('\\') == std::string::npos && !has_lists;  // those go the strict road
        CHECK(takes_fast_road(bytes.substr(0, bytes.find('\n'))) == is_plain);
        fast += is_plain;
    }
    CHECK(fast > 1'000);
}

TEST_CASE("a frame cut anywhere, or with any byte changed, is refused or read the same on both roads") {
    RandomHeads heads(21);
    for (int i = 0; i < 20; ++i) {
        const std::string whole = encoded(heads.next(), "{}");
        const auto agree = [](const std::string& bytes) {
            Scratch scratch, strict_scratch;
            const auto frame = decode(bytes, scratch);
            const auto strictly = decode_strictly(bytes, strict_scratch);
            REQUIRE_MESSAGE(frame.has_value() == strictly.has_value(), bytes);
            if (frame) CHECK(encoded(frame->head, frame->payload) == encoded(strictly->head, strictly->payload));
        };
        for (std::size_t size = 0; size < whole.size(); ++size) agree(whole.substr(0, size));
        for (std::size_t at = 0; at < whole.size(); ++at) {
            std::string changed = whole;
            changed[at] = static_cast<char>(heads.below(256));
            agree(changed);
        }
    }
}

TEST_CASE("identities are written in hex") {
    CHECK(to_string(SessionId{kAlice, 1}) == "4f2a9c01b2d3e4f5.1");
    CHECK(instance_text(0x0123456789abcdef) == "0123456789abcdef");
    CHECK(to_string(PeerState::Later) == "later");
    for (const std::uint64_t value : {std::uint64_t{1}, kBob, std::numeric_limits<std::uint64_t>::max()}) {
        const Decoded decoded(R"({"t":"resolve","n":"a","i":")" + instance_text(value) + "\"}");
        CHECK(decoded.head().instance == value);
    }
}
