// Deadlines: ends what has waited for long enough.
//
// One thread per bus, started with the first deadline, that sleeps until the earliest one on the bus's clock. It only
// tells: what then has to be called is posted to an executor by whoever is told. Most calls end long before
// their deadline, so taking one back is as cheap as making it.
#pragma once

#include <nya/clock.h>

#include <cstdint>
#include <memory>
#include <utility>

namespace nyamesh::bus {

class Expiring {
public:
    virtual ~Expiring() = default;
    // On the deadlines' thread; runs no user code.
    virtual void expire() = 0;
};

class Deadlines {
public:
    using Key = std::pair<nya::Clock::time_point, std::uint64_t>;

    explicit Deadlines(std::shared_ptr<nya::Clock> clock);
    // Joins the thread, unless called on it.
    ~Deadlines();
    Deadlines(const Deadlines&) = delete;
    Deadlines& operator=(const Deadlines&) = delete;

    // Any thread. `what` is told once `when` has come, if it still exists.
    Key add(nya::Clock::time_point when, std::weak_ptr<Expiring> what);
    // May come too late.
    void take_back(const Key& key);

private:
    struct Impl;
    const std::shared_ptr<Impl> impl_;
};

}  // namespace nyamesh::bus
