#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "nyash/boxes/script_for_tests.h"

using nyash::ScriptForTests;

namespace {

// A directory that goes at the end of the test.
struct TemporaryDirectory {
    TemporaryDirectory() : path((std::filesystem::temp_directory_path() / "nyash_file_XXXXXX").string()) {
        REQUIRE(mkdtemp(path.data()));
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::string path;
};

}  // namespace

TEST_CASE("a runtime may refuse files") {
    nyash::Runtime::Options options;
    options.allow_files = false;
    ScriptForTests script(std::move(options));
    CHECK(script.run("new FileBox(\"a.txt\")") == "error: Files are not available to this script");
}

TEST_CASE("a file that is not UTF-8 is refused with the place") {
    const TemporaryDirectory directory;
    std::ofstream(directory.path + "/latin1") << "caf\xe9";
    ScriptForTests script;
    CHECK(script.run("new FileBox(\"" + directory.path + "/latin1\").read()") ==
          "error: Cannot read '" + directory.path + "/latin1': byte 4 is not valid UTF-8");
    CHECK(script.run("print(new FileBox(\"" + directory.path + "/latin1\").copy(\"" + directory.path + "/b\"))") ==
          "ok\n");
    CHECK(std::filesystem::file_size(directory.path + "/b") == 4);
}

TEST_CASE("a file longer than 256 MiB is refused without being read") {
    const TemporaryDirectory directory;
    const std::string path = directory.path + "/long";
    std::ofstream(path) << "x";
    std::filesystem::resize_file(path, (256U << 20U) + 1);  // a hole: takes no room on the disk
    ScriptForTests script;
    CHECK(script.run("new FileBox(\"" + path + "\").read()") ==
          "error: Cannot read '" + path + "': it is too long (more than 256 MiB)");
}

TEST_CASE("a file without permission is refused" * doctest::skip(geteuid() == 0)) {
    const TemporaryDirectory directory;
    const std::string path = directory.path + "/secret";
    std::ofstream(path) << "x";
    std::filesystem::permissions(path, std::filesystem::perms::none);
    ScriptForTests script;
    CHECK(script.run("new FileBox(\"" + path + "\").read()") == "error: Cannot read '" + path + "': no permission");
    CHECK(script.run("new FileBox(\"" + path + "\").write(1)") == "error: Cannot write '" + path + "': no permission");
}
