// FileBox: a text file, read and written as a whole.
//
// The box is a path; nothing stays open between calls. What cannot be done raises an error of the kind
// FileError that says which file and why. Reading takes ordinary files only, so that a pipe cannot hold
// the script up. A runtime may refuse files altogether (Runtime::Options::allow_files).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

constexpr std::string_view kFileError = "FileError";
constexpr std::size_t kMaxFileBytes = 256U << 20U;

class FileBox final : public Object {
public:
    FileBox(const BoxType& type, std::string path) : Object(type), path_(std::move(path)) {}
    const std::string& path() const noexcept { return path_; }
    void write(TextWriter& out) const override { out.text("FileBox(" + path_ + ")"); }

private:
    std::string path_;
};

std::unexpected<ScriptError> refuse(std::string_view verb, const std::string& path, std::string_view reason,
                                    std::string help = {}) {
    return fail(kFileError, "Cannot " + std::string(verb) + " '" + path + "': " + std::string(reason), std::move(help));
}

// What errno says, in words for people.
std::unexpected<ScriptError> refuse_errno(std::string_view verb, const std::string& path, int error) {
    switch (error) {
        case ENOENT:
            return verb == "write"
                       ? refuse(verb, path, "its directory does not exist")
                       : refuse(verb, path, "there is no such file", "exists() tells whether a file is there");
        case EISDIR:
            return refuse(verb, path, "it is a directory");
        case ENOTDIR:
            return refuse(verb, path, "a part of the path is not a directory");
        case EACCES:
        case EPERM:
            return refuse(verb, path, "no permission");
        default:
            return refuse(verb, path, std::strerror(error));
    }
}

// An open file, closed at the end of the block.
class OpenFile {
public:
    // Not blocking: opening a pipe must not wait for its other end.
    OpenFile(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0666)) {}
    ~OpenFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    int fd() const noexcept { return fd_; }
    // Some file systems report what could not be written only here. 0, or the error.
    int close() { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

private:
    int fd_;
};

std::expected<std::string, ScriptError> read_bytes(std::string_view verb, const std::string& path) {
    const OpenFile file(path, O_RDONLY);
    struct stat info{};
    if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0) return refuse_errno(verb, path, errno);
    if (S_ISDIR(info.st_mode)) return refuse(verb, path, "it is a directory");
    if (!S_ISREG(info.st_mode)) return refuse(verb, path, "it is not an ordinary file");
    const auto too_long = [&] { return refuse(verb, path, "it is too long (more than 256 MiB)"); };
    if (info.st_size > static_cast<off_t>(kMaxFileBytes)) return too_long();
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(info.st_size));
    char buffer[65536];
    while (true) {
        const ssize_t got = ::read(file.fd(), buffer, sizeof buffer);
        if (got == 0) return bytes;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse_errno(verb, path, errno);
        bytes.append(buffer, static_cast<std::size_t>(got));
        if (bytes.size() > kMaxFileBytes) return too_long();  // it grew, or its size was not known
    }
}

Done write_bytes(std::string_view verb, const std::string& path, std::string_view bytes) {
    OpenFile file(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.fd() < 0) return refuse_errno(verb, path, errno);
    while (!bytes.empty()) {
        const ssize_t put = ::write(file.fd(), bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return refuse_errno(verb, path, errno);
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    if (const int error = file.close(); error != 0) return refuse_errno(verb, path, error);
    return {};
}

// A path from a script. A file name has no end of text in it.
std::expected<std::string, ScriptError> path_argument(NativeCall& call) {
    const std::string& path = NYA_TRY(call.string(0))->text();
    if (path.empty()) return fail(kFileError, "A file's path is not empty");
    if (path.find('\0') != std::string::npos) return fail(kFileError, "A file's path cannot contain a null character");
    return path;
}

const std::string& self(NativeCall& call) {
    return call.object<FileBox>().path();
}

Result ok(NativeCall& call) {
    return call.text("ok");
}

Result make_file(NativeCall& call) {
    if (!call.runtime.allows_files()) return fail(error_kind::kUnsupported, "Files are not available to this script");
    return Value(make<FileBox>(call.runtime.types().named("FileBox"), NYA_TRY(path_argument(call))));
}

Result read(NativeCall& call) {
    std::string text = NYA_TRY(read_bytes("read", self(call)));
    if (const auto at = unicode::first_invalid(text)) {
        return refuse("read", self(call), "byte " + std::to_string(*at + 1) + " is not valid UTF-8",
                      "FileBox reads text; is this file text, saved as UTF-8?");
    }
    return call.text(std::move(text));
}

Result write(NativeCall& call) {
    const auto text = NYA_TRY(call.vm.to_string(call[0]));
    NYA_TRY(write_bytes("write", self(call), text->text()));
    return ok(call);
}

Result exists(NativeCall& call) {
    struct stat info{};
    return Value::boolean(::stat(self(call).c_str(), &info) == 0);
}

Result remove(NativeCall& call) {
    struct stat info{};
    if (::lstat(self(call).c_str(), &info) != 0) return refuse_errno("delete", self(call), errno);
    if (S_ISDIR(info.st_mode)) return refuse("delete", self(call), "it is a directory");
    if (::unlink(self(call).c_str()) != 0) return refuse_errno("delete", self(call), errno);
    return ok(call);
}

// Byte for byte, whatever is in it.
Result copy(NativeCall& call) {
    const std::string to = NYA_TRY(path_argument(call));
    const std::string bytes = NYA_TRY(read_bytes("copy", self(call)));
    NYA_TRY(write_bytes("write", to, bytes));
    return ok(call);
}

Result path(NativeCall& call) {
    return call.text(self(call));
}

}  // namespace

void add_file_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("FileBox")
        .constructor(names, "path", make_file)
        .method(names, "read", "", read)
        .method(names, "write", "text", write)
        .method(names, "exists", "", exists)
        .method(names, "delete", "", remove)
        .method(names, "copy", "to", copy)
        .property(names, "path", path);
}

}  // namespace nyash
