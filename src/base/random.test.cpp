#include <nya/random.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <thread>
#include <vector>

using nya::Random;

TEST_CASE("the same seed gives the same numbers, another seed others") {
    const auto a = Random::seeded(7), b = Random::seeded(7), c = Random::seeded(8);
    bool all_equal = true, any_equal = false;
    for (int i = 0; i < 100; ++i) {
        const auto number = a->next();
        all_equal = all_equal && number == b->next();
        any_equal = any_equal || number == c->next();
    }
    CHECK(all_equal);
    CHECK_FALSE(any_equal);
}

TEST_CASE("all 64 bits are random") {
    const auto random = Random::seeded(1);
    std::uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < 100; ++i) {
        const auto number = random->next();
        ones |= number;
        zeros |= ~number;
    }
    CHECK(ones == ~std::uint64_t{0});
    CHECK(zeros == ~std::uint64_t{0});
}

TEST_CASE("the system's randomness does not repeat, and may be used by several threads") {
    std::vector<std::vector<std::uint64_t>> drawn(3);
    std::vector<std::jthread> threads;
    for (auto& mine : drawn) {
        threads.emplace_back([&mine] {
            for (int i = 0; i < 1'000; ++i) mine.push_back(Random::system()->next());
        });
    }
    threads.clear();
    std::set<std::uint64_t> all;
    for (const auto& mine : drawn) all.insert(mine.begin(), mine.end());
    CHECK(all.size() == 3'000);
}
