#include <nyash/interpreter.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <nya/expected.h>

#include "nyash/bindings/bindings.h"
#include "nyash/bindings/embedding.h"
#include "nyash/bindings/line_input.h"
#include "nyash/bindings/session.h"
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/runtime.h"
#include "nyash/syntax/ast_dump.h"
#include "nyash/syntax/diagnostic.h"
#include "nyash/syntax/parser.h"

namespace nyash {
namespace {

void write_to(std::FILE* stream, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stream);
}

// Why a file cannot be read, and which one was probably meant.
Outcome unreadable(const std::string& path, const std::string& why) {
    constexpr std::size_t kMostLookedAt = 1000;
    namespace fs = std::filesystem;
    std::error_code error;
    std::string meant;
    if (fs::is_directory(path, error)) {
        const std::string inside = (fs::path(path) / "main.nyash").string();
        if (fs::exists(inside, error)) meant = inside;
    } else if (fs::is_regular_file(path + ".nyash", error)) {
        meant = path + ".nyash";
    } else if (!fs::exists(path, error)) {
        const fs::path folder = fs::path(path).parent_path();
        std::vector<std::string> names;
        for (fs::directory_iterator at(folder.empty() ? "." : folder, error), end; !error && at != end;
             at.increment(error)) {
            if (names.size() == kMostLookedAt) break;
            names.push_back(at->path().filename().string());
        }
        const std::vector<std::string_view> candidates(names.begin(), names.end());
        const auto best = closest(fs::path(path).filename().string(), candidates);
        if (!best.empty()) meant = (folder / best).string();
    }
    std::string diagnostic = "error: " + why + "\n";
    if (!meant.empty()) diagnostic += "help: did you mean '" + meant + "'?\n";
    return {1, std::move(diagnostic), why};
}

}  // namespace

struct Interpreter::Impl {
    explicit Impl(Options options)
        : shows_colours(options.colours),
          shows_result(options.shows_result),
          runtime(runtime_options(options, *this)),
          input(runtime.loop(), [this] { return runtime.vm().check_limits().has_value(); }) {
        add_boxes(runtime);
        add_intent_box(runtime);
        add_p2p_box(runtime);
        add_nya_mesh(runtime);
    }

    Outcome failed(Outcome outcome) {
        runtime.channels().err(shows_colours ? coloured(outcome.diagnostic) : outcome.diagnostic);
        return outcome;
    }
    Outcome failed(const ScriptError& error) { return failed(runtime.outcome_of(error)); }

    // Parsed, resolved, compiled, its declarations known.
    std::expected<const Proto*, Outcome> load(Program program) {
        auto main = runtime.load(std::move(program));
        if (!main) return std::unexpected(outcome_of(std::move(main.error().text)));
        return *main;
    }
    std::expected<const Proto*, Outcome> load(std::string name, std::string text) {
        auto program = parse_text(std::move(name), std::move(text));
        if (!program) return std::unexpected(std::move(program.error()));
        return load(std::move(*program));
    }
    static std::expected<Program, Outcome> parse_text(std::string name, std::string text) {
        const auto source = std::make_shared<const Source>(std::move(name), std::move(text));
        auto program = parse(source);
        if (!program) return std::unexpected(outcome_of(render(*source, program.error())));
        return std::move(*program);
    }
    static Outcome outcome_of(std::string diagnostic) {
        constexpr std::string_view kStart = "error: ";
        std::string message = diagnostic.substr(0, diagnostic.find('\n'));
        if (message.starts_with(kStart)) message.erase(0, kStart.size());
        return {1, std::move(diagnostic), std::move(message)};
    }

    // The top level, then Main.main; the value of the program.
    Result run_program(const Proto& main, const std::vector<std::string>& arguments) {
        return runtime.run(main, arguments);
    }

    // Runs what is queued, and with `waits` whatever still comes, until nothing can happen by itself any more.
    Done run_loop(bool waits) {
        EventLoop& loop = *runtime.loop();
        do {
            loop.run_ready();
            NYA_TRY(runtime.vm().check_limits());
            if (!waits || !loop.has_work()) return {};
            loop.run_one_until(nya::Clock::time_point::max());
        } while (true);
    }

    bool shows_colours;
    bool shows_result;
    EmbeddedRuntime runtime;
    LineInput input;

private:
    static Runtime::Options runtime_options(Options& options, Impl& self);
};

Runtime::Options Interpreter::Impl::runtime_options(Options& options, Impl& self) {
    Runtime::Options made;
    made.channels.out = options.out ? std::move(options.out) : [](std::string_view text) { write_to(stdout, text); };
    // What was printed before an error stands before it on a terminal, too.
    made.channels.err = options.err ? std::move(options.err) : [](std::string_view text) {
        std::fflush(stdout);
        write_to(stderr, text);
    };
    made.channels.read_line = options.read_line ? std::move(options.read_line) : [&self](std::string& line) {
        std::fflush(stdout);
        return self.input.read_line(line);
    };
    made.channels.colours = options.colours;
    made.wall_clock_ms = options.wall_clock_ms ? std::move(options.wall_clock_ms) : [] {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    };
    made.channels.read_file = read_file;
    if (!options.allow_files) {
        made.channels.read_file = [](const std::string& path) -> std::expected<std::string, std::string> {
            return std::unexpected("Cannot read '" + path + "': this program does not let scripts use files");
        };
    }
    if (options.clock) made.clock = std::move(options.clock);
    if (options.random) made.random = std::move(options.random);
    if (options.max_steps > 0) made.limits.max_steps = options.max_steps;
    made.strict_variables = options.strict_variables;
    made.allow_files = options.allow_files;
    made.allow_network = options.allow_network;
    made.limits.max_text_bytes = options.max_text_bytes;
    made.limits.max_call_depth = options.max_call_depth;
    return made;
}

Interpreter::Interpreter() : Interpreter(Options{}) {}
Interpreter::Interpreter(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Interpreter::~Interpreter() = default;

// ---- running ----

Outcome Interpreter::run_source(std::string name, std::string text, std::vector<std::string> arguments) {
    auto main = impl_->load(std::move(name), std::move(text));
    if (!main) return impl_->failed(std::move(main.error()));
    auto result = impl_->run_program(**main, arguments);
    if (!result) return impl_->failed(result.error());
    if (auto done = impl_->run_loop(true); !done) return impl_->failed(done.error());
    if (impl_->shows_result) {
        auto text = impl_->runtime.vm().to_text(*result);
        if (!text) return impl_->failed(text.error());
        impl_->runtime.channels().out("Result: " + *text + "\n");
    }
    return {};
}

Outcome Interpreter::run_file(const std::string& path, std::vector<std::string> arguments) {
    auto text = read_file(path);
    if (!text) return impl_->failed(unreadable(path, text.error()));
    return run_source(path, std::move(*text), std::move(arguments));
}

Outcome Interpreter::check_source(std::string name, std::string text) {
    auto main = impl_->load(std::move(name), std::move(text));
    return main ? Outcome{} : impl_->failed(std::move(main.error()));
}

Outcome Interpreter::check_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) return impl_->failed(unreadable(path, text.error()));
    return check_source(path, std::move(*text));
}

std::expected<std::string, Outcome> Interpreter::dump_ast(std::string name, std::string text) {
    auto program = Impl::parse_text(std::move(name), std::move(text));
    if (!program) return std::unexpected(impl_->failed(std::move(program.error())));
    return nyash::dump_ast(*program);
}

std::expected<std::string, Outcome> Interpreter::dump_bytecode(std::string name, std::string text) {
    auto main = impl_->load(std::move(name), std::move(text));
    if (!main) return std::unexpected(impl_->failed(std::move(main.error())));
    return disassemble(**main, impl_->runtime.globals());
}

// ---- between C++ and the script ----

std::expected<ScriptValue, Outcome> Interpreter::evaluate(std::string text, std::string name) {
    auto program = Impl::parse_text(std::move(name), std::move(text));
    if (!program) return std::unexpected(std::move(program.error()));
    keep_locals(*program);
    const bool has_value = ends_in_expression(*program);
    auto main = impl_->load(std::move(*program));
    if (!main) return std::unexpected(std::move(main.error()));
    auto result = impl_->runtime.vm().run_main(**main);
    if (!result) return std::unexpected(impl_->runtime.outcome_of(result.error()));
    return has_value ? impl_->runtime.to_cpp(*result) : ScriptValue::nothing();
}

std::expected<ScriptValue, Outcome> Interpreter::call_with(std::string_view function,
                                                           std::span<const ScriptValue> arguments) {
    Runtime& runtime = impl_->runtime;
    const Name name = runtime.names().find(function);
    const Value value = name ? runtime.globals().find(name) : Value{};
    if (value.is_undefined()) {
        const auto known = runtime.globals().defined_names();
        const std::string message = "Undefined variable '" + std::string(function) + "'";
        const std::string help = did_you_mean(function, known);
        return std::unexpected(
            Outcome{1, "error: " + message + "\n" + (help.empty() ? "" : "help: " + help + "\n"), message});
    }
    return impl_->runtime.call(value, arguments);
}

ScriptValue Interpreter::global(std::string_view name) {
    const Name known = impl_->runtime.names().find(name);
    return known ? impl_->runtime.to_cpp(impl_->runtime.globals().find(known)) : ScriptValue();
}

bool Interpreter::has_global(std::string_view name) const {
    const Name known = impl_->runtime.names().find(name);
    return known && !impl_->runtime.globals().find(known).is_undefined();
}

std::vector<std::string> Interpreter::global_names() const {
    std::vector<std::string> names;
    for (const auto name : impl_->runtime.globals().defined_names()) names.emplace_back(name);
    std::ranges::sort(names);
    return names;
}

void Interpreter::set_global(std::string_view name, const ScriptValue& value) {
    Runtime& runtime = impl_->runtime;
    Value made = impl_->runtime.from_cpp(value);
    runtime.globals()[runtime.globals().index(runtime.names().intern(name))].variable = std::move(made);
}

void Interpreter::define_code(std::string_view name, const std::string& parameters, detail::NativeCode code) {
    impl_->runtime.define_code(name, parameters, std::move(code));
}

std::unique_ptr<detail::BoxTable> Interpreter::add_box(std::string_view name, const std::type_info& type) {
    return impl_->runtime.add_box(name, type);
}

// ---- the event loop ----

Outcome Interpreter::run_pending() {
    auto done = impl_->run_loop(false);
    return done ? Outcome{} : impl_->runtime.outcome_of(done.error());
}

bool Interpreter::wait_readable(int descriptor) {
    return impl_->input.wait_readable(descriptor);
}

bool Interpreter::read_line(std::string& line) {
    std::fflush(stdout);
    return impl_->input.read_line(line);
}

void Interpreter::interrupt() noexcept {
    impl_->runtime.vm().interrupt();
    impl_->runtime.loop()->wake();
}

void Interpreter::interrupt_running() noexcept {
    impl_->runtime.vm().interrupt();
}

void Interpreter::resume() noexcept {
    impl_->runtime.vm().resume();
}

// ---- editing ----

bool Interpreter::is_incomplete(std::string text) {
    return is_incomplete_program(std::move(text));
}

std::vector<std::string> Interpreter::completions(std::string_view line) const {
    return completions_of(impl_->runtime, line);
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
    return closest(name, candidates);
}

std::expected<std::string, std::string> read_file(const std::string& path) {
    const auto because = [&](const std::string& reason) {
        return std::unexpected("Cannot read '" + path + "': " + reason);
    };
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return because("it is a directory");
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) return because(std::strerror(errno));
    std::string text;
    char buffer[65536];
    while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, file.get())) {
        text.append(buffer, size);
        if (text.size() > kMaxSourceBytes) return because("it is too long (more than 256 MiB)");
    }
    if (std::ferror(file.get())) return because(std::strerror(errno));
    return text;
}

std::int64_t live_objects() noexcept {
    return Object::live_count();
}

}  // namespace nyash
