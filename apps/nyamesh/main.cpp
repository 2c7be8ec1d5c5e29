// nyamesh: hubs, messages and measurements from a shell.
#include "command_line.h"
#include "output.h"
#include "signals.h"

#include <cstdio>

namespace tool {
namespace {

int run(Said& said) {
    std::FILE* const where = said.exit_code == kOk ? stdout : stderr;
    return std::fputs(said.text.c_str(), where) >= 0 ? said.exit_code : kFailed;
}
int run(HubCommand& command) {
    return run_hub(command);
}
int run(SendCommand& command) {
    return run_send(command);
}
int run(RequestCommand& command) {
    return run_request(command);
}
int run(ListenCommand& command) {
    return run_listen(command);
}
int run(NodesCommand& command) {
    return run_nodes(command);
}
int run(PingCommand& command) {
    return run_ping(command);
}
int run(TokenCommand& command) {
    return run_token(command);
}
int run(VerifyCommand& command) {
    return run_verify(command);
}
int run(EndCommand& command) {
    return run_end(command);
}
int run(BenchCommand& command) {
    return run_bench(command);
}

}  // namespace
}  // namespace tool

int main(int argc, char** argv) {
    auto command = tool::parse_command_line(argc, argv);
    // A command that only talks ends by Ctrl-C as any other; those that have to tidy up wait for it.
    const bool tidies = !std::holds_alternative<tool::SendCommand>(command) &&
                        !std::holds_alternative<tool::RequestCommand>(command) &&
                        !std::holds_alternative<tool::NodesCommand>(command);
    if (tidies) tool::block_signals();
    return std::visit([](auto& chosen) { return tool::run(chosen); }, command);
}
