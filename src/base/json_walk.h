// Walking a Json value without recursion: one built by hand may be nested as deep as memory allows.
#pragma once

#include <nya/json.h>

#include <array>
#include <cstddef>
#include <memory_resource>
#include <vector>

namespace nya {

// A list for walking a value: the first kilobyte lives on the stack, so ordinary values allocate nothing.
template <class T>
class Worklist {
public:
    bool empty() const noexcept { return items_.empty(); }
    void push(T item) {
        if (items_.empty()) items_.reserve(8);
        items_.push_back(item);
    }
    T& top() noexcept { return items_.back(); }
    void drop_top() noexcept { items_.pop_back(); }
    T pop() {
        T item = items_.back();
        items_.pop_back();
        return item;
    }

private:
    std::array<std::byte, 1024> room_;
    std::pmr::monotonic_buffer_resource memory_{room_.data(), room_.size()};
    std::pmr::vector<T> items_{&memory_};
};

inline bool is_container(const Json& value) noexcept {
    return value.kind() >= Json::Kind::Array;
}

}  // namespace nya
