// Fuzzes whole scripts: whatever they do ends within the limit on steps, without a crash, a leak or an
// object left behind.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include <nyash/interpreter.h>

namespace {

// Time passes as soon as somebody waits for it.
class InstantClock final : public nya::Clock {
public:
    time_point now() const noexcept override { return now_; }
    bool wait_until(std::unique_lock<std::mutex>&, std::condition_variable&, time_point deadline,
                    const std::function<bool()>& ready) override {
        if (deadline > now_) now_ = deadline;
        return ready();
    }

private:
    time_point now_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    {
        nyash::Interpreter::Options options;
        options.out = [](std::string_view) {};
        options.err = [](std::string_view) {};
        options.read_line = [](std::string&) { return false; };
        options.clock = std::make_shared<InstantClock>();
        options.random = nya::Random::seeded(1);
        options.wall_clock_ms = [] { return std::int64_t{0}; };
        options.allow_files = false;
        options.allow_network = false;
        options.max_steps = 5000;
        options.max_text_bytes = 1U << 14U;
        nyash::Interpreter interpreter(std::move(options));
        interpreter.run_source("fuzz", std::string(reinterpret_cast<const char*>(data), size));
    }
    if (nyash::live_objects() != 0) std::abort();
    return 0;
}
