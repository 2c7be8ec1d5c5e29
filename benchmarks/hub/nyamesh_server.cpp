// Our hub as the benchmark runs it: everything on that a public hub has on. Tokens are demanded and checked, every
// connection is counted against its limits of messages and bytes (set so high that nobody reaches them), metrics are
// served on an admin address, names are leased.
//
//   hub_nyamesh_server [CERTIFICATE KEY]      with the two files: TLS
//
// Prints its port and a token for the generator, and serves until it is ended.
#include <nyamesh/hub.h>

#include <unistd.h>

#include <cstdio>
#include <string>

namespace {

int fail(const std::string& why) {
    std::fprintf(stderr, "hub_nyamesh_server: %s\n", why.c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    const nyamesh::HubKey key{.id = "bench", .value = "a secret that is long enough for HS256, and no secret at all"};
    nyamesh::HubOptions options;
    options.listen = {"127.0.0.1:0"};
    options.admin = "127.0.0.1:0";
    options.auth = {.is_required = true, .keys = {key}};
    options.limits.messages_per_second = 50'000'000;
    options.limits.bytes_per_second = 50'000'000'000;
    options.limits.accepts_per_second = 1'000'000;
    if (argc == 3) options.tls = nyamesh::HubTls{.certificate_file = argv[1], .key_file = argv[2]};

    const auto token = nyamesh::make_token({.subject = "bench", .names = {"*"}}, key);
    if (!token) return fail(token.error());
    const auto hub = nyamesh::Hub::start(options);
    if (!hub) return fail(hub.error());
    std::printf("%u %s\n", static_cast<unsigned>((*hub)->port()), token->c_str());
    std::fflush(stdout);
    for (;;) ::pause();
}
