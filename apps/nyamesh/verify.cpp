// nyamesh verify: does a message get lost here?
//
//   sender ── cable ──┐
//                     hub        three processes of their own; the cables are ours, to be cut
//   receiver ─ cable ─┘
//
// The sender numbers its messages. Afterwards every number must be accounted for: handled once, in its turn, or
// reported to the sender as refused or unconfirmed. Silence is a loss.
#include "cable.h"
#include "child.h"
#include "commands.h"
#include "output.h"

#include <nya/expected.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace tool {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;
using namespace std::chrono_literals;
template <class Value>
using Or = std::expected<Value, std::string>;

constexpr std::array kScenarios{"none", "sender", "receiver", "both", "silent", "hub"};

struct Outcome {
    std::uint64_t sent = 0, handled = 0, refused = 0, unconfirmed = 0, gap = 0;
    std::uint64_t lost = 0, duplicated = 0, reordered = 0;
    double resume_ms = 0;  // from when all was whole again to the next message handled

    bool is_good() const { return lost == 0 && duplicated == 0 && reordered == 0; }
};

double since_epoch_ms(Clock::time_point at) {
    return std::chrono::duration<double, std::milli>(at.time_since_epoch()).count();
}

// A hub in a process of its own, which can be killed and comes back at the same address.
class HubProcess {
public:
    explicit HubProcess(std::string program) : program_(std::move(program)) {
        std::string pattern = (std::filesystem::temp_directory_path() / "nyamesh-verify-XXXXXX").string();
        if (::mkdtemp(pattern.data()) != nullptr) state_ = pattern;
    }
    ~HubProcess() {
        child_.reset();
        std::error_code ignored;
        if (!state_.empty()) std::filesystem::remove_all(state_, ignored);
    }
    HubProcess(const HubProcess&) = delete;
    HubProcess& operator=(const HubProcess&) = delete;

    Or<void> start() {
        child_ = NYA_TRY(
            Child::start({"hub", "--listen", "127.0.0.1:" + port_, "--log", "off", "--state-dir", state_}, program_));
        const auto url = child_->hear(10s);
        if (!url) return std::unexpected("the hub does not start");
        port_ = url->substr(url->rfind(':') + 1);
        return {};
    }
    void kill() { child_->kill(); }
    const std::string& port() const { return port_; }

private:
    std::string program_;
    std::string state_;
    std::string port_ = "0";
    std::unique_ptr<Child> child_;
};

// "ws://host:port/…" in two parts.
Or<std::pair<std::string, std::string>> split_url(const std::string& url) {
    const std::string scheme = "ws://";
    if (!url.starts_with(scheme))
        return std::unexpected("verify lays cables for ws:// only, and '" + url +
                               "' is none: they cannot be cut inside TLS");
    const std::string rest = url.substr(scheme.size(), url.find('/', scheme.size()) - scheme.size());
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string::npos || rest.ends_with(']')) return std::pair(rest, std::string("80"));
    std::string host = rest.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return std::pair(host, rest.substr(colon + 1));
}

class Run {
public:
    Run(const VerifyCommand& command, std::string scenario, std::uint64_t seed)
        : command_(command),
          scenario_(std::move(scenario)),
          random_(seed * 1'000'003 + scenario_.size()),
          hub_(command.other_hub) {}

    Or<Outcome> play() {
        NYA_TRY(build());
        sender_->say("go");
        const auto began = Clock::now();
        if (scenario_ != "none") NYA_TRY(interrupt(began));
        NYA_TRY(watch_sender());
        // Both close, and tell what they still have to tell.
        sender_->hang_up();
        while (const auto line = sender_->hear(20s)) note(*line);
        receiver_->hang_up();
        while (const auto line = receiver_->hear(20s)) note(*line);
        return judge();
    }

private:
    Or<void> build() {
        std::string host = "127.0.0.1", port;
        if (command_.url.empty()) {
            NYA_TRY(hub_.start());
            port = hub_.port();
        } else {
            std::tie(host, port) = NYA_TRY(split_url(command_.url));
        }
        sender_cable_ = NYA_TRY(Cable::lay(host, port, command_.latency));
        receiver_cable_ = NYA_TRY(Cable::lay(host, port, command_.latency));
        const std::string id = "verify-" + std::to_string(std::random_device()()) + "-";
        receiver_ = NYA_TRY(end(id + "receiver", *receiver_cable_, {}));
        sender_ = NYA_TRY(end(id + "sender", *sender_cable_, id + "receiver"));
        return {};
    }

    Or<std::unique_ptr<Child>> end(const std::string& name, const Cable& cable, const std::string& to) const {
        std::vector<std::string> words{"verify-end",
                                       "--name",
                                       name,
                                       "--key",
                                       name,
                                       "--hub",
                                       cable.url(),
                                       "--rate",
                                       std::to_string(command_.rate),
                                       "--resume-window",
                                       std::to_string(command_.resume_window.count()) + "ms"};
        if (!to.empty()) words.insert(words.end(), {"--to", to, "--messages", std::to_string(command_.messages)});
        auto child = NYA_TRY(Child::start(std::move(words), command_.other_end));
        const auto line = child->hear(10s);
        if (!line || *line != R"({"ready":true})")
            return std::unexpected("'" + name + "' does not reach the hub" + (line ? ": " + *line : ""));
        return child;
    }

    // Breaks what the scenario says, at a moment of the seed's choice, and mends it.
    Or<void> interrupt(Clock::time_point began) {
        const auto length =
            std::chrono::duration<double>(static_cast<double>(command_.messages) / static_cast<double>(command_.rate));
        const double where = std::uniform_real_distribution<>(0.05, 0.75)(random_);
        const auto at = began + std::chrono::duration_cast<Clock::duration>(length * where);
        std::this_thread::sleep_until(at);
        const auto how = scenario_ == "silent" ? Cable::Break::Silent : Cable::Break::Reset;
        const bool is_both = scenario_ == "both" || scenario_ == "silent";
        if (scenario_ == "hub") hub_.kill();
        if (scenario_ == "sender" || is_both) sender_cable_->cut(how);
        if (scenario_ == "receiver" || is_both) receiver_cable_->cut(how);
        std::this_thread::sleep_until(at + command_.cut);
        if (scenario_ == "hub") NYA_TRY(hub_.start());
        sender_cable_->mend();
        receiver_cable_->mend();
        mended_ms_ = since_epoch_ms(Clock::now());
        return {};
    }

    Or<void> watch_sender() {
        const auto limit = 3 * command_.resume_window + Milliseconds(command_.messages * 1'000 / command_.rate) + 20s;
        const auto deadline = Clock::now() + limit;
        while (Clock::now() < deadline) {
            const auto line = sender_->hear(std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()));
            if (!line) break;
            if (note(*line)) return {};
        }
        return std::unexpected("the sender never came to an end");
    }

    // True: that was the sender's last word.
    bool note(const std::string& line) {
        const auto told = nya::Json::parse(line);
        if (!told) return false;
        const auto number = [&](const char* key) { return static_cast<std::uint64_t>((*told)[key].as_integer()); };
        if (!(*told)["got"].is_null()) {
            got_.push_back(number("got"));
            if (mended_ms_ != 0 && resumed_ms_ == 0 && (*told)["ms"].as_number() > mended_ms_)
                resumed_ms_ = (*told)["ms"].as_number();
        }
        if (!(*told)["refused"].is_null()) refused_.insert(number("refused"));
        if (!(*told)["unconfirmed"].is_null()) unconfirmed_.insert(number("unconfirmed"));
        if (!(*told)["gap"].is_null()) gap_ += number("gap");
        return (*told)["done"].is_bool();
    }

    Outcome judge() const {
        Outcome outcome{
            .sent = command_.messages, .refused = refused_.size(), .unconfirmed = unconfirmed_.size(), .gap = gap_};
        std::set<std::uint64_t> seen;
        for (const std::uint64_t number : got_) {
            if (!seen.insert(number).second) {
                ++outcome.duplicated;
            } else if (number != *seen.rbegin()) {
                ++outcome.reordered;
            }
        }
        outcome.handled = seen.size();
        for (std::uint64_t n = 0; n < command_.messages; ++n) {
            if (!seen.contains(n) && !refused_.contains(n) && !unconfirmed_.contains(n)) ++outcome.lost;
        }
        if (resumed_ms_ != 0) outcome.resume_ms = resumed_ms_ - mended_ms_;
        return outcome;
    }

    const VerifyCommand& command_;
    std::string scenario_;
    std::mt19937_64 random_;
    HubProcess hub_;
    std::unique_ptr<Cable> sender_cable_, receiver_cable_;
    std::unique_ptr<Child> receiver_, sender_;
    std::vector<std::uint64_t> got_;
    std::set<std::uint64_t> refused_, unconfirmed_;
    std::uint64_t gap_ = 0;
    double mended_ms_ = 0, resumed_ms_ = 0;
};

// All runs of one scenario.
struct Row {
    Outcome sum;
    std::vector<double> resume_ms;
    std::uint64_t runs = 0;
    std::vector<std::string> problems;  // what could not be played, or went wrong: with the seed

    void add(std::uint64_t seed, const Or<Outcome>& outcome) {
        ++runs;
        if (!outcome) return problems.push_back("seed " + std::to_string(seed) + ": " + outcome.error());
        if (!outcome->is_good()) problems.push_back("seed " + std::to_string(seed) + ": a message is unaccounted for");
        for (const auto member : {&Outcome::sent, &Outcome::handled, &Outcome::refused, &Outcome::unconfirmed,
                                  &Outcome::gap, &Outcome::lost, &Outcome::duplicated, &Outcome::reordered})
            sum.*member += (*outcome).*member;
        if (outcome->resume_ms > 0) resume_ms.push_back(outcome->resume_ms);
    }
    double resume(double share) const {
        if (resume_ms.empty()) return 0;
        auto sorted = resume_ms;
        std::sort(sorted.begin(), sorted.end());
        return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
    }
};

void print(const std::string& scenario, const Row& row, bool is_json) {
    const Outcome& s = row.sum;
    if (is_json) {
        nya::Json problems = nya::Json::array();
        for (const std::string& problem : row.problems) problems.as_array().emplace_back(problem);
        put_json(nya::Json{{"scenario", scenario},
                           {"runs", row.runs},
                           {"sent", s.sent},
                           {"handled", s.handled},
                           {"lost", s.lost},
                           {"duplicated", s.duplicated},
                           {"reordered", s.reordered},
                           {"refused", s.refused},
                           {"unconfirmed", s.unconfirmed},
                           {"gap", s.gap},
                           {"resume_ms_median", row.resume(0.5)},
                           {"resume_ms_max", row.resume(1)},
                           {"problems", problems}});
        return;
    }
    const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    char line[256];
    std::snprintf(line, sizeof line, "%-10s %5llu %8llu %8llu %5llu %8llu %9llu %8llu %11llu %5llu %9.0f %9.0f",
                  scenario.c_str(), n(row.runs), n(s.sent), n(s.handled), n(s.lost), n(s.duplicated), n(s.reordered),
                  n(s.refused), n(s.unconfirmed), n(s.gap), row.resume(0.5), row.resume(1));
    put_line(line);
    for (const std::string& problem : row.problems) complain(scenario + ", " + problem);
}

// Plays all seeds of a scenario, `jobs` at a time.
Row play(const VerifyCommand& command, const std::string& scenario) {
    Row row;
    std::mutex mutex;
    std::atomic<std::uint64_t> next = 0;
    const auto work = [&] {
        for (std::uint64_t i; (i = next++) < command.seeds;) {
            const std::uint64_t seed = command.first_seed + i;
            const auto outcome = Run(command, scenario, seed).play();
            const std::lock_guard lock(mutex);
            row.add(seed, outcome);
            show_progress(scenario + " " + std::to_string(row.runs) + "/" + std::to_string(command.seeds));
        }
    };
    std::vector<std::jthread> workers;
    for (std::uint64_t i = 0; i < std::min(command.jobs, command.seeds); ++i) workers.emplace_back(work);
    workers.clear();
    show_progress("");
    return row;
}

}  // namespace

int run_verify(const VerifyCommand& command) {
    auto scenarios = command.scenarios;
    const bool is_own_hub = command.url.empty();
    if (!is_own_hub && std::find(scenarios.begin(), scenarios.end(), "hub") != scenarios.end()) {
        complain("only a hub of our own can be killed: leave --hub out");
        return kUsage;
    }
    if (scenarios.empty()) {
        for (const char* name : kScenarios) {
            if (is_own_hub || std::string_view(name) != "hub") scenarios.emplace_back(name);
        }
    }
    if (!command.is_json)
        put_line(
            "cut         runs     sent  handled  lost  doubled reordered  refused unconfirmed   gap  resume ms    at "
            "most");
    bool is_good = true;
    for (const std::string& scenario : scenarios) {
        const Row row = play(command, scenario);
        print(scenario, row, command.is_json);
        is_good = is_good && row.problems.empty();
    }
    return is_good ? kOk : kFailed;
}

}  // namespace tool
