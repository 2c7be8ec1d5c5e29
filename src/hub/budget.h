// Budget: how much one connection may bring, in messages and bytes. A second's worth may come at once.
//
// Spending never fails: what came is handled, and the debt says how long to read nothing more. So a connection that is
// too fast is slowed down, and loses nothing.
#pragma once

#include <nya/clock.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace nyamesh::hub {

class Budget {
public:
    Budget(double units_per_second, nya::Clock::time_point now)
        : rate_(units_per_second), left_(units_per_second), refilled_(now) {}

    void refill(nya::Clock::time_point now) noexcept {
        const std::chrono::duration<double> passed = now - refilled_;
        refilled_ = now;
        left_ = std::min(rate_, left_ + rate_ * passed.count());
    }
    bool has_left() const noexcept { return left_ > 0; }
    // True while there is something left.
    bool spend(double units) noexcept {
        left_ -= units;
        return left_ > 0;
    }
    // Until a tenth of a second's worth is there again, so that reading does not stutter.
    std::chrono::nanoseconds wait() const noexcept {
        const double missing = rate_ / 10 - left_;
        return std::chrono::nanoseconds(missing <= 0 ? 0 : static_cast<std::int64_t>(missing / rate_ * 1e9) + 1);
    }

private:
    double rate_;
    double left_;
    nya::Clock::time_point refilled_;
};

}  // namespace nyamesh::hub
