#include "measure.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hub_load {

void fail(const std::string& what) {
    std::fprintf(stderr, "hub_load: %s\n", what.c_str());
    std::exit(1);
}

Options::Options(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) fail("not key=value: " + word);
        values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
}

std::string Options::text(const std::string& key, const std::string& otherwise) {
    const auto found = values_.extract(key);
    return found.empty() ? otherwise : found.mapped();
}

double Options::number(const std::string& key, double otherwise) {
    const std::string given = text(key, "");
    if (given.empty()) return otherwise;
    char* end = nullptr;
    const double value = std::strtod(given.c_str(), &end);
    if (*end != '\0' || value < 0) fail(key + "=" + given + ": a number was expected");
    return value;
}

unsigned Options::count(const std::string& key, unsigned otherwise) {
    const auto value = static_cast<unsigned>(number(key, otherwise));
    if (value == 0) fail(key + "= begins at 1");
    return value;
}

void Options::check_all_used() const {
    if (!values_.empty()) fail("unknown option " + values_.begin()->first);
}

// ---- Payloads ----

namespace {
constexpr std::size_t kStampDigits = 16;
}

std::int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

double seconds_since(std::int64_t begin_ns) {
    return static_cast<double>(now_ns() - begin_ns) / 1e9;
}

Payload make_payload() {
    Payload payload;
    payload.fill('x');
    payload.front() = payload.back() = '"';
    return payload;
}

void stamp(Payload& payload, std::int64_t moment) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t i = kStampDigits; i > 0; --i, moment >>= 4) payload[i] = kDigits[moment & 15];
}

std::int64_t stamped(std::string_view payload) {
    std::int64_t moment = 0;
    std::from_chars(payload.data() + 1, payload.data() + 1 + kStampDigits, moment, 16);
    return moment;
}

// ---- What a process costs ----

Processor processor_of(int pid) {
    Processor sum;
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
        Processor thread;
        std::ifstream file(task.path() / "schedstat");
        if (!(file >> thread.used >> thread.waited)) continue;
        sum.used += thread.used;
        sum.waited += thread.waited;
    }
    if (gone || sum.used == 0) fail("no /proc/" + std::to_string(pid) + "/task/*/schedstat: is the server alive?");
    return sum;
}

Memory memory_of(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    Memory memory;
    std::string line;
    while (std::getline(file, line)) {
        const std::uint64_t bytes = std::strtoull(line.substr(line.find(':') + 1).c_str(), nullptr, 10) * 1024;
        if (line.starts_with("Rss:")) memory.resident = bytes;
        if (line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:")) memory.own += bytes;
    }
    if (memory.resident == 0) fail("no /proc/" + std::to_string(pid) + "/smaps_rollup: is the server alive?");
    return memory;
}

// ---- What came of it ----

void Latencies::add(std::int64_t ns) {
    taken_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(ns, 0, UINT32_MAX)));
}

double Latencies::us(double quantile) {
    if (taken_.empty()) return 0;
    const auto at = taken_.begin() + static_cast<std::ptrdiff_t>(quantile * static_cast<double>(taken_.size() - 1));
    std::nth_element(taken_.begin(), at, taken_.end());
    return static_cast<double>(*at) / 1000;
}

Interval::Interval(int server, std::vector<int> load, std::uint64_t received)
    : server_(server), load_(std::move(load)), received_(received), server_begin_(processor_of(server)) {
    for (const int pid : load_) load_begin_.push_back(processor_of(pid));
    begin_ = now_ns();
}

void Interval::end() {
    took_ = seconds_since(begin_);
    server_used_ = static_cast<double>(processor_of(server_).used - server_begin_.used);
    for (std::size_t i = 0; i < load_.size(); ++i) {
        const Processor now = processor_of(load_[i]);
        load_used_ += static_cast<double>(now.used - load_begin_[i].used);
        load_waited_ += static_cast<double>(now.waited - load_begin_[i].waited);
    }
}

void Interval::print(std::uint64_t received, Latencies& latencies) const {
    const auto messages = static_cast<double>(received - received_);
    if (messages == 0) fail("no message arrived while the time was taken");
    std::printf(
        "{\"rate\":%.1f,\"cpu_us\":%.4f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"server_busy\":%.3f,\"load_busy\":%.3f,"
        "\"load_waited\":%.3f,\"messages\":%.0f,\"seconds\":%.3f}\n",
        messages / took_, server_used_ / 1000 / messages, latencies.us(0.5), latencies.us(0.99),
        server_used_ / 1e9 / took_, load_used_ / 1e9 / took_, load_waited_ / 1e9 / took_, messages, took_);
}

}  // namespace hub_load
