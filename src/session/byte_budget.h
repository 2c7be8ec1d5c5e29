// ByteBudget: how much memory all sessions of a process may hold together. Any thread.
#pragma once

#include <atomic>
#include <cstddef>

namespace nyamesh::session {

class ByteBudget {
public:
    explicit ByteBudget(std::size_t limit) noexcept : limit_(limit) {}

    // False, and nothing taken, if that would be too much. Where nothing is held a single message is always taken.
    bool take(std::size_t bytes) noexcept { return take_within(bytes, limit_, true); }
    // The same for what can wait, which must leave half of the memory to the rest.
    bool take_of_half(std::size_t bytes) noexcept { return take_within(bytes, limit_ / 2, false); }
    void give_back(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
    std::size_t limit() const noexcept { return limit_; }

private:
    bool take_within(std::size_t bytes, std::size_t limit, bool takes_any_first) noexcept {
        const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
        if ((before == 0 && takes_any_first) || before + bytes <= limit) return true;
        used_.fetch_sub(bytes, std::memory_order_relaxed);
        return false;
    }

    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace nyamesh::session
