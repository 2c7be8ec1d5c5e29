// Wires: what the bus knows of the wires its nodes go by: their figures, for statistics, and whether they are traced.
//
// The bus stands below all transports, so it asks whoever has registered. What is asked is asked under no lock.
#pragma once

#include <nyamesh/bus_statistics.h>

#include "base/mutex.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace nyamesh::bus {

class Wires {
public:
    static constexpr std::size_t kMaxListed = 100;

    std::uint64_t add(WireCounter counter);
    void remove(std::uint64_t number);
    std::vector<BusStatistics::Wire> statistics() const;

    void set_tracing(bool is_on) noexcept { is_tracing_->store(is_on, std::memory_order_relaxed); }
    const std::shared_ptr<const std::atomic<bool>>& tracing_flag() const noexcept { return tracing_flag_; }

private:
    const std::shared_ptr<std::atomic<bool>> is_tracing_ = std::make_shared<std::atomic<bool>>(false);
    const std::shared_ptr<const std::atomic<bool>> tracing_flag_ = is_tracing_;
    mutable nya::Mutex mutex_;
    std::map<std::uint64_t, WireCounter> counters_ NYA_GUARDED_BY(mutex_);
    std::uint64_t last_number_ NYA_GUARDED_BY(mutex_) = 0;
    std::vector<BusStatistics::Wire> gone_ NYA_GUARDED_BY(mutex_);  // sums of those removed, as statistics() lists them
};

}  // namespace nyamesh::bus
