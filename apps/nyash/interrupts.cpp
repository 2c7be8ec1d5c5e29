#include "interrupts.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <thread>

#include <semaphore.h>
#include <termios.h>
#include <unistd.h>

#include <nyash/interpreter.h>

namespace {

std::atomic<nyash::Interpreter*> watched = nullptr;
std::atomic<bool> is_pending = false;
std::atomic<int> first_signal = SIGINT;  // that which is pending
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<nyash::Interpreter*>::is_always_lock_free);
sem_t raised;          // counts the signals for the thread that wakes
std::mutex is_in_use;  // held while the interpreter is woken
bool has_terminal = false;
termios terminal{};  // as it was found: a line editor may have changed it

void on_interrupt(int signal) {
    const int error = errno;
    nyash::Interpreter* interpreter = watched;
    if (!is_pending) first_signal = signal;
    if (!interpreter || is_pending.exchange(true)) Interrupts::end_process();
    interpreter->interrupt_running();
    sem_post(&raised);
    errno = error;
}

void wake_when_raised() {
    while (true) {
        while (sem_wait(&raised) != 0) {
        }
        const std::lock_guard lock(is_in_use);
        nyash::Interpreter* interpreter = watched;
        if (interpreter && is_pending) interpreter->interrupt();
    }
}

class WatchedClock final : public nya::Clock {
public:
    time_point now() const noexcept override { return system_->now(); }
    bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, time_point deadline,
                    const std::function<bool()>& ready) override {
        std::call_once(is_started_, [] { std::thread(wake_when_raised).detach(); });
        // Who reads a program that waits, through a pipe perhaps, sees what it has printed so far.
        if (!ready()) std::fflush(stdout);
        return system_->wait_until(lock, changed, deadline, ready);
    }

private:
    std::shared_ptr<nya::Clock> system_ = nya::Clock::system();
    std::once_flag is_started_;
};

}  // namespace

std::shared_ptr<nya::Clock> Interrupts::clock() {
    return std::make_shared<WatchedClock>();
}

Interrupts::Interrupts(nyash::Interpreter& interpreter, Of what) {
    has_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
    sem_init(&raised, 0, 0);
    watched = &interpreter;
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, nullptr);
    if (what == Of::Script) sigaction(SIGTERM, &action, nullptr);
}

Interrupts::~Interrupts() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    const std::lock_guard lock(is_in_use);
    watched = nullptr;
}

void Interrupts::handled() {
    is_pending = false;
}

void Interrupts::end_process() {
    if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
    const int signal = first_signal;
    std::signal(signal, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    ::kill(::getpid(), signal);
    ::_exit(128 + signal);
}
