// JSON payloads from outside: any bytes are either refused, with a position inside the text, or become a value
// that is written and read back as itself. Another reader, Boost.JSON's own value, must agree on every text.
#include "require.h"

#include <nya/json.h>
#include <nyamesh/intent_box.h>

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using nya::Json;

// Boost's doubles may be off in the last places, which at either end of the range means infinity or zero.
bool same_number(double ours, double theirs) {
    const double size = std::abs(ours);
    return ours == theirs || std::abs(ours - theirs) <= 1e-14 * size || size < 1e-300 ||
           (size > 1.797e308 && std::isinf(theirs));
}

bool same_value(const Json& ours, const boost::json::value& theirs) {
    switch (ours.kind()) {
        case Json::Kind::Null:
            return theirs.is_null();
        case Json::Kind::Bool:
            return theirs.is_bool() && theirs.get_bool() == ours.as_bool();
        case Json::Kind::Integer:
            return theirs.is_int64() && theirs.get_int64() == ours.as_integer();
        case Json::Kind::Float:
            return theirs.is_uint64() ? same_number(ours.as_number(), static_cast<double>(theirs.get_uint64()))
                                      : theirs.is_double() && same_number(ours.as_number(), theirs.get_double());
        case Json::Kind::String:
            return theirs.is_string() && std::string_view(theirs.get_string()) == ours.as_string();
        case Json::Kind::Array:
            return theirs.is_array() && std::ranges::equal(ours.as_array(), theirs.get_array(), same_value);
        case Json::Kind::Object:
            return theirs.is_object() && theirs.get_object().size() == ours.size() &&
                   std::ranges::all_of(ours.as_object(), [&](const Json::Member& member) {
                       const auto* counterpart = theirs.get_object().if_contains(member.key);
                       return counterpart && same_value(member.value, *counterpart);
                   });
    }
    return false;
}

void check_error(std::string_view text, const nya::JsonError& error) {
    require(!error.message.empty(), "an error has a message");
    require(error.offset <= text.size(), "an error lies inside the text");
    const auto before = text.substr(0, error.offset);
    require(error.line == 1 + static_cast<std::size_t>(std::ranges::count(before, '\n')),
            "the line is that of the offset");
    require(error.column == error.offset - (before.rfind('\n') + 1) + 1, "the column is that of the offset");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);

    const auto value = Json::parse(text);
    const auto valid = Json::validate(text);
    require(value.has_value() == valid.has_value(), "parse and validate agree");

    boost::json::parse_options options;
    options.max_depth = nya::kMaxJsonDepth;
    boost::json::error_code refused;
    const auto theirs = boost::json::parse(text, refused, {}, options);

    const auto intent = nyamesh::IntentBox::from_json("fuzz", text);
    require(intent.has_value() == value.has_value(), "an intent takes exactly what is JSON");

    if (!value) {
        check_error(text, value.error());
        require(value.error().offset == valid.error().offset && value.error().message == valid.error().message,
                "parse and validate give the same error");
        require(refused || value.error().message.contains("is too large"), "what Boost reads we read, too");
        return 0;
    }

    require(!refused, "what we read Boost reads, too");
    require(same_value(*value, theirs), "both readers see the same value");
    require(value->depth() <= nya::kMaxJsonDepth, "no text is nested deeper than the limit");

    const std::string written = value->dump();
    const auto again = Json::parse(written);
    require(again.has_value(), "what is written can be read");
    require(*again == *value && Json(*value) == *value, "what is written reads back equal, and so is a copy");
    require(again->dump() == written, "writing is stable");

    require(intent->payload_text() == text, "a payload's text is kept as it came");
    require(intent->payload() == *value, "a payload's value is that of its text");
    const nyamesh::IntentBox from_value("fuzz", *value);
    require(from_value.payload_text() == written, "a payload given as a value is written the same way");
    return 0;
}
