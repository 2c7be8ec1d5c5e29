// Runs script tests: each .nyash file of the folders given, against the expectations written in it.
//
//     print(1 + 1)          // expect: 2                  the next line on stdout
//     print(nope)           // expect error: Undefined    the error that ends the script: how its message
//                                                         begins, and that it points at this line
//     node.on("x", broken)  // expect stderr: in the ha   a piece of what goes to stderr
//
// Output is compared without trailing spaces. Every script also has to leave no object behind (debug
// builds count them) and to end within a generous number of steps.
//
// Each script runs in an empty directory of its own, which is removed afterwards, so it may write files;
// local time is nine hours ahead of UTC on every machine.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <nyash/interpreter.h>

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxSteps = 50'000'000;

std::string without_trailing_space(std::string_view line) {
    const std::size_t last = line.find_last_not_of(" \t\r");
    return std::string(line.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(without_trailing_space(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

struct Expectations {
    std::vector<std::string> output;
    std::vector<std::string> on_stderr;
    std::string error;
    std::size_t error_line = 0;  // 0: the script ends well

    explicit Expectations(const std::string& text) {
        const auto source = lines_of(text);
        for (std::size_t i = 0; i < source.size(); ++i) {
            const auto after = [&](std::string_view mark) -> std::string {
                std::string rest = source[i].substr(source[i].find(mark) + mark.size());
                return rest.starts_with(' ') ? rest.substr(1) : rest;
            };
            if (source[i].find("// expect:") != std::string::npos) output.push_back(after("// expect:"));
            if (source[i].find("// expect stderr:") != std::string::npos)
                on_stderr.push_back(after("// expect stderr:"));
            if (source[i].find("// expect error:") != std::string::npos) {
                error = after("// expect error:");
                error_line = i + 1;
            }
        }
    }
};

// An empty directory to work in, for as long as it lives.
class WorkDirectory {
public:
    WorkDirectory() : before_(fs::current_path()) {
        std::string name = (fs::temp_directory_path() / "nyash_script_XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw fs::filesystem_error("mkdtemp", name, std::error_code(errno, std::generic_category()));
        path_ = name;
        fs::current_path(path_);
    }
    ~WorkDirectory() {
        std::error_code ignored;
        fs::current_path(before_, ignored);
        fs::remove_all(path_, ignored);
    }
    WorkDirectory(const WorkDirectory&) = delete;
    WorkDirectory& operator=(const WorkDirectory&) = delete;

private:
    fs::path before_;
    fs::path path_;
};

// What is wrong with a script's run, a sentence each; empty when all is well.
std::vector<std::string> problems_of(const std::string& name, const std::string& text) {
    const Expectations expected(text);
    std::vector<std::string> problems;
    std::string out;
    std::string err;
    nyash::Outcome outcome;
    {
        nyash::Interpreter::Options options;
        options.out = [&](std::string_view more) { out += more; };
        options.err = [&](std::string_view more) { err += more; };
        options.read_line = [](std::string&) { return false; };
        options.max_steps = kMaxSteps;
        nyash::Interpreter interpreter(std::move(options));
        outcome = interpreter.run_source(name, text);
    }

    const auto printed = lines_of(out);
    const std::size_t common = std::min(printed.size(), expected.output.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (printed[i] == expected.output[i]) continue;
        problems.push_back("output line " + std::to_string(i + 1) + "\n    expected: " + expected.output[i] +
                           "\n    printed:  " + printed[i]);
        break;
    }
    for (std::size_t i = common; i < expected.output.size(); ++i)
        problems.push_back("not printed: " + expected.output[i]);
    for (std::size_t i = common; i < printed.size(); ++i) problems.push_back("printed but not expected: " + printed[i]);

    if (expected.error_line == 0 && !outcome.ok()) problems.push_back("failed:\n" + outcome.diagnostic);
    if (expected.error_line > 0) {
        const std::string message = "error: " + expected.error;
        const std::string place = "--> " + name + ":" + std::to_string(expected.error_line) + ":";
        if (outcome.ok()) {
            problems.push_back("ended well, expected error: " + expected.error);
        } else if (outcome.diagnostic.find(expected.error) == std::string::npos ||
                   !outcome.diagnostic.starts_with("error: ")) {
            problems.push_back("expected " + message + "\n    got:\n" + outcome.diagnostic);
        } else if (outcome.diagnostic.find(place) == std::string::npos) {
            problems.push_back("expected the error at line " + std::to_string(expected.error_line) + "\n    got:\n" +
                               outcome.diagnostic);
        }
    }
    for (const auto& piece : expected.on_stderr) {
        if (err.find(piece) == std::string::npos)
            problems.push_back("not on stderr: " + piece + "\n    there was:\n" + err);
    }
    if (expected.on_stderr.empty() && err != outcome.diagnostic) problems.push_back("unexpected on stderr:\n" + err);
    if (const auto left = nyash::live_objects(); left != 0)
        problems.push_back(std::to_string(left) + " objects leaked");
    return problems;
}

}  // namespace

int main(int argc, char** argv) {
    setenv("TZ", "JST-9", 1);
    tzset();
    std::vector<fs::path> scripts;
    for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
        if (!fs::is_directory(argument)) {
            scripts.emplace_back(argument);
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(argument)) {
            if (entry.path().extension() == ".nyash") scripts.push_back(entry.path());
        }
    }
    for (auto& script : scripts) script = fs::absolute(script);
    std::ranges::sort(scripts);
    if (scripts.empty()) {
        std::cerr << "usage: nyash_script_tests FILE|FOLDER...   (no script found)\n";
        return 2;
    }
    std::size_t failed = 0;
    for (const auto& script : scripts) {
        const auto text = nyash::read_file(script.string());
        const WorkDirectory directory;
        const auto problems = text ? problems_of(script.string(), *text) : std::vector<std::string>{text.error()};
        if (problems.empty()) continue;
        ++failed;
        std::cout << "FAILED " << script.string() << "\n";
        for (const auto& problem : problems) std::cout << "  " << problem << "\n";
    }
    std::cout << scripts.size() - failed << " of " << scripts.size() << " scripts passed\n";
    return failed == 0 ? 0 : 1;
}
