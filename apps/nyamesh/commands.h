// The commands of `nyamesh`: what each was asked to do, and the function that does it. command_line.cpp fills these in;
// every command has a file of its own.
//
// A command returns the exit code: kOk, kFailed, or kUsage where the words were fine one by one but not together.
#pragma once

#include <nyamesh/hub.h>
#include <nyamesh/p2p_box.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tool {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// How a command that is a node itself reaches the hub.
struct NodeOptions {
    std::string url;  // empty: NYAMESH_HUB, else ws://127.0.0.1:8080
    std::string name;
    std::string key;
    std::string token;
    std::string ca_file;
    std::chrono::milliseconds timeout{5'000};
    std::chrono::milliseconds resume_window{120'000};
    bool is_json = false;
};

struct HubCommand {
    nyamesh::HubOptions options;
    std::string log = "human";  // "json", "off"
    std::chrono::milliseconds drain{2'000};

    // Where the above comes from: a file first, then the flags, in their order.
    std::string config_file;
    std::vector<std::function<void(HubCommand&)>> flags;
};
struct SendCommand {
    NodeOptions node;
    std::string to, intent, payload;
    nyamesh::Wait wait = nyamesh::Wait::Delivered;
};
struct RequestCommand {
    NodeOptions node;
    std::string to, intent, payload;
};
struct ListenCommand {
    NodeOptions node;
    std::vector<std::string> intents;  // none: all of them
    std::string answer;                // JSON: what requests are answered with; empty: nothing
    std::uint64_t count = 0;           // ends after so many; 0: goes on
};
struct NodesCommand {
    NodeOptions node;
    std::string prefix;
};
struct PingCommand {
    NodeOptions node;
    std::string to;
    std::uint64_t count = 4;
    std::chrono::milliseconds interval{1'000};
};
struct TokenCommand {
    nyamesh::HubToken token;
    nyamesh::HubKey key;
    std::uint64_t seconds = 3'600;
};
struct VerifyCommand {
    std::string url;  // empty: a hub of its own
    std::uint64_t messages = 300;
    std::uint64_t rate = 200;
    std::chrono::milliseconds cut{500};
    std::chrono::milliseconds latency{0};
    std::vector<std::string> scenarios;  // none: all that can be played
    std::uint64_t seeds = 1;
    std::uint64_t first_seed = 1;
    std::uint64_t jobs = 1;
    std::chrono::milliseconds resume_window{120'000};
    bool is_json = false;
    // Programs that take the places of `nyamesh hub` and `nyamesh verify-end`, so that others can be put on the same
    // cables: given the same words they say the same lines. Empty: ours.
    std::string other_hub, other_end;
};
// The two ends that `verify` and `bench` start in processes of their own.
struct EndCommand {
    NodeOptions node;
    std::string to;  // empty: receives
    std::uint64_t messages = 0;
    std::uint64_t rate = 0;  // a second; 0: as fast as it goes
};
struct BenchCommand {
    std::string url;
    std::uint64_t messages = 100'000;
    std::uint64_t bytes = 100;
    std::uint64_t pings = 1'000;
    bool is_json = false;
};

int run_hub(HubCommand& command);
int run_send(const SendCommand& command);
int run_request(const RequestCommand& command);
int run_listen(const ListenCommand& command);
int run_nodes(const NodesCommand& command);
int run_ping(const PingCommand& command);
int run_token(TokenCommand& command);
int run_verify(const VerifyCommand& command);
int run_end(const EndCommand& command);
int run_bench(const BenchCommand& command);

}  // namespace tool
