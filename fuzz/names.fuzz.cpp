// Names from outside: any bytes are either refused as a name everywhere, or are a name everywhere: as a node's
// id, as an intent's name, in registering, finding, sending and closing. The first byte of the input cuts the
// rest into two names; all of it is also tried as the guide's "name:rest" sugar.
#include "require.h"

#include <nyamesh/intent_box.h>
#include <nyamesh/message_bus.h>
#include <nyamesh/names.h>
#include <nyamesh/p2p_box.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using nyamesh::IntentBox;
using nyamesh::MessageBus;
using nyamesh::P2PBox;
using nyamesh::SendError;

// The rule said a second time, another way round: decode, then look at the code points.
bool is_name(std::string_view bytes) {
    if (bytes.empty() || bytes.size() > nyamesh::kMaxNameBytes) return false;
    constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    for (std::size_t i = 0; i < bytes.size();) {
        const auto first = static_cast<std::uint8_t>(bytes[i]);
        const std::size_t length = first < 0x80       ? 1
                                   : first >> 5 == 6  ? 2
                                   : first >> 4 == 14 ? 3
                                   : first >> 3 == 30 ? 4
                                                      : 0;
        if (length == 0 || i + length > bytes.size()) return false;
        std::uint32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<std::uint8_t>(bytes[i + k]);
            if (next >> 6 != 2) return false;
            code = code << 6 | (next & 0x3Fu);
        }
        if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
        if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) return false;
        i += length;
    }
    return true;
}

void require_invalid(const SendError& error) {
    require(error.reason == SendError::Reason::InvalidName, "a bad name is invalid_name");
    require(error.kind == SendError::Kind::SerializationError, "invalid_name is a SerializationError");
    require(!error.message.empty() && !error.hint.empty(), "the error says what and what to do");
    const std::string shown = error.to_string();
    require(std::ranges::none_of(shown, [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
            "an error shows no control characters of a bad name");
}

void check_sugar(std::string_view text) {
    const auto sugar = nyamesh::split_sugar(text);
    if (sugar.intent_name == "message" && sugar.text.size() == text.size()) {
        require(sugar.text == text, "plain text stays whole");
    } else {
        require(std::string(sugar.intent_name) + ":" + std::string(sugar.text) == text, "the split loses nothing");
        require(!sugar.text.starts_with(' ') && !sugar.text.starts_with('/'),
                "\"note: x\" and \"http://x\" are plain text");
    }
    require(is_name(sugar.intent_name), "sugar always names an intent");
}

void check_sending(std::string_view id, std::string_view intent_name, std::string_view text) {
    const auto bus = MessageBus::create();
    auto node =
        P2PBox::open(id, nyamesh::TransportKind::InProcess, {.bus = bus, .executor = nullptr, .queue_limit = 0});
    require(node.has_value() == is_name(id), "a node opens under every name, and only under a name");
    if (!node) return require_invalid(node.error());

    require(node->node_id() == id && bus->has_node(id), "the bus knows the node by its id");
    require(bus->nodes() == std::vector<std::string>{std::string(id)}, "the bus lists the node");
    auto twin =
        P2PBox::open(id, nyamesh::TransportKind::InProcess, {.bus = bus, .executor = nullptr, .queue_limit = 0});
    require(!twin && twin.error().reason == SendError::Reason::DuplicateId, "a name has one owner");

    int calls = 0;
    auto listening = node->on(intent_name, [&](const IntentBox& intent, std::string_view from) {
        require(intent.name() == intent_name && from == id, "a handler sees the names as they were given");
        ++calls;
    });
    require(listening.has_value() == is_name(intent_name), "a handler listens to every name, and only to a name");

    auto intent = IntentBox::create(intent_name, {{"text", "hello"}});
    require(intent.has_value() == is_name(intent_name), "an intent has every name, and only a name");
    if (!intent) {
        require_invalid(listening.error());
        require_invalid(intent.error());
    } else {
        require(node->send(id, *intent).has_value() && calls == 1, "what is sent arrives");
        const auto nobody = node->send(std::string(intent_name) + "?", *intent);
        require(!nobody || std::string(intent_name) + "?" == id, "an unknown node is an error");
        const auto ref = node->resolve(id);
        calls = 0;
        require(ref && node->send(*ref, *intent).has_value() && calls == 1, "a handle reaches the same node");
        require(node->off(intent_name).value() == 1, "off removes the handler");
    }
    require(node->send(id, text).has_value(), "sugar can always be sent");
    node->close();
    require(!bus->has_node(id), "a closed node is gone");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string_view first = text.substr(0, data[0]);
    const std::string_view second = text.substr(first.size());

    for (const std::string_view name : {text, first, second}) {
        const auto id = nyamesh::check_node_id(name);
        const auto intent_name = nyamesh::check_intent_name(name);
        require(id.has_value() == is_name(name), "a node id is 1 to 255 bytes of printable UTF-8");
        require(intent_name.has_value() == is_name(name), "an intent's name is, too");
        if (!id) require_invalid(id.error());
        if (!intent_name) require_invalid(intent_name.error());
    }
    check_sugar(text);
    check_sending(first, second, text);
    return 0;
}
