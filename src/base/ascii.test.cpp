#include "base/ascii.h"

#include <doctest/doctest.h>

#include <string>

TEST_CASE("every byte is judged rightly, at every place of texts of every length up to 40") {
    for (std::size_t length = 0; length <= 40; ++length) {
        const std::string text(length, 'x');
        REQUIRE(nya::is_printable_ascii(text));
        for (std::size_t place = 0; place < length; ++place) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string changed = text;
                changed[place] = static_cast<char>(byte);
                const bool is_printable = byte >= 0x20 && byte <= 0x7E;
                REQUIRE(nya::is_printable_ascii(changed) == is_printable);
                REQUIRE(nya::is_printable_ascii<'"', '\\'>(changed) == (is_printable && byte != '"' && byte != '\\'));
            }
        }
    }
}

TEST_CASE("two odd bytes do not hide each other") {
    for (const char* text :
         {"\x1f\x20", "\x20\x1f", "\x7f\x7e", "ab\"\"cdefgh", "\x80\x1f\x7f", "\xff\xff\xff\xff\xff\xff\xff\xff"}) {
        CHECK_FALSE(nya::is_printable_ascii<'"'>(text));
    }
}
