// Words of other languages, and what Nyash says instead. People try them in their first hour.
#pragma once

#include <string_view>

namespace nyash {

// "a loop is written  loop (condition) { … }" for `while`; empty when the word is not known.
std::string_view help_for_foreign_word(std::string_view word);

}  // namespace nyash
