// The words of a command line, understood.
#pragma once

#include "commands.h"

#include <string>
#include <variant>

namespace tool {

// Said at once, and done: help, the version, a completion script, or a complaint.
struct Said {
    std::string text;
    int exit_code = kOk;  // not kOk: the text is for stderr
};

using Command = std::variant<Said, HubCommand, SendCommand, RequestCommand, ListenCommand, NodesCommand, PingCommand,
                             TokenCommand, VerifyCommand, EndCommand, BenchCommand>;

Command parse_command_line(int argc, const char* const* argv);

}  // namespace tool
