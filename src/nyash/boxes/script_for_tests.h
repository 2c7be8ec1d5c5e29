// Runs a script with the built-in boxes, for unit tests that own the clock or an option.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/runtime.h"
#include "nyash/syntax/parser.h"

namespace nyash {

class ScriptForTests {
public:
    explicit ScriptForTests(Runtime::Options options = {}) : runtime(with_channels(std::move(options))) {
        add_boxes(runtime);
    }

    // What it printed, or "error: …".
    std::string run(std::string text) {
        auto program = parse(std::make_shared<const Source>("test", std::move(text)));
        if (!program) return "error: " + program.error().message;
        auto main = runtime.load(std::move(*program));
        if (!main) return main.error().text;
        auto result = runtime.vm().run_main(**main);
        if (!result) return "error: " + result.error()->message;
        return taken();
    }
    // What was printed since the last time.
    std::string taken() { return std::exchange(out, {}); }

    std::string out;
    std::string err;
    Runtime runtime;

private:
    Runtime::Options with_channels(Runtime::Options options) {
        options.channels.out = [this](std::string_view text) { out += text; };
        options.channels.err = [this](std::string_view text) { err += text; };
        options.channels.read_line = [](std::string&) { return false; };
        if (!options.wall_clock_ms) options.wall_clock_ms = [] { return std::int64_t{1'700'000'000'000}; };
        return options;
    }
};

}  // namespace nyash
