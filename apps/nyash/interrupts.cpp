#include "interrupts.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <pthread.h>
#include <termios.h>
#include <unistd.h>

#include <nyash/interpreter.h>

namespace {

std::atomic<bool> is_pending = false;
bool has_terminal = false;
termios terminal{};  // as it was found: a line editor may have changed it

sigset_t interrupt_only() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

std::mutex mutex;  // guards the next
nyash::Interpreter* watched = nullptr;

void take_signals() {
    const sigset_t set = interrupt_only();
    for (int signal = 0; sigwait(&set, &signal) == 0;) {
        const std::lock_guard lock(mutex);
        if (!watched || is_pending.exchange(true)) Interrupts::end_process();
        watched->interrupt();
    }
}

}  // namespace

Interrupts::Interrupts() {
    const sigset_t set = interrupt_only();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    has_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
}

Interrupts::Watch::Watch(nyash::Interpreter& interpreter) {
    {
        const std::lock_guard lock(mutex);
        watched = &interpreter;
    }
    std::thread(take_signals).detach();
}

Interrupts::Watch::~Watch() {
    const std::lock_guard lock(mutex);
    watched = nullptr;
}

void Interrupts::handled() {
    is_pending = false;
}

void Interrupts::end_process() {
    if (has_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
    std::signal(SIGINT, SIG_DFL);
    const sigset_t set = interrupt_only();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    pthread_kill(pthread_self(), SIGINT);
    std::_Exit(nyash::kInterrupted);
}
