// Capital and small letters of all alphabets that have them: Latin, Greek, Cyrillic, Armenian and the rest.
//
// Letter by letter: what one letter becomes two for (ß → SS) stays as it is, and what depends on the
// language or the place in a word is not looked at.
#pragma once

namespace nyash {

char32_t to_upper(char32_t c);
char32_t to_lower(char32_t c);

}  // namespace nyash
