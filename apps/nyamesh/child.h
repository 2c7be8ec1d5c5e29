// Child: this program once more (or another one that answers to the same words), in a process of its own. What it
// prints is read line by line; it ends with us, however we end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace tool {

class Child {
public:
    // `words` after the program's name. No program: this one.
    static std::expected<std::unique_ptr<Child>, std::string> start(std::vector<std::string> words,
                                                                    const std::string& program = {});
    ~Child();  // kill()
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    pid_t pid() const noexcept { return pid_; }
    void say(std::string_view line) const;
    // Its next line; nothing when it has ended, or said none in time.
    std::optional<std::string> hear(std::chrono::milliseconds timeout);
    // Nothing more is said; it ends by itself. All it still says is heard before hear() gives nothing.
    void hang_up();
    void kill();  // -9; returns when it is gone
    // User and system time it has used so far, in seconds.
    double cpu_seconds() const;

private:
    Child(pid_t pid, int in, int out);
    void read();

    pid_t pid_;
    int in_;   // its stdin
    int out_;  // its stdout
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> lines_;  // bounded by what a child of ours says: a line a message
    bool has_ended_ = false;
    std::thread reader_;
};

}  // namespace tool
