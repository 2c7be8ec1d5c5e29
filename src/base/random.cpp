#include <nya/random.h>

#include <mutex>
#include <random>

namespace nya {

namespace {

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

std::uint64_t seed_from_system() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

const std::shared_ptr<Random>& Random::system() {
    static const std::shared_ptr<Random> random = std::make_shared<SharedEngine>(seed_from_system());
    return random;
}

std::shared_ptr<Random> Random::seeded(std::uint64_t seed) {
    return std::make_shared<SharedEngine>(seed);
}

}  // namespace nya
