// nyash: runs Nyash programs. Reads its arguments, and leaves the rest to the Interpreter.
#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <nyash/interpreter.h>

namespace {

constexpr std::string_view kUsage = R"(usage: nyash [options] FILE [arguments]
       nyash [options] -e CODE [arguments]
       nyash [options] -             reads the program from standard input

options:
  -e CODE           run CODE
  --check           read and compile only; say nothing when all is well
  --dump-ast        print the syntax tree
  --dump-bytecode   print the instructions
  --max-steps N     end the script after N calls and turns of loops
  --version         print the version
  --help            print this

exit status: 0 ok, 1 an error in the program, 2 an error on the command line
)";

constexpr std::string_view kVersion = "nyash 0.1.0\n";

enum class Mode { Run, Check, DumpAst, DumpBytecode };

struct Arguments {
    Mode mode = Mode::Run;
    nyash::Interpreter::Options options;
    std::string name;  // of the program, as diagnostics show it
    std::string code;  // of -e
    bool has_code = false;
};

int usage_error(std::string_view message) {
    std::cerr << "nyash: " << message << "\ntry  nyash --help\n";
    return 2;
}

void put(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

nyash::Interpreter* interrupted = nullptr;

// Ctrl-C ends the script with an error; a second one ends the process.
void on_interrupt(int) {
    if (interrupted) interrupted->interrupt();
    std::signal(SIGINT, SIG_DFL);
}

int finish(std::expected<std::string, nyash::Outcome> dumped) {
    if (!dumped) return dumped.error().exit_code;
    put(*dumped);
    return 0;
}

int run(Arguments& arguments) {
    nyash::Interpreter interpreter(std::move(arguments.options));
    interrupted = &interpreter;
    std::signal(SIGINT, on_interrupt);

    std::string text = std::move(arguments.code);
    if (!arguments.has_code) {
        if (arguments.name == "-") {
            arguments.name = "stdin";
            text.assign(std::istreambuf_iterator<char>(std::cin), {});
        } else {
            auto file = nyash::read_file(arguments.name);
            if (!file) {
                std::cerr << "error: " << file.error() << "\n";
                return 1;
            }
            text = std::move(*file);
        }
    }
    int status = 0;
    switch (arguments.mode) {
        case Mode::Run:
            status = interpreter.run_source(arguments.name, std::move(text)).exit_code;
            break;
        case Mode::Check:
            status = interpreter.check_source(arguments.name, std::move(text)).exit_code;
            break;
        case Mode::DumpAst:
            status = finish(interpreter.dump_ast(arguments.name, std::move(text)));
            break;
        case Mode::DumpBytecode:
            status = finish(interpreter.dump_bytecode(arguments.name, std::move(text)));
            break;
    }
    std::signal(SIGINT, SIG_DFL);
    interrupted = nullptr;
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
        std::cerr << "error: Not all output could be written to stdout (is the disk full, or stdout closed?)\n";
        if (status == 0) status = 1;
    }
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    Arguments arguments;
    std::size_t i = 0;
    bool has_program = false;
    for (; i < words.size() && !has_program; ++i) {
        const std::string_view word = words[i];
        if (word == "--help" || word == "-h") {
            put(kUsage);
            return 0;
        } else if (word == "--version") {
            put(kVersion);
            return 0;
        } else if (word == "--check") {
            arguments.mode = Mode::Check;
        } else if (word == "--dump-ast") {
            arguments.mode = Mode::DumpAst;
        } else if (word == "--dump-bytecode") {
            arguments.mode = Mode::DumpBytecode;
        } else if (word == "--max-steps") {
            if (++i == words.size()) return usage_error("--max-steps needs a number");
            auto& limit = arguments.options.max_steps;
            const auto [end, error] = std::from_chars(words[i].begin(), words[i].end(), limit);
            if (error != std::errc{} || end != words[i].end() || limit == 0) {
                return usage_error("--max-steps needs a number above 0, not '" + std::string(words[i]) + "'");
            }
        } else if (word == "-e") {
            if (++i == words.size()) return usage_error("-e needs the code to run");
            arguments.name = "-e";
            arguments.code = words[i];
            arguments.has_code = has_program = true;
        } else if (word != "-" && word.starts_with('-')) {
            return usage_error("unknown option '" + std::string(word) + "'");
        } else {
            arguments.name = word;
            has_program = true;
        }
    }
    // What follows the program belongs to the script, options included.
    if (!has_program) return usage_error("no program given");
    return run(arguments);
}
