// Draws: the simulator's own random numbers. One seed, one run.
#pragma once

#include <chrono>
#include <cstdint>

namespace nyamesh::simulation {

class Draws {
public:
    explicit Draws(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {}

    std::uint64_t next() {  // splitmix64
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    std::uint64_t between(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    bool percent(std::uint64_t n) { return below(100) < n; }
    template <class Duration>
        requires requires { typename Duration::rep; }
    Duration between(Duration least, Duration most) {
        return Duration(static_cast<typename Duration::rep>(
            between(static_cast<std::uint64_t>(least.count()), static_cast<std::uint64_t>(most.count()))));
    }

private:
    std::uint64_t state_;
};

}  // namespace nyamesh::simulation
