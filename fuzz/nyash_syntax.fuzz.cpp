// Fuzzes the lexer and the parser: any text gives a tree or a diagnostic, and both can be printed.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "nyash/syntax/ast_dump.h"
#include "nyash/syntax/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto source =
        std::make_shared<const nyash::Source>("fuzz", std::string(reinterpret_cast<const char*>(data), size));
    auto program = nyash::parse(source);
    const std::string text = program ? nyash::dump_ast(*program) : nyash::render(*source, program.error());
    return text.empty() ? -1 : 0;
}
