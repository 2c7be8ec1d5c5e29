// OutBuffer: bytes on their way out. Appended at the back, sent from the front; holds no memory when empty.
//
// It knows no bound: whoever appends watches size(). One thread at a time.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace nyamesh::net {

class OutBuffer {
public:
    OutBuffer() = default;
    ~OutBuffer() { clear(); }
    OutBuffer(const OutBuffer&) = delete;
    OutBuffer& operator=(const OutBuffer&) = delete;

    std::size_t size() const noexcept { return end_ - begin_; }
    bool empty() const noexcept { return begin_ == end_; }
    std::string_view view() const noexcept { return {data_.get() + begin_, size()}; }

    void append(std::string_view bytes) {
        if (!bytes.empty()) std::memcpy(grow(bytes.size()), bytes.data(), bytes.size());
    }
    // Room for `n` more bytes, which count as appended; the caller writes them at once.
    char* grow(std::size_t n) {
        if (capacity_ - end_ < n) make_room(n);
        char* place = data_.get() + end_;
        end_ += n;
        return place;
    }
    // The first `n` bytes have been sent. Of all of them: as clear().
    void consume(std::size_t n) noexcept;
    void clear() noexcept;  // gives the memory back
    std::size_t held_bytes() const noexcept { return capacity_; }

private:
    void make_room(std::size_t n);

    std::unique_ptr<char[]> data_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace nyamesh::net
