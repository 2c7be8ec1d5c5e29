// What a frame's head costs: the hub's look at it, reading it in full on either road, writing it; and, for
// comparison, reading the same head as a JSON value.
#include "harness.h"

#include "wire/frame_codec.h"

#include <nya/json.h>

#include <string>

namespace {

using namespace nyamesh::wire;

constexpr int kRounds = 11;
constexpr std::size_t kFrames = 200'000;

// Nanoseconds of one call of `work`.
template <class Work>
double ns_each(Work work) {
    const auto begin = bench::Clock::now();
    for (std::size_t i = 0; i < kFrames; ++i) work();
    return bench::seconds_since(begin) * 1e9 / kFrames;
}

Head plain_head() {
    Head head;
    head.to = "bob";
    head.from = "alice";
    head.name = "chat.message";
    return head;
}

Head session_head() {
    Head head = plain_head();
    head.session = {0x4f2a9c01b2d3e4f5, 1};
    head.instance = 0x77abc0ffee123456;
    head.sequence = 1'234'567;
    return head;
}

Head head_with_counters() {
    Head head = session_head();
    head.base = 1'234'500;
    head.ack.session = {0x77abc0ffee123456, 4};
    head.ack.received = 7'654'321;
    head.ack.handled = 7'654'300;
    head.ack.credit = 7'658'400;
    return head;
}

void measure(std::string_view title, const Head& head) {
    std::string frame;
    encode(head, R"({"text":"hello"})", frame);
    std::string line = frame.substr(0, frame.find('\n'));
    Scratch scratch;
    std::string out;
    std::vector<bench::Contestant> contestants{
        {"read_route (the hub)",
         [&] {
             return ns_each([&] {
                 bench::keep(frame);
                 auto route = read_route(frame, scratch);
                 bench::require(route && route->is_fast, "a frame of ours takes the fast road");
             });
         }},
        {"decode",
         [&] {
             return ns_each([&] {
                 bench::keep(frame);
                 auto decoded = decode(frame, scratch);
                 bench::require(decoded.has_value(), "a frame of ours is read");
             });
         }},
        {"decode_strictly",
         [&] {
             return ns_each([&] {
                 bench::keep(frame);
                 auto decoded = decode_strictly(frame, scratch);
                 bench::require(decoded.has_value(), "a frame of ours is read");
             });
         }},
        {"encode",
         [&] {
             return ns_each([&] {
                 out.clear();
                 encode(head, R"({"text":"hello"})", out);
                 bench::keep(out);
             });
         }},
        {"Json::parse of the head",
         [&] {
             return ns_each([&] {
                 bench::keep(line);
                 auto json = nya::Json::parse(line);
                 bench::require(json.has_value(), "a head is JSON");
             });
         }},
    };
    bench::take_turns(contestants, kRounds);
    bench::Table table({"", "ns", "lowest – highest", "÷ Json::parse"});
    for (const auto& contestant : contestants) {
        table.row({contestant.name, bench::number(contestant.median()), bench::spread(contestant),
                   bench::ratio(bench::median_ratio(contestant, contestants.back()))});
    }
    table.print(std::string(title) + ", head of " + std::to_string(line.size()) + " bytes");
}

}  // namespace

int main() {
    bench::pin_to(0);
    bench::raise_priority();
    measure("A message without a session", plain_head());
    measure("A message of a session", session_head());
    measure("A message that brings counters along", head_with_counters());
}
