// LineInput: lines from a file descriptor, while the script's event loop runs (LANGUAGE, section 7).
//
// Waiting for a person is waiting: messages and timers are handled meanwhile. The loop sleeps on a condition
// variable, so a helper thread watches the descriptor and wakes it. The thread only watches, on request, and
// never reads: no byte is taken that nobody asked for, what a script leaves unread is there for the next
// reader, and the thread can be stopped at any moment. Nothing starts while input is at hand, as from a file.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "nyash/runtime/event_loop.h"

namespace nyash {

class LineInput {
public:
    // `may_go_on` is asked before every wait: false once the script is being ended.
    LineInput(std::shared_ptr<EventLoop> loop, std::function<bool()> may_go_on);
    ~LineInput();

    // False when the script is being ended.
    bool wait_readable(int descriptor);
    // The next line of stdin without its line end; false at the end of the input, or when the script is being ended.
    bool read_line(std::string& line);

private:
    bool take_line(std::string& line);

    class Watcher;
    std::shared_ptr<EventLoop> loop_;
    std::function<bool()> may_go_on_;
    std::unique_ptr<Watcher> watcher_;  // made when first needed
    std::string buffer_;                // read, and not yet asked for
};

}  // namespace nyash
