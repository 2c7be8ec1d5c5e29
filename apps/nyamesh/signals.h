// Signals as values: blocked before any thread starts, and waited for where a command has nothing else to do.
#pragma once

#include <chrono>

namespace tool {

// First thing in main(): SIGINT, SIGTERM and SIGHUP are only heard by wait_for_signal(); SIGPIPE by nobody.
void block_signals();
// SIGINT, SIGTERM or SIGHUP.
int wait_for_signal();
// The same; 0 after `timeout` without one.
int wait_for_signal(std::chrono::milliseconds timeout);
// Makes wait_for_signal() return SIGTERM; any thread.
void ask_to_stop();

}  // namespace tool
