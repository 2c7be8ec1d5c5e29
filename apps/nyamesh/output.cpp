#include "output.h"

#include "commands.h"

#include <cstdio>

#include <unistd.h>

namespace tool {

bool put_line(std::string_view line) {
    std::string whole(line);
    whole += '\n';
    return std::fwrite(whole.data(), 1, whole.size(), stdout) == whole.size() && std::fflush(stdout) == 0;
}

bool put_json(const nya::Json& value) {
    return put_line(value.dump());
}

void complain(std::string_view what) {
    show_progress("");
    std::fprintf(stderr, "nyamesh: %.*s\n", static_cast<int>(what.size()), what.data());
}

int fail(const nyamesh::SendError& error, bool is_json) {
    if (is_json) {
        put_json(nya::Json{{"error", nya::Json{{"kind", to_string(error.kind)},
                                               {"reason", to_string(error.reason)},
                                               {"message", error.message},
                                               {"hint", error.hint}}}});
    } else {
        complain(printable(error.to_string()));
    }
    return kFailed;
}

void show_progress(std::string_view text) {
    static bool is_shown = false;
    if (::isatty(STDERR_FILENO) == 0 || (text.empty() && !is_shown)) return;
    std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(text.size()), text.data());
    std::fflush(stderr);
    is_shown = !text.empty();
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F) {
            out += c;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
        out += escaped;
    }
    return out;
}

}  // namespace tool
