// The words for a text that is not JSON.
//
// The parser tells where it stopped, but hardly why. Everything before that place is known to be well-formed,
// so a short walk over it tells what was open and what had to come next. Only on the cold path.
#pragma once

#include <nya/json.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nya {

// Where and why the parser gave up on a text.
struct JsonStop {
    enum class Why : std::uint8_t { Syntax, TooDeep, ExponentTooLarge, NumberTooLarge };

    std::size_t offset = 0;
    Why why = Why::Syntax;
};

JsonError explain(std::string_view text, const JsonStop& stop);

}  // namespace nya
