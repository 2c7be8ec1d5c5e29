// What the benchmarks share: quiet measuring, contestants that take turns, Markdown tables.
//
// How a figure comes about:
//   - Measuring threads are pinned to a processor and run in the real-time class (SCHED_RR) where the system
//     allows it, so that other work on the machine waits. Without that, `nice` is not enough.
//   - All contestants of a table run in one process and take turns: one sample each, then the next round.
//     Whatever drifts (clock speed, neighbours) hits all of them alike.
//   - The figure is the median of the rounds; the spread (lowest to highest) stands beside it. A ratio is the
//     median of the rounds' own ratios, because the machine's mood changes more between rounds than within one.
//   - Every contestant calls the same handler, which does next to nothing and counts what it saw, and the
//     count is checked.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

[[noreturn]] inline void fail(const std::string& why) {
    std::fprintf(stderr, "benchmark: %s\n", why.c_str());
    std::exit(1);
}

inline void require(bool holds, const char* what) {
    if (!holds) fail(std::string("broken: ") + what);
}

inline double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Keeps the compiler from computing `value` away or ahead.
template <class T>
inline void keep(T& value) {
    asm volatile("" : "+m"(value) : : "memory");
}

inline unsigned processors() {
    return std::max(1u, std::thread::hardware_concurrency());
}

// The calling thread stays on one processor.
inline void pin_to(unsigned processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor % processors(), &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Puts this thread, and those it starts, in the real-time class. Says so once if the system refuses.
inline void raise_priority() {
    sched_param priority{};
    priority.sched_priority = 1;
    if (sched_setscheduler(0, SCHED_RR, &priority) != 0) {
        std::fprintf(stderr, "benchmark: no real-time class for us (not root?): figures will be noisier\n");
    }
}

inline double median(std::vector<double> samples) {
    std::ranges::sort(samples);
    const std::size_t middle = samples.size() / 2;
    return samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
}

inline double percentile(std::vector<double> samples, double share) {
    std::ranges::sort(samples);
    return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1))];
}

// Runs `work(i)` on `count` threads, thread i on processor i, all from one starting line.
// Returns the seconds until the last one is done.
template <class Work>
double run_threads(unsigned count, Work work) {
    Clock::time_point begin;
    std::barrier start(count, [&begin]() noexcept { begin = Clock::now(); });
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            pin_to(i);
            start.arrive_and_wait();
            work(i);
        });
    }
    for (auto& thread : threads) thread.join();
    return seconds_since(begin);
}

// Nanoseconds a cache line takes from one processor to another. On a virtual machine it changes by the second,
// up to tenfold, with where the host puts the processors; whatever crosses threads changes with it.
inline double cache_line_ns(unsigned one, unsigned other) {
    constexpr unsigned kTrips = 20'000;
    alignas(64) std::atomic<unsigned> line{0};
    const auto play = [&line](unsigned processor, unsigned first) {
        pin_to(processor);
        for (unsigned turn = first; turn < 2 * kTrips; turn += 2) {
            while (line.load(std::memory_order_acquire) != turn) {
            }
            line.store(turn + 1, std::memory_order_release);
        }
    };
    std::thread partner(play, other, 1);
    double seconds = 0;
    std::thread([&] {
        const auto begin = Clock::now();
        play(one, 0);
        seconds = seconds_since(begin);
    }).join();
    partner.join();
    return seconds * 1e9 / (2 * kTrips);
}

// One row of a table: something that can be measured again and again.
struct Contestant {
    std::string name;
    std::function<double()> measure;
    std::vector<double> samples = {};

    double median() const { return bench::median(samples); }
    double lowest() const { return std::ranges::min(samples); }
    double highest() const { return std::ranges::max(samples); }
};

// a ÷ b, round by round.
inline double median_ratio(const Contestant& a, const Contestant& b) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < a.samples.size(); ++i) ratios.push_back(a.samples[i] / b.samples[i]);
    return median(std::move(ratios));
}

inline void take_turns(std::vector<Contestant>& contestants, int rounds) {
    for (auto& contestant : contestants) contestant.measure();  // warm up
    for (int round = 0; round < rounds; ++round) {
        for (auto& contestant : contestants) {
            contestant.samples.push_back(contestant.measure());
            // The kernel stops real-time threads for 50 ms once they have had 95 % of a second: pause instead.
            std::this_thread::sleep_for(std::chrono::milliseconds(15));
        }
    }
}

inline const Contestant& named(const std::vector<Contestant>& contestants, std::string_view name) {
    const auto found = std::ranges::find(contestants, name, &Contestant::name);
    if (found == contestants.end()) fail("there is no contestant " + std::string(name));
    return *found;
}

inline std::string number(double value, int decimals) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

// Three significant digits or so: 0.123, 1.23, 12.3, 123.
inline std::string number(double value) {
    return number(value, value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0);
}

inline std::string ratio(double value) {
    return number(value) + "x";
}

inline std::string spread(const Contestant& contestant) {
    return number(contestant.lowest()) + " – " + number(contestant.highest());
}

// Collects rows, prints Markdown.
class Table {
public:
    explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    void print(std::string_view title) const {
        std::printf("### %.*s\n\n", static_cast<int>(title.size()), title.data());
        print_row(columns_);
        std::printf("|---|");
        for (std::size_t i = 1; i < columns_.size(); ++i) std::printf("---:|");
        std::printf("\n");
        for (const auto& cells : rows_) print_row(cells);
        std::printf("\n");
        std::fflush(stdout);
    }

private:
    static void print_row(const std::vector<std::string>& cells) {
        std::printf("|");
        for (const auto& cell : cells) std::printf(" %s |", cell.c_str());
        std::printf("\n");
    }

    std::vector<std::string> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// What we set out to reach, and whether this run did.
class Goals {
public:
    void at_most(const std::string& what, double limit, double measured, const char* unit = "x") {
        add(what, "≤ " + number(limit) + unit, number(measured) + unit, measured <= limit);
    }
    void at_least(const std::string& what, double limit, double measured, const char* unit = "x") {
        add(what, "≥ " + number(limit) + unit, number(measured) + unit, measured >= limit);
    }
    void print() const { table_.print("Goals"); }

private:
    void add(const std::string& what, std::string limit, std::string measured, bool reached) {
        table_.row({what, std::move(limit), std::move(measured), reached ? "reached" : "**not reached**"});
    }

    Table table_{{"goal", "limit", "measured", "in this run"}};
};

}  // namespace bench
