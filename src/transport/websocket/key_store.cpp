#include "transport/websocket/key_store.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace nyamesh::websocket {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeyBytes = 16;
constexpr char kHex[] = "0123456789abcdef";

std::string new_key() {
    unsigned char bytes[kKeyBytes];
    std::size_t have = 0;
    while (have < sizeof bytes) {
        const auto got = getrandom(bytes + have, sizeof bytes - have, 0);
        if (got > 0) have += static_cast<std::size_t>(got);
    }
    std::string text;
    for (const unsigned char byte : bytes) (text += kHex[byte >> 4]) += kHex[byte & 15];
    return text;
}

// Any text as one file's name: what is no letter, digit, '-', '_' or '.' becomes %XX; longer ones end with a hash.
std::string file_name(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '_' || (c == '.' && !name.empty());
        if (is_plain) {
            name += c;
        } else {
            ((name += '%') += kHex[byte >> 4]) += kHex[byte & 15];
        }
    }
    constexpr std::size_t kMost = 200;
    if (name.size() > kMost) {
        // FNV-1a: only has to tell long names of one user apart.
        std::uint64_t hash = 0xcbf29ce484222325;
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        name.resize(kMost);
        name += '~';
        for (int shift = 60; shift >= 0; shift -= 4) name += kHex[hash >> shift & 15];
    }
    return name;
}

fs::path state_home(std::string_view told) {
    if (!told.empty()) return fs::path(told);
    const auto env = [](const char* name) -> std::string {
        const char* const value = std::getenv(name);
        return value != nullptr ? value : "";
    };
    if (const auto state = env("XDG_STATE_HOME"); state.starts_with('/')) return fs::path(state) / "nyamesh";
    if (const auto home = env("HOME"); home.starts_with('/')) return fs::path(home) / ".local/state/nyamesh";
    return {};
}

std::optional<std::string> read_key(const fs::path& file) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    char bytes[2 * kKeyBytes];
    const auto got = read(fd, bytes, sizeof bytes);
    close(fd);
    if (got != static_cast<ssize_t>(sizeof bytes)) return std::nullopt;
    return std::string(bytes, sizeof bytes);
}

// Whole or not at all: written beside its place, then linked to it. Whoever was first wins.
bool write_key(const fs::path& file, const std::string& key) {
    std::string temporary = file.string() + ".XXXXXX";
    const int fd = mkostemp(temporary.data(), O_CLOEXEC);  // mode 0600
    if (fd < 0) return false;
    const bool is_written = write(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size());
    close(fd);
    const bool is_linked = is_written && (link(temporary.c_str(), file.c_str()) == 0 || errno == EEXIST);
    unlink(temporary.c_str());
    return is_linked;
}

}  // namespace

Key key_for(std::string_view hub, std::string_view name, std::string_view state_directory) {
    const fs::path home = state_home(state_directory);
    if (home.empty()) return {new_key(), false};
    std::error_code error;
    const fs::path folder = home / "keys" / file_name(hub);
    fs::create_directories(folder, error);
    fs::permissions(home / "keys", fs::perms::owner_all, error);
    const fs::path file = folder / file_name(name);
    if (auto key = read_key(file)) return {*std::move(key), true};
    if (write_key(file, new_key())) {
        if (auto key = read_key(file)) return {*std::move(key), true};
    }
    return {new_key(), false};
}

}  // namespace nyamesh::websocket
