// What the programs of this folder share: their command line, the moment inside a payload, and what a server costs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hub_load {

// Prints what went wrong and ends the program: a benchmark that goes on after an error measures something else.
[[noreturn]] void fail(const std::string& what);

// ---- The command line: key=value ----

class Options {
public:
    explicit Options(const std::vector<std::string>& words);
    std::string text(const std::string& key, const std::string& otherwise);
    double number(const std::string& key, double otherwise);
    unsigned count(const std::string& key, unsigned otherwise);  // at least 1
    void check_all_used() const;

private:
    std::map<std::string, std::string> values_;
};

// ---- Payloads: a JSON string of kPayloadBytes, which begins with the moment of its sending ----

inline constexpr std::size_t kPayloadBytes = 100;

using Payload = std::array<char, kPayloadBytes>;

std::int64_t now_ns();
double seconds_since(std::int64_t begin_ns);

Payload make_payload();
void stamp(Payload& payload, std::int64_t moment);
std::int64_t stamped(std::string_view payload);

// ---- What a process costs ----

struct Processor {
    std::uint64_t used = 0;    // ns, user and kernel
    std::uint64_t waited = 0;  // ns ready to run, while somebody else had the processor
};
Processor processor_of(int pid);  // all threads that are alive

struct Memory {
    std::uint64_t resident = 0;  // bytes
    std::uint64_t own = 0;       // the part that is shared with nobody: not the program's and the libraries' code
};
Memory memory_of(int pid);

// ---- What came of it ----

class Latencies {
public:
    void clear() { taken_.clear(); }
    void add(std::int64_t ns);
    [[nodiscard]] double us(double quantile);

private:
    std::vector<std::uint32_t> taken_;  // ns
};

// An interval in which messages flow, from its construction to end().
class Interval {
public:
    Interval(int server, std::vector<int> load, std::uint64_t received);
    void end();
    void print(std::uint64_t received, Latencies& latencies) const;

private:
    int server_;
    std::vector<int> load_;
    std::uint64_t received_;
    Processor server_begin_;
    std::vector<Processor> load_begin_;
    std::int64_t begin_;
    double took_ = 0;         // seconds
    double server_used_ = 0;  // ns
    double load_used_ = 0;
    double load_waited_ = 0;
};

}  // namespace hub_load
