#include "nyash/syntax/foreign_words.h"

#include <algorithm>
#include <initializer_list>

namespace nyash {
namespace {

struct Advice {
    std::initializer_list<std::string_view> words;
    std::string_view help;
};

const Advice kAdvice[] = {
    {{"for", "while", "foreach", "until", "do", "repeat"}, "a loop is written  loop(condition) { … }"},
    {{"var", "let", "const", "val", "my"}, "a variable is declared with  local name = value"},
    {{"def", "func", "fun", "sub", "lambda"}, "a function is declared with  function name(…) { … }"},
    {{"class", "struct", "object"}, "a box is declared with  box Name { … }"},
    {{"elif", "elseif", "elsif"}, "write  else if condition { … }"},
    {{"switch", "match", "case"}, "write  if … { … } else if … { … }"},
    {{"import", "require"}, "another file is read with  include \"file.nyash\""},
    {{"None", "nil", "undefined", "NULL"}, "the absence of a value is written  null"},
    {{"self"}, "the object whose method runs is  me"},
    {{"println", "printf", "echo", "puts"}, "write  print(…)"},
    {{"console"}, "write  print(…), or make one:  console = new ConsoleBox()"},
    {{"raise"}, "an error is raised with  throw"},
    {{"except", "rescue"}, "an error is caught with  catch (e) { … }"},
};

}  // namespace

std::string_view help_for_foreign_word(std::string_view word) {
    for (const Advice& advice : kAdvice) {
        if (std::ranges::find(advice.words, word) != advice.words.end()) return advice.help;
    }
    return {};
}

}  // namespace nyash
