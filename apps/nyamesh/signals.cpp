#include "signals.h"

#include <csignal>
#include <ctime>

#include <pthread.h>
#include <unistd.h>

namespace tool {

namespace {

sigset_t awaited() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
    return set;
}

}  // namespace

void block_signals() {
    const sigset_t set = awaited();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

int wait_for_signal() {
    const sigset_t set = awaited();
    for (;;) {
        if (const int signal = ::sigwaitinfo(&set, nullptr); signal > 0) return signal;
    }
}

int wait_for_signal(std::chrono::milliseconds timeout) {
    const sigset_t set = awaited();
    const timespec limit{timeout.count() / 1000, (timeout.count() % 1000) * 1'000'000};
    const int signal = ::sigtimedwait(&set, nullptr, &limit);
    return signal > 0 ? signal : 0;
}

void ask_to_stop() {
    ::kill(::getpid(), SIGTERM);
}

}  // namespace tool
