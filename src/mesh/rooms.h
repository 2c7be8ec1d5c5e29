// Rooms: all rooms of one bus.
//
// A room is a list of members and a queue. Whatever happens in it (a message, a join, a leave) is put into the queue
// together with the members of that moment; one thread at a time tells the queue's contents to them. So all
// members see one order, although each of them is an ordinary node with a queue of its own. A handler that sends to the
// room it hears from only appends: the thread that is telling goes on with it.
//
// A slow member does not hold up the room: what its own queue has no place for is counted, and told as one "gap"
// before the next message it does take.
//
// One mutex guards all of it; nothing of the user's runs under it.
#pragma once

#include <nyamesh/intent_box.h>
#include <nyamesh/message_bus.h>
#include <nyamesh/send_error.h>

#include "base/mutex.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::mesh {

class Rooms : public std::enable_shared_from_this<Rooms> {
public:
    // A thread tells a room at most this many things, then the bus's delivery executor goes on.
    static constexpr int kMaxPerTurn = 64;

    // The rooms of that bus.
    static std::shared_ptr<Rooms> of(const std::shared_ptr<MessageBus>& bus);
    explicit Rooms(std::shared_ptr<MessageBus> bus) : bus_(std::move(bus)) {}

    // These only put things into the queue; tell() has to follow, where user code may run.
    std::expected<void, SendError> join(const std::string& room, const std::string& id);
    void leave(const std::string& room, const std::string& id);
    std::expected<void, SendError> send(const std::string& room, const std::string& from, const IntentBox& intent);
    void tell(const std::string& room);

    std::vector<std::string> members(const std::string& room) const;

private:
    struct Member {
        const std::string id;
        std::atomic<bool> is_in{true};
        std::uint64_t missed = 0;  // only for who tells the room
    };
    using Members = std::vector<std::shared_ptr<Member>>;
    struct Post {
        IntentBox intent;
        std::string from;
        std::shared_ptr<const Members> to;
    };
    struct Room {
        const std::string name;
        std::shared_ptr<const Members> members = std::make_shared<Members>();
        std::deque<Post> waiting;
        bool is_being_told = false;
    };

    void tell_all(const std::shared_ptr<Room>& room);
    void deliver(const Room& room, const Post& post);

    const std::shared_ptr<MessageBus> bus_;
    mutable nya::Mutex mutex_;
    std::map<std::string, std::shared_ptr<Room>> rooms_ NYA_GUARDED_BY(mutex_);  // and what they hold
};

}  // namespace nyamesh::mesh
