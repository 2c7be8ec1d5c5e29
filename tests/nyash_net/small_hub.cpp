// A hub for the tests of scripts that talk through one: says where it is, and lives until its input ends.
//
//     small_hub [PORT [ORIGIN]]     ORIGIN: of web pages that may connect
#include <nyamesh/hub.h>

#include <cstdio>
#include <string>
#include <utility>

int main(int argc, char** argv) {
    nyamesh::HubOptions options;
    options.listen = {"127.0.0.1:" + std::string(argc > 1 ? argv[1] : "0")};
    if (argc > 2) options.allowed_origins = {argv[2]};
    auto hub = nyamesh::Hub::start(std::move(options));
    if (!hub) {
        std::fprintf(stderr, "small_hub: %s\n", hub.error().c_str());
        return 1;
    }
    std::printf("%s\n", (*hub)->url().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
}
