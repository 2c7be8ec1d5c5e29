// nyash: runs Nyash programs, and talks with people line by line. Reads its arguments, and leaves the rest to
// the Interpreter.
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <nyash/interpreter.h>

#include "command_line.h"
#include "interrupts.h"
#include "repl.h"

namespace {

void put(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void complain(const std::string& text) {
    std::fflush(stdout);
    std::fwrite(text.data(), 1, text.size(), stderr);
}

// Colours where a person looks, unless told otherwise (no-color.org).
bool wants_colours() {
    const char* refused = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) && !(refused && *refused) && terminal && std::string_view(terminal) != "dumb";
}

std::string all_of_stdin() {
    std::string text;
    char piece[65536];
    while (const std::size_t size = std::fread(piece, 1, sizeof piece, stdin)) text.append(piece, size);
    return text;
}

int finish(const std::expected<std::string, nyash::Outcome>& dumped) {
    if (!dumped) return dumped.error().exit_code;
    put(*dumped);
    return 0;
}

int run_program(nyash::Interpreter& interpreter, CommandLine& line) {
    using Mode = CommandLine::Mode;
    const bool is_file = line.program == CommandLine::Program::File;
    if (is_file && line.mode == Mode::Run) return interpreter.run_file(line.name, std::move(line.arguments)).exit_code;
    if (is_file && line.mode == Mode::Check) return interpreter.check_file(line.name).exit_code;
    std::string text = std::move(line.code);
    if (is_file) {
        auto file = nyash::read_file(line.name);
        if (!file) {
            complain("error: " + file.error() + "\n");
            return 1;
        }
        text = std::move(*file);
    }
    switch (line.mode) {
        case Mode::Check:
            return interpreter.check_source(line.name, std::move(text)).exit_code;
        case Mode::DumpAst:
            return finish(interpreter.dump_ast(line.name, std::move(text)));
        case Mode::DumpBytecode:
            return finish(interpreter.dump_bytecode(line.name, std::move(text)));
        default:
            return interpreter.run_source(line.name, std::move(text), std::move(line.arguments)).exit_code;
    }
}

int run(CommandLine& line) {
    nyash::Interpreter::Options options;
    options.clock = Interrupts::clock();
    options.max_steps = line.max_steps;
    options.strict_variables = line.strict_variables;
    options.shows_result = line.shows_result;
    options.colours = wants_colours();

    if (line.program == CommandLine::Program::None && !line.wants_repl) {
        if (::isatty(STDIN_FILENO) && line.mode == CommandLine::Mode::Run) {
            line.wants_repl = true;
        } else {
            line.program = CommandLine::Program::Stdin;
            line.name = "stdin";
        }
    }
    // Before Ctrl-C means the script: while the program is typed, it ends us.
    if (line.program == CommandLine::Program::Stdin) line.code = all_of_stdin();
    if (line.wants_repl) {
        Repl repl(std::move(options));
        const Interrupts interrupts(repl.interpreter(), Interrupts::Of::Session);
        if (line.program != CommandLine::Program::None) (void)run_program(repl.interpreter(), line);
        return repl.run();
    }
    nyash::Interpreter interpreter(std::move(options));
    const Interrupts interrupts(interpreter, Interrupts::Of::Script);
    return run_program(interpreter, line);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    auto line = parse_command_line(words);
    if (!line) {
        complain("nyash: " + line.error() + "\ntry  nyash --help\n");
        return 2;
    }
    int status = 0;
    if (line->mode == CommandLine::Mode::Help) {
        put(usage());
    } else if (line->mode == CommandLine::Mode::Version) {
        put("nyash " NYASH_VERSION "\n");
    } else {
        status = run(*line);
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
        complain("error: Not all output could be written to stdout (is the disk full, or stdout closed?)\n");
        if (status == 0) status = 1;
    }
    if (status == nyash::kInterrupted) Interrupts::end_process();
    return status;
}
