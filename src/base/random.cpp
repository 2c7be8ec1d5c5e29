#include <nya/random.h>

#include <sys/random.h>
#include <array>
#include <cerrno>
#include <mutex>
#include <random>
#include <system_error>
#include <utility>

namespace nya {

namespace {

// The kernel's own generator, asked for 128 numbers at a time; each thread has its own, so none waits for another.
class SystemRandom final : public Random {
public:
    std::uint64_t next() override {
        thread_local Stock stock;
        if (stock.used == stock.numbers.size()) refill(stock);
        return std::exchange(stock.numbers[stock.used++], 0);  // what has been told is not kept
    }

private:
    struct Stock {
        std::array<std::uint64_t, 128> numbers;
        std::size_t used = 128;
    };
    static void refill(Stock& stock) {
        auto* place = reinterpret_cast<char*>(stock.numbers.data());
        std::size_t missing = sizeof stock.numbers;
        while (missing > 0) {
            const ssize_t got = ::getrandom(place, missing, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");  // no kernel since 2014
            place += got;
            missing -= static_cast<std::size_t>(got);
        }
        stock.used = 0;
    }
};

class SharedEngine final : public Random {
public:
    explicit SharedEngine(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t next() override {
        const std::lock_guard guard(mutex_);
        return engine_();
    }

private:
    std::mutex mutex_;
    std::mt19937_64 engine_;
};

}  // namespace

const std::shared_ptr<Random>& Random::system() {
    static const std::shared_ptr<Random> random = std::make_shared<SystemRandom>();
    return random;
}

std::shared_ptr<Random> Random::seeded(std::uint64_t seed) {
    return std::make_shared<SharedEngine>(seed);
}

}  // namespace nya
