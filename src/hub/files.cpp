#include "hub/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nya/expected.h>

#include "hub/crypto.h"
#include "intent/quote.h"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

namespace nyamesh::hub {

namespace {

constexpr std::size_t kMaxFileBytes = 64 * 1024;
constexpr std::size_t kKeyBytes = 32;

std::string reason(const std::string& what, const std::string& path) {
    return "cannot " + what + " " + path + ": " + std::generic_category().message(errno);
}

class File {
public:
    File(const char* path, int flags) : descriptor_(::open(path, flags | O_CLOEXEC, S_IRUSR | S_IWUSR)) {}
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int descriptor() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return ::fsync(descriptor) == 0;
}

// The lines "id …", "epoch …", "key …", each in hex.
std::optional<Identity> parse_identity(std::string_view text) {
    const auto take = [&text](std::string_view word) {
        if (!text.starts_with(word)) return std::string_view();
        text.remove_prefix(word.size());
        const std::string_view value = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), value.size() + 1));
        return value;
    };
    Identity identity;
    identity.id = take("id ");
    const std::string_view epoch = take("epoch ");
    identity.key = take("key ");
    const auto read = std::from_chars(epoch.data(), epoch.data() + epoch.size(), identity.epoch, 16);
    const bool is_good = identity.id.size() == 16 && read.ec == std::errc() && identity.key.size() == kKeyBytes * 2;
    return is_good ? std::optional(identity) : std::nullopt;
}

std::string identity_text(const Identity& identity) {
    char epoch[17];
    const auto end = std::to_chars(epoch, epoch + sizeof epoch, identity.epoch, 16).ptr;
    return "id " + identity.id + "\nepoch " + std::string(epoch, end) + "\nkey " + identity.key + "\n";
}

Identity fresh_identity() {
    return {hex(random_bytes(8)), 1, hex(random_bytes(kKeyBytes))};
}

}  // namespace

std::expected<std::string, std::string> read_file(const std::string& path) {
    const File file(path.c_str(), O_RDONLY);
    if (file.descriptor() < 0) return std::unexpected(reason("read", path));
    std::string text(kMaxFileBytes + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = ::read(file.descriptor(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(reason("read", path));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > kMaxFileBytes) return std::unexpected(path + " is larger than 64 KiB: not a key");
    text.resize(size);
    return text;
}

std::expected<void, std::string> write_private_file(const std::string& path, const std::string& text) {
    const std::string draft = path + ".new";
    {
        const File file(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
        if (file.descriptor() < 0 || !write_all(file.descriptor(), text)) {
            return std::unexpected(reason("write", draft));
        }
    }
    if (::rename(draft.c_str(), path.c_str()) != 0) return std::unexpected(reason("write", path));
    return {};
}

std::expected<Identity, std::string> load_identity(const std::string& directory) {
    if (directory.empty()) return fresh_identity();
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (failed) return std::unexpected("cannot make the directory " + directory + ": " + failed.message());
    const std::string path = (std::filesystem::path(directory) / "hub-identity").string();

    Identity identity = fresh_identity();
    if (std::filesystem::exists(path, failed)) {
        const std::string text = NYA_TRY(read_file(path));
        const auto known = parse_identity(text);
        // Made anew it would make strangers of all who hold a lease; that is for the operator to decide.
        if (!known) return std::unexpected(path + " is damaged; remove it to give the hub a new identity");
        identity = *known;
        ++identity.epoch;
    }
    auto written = write_private_file(path, identity_text(identity));
    if (!written) return std::unexpected(written.error());
    return identity;
}

}  // namespace nyamesh::hub
