#include "simulation/seeds.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace nyamesh::simulation {

namespace {

struct Options {
    std::uint64_t first = 1;
    std::uint64_t seeds = 10'000;
    bool prints_trace = false;
    bool must_fail = false;
    bool runs_twice = false;
};

[[noreturn]] void usage() {
    std::fputs("usage: [--seeds N] [--first S] [--seed S [--trace]] [--twice] [--must-fail]\n", stderr);
    std::exit(2);
}

Options read_options(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument = arguments[i];
        const auto number = [&] {
            if (++i == count) usage();
            const std::string_view text = arguments[i];
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error != std::errc() || end != text.data() + text.size()) usage();
            return value;
        };
        if (argument == "--seeds") {
            options.seeds = number();
        } else if (argument == "--first") {
            options.first = number();
        } else if (argument == "--seed") {
            options.first = number();
            options.seeds = 1;
        } else if (argument == "--trace") {
            options.prints_trace = true;
        } else if (argument == "--twice") {
            options.runs_twice = true;
        } else if (argument == "--must-fail") {
            options.must_fail = true;
        } else {
            usage();
        }
    }
    return options;
}

}  // namespace

int run_seeds(int count, char** arguments, const RunSeed& run_seed) {
    const Options options = read_options(count, arguments);
    Outcome sum;
    const std::uint64_t end = options.first + options.seeds;
    for (std::uint64_t seed = options.first; seed < end; ++seed) {
        Outcome outcome = run_seed(seed, options.prints_trace);
        if (options.runs_twice && run_seed(seed, false).trace_hash != outcome.trace_hash)
            outcome.violation = "the same seed does not give the same run";
        if (!outcome.violation.empty()) {
            std::fprintf(stderr, "VIOLATED in seed %llu: %s\nreplay: %s --seed %llu --trace\n",
                         static_cast<unsigned long long>(seed), outcome.violation.c_str(), arguments[0],
                         static_cast<unsigned long long>(seed));
            return options.must_fail ? 0 : 1;
        }
        sum.trace_hash = sum.trace_hash * 31 + outcome.trace_hash;
        sum.frames += outcome.frames;
        sum.faults += outcome.faults;
        sum.counts.sent += outcome.counts.sent;
        sum.counts.refused += outcome.counts.refused;
        sum.counts.handled += outcome.counts.handled;
        sum.counts.unconfirmed += outcome.counts.unconfirmed;
        sum.counts.settled += outcome.counts.settled;
        sum.counts.failed += outcome.counts.failed;
        sum.counts.gaps += outcome.counts.gaps;
        sum.counts.missed += outcome.counts.missed;
        sum.statistics.sent_again += outcome.statistics.sent_again;
        sum.statistics.duplicates += outcome.statistics.duplicates;
        sum.statistics.syncs += outcome.statistics.syncs;
        sum.statistics.sessions_ended += outcome.statistics.sessions_ended;
    }
    const auto print = [](const char* what, std::uint64_t value) {
        std::printf("  %-18s %llu\n", what, static_cast<unsigned long long>(value));
    };
    std::printf("%llu seeds, trace %016llx\n", static_cast<unsigned long long>(options.seeds),
                static_cast<unsigned long long>(sum.trace_hash));
    print("faults", sum.faults);
    print("frames", sum.frames);
    print("messages sent", sum.counts.sent);
    print("  refused", sum.counts.refused);
    print("  handled", sum.counts.handled);
    print("  reported", sum.counts.unconfirmed);
    print("waits settled", sum.counts.settled);
    print("  with an error", sum.counts.failed);
    print("gaps", sum.counts.gaps);
    print("  messages in them", sum.counts.missed);
    print("sent again", sum.statistics.sent_again);
    print("duplicates", sum.statistics.duplicates);
    print("syncs", sum.statistics.syncs);
    print("sessions ended", sum.statistics.sessions_ended);
    if (!options.must_fail) return 0;
    std::fputs("no violation: the seeded bug was not found\n", stderr);
    return 1;
}

}  // namespace nyamesh::simulation
