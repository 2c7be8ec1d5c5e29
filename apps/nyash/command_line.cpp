#include "command_line.h"

#include <charconv>

#include <nyash/interpreter.h>

namespace {

constexpr std::string_view kUsage = R"(usage: nyash [options] FILE [arguments]     runs a program
       nyash [options] -e CODE [arguments]  runs CODE
       nyash [options] - [arguments]        reads the program from standard input
       nyash [options]                      on a terminal: a session, line by line

options:
  -i, --repl        a session; after the program, if one is given
  --check           read and compile only; say nothing when all is well
  --dump-ast        print the syntax tree
  --dump-bytecode   print the instructions
  --strict-vars     assigning a variable that was never declared is an error
  --show-result     print the value of the program when it ends
  --max-steps N     end the script after N calls and turns of loops
  --version         print the version
  --help            print this

exit status: 0 ok, 1 an error in the program, 2 an error on the command line,
130 ended by Ctrl-C, 143 by SIGTERM (a second one ends a script that does not stop)
)";

constexpr std::string_view kOptions[] = {"-e",
                                         "-i",
                                         "-h",
                                         "--repl",
                                         "--check",
                                         "--dump-ast",
                                         "--dump-bytecode",
                                         "--strict-vars",
                                         "--show-result",
                                         "--max-steps",
                                         "--version",
                                         "--help"};

std::string unknown_option(std::string_view word) {
    std::string message = "unknown option '" + std::string(word) + "'";
    const auto meant = nyash::nearest(word, kOptions);
    if (!meant.empty()) message += "; did you mean '" + std::string(meant) + "'?";
    return message;
}

}  // namespace

std::string_view usage() {
    return kUsage;
}

std::expected<CommandLine, std::string> parse_command_line(std::span<const std::string_view> words) {
    CommandLine line;
    std::size_t i = 0;
    for (; i < words.size() && line.program == CommandLine::Program::None; ++i) {
        const std::string_view word = words[i];
        if (word == "--help" || word == "-h") {
            line.mode = CommandLine::Mode::Help;
            return line;
        } else if (word == "--version") {
            line.mode = CommandLine::Mode::Version;
            return line;
        } else if (word == "--check") {
            line.mode = CommandLine::Mode::Check;
        } else if (word == "--dump-ast") {
            line.mode = CommandLine::Mode::DumpAst;
        } else if (word == "--dump-bytecode") {
            line.mode = CommandLine::Mode::DumpBytecode;
        } else if (word == "--strict-vars") {
            line.strict_variables = true;
        } else if (word == "--show-result") {
            line.shows_result = true;
        } else if (word == "-i" || word == "--repl") {
            line.wants_repl = true;
        } else if (word == "--max-steps") {
            if (++i == words.size()) return std::unexpected("--max-steps needs a number");
            const auto [end, error] = std::from_chars(words[i].begin(), words[i].end(), line.max_steps);
            if (error != std::errc{} || end != words[i].end() || line.max_steps == 0)
                return std::unexpected("--max-steps needs a number above 0, not '" + std::string(words[i]) + "'");
        } else if (word == "-e") {
            if (++i == words.size()) return std::unexpected("-e needs the code to run");
            line.program = CommandLine::Program::Code;
            line.name = "-e";
            line.code = words[i];
        } else if (word == "-") {
            line.program = CommandLine::Program::Stdin;
            line.name = "stdin";
        } else if (word.starts_with('-')) {
            return std::unexpected(unknown_option(word));
        } else {
            line.program = CommandLine::Program::File;
            line.name = word;
        }
    }
    // What follows the program belongs to the script, options included.
    for (; i < words.size(); ++i) line.arguments.emplace_back(words[i]);
    if (line.wants_repl && line.mode != CommandLine::Mode::Run)
        return std::unexpected("--repl runs programs: it does not go with --check or --dump");
    if (line.wants_repl && line.program == CommandLine::Program::Stdin)
        return std::unexpected("--repl reads standard input itself: give the program as a file or with -e");
    return line;
}
