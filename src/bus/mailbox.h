// Mailbox: the envelopes that wait for a busy node, made when a node first needs one.
//
// Senders append to `incoming` under the mutex. The node's one runner takes all of it at once and works
// through it unlocked, so senders and runner meet once a batch, not once an envelope. An envelope waits
// in a cell of 128 bytes that holds a small message and its sender's name inline: a message that crosses
// threads then costs no allocation and no reference count, which is most of what it would cost otherwise.
#pragma once

#include <nyamesh/intent_box.h>
#include <nyamesh/send_error.h>

#include "base/mutex.h"
#include "bus/completion.h"
#include "bus/handler_table.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh::bus {

class Cell {
public:
    Cell(std::string_view from, const IntentBox& intent_box, std::uint64_t envelope_id, std::uint8_t hop_count,
         std::uint32_t thread_number, std::string_view room, std::shared_ptr<Completion> completion)
        : intent(intent_box), id(envelope_id), sender_thread(thread_number), hops(hop_count) {
        if (from.size() <= kInlineFrom) {
            from_size_ = static_cast<std::uint8_t>(from.size());
            std::memcpy(from_, from.data(), from.size());
        } else {
            keep(new std::string(from));
        }
        if (completion || !room.empty()) extra_ = new Extra{std::move(completion), std::string(room)};
    }
    Cell(Cell&& other) noexcept
        : intent(std::move(other.intent)),
          id(other.id),
          sender_thread(other.sender_thread),
          hops(other.hops),
          from_size_(std::exchange(other.from_size_, std::uint8_t{0})),
          extra_(std::exchange(other.extra_, nullptr)) {
        std::memcpy(from_, other.from_, sizeof from_);
    }
    Cell& operator=(Cell&&) = delete;
    ~Cell() {
        if (from_size_ == kLongFrom) delete long_from();
        delete extra_;
    }

    std::string_view from() const noexcept {
        if (from_size_ == kLongFrom) return *long_from();
        return {from_, from_size_};
    }
    // What only some envelopes have: who hears how it ended (or null), and its room.
    bool has_extras() const noexcept { return extra_ != nullptr; }
    Completion* completion() const noexcept { return extra_ != nullptr ? extra_->completion.get() : nullptr; }
    std::string_view room() const noexcept { return extra_ != nullptr ? std::string_view(extra_->room) : ""; }

    IntentBox intent;
    std::uint64_t id;
    std::uint32_t sender_thread;
    std::uint8_t hops;

private:
    struct Extra {
        std::shared_ptr<Completion> completion;
        std::string room;
    };
    static constexpr std::size_t kInlineFrom = 18;
    static constexpr std::uint8_t kLongFrom = 255;

    void keep(std::string* text) noexcept {
        from_size_ = kLongFrom;
        std::memcpy(from_, &text, sizeof text);
    }
    std::string* long_from() const noexcept {
        std::string* text;
        std::memcpy(&text, from_, sizeof text);
        return text;
    }

    std::uint8_t from_size_ = 0;
    char from_[kInlineFrom];
    Extra* extra_ = nullptr;
};
static_assert(sizeof(Cell) <= 128, "a cell is two cache lines");

// Never freed before the bus: a sender with an outdated route may still come to its mutex. What senders
// touch and what the runner touches lie on cache lines of their own, so that neither waits for the other's.
struct alignas(64) Mailbox {
    nya::SpinningMutex mutex;
    std::vector<Cell> incoming NYA_GUARDED_BY(mutex);
    std::uint32_t limit NYA_GUARDED_BY(mutex) = 0;
    // What is left of the batch, for the limit and for statistics. The runner writes it now and then,
    // so the true number may be up to 1/16 of the limit lower.
    std::atomic<std::uint32_t> batch_left{0};

    // The batch under work; only the owner of the node touches these.
    alignas(64) std::vector<Cell> batch;
    std::size_t next = 0;

    // Tables and handlers replaced while the runner may see them.
    std::vector<Retired> retired NYA_GUARDED_BY(mutex);

    // Senders that wait for Handled on a thread where the node may run: whoever hands the node on tells them, since
    // it may be their own thread that it is handed to. At most one for each blocked thread.
    std::vector<std::shared_ptr<BlockedSender>> helpers NYA_GUARDED_BY(mutex);
    std::atomic<std::uint32_t> helper_count{0};

    bool has_batch() const noexcept { return next < batch.size(); }
};

}  // namespace nyamesh::bus
