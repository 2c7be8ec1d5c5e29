#include "nyash/bindings/line_input.h"

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace nyash {
namespace {

constexpr std::size_t kMaxLine = 256U << 20U;  // a longer one comes in pieces

// Readable, or at its end, or broken: in each case read() will not wait.
bool is_readable(int descriptor) {
    pollfd watched{descriptor, POLLIN, 0};
    return ::poll(&watched, 1, 0) > 0;
}

}  // namespace

// The thread that waits where the script's thread must not.
class LineInput::Watcher {
public:
    explicit Watcher(std::shared_ptr<EventLoop> loop) : loop_(std::move(loop)) {
        if (::pipe(stop_) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
        thread_ = std::thread([this] { run(); });
    }
    ~Watcher() {
        {
            const std::lock_guard lock(mutex_);
            is_stopping_ = true;
        }
        changed_.notify_one();
        ::close(stop_[1]);  // ends a poll that is going on
        thread_.join();
        ::close(stop_[0]);
    }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // Wakes the loop once the descriptor can be read. Asking again before that changes nothing.
    void watch(int descriptor) {
        {
            const std::lock_guard lock(mutex_);
            wanted_ = descriptor;
        }
        changed_.notify_one();
    }

private:
    void run() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return wanted_ || is_stopping_; });
            if (is_stopping_) return;
            pollfd watched[] = {{*wanted_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
            lock.unlock();
            ::poll(watched, 2, -1);
            lock.lock();
            wanted_.reset();
            loop_->wake();
        }
    }

    std::shared_ptr<EventLoop> loop_;
    int stop_[2] = {-1, -1};
    std::mutex mutex_;  // guards the following
    std::condition_variable changed_;
    std::optional<int> wanted_;
    bool is_stopping_ = false;
    std::thread thread_;
};

LineInput::LineInput(std::shared_ptr<EventLoop> loop, std::function<bool()> may_go_on)
    : loop_(std::move(loop)), may_go_on_(std::move(may_go_on)) {}
LineInput::~LineInput() = default;

bool LineInput::wait_readable(int descriptor) {
    loop_->run_ready();
    while (may_go_on_()) {
        if (is_readable(descriptor)) return true;
        if (!watcher_) watcher_ = std::make_unique<Watcher>(loop_);
        watcher_->watch(descriptor);
        std::fflush(stdout);  // somebody may wait for this output before typing more
        loop_->run_one_until(nya::Clock::time_point::max());
    }
    return false;
}

bool LineInput::take_line(std::string& line) {
    const std::size_t end = buffer_.find('\n');
    if (end == std::string::npos && buffer_.size() < kMaxLine) return false;
    line = buffer_.substr(0, end);
    buffer_.erase(0, end == std::string::npos ? end : end + 1);
    if (line.ends_with('\r')) line.pop_back();
    return true;
}

bool LineInput::read_line(std::string& line) {
    while (!take_line(line)) {
        // What runs meanwhile may read lines itself: look at the buffer anew after each wait.
        if (!wait_readable(STDIN_FILENO)) return false;
        if (take_line(line)) return true;
        if (!is_readable(STDIN_FILENO)) continue;
        char piece[65536];
        const ssize_t size = ::read(STDIN_FILENO, piece, sizeof piece);
        if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (size <= 0) {  // the end: what is left is a line, too
            line = std::exchange(buffer_, {});
            return !line.empty();
        }
        buffer_.append(piece, static_cast<std::size_t>(size));
    }
    return true;
}

}  // namespace nyash
