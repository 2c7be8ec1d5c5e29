#include "child.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tool {

std::expected<std::unique_ptr<Child>, std::string> Child::start(std::vector<std::string> words,
                                                                const std::string& program) {
    words.insert(words.begin(), "nyamesh");
    const char* const file = program.empty() ? "/proc/self/exe" : program.c_str();
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0) return std::unexpected("no pipe for another process");
    if (::pipe2(out, O_CLOEXEC) != 0) {
        ::close(in[0]), ::close(in[1]);
        return std::unexpected("no pipe for another process");
    }
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {  // only what is safe between fork and exec
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(127);
        ::dup2(in[0], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        ::execv(file, arguments.data());
        ::_exit(127);
    }
    ::close(in[0]), ::close(out[1]);
    if (pid < 0) {
        ::close(in[1]), ::close(out[0]);
        return std::unexpected("cannot start another process");
    }
    return std::unique_ptr<Child>(new Child(pid, in[1], out[0]));
}

Child::Child(pid_t pid, int in, int out) : pid_(pid), in_(in), out_(out), reader_([this] { read(); }) {}

Child::~Child() {
    kill();
    reader_.join();
    hang_up();
    ::close(out_);
}

void Child::read() {
    std::string text;
    char bytes[16384];
    for (ssize_t size; (size = ::read(out_, bytes, sizeof bytes)) > 0;) {
        text.append(bytes, static_cast<std::size_t>(size));
        std::size_t begin = 0;
        const std::lock_guard lock(mutex_);
        for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
            lines_.push_back(text.substr(begin, end - begin));
        text.erase(0, begin);
        changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
}

void Child::say(std::string_view line) const {
    const std::string whole = std::string(line) + "\n";
    static_cast<void>(::write(in_, whole.data(), whole.size()) > 0);  // one that is gone is noticed when it is heard
}

std::optional<std::string> Child::hear(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return has_ended_ || !lines_.empty(); });
    if (lines_.empty()) return std::nullopt;
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    return line;
}

void Child::hang_up() {
    if (in_ >= 0) ::close(in_);
    in_ = -1;
}

void Child::kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

double Child::cpu_seconds() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    // The name is in parentheses; of what follows, fields 12 and 13 are the times.
    const std::size_t end_of_name = text.rfind(')');
    if (end_of_name == std::string::npos) return 0;
    unsigned long user = 0, system = 0;
    std::sscanf(text.c_str() + end_of_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace tool
