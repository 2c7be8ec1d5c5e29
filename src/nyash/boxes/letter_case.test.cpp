#include "nyash/boxes/letter_case.h"

#include <doctest/doctest.h>

#include <string_view>

using nyash::to_lower;
using nyash::to_upper;

TEST_CASE("capital and small letters find each other") {
    constexpr std::u32string_view kSmall = U"azàþÿāžȁɐәαωάϋабяёѐѵӏաֆაꭰ𐐨ǆ";
    constexpr std::u32string_view kCapital = U"AZÀÞŸĀŽȀⱯӘΑΩΆΫАБЯЁЀѴӀԱՖᲐᎠ𐐀Ǆ";
    REQUIRE(kSmall.size() == kCapital.size());
    for (std::size_t i = 0; i < kSmall.size(); ++i) {
        CAPTURE(i);
        CHECK(to_upper(kSmall[i]) == kCapital[i]);
        CHECK(to_lower(kCapital[i]) == kSmall[i]);
        CHECK(to_upper(kCapital[i]) == kCapital[i]);
        CHECK(to_lower(kSmall[i]) == kSmall[i]);
    }
}

TEST_CASE("what has no counterpart of one letter stays") {
    for (const char32_t c : std::u32string_view(U"ß0@[`{×÷日ªŉ€😀\U0010FFFF")) {
        CAPTURE(static_cast<unsigned>(c));
        CHECK(to_upper(c) == c);
        CHECK(to_lower(c) == c);
    }
    CHECK(to_upper(U'ς') == U'Σ');  // the small sigma at the end of a word
    CHECK(to_lower(U'Σ') == U'σ');
}
