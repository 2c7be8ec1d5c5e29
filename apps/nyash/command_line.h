// What the user asked `nyash` to do.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct CommandLine {
    enum class Mode : std::uint8_t { Run, Check, DumpAst, DumpBytecode, Help, Version };
    enum class Program : std::uint8_t { None, File, Code, Stdin };

    Mode mode = Mode::Run;
    Program program = Program::None;
    std::string name;  // the file, or how diagnostics call the program
    std::string code;  // of -e
    std::vector<std::string> arguments;
    bool wants_repl = false;
    bool strict_variables = false;
    bool shows_result = false;
    std::uint64_t max_steps = 0;
};

// What is wrong with the words, as a sentence.
std::expected<CommandLine, std::string> parse_command_line(std::span<const std::string_view> words);

std::string_view usage();
