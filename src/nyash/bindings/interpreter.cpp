#include <nyash/interpreter.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "nyash/bindings/bindings.h"
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/runtime.h"
#include "nyash/syntax/ast_dump.h"
#include "nyash/syntax/parser.h"

namespace nyash {
namespace {

void write_to(std::FILE* stream, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stream);
}

Runtime::Options runtime_options(Interpreter::Options options) {
    Runtime::Options made;
    made.channels.out = options.out ? std::move(options.out) : [](std::string_view text) { write_to(stdout, text); };
    // What was printed before an error stands before it on a terminal, too.
    made.channels.err = options.err ? std::move(options.err) : [](std::string_view text) {
        std::fflush(stdout);
        write_to(stderr, text);
    };
    made.channels.read_line = options.read_line ? std::move(options.read_line) : [](std::string& line) {
        std::fflush(stdout);
        return static_cast<bool>(std::getline(std::cin, line));
    };
    made.wall_clock_ms = options.wall_clock_ms ? std::move(options.wall_clock_ms) : [] {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    };
    made.channels.read_file = read_file;
    if (options.clock) made.clock = std::move(options.clock);
    if (options.random) made.random = std::move(options.random);
    if (options.max_steps > 0) made.limits.max_steps = options.max_steps;
    made.limits.max_text_bytes = options.max_text_bytes;
    return made;
}

}  // namespace

struct Interpreter::Impl {
    explicit Impl(Options options) : runtime(runtime_options(std::move(options))) {
        add_boxes(runtime);
        add_intent_box(runtime);
        add_p2p_box(runtime);
    }

    Outcome failed(std::string diagnostic) {
        runtime.channels().err(diagnostic);
        return {1, std::move(diagnostic)};
    }

    // Parsed, resolved, compiled, its declarations known.
    std::expected<const Proto*, Outcome> load(std::string name, std::string text) {
        const auto source = std::make_shared<const Source>(std::move(name), std::move(text));
        auto program = parse(source);
        if (!program) return std::unexpected(failed(render(*source, program.error())));
        auto main = runtime.load(std::move(*program));
        if (!main) return std::unexpected(failed(std::move(main.error().text)));
        return *main;
    }

    Runtime runtime;
};

Interpreter::Interpreter() : Interpreter(Options{}) {}
Interpreter::Interpreter(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Interpreter::~Interpreter() = default;

Outcome Interpreter::run_source(std::string name, std::string text) {
    auto main = impl_->load(std::move(name), std::move(text));
    if (!main) return std::move(main.error());
    auto result = impl_->runtime.run(**main);
    if (!result) return impl_->failed(impl_->runtime.describe(result.error()));
    impl_->runtime.loop()->run_until_idle();
    if (auto done = impl_->runtime.vm().check_limits(); !done)
        return impl_->failed(impl_->runtime.describe(done.error()));
    return {};
}

Outcome Interpreter::run_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) return impl_->failed("error: " + text.error() + "\n");
    return run_source(path, std::move(*text));
}

Outcome Interpreter::check_source(std::string name, std::string text) {
    auto main = impl_->load(std::move(name), std::move(text));
    return main ? Outcome{} : std::move(main.error());
}

Outcome Interpreter::check_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) return impl_->failed("error: " + text.error() + "\n");
    return check_source(path, std::move(*text));
}

std::expected<std::string, Outcome> Interpreter::dump_ast(std::string name, std::string text) {
    const auto source = std::make_shared<const Source>(std::move(name), std::move(text));
    auto program = parse(source);
    if (!program) return std::unexpected(impl_->failed(render(*source, program.error())));
    return nyash::dump_ast(*program);
}

std::expected<std::string, Outcome> Interpreter::dump_bytecode(std::string name, std::string text) {
    auto main = impl_->load(std::move(name), std::move(text));
    if (!main) return std::unexpected(std::move(main.error()));
    return disassemble(**main, impl_->runtime.globals());
}

void Interpreter::interrupt() noexcept {
    impl_->runtime.vm().interrupt();
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
