// Frames from outside: the fast road, the strict road and the hub's route agree on any bytes, what is read and written
// again is the same frame, and no ordinary JSON reader finds another sender or target than the hub did.
#include "require.h"

#include "wire/frame_codec.h"
#include "wire/protocol.h"

#include <nya/json.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace nyamesh::wire;

std::string encoded(const Frame& frame) {
    std::string bytes;
    encode(frame.head, frame.payload, bytes);
    return bytes;
}

bool is_same(const Head& a, const Head& b) {
    std::string one, other;
    encode_head(a, one);
    encode_head(b, other);
    return one == other;
}

void check_reading(std::string_view bytes) {
    Scratch scratch, strict_scratch, again_scratch;
    const auto frame = decode(bytes, scratch);
    const auto strictly = decode_strictly(bytes, strict_scratch);
    require(frame.has_value() == strictly.has_value(), "both roads accept the same frames");
    if (!frame) {
        require(!frame.error().message.empty(), "an error says what is wrong");
        require(frame.error().offset <= bytes.size(), "an error is inside the frame");
        require(frame.error().message == strictly.error().message, "both roads give the same error");
        return;
    }
    require(is_same(frame->head, strictly->head), "both roads read the same head");
    require(frame->payload == strictly->payload, "both roads find the same payload");

    const std::string written = encoded(*frame);
    const std::size_t line_end = written.find('\n');
    if (std::min(line_end, written.size()) > kMaxHeadBytes) return;  // escapes can be shorter than what we write
    const auto again = decode(written, again_scratch);
    require(again.has_value(), "what we write can be read");
    require(is_same(frame->head, again->head), "what we write is the same head");
    require(frame->payload == again->payload, "what we write is the same payload");
    const auto json = nya::Json::parse(std::string_view(written).substr(0, line_end));
    require(json.has_value(), "a head is JSON");
}

void check_route(std::string_view bytes) {
    Scratch scratch, strict_scratch;
    const auto route = read_route(bytes, scratch);
    const auto strictly = decode_strictly(bytes, strict_scratch);
    require(route.has_value() || !strictly.has_value(), "every frame has a route");
    if (!route) return;
    require(is_relayed(route->type) == !route->to.empty(), "relayed frames have a target, others none");
    require(is_relayed(route->type) == !route->from.empty(), "relayed frames have a sender, others none");
    if (strictly) {
        require(route->type == strictly->head.type, "the hub reads the type that nodes read");
        if (is_relayed(route->type)) {
            require(route->to == strictly->head.to, "the hub reads the target that nodes read");
            require(route->from == strictly->head.from, "the hub reads the sender that nodes read");
        }
    }
    // Last wins, as in a browser.
    const auto json = nya::Json::parse(bytes.substr(0, bytes.find('\n')));
    if (!json || !is_relayed(route->type)) return;
    require((*json)["t"] == nya::Json(to_string(route->type)), "a browser reads the hub's type");
    require((*json)["to"] == nya::Json(route->to), "a browser reads the hub's target");
    require((*json)["from"] == nya::Json(route->from), "a browser reads the hub's sender");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // In memory of its own size, so that reading beyond it is seen.
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    check_reading(bytes);
    check_route(bytes);
    return 0;
}
