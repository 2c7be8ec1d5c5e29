#include "bus/wires.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace nyamesh::bus {

namespace {

using Wire = BusStatistics::Wire;

void add_up(Wire& sum, const Wire& one) {
    sum.nodes += one.nodes;
    sum.connected += one.connected;
    for (const auto count : {&Wire::connects, &Wire::breaks, &Wire::sent, &Wire::sent_again, &Wire::received,
                             &Wire::duplicates, &Wire::refused, &Wire::unconfirmed, &Wire::gaps, &Wire::backpressure,
                             &Wire::late_replies, &Wire::bytes_sent, &Wire::bytes_received}) {
        sum.*count += one.*count;
    }
}

// Keeps the list sorted, and bounded: what finds no place is added to the last one.
void add_up(std::vector<Wire>& sums, const Wire& one) {
    const auto by_address = [](const Wire& a, const Wire& b) {
        return std::tie(a.address, a.kind) < std::tie(b.address, b.kind);
    };
    const auto end = sums.begin() + static_cast<std::ptrdiff_t>(std::min(sums.size(), Wires::kMaxListed));
    const auto place = std::lower_bound(sums.begin(), end, one, by_address);
    const bool is_known = place != end && place->address == one.address && place->kind == one.kind;
    if (is_known) return add_up(*place, one);
    if (sums.size() < Wires::kMaxListed) {
        sums.insert(place, one);
        return;
    }
    if (sums.size() == Wires::kMaxListed) {
        sums.emplace_back();
        sums.back().address = "others";
    }
    add_up(sums.back(), one);
}

}  // namespace

std::uint64_t Wires::add(WireCounter counter) {
    const nya::Lock lock(mutex_);
    counters_.emplace(++last_number_, std::move(counter));
    return last_number_;
}

void Wires::remove(std::uint64_t number) {
    WireCounter counter;
    {
        const nya::Lock lock(mutex_);
        const auto place = counters_.find(number);
        if (place == counters_.end()) return;
        counter = place->second;
    }
    Wire last = counter();
    last.nodes = last.connected = 0;
    const nya::Lock lock(mutex_);
    if (counters_.erase(number) != 0) add_up(gone_, last);
}

std::vector<Wire> Wires::statistics() const {
    std::vector<Wire> sums;
    std::vector<WireCounter> counters;
    {
        const nya::Lock lock(mutex_);
        sums = gone_;
        counters.reserve(counters_.size());
        for (const auto& [number, counter] : counters_) counters.push_back(counter);
    }
    for (const WireCounter& counter : counters) add_up(sums, counter());
    return sums;
}

}  // namespace nyamesh::bus
