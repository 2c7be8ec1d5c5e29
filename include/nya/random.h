// Random: where randomness comes from. Injected, so that a seed replays a run exactly.
#pragma once

#include <cstdint>
#include <memory>

namespace nya {

class Random {
public:
    virtual ~Random() = default;

    // A uniformly distributed 64-bit number. Any thread.
    virtual std::uint64_t next() = 0;

    // The operating system's: nobody can tell the next number from those before (as RFC 6455, 10.3 wants of masks).
    static const std::shared_ptr<Random>& system();
    // The same numbers for the same seed.
    static std::shared_ptr<Random> seeded(std::uint64_t seed);
};

}  // namespace nya
