#include "repl.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "interrupts.h"
#include "line_editor.h"

namespace {

constexpr std::size_t kMaxInput = 1U << 20U;  // bytes of one input of several lines
constexpr std::size_t kWidestValue = 70;      // of a value in :globals, in bytes

constexpr std::string_view kHelp =
    R"(An expression shows its value; anything else runs. Input goes on until its brackets are closed;
two empty lines give it up.

  :help          this
  :globals       the variables and functions there are
  :type EXPR     the type of a value
  :load FILE     run a program here: what it defines stays
  exit           leave, as do quit and Ctrl-D

Tab completes names, fields and methods. Ctrl-C clears the line, or stops what is running.
)";

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// ${XDG_STATE_HOME:-~/.local/state}/nyash/history
std::string history_file() {
    namespace fs = std::filesystem;
    const char* state = std::getenv("XDG_STATE_HOME");
    if (state && fs::path(state).is_absolute()) return (fs::path(state) / "nyash" / "history").string();
    const char* home = std::getenv("HOME");
    if (!home || !*home) return {};
    return (fs::path(home) / ".local" / "state" / "nyash" / "history").string();
}

}  // namespace

struct Repl::Impl {
    explicit Impl(nyash::Interpreter::Options options) : interpreter(with_editor(std::move(options))) {
        known_from_the_start = interpreter.global_names();
        if (!is_terminal) return;
        editor.emplace(LineEditor::Options{
            [this] { return interpreter.wait_readable(STDIN_FILENO); },
            [this](std::string_view before) { return candidates(before); },
            history_file(),
        });
    }

    nyash::Interpreter::Options with_editor(nyash::Interpreter::Options options) {
        options.out = [this](std::string_view text) { put(text); };
        options.err = [this](std::string_view text) { put_error(text); };
        // A handler that asks for a line while the prompt waits gets none: the keyboard is the prompt's.
        options.read_line = [this](std::string& line) {
            return !(editor && editor->is_editing()) && interpreter.read_line(line);
        };
        shows_colours = options.colours;
        return options;
    }

    void put(std::string_view text) {
        if (editor) return editor->write_above(text);
        std::fwrite(text.data(), 1, text.size(), stdout);
    }
    void put_error(std::string_view text) {
        // On a terminal both are the same place, and the line being edited has to move for either.
        if (editor && editor->is_editing()) return editor->write_above(text);
        std::fflush(stdout);
        std::fwrite(text.data(), 1, text.size(), stderr);
    }
    void show_error(const nyash::Outcome& outcome) {
        if (editor && outcome.exit_code == nyash::kInterrupted) put_error("\n");  // the terminal wrote ^C
        put_error(shows_colours ? nyash::coloured(outcome.diagnostic) : outcome.diagnostic);
    }
    // What Ctrl-C asked for has happened.
    void settle() {
        interpreter.resume();
        Interrupts::handled();
    }

    LineEditor::Ending read(const std::string& prompt, std::string& line) {
        std::fflush(stdout);
        if (editor) return editor->read(prompt, line);
        if (interpreter.read_line(line)) return LineEditor::Ending::Line;
        const bool was_interrupted = !interpreter.run_pending().ok();
        return was_interrupted ? LineEditor::Ending::GivenUp : LineEditor::Ending::EndOfInput;
    }

    // A whole input, of one line or more; empty when it was given up.
    LineEditor::Ending read_input(std::string& input) {
        input.clear();
        bool was_empty = false;
        while (true) {
            std::string line;
            const auto ending = read(input.empty() ? "nyash> " : "  ...> ", line);
            if (ending == LineEditor::Ending::GivenUp || (ending == LineEditor::Ending::EndOfInput && input.empty()))
                return ending;
            if (ending == LineEditor::Ending::EndOfInput) return LineEditor::Ending::Line;  // then run what is there
            const bool is_empty = trimmed(line).empty();
            const bool gives_up = is_empty && was_empty && !input.empty();
            was_empty = is_empty;
            if (input.empty() && is_empty) continue;
            input += line + "\n";
            if (input.starts_with(':')) return ending;
            if (!gives_up && input.size() <= kMaxInput && nyash::Interpreter::is_incomplete(input)) continue;
            return ending;
        }
    }

    // The words this session knows besides the language's.
    std::vector<std::string> candidates(std::string_view before) {
        if (!before.starts_with(':')) return interpreter.completions(before);
        std::vector<std::string> words;
        for (const std::string_view command : {":globals", ":help", ":load", ":quit", ":type"}) {
            if (command.starts_with(before)) words.emplace_back(command.substr(1));
        }
        if (before.starts_with(":type ")) return interpreter.completions(before.substr(6));
        return words;
    }

    void evaluate(std::string text) {
        auto value = interpreter.evaluate(std::move(text));
        if (!value) return show_error(value.error());
        if (value->is_void()) return;
        show(*value);
    }

    void show(const nyash::ScriptValue& value) {
        const auto text = text_of(value);
        if (text) put(*text + "\n");
    }

    // A box's own toString() may fail.
    std::optional<std::string> text_of(const nyash::ScriptValue& value) {
        try {
            return value.to_string();
        } catch (const nyash::ScriptTypeError& error) {
            put_error(std::string("error: ") + error.what() + "\n");
            return {};
        }
    }

    void show_globals() {
        for (const auto& name : interpreter.global_names()) {
            if (std::ranges::binary_search(known_from_the_start, name)) continue;
            const auto value = interpreter.global(name);
            const auto text = text_of(value);
            if (!text) continue;
            std::string line = text->substr(0, text->find('\n'));
            if (line.size() > kWidestValue) {
                std::size_t end = kWidestValue;
                while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
                line.resize(end);
            }
            if (line.size() < text->size()) line += "…";
            put(name + " = " + line + "\n");
        }
    }

    // False to leave.
    bool command(std::string_view text) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        const std::string rest(trimmed(text.substr(end)));
        if (word == ":quit" || word == ":exit" || word == ":q") return false;
        if (word == ":help" || word == ":h") {
            put(kHelp);
        } else if (word == ":globals") {
            show_globals();
        } else if (word == ":type" && !rest.empty()) {
            auto value = interpreter.evaluate(rest);
            if (value) {
                put(value->type_name() + "\n");
            } else {
                show_error(value.error());
            }
        } else if (word == ":load" && !rest.empty()) {
            auto file = nyash::read_file(rest);
            if (!file) {
                put_error("error: " + file.error() + "\n");
            } else if (auto value = interpreter.evaluate(std::move(*file), rest); !value) {
                show_error(value.error());
            }
        } else {
            put_error(word == ":type"   ? ":type needs an expression\n"
                      : word == ":load" ? ":load needs a file\n"
                                        : "There is no command '" + std::string(word) + "'; try :help\n");
        }
        return true;
    }

    int run() {
        if (editor) put("Nyash " + std::string(NYASH_VERSION) + ". Type :help for help, exit to leave.\n");
        for (std::string input; true;) {
            const auto ending = read_input(input);
            if (ending == LineEditor::Ending::EndOfInput) break;
            if (ending == LineEditor::Ending::Line) {
                const std::string_view text = trimmed(input);
                if (editor) editor->remember(std::string(text));
                if (text == "exit" || text == "quit" || text == "exit()" || text == "quit()") break;
                if (text.starts_with(':')) {
                    if (!command(text)) break;
                } else {
                    evaluate(input);
                }
                // What others sent meanwhile; its errors were reported.
                (void)interpreter.run_pending();
            }
            settle();
        }
        return 0;
    }

    std::vector<std::string> known_from_the_start;  // the language's own functions, sorted
    const bool is_terminal = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
    bool shows_colours = false;
    std::optional<LineEditor> editor;
    nyash::Interpreter interpreter;
};

Repl::Repl(nyash::Interpreter::Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Repl::~Repl() = default;

nyash::Interpreter& Repl::interpreter() {
    return impl_->interpreter;
}

int Repl::run() {
    return impl_->run();
}
