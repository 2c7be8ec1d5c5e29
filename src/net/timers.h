// Timers: what is to run when, on one thread. Ten thousand of them are cheap: a heap of times, and a table of tasks.
//
// A cancelled timer leaves its time in the heap, where it is skipped; the heap is rebuilt when more than half of
// it is such.
#pragma once

#include <nya/clock.h>
#include <nya/executor.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nyamesh::net {

class Timers {
public:
    using TimePoint = nya::Clock::time_point;

    std::uint64_t add(TimePoint when, nya::Task task) {
        const std::uint64_t id = ++last_id_;
        tasks_.emplace(id, std::move(task));
        heap_.emplace_back(when, id);
        std::ranges::push_heap(heap_, std::greater{});
        return id;
    }

    void cancel(std::uint64_t id) {
        const auto task = tasks_.extract(id);  // what it captured may call us when it goes
        if (task.empty() || heap_.size() < 64 || heap_.size() < 2 * tasks_.size()) return;
        std::erase_if(heap_, [this](const Entry& entry) { return !tasks_.contains(entry.second); });
        std::ranges::make_heap(heap_, std::greater{});
    }

    // When the next one is due; the largest time: there is none.
    TimePoint next() {
        while (!heap_.empty() && !tasks_.contains(heap_.front().second)) drop_first();
        return heap_.empty() ? TimePoint::max() : heap_.front().first;
    }

    // Runs what is due at `now`, by time, then in the order added; not what that adds.
    void run_due(TimePoint now) {
        const std::uint64_t last = last_id_;
        std::vector<Entry> later;
        while (next() <= now) {
            const Entry first = heap_.front();
            drop_first();
            if (first.second > last) {
                later.push_back(first);
                continue;
            }
            auto task = tasks_.extract(first.second);
            task.mapped()();
        }
        for (const Entry& entry : later) {
            heap_.push_back(entry);
            std::ranges::push_heap(heap_, std::greater{});
        }
    }

    std::size_t size() const noexcept { return tasks_.size(); }

    void clear() {
        const auto tasks = std::exchange(tasks_, {});
        heap_.clear();
    }

private:
    using Entry = std::pair<TimePoint, std::uint64_t>;
    void drop_first() {
        std::ranges::pop_heap(heap_, std::greater{});
        heap_.pop_back();
    }

    std::vector<Entry> heap_;
    std::unordered_map<std::uint64_t, nya::Task> tasks_;
    std::uint64_t last_id_ = 0;
};

}  // namespace nyamesh::net
