// NyaMesh: a node in rooms. What a member sends to a room, all others in it receive, in one order.
//
//     auto mesh = nyamesh::NyaMesh::open("my_node").value();
//     mesh.join("chat_room");
//     mesh.on("message", [](const nya::Json& msg, std::string_view from) { … });
//     mesh.send("Hello everyone!");
//
// Rooms belong to a bus: members are the NyaMeshes of this process that joined there. A room exists while somebody is
// in it. It accepts one message after the other, and every member sees them in that order; a member does not
// receive its own. Handlers run as those of a P2PBox do: one at a time per node, at call speed where possible.
//
// Threads: every function but the destructor and moves may be called from any thread, also from inside handlers.
#pragma once

#include <nyamesh/message_bus.h>

#include <concepts>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nyamesh {

struct NyaMeshOptions {
    // As in P2PBoxOptions.
    std::shared_ptr<MessageBus> bus = {};
    std::shared_ptr<nya::Executor> executor = {};
    std::size_t queue_limit = 0;
};

// What a handler may take instead of (msg, from): views, valid during the call only.
struct MeshMessage {
    const IntentBox& intent;
    std::string_view from;
    std::string_view room;  // empty: sent straight to this member
};
using MeshHandler = std::move_only_function<void(const MeshMessage&)>;

class NyaMesh {
public:
    // Bounds of a bus: rooms, members of one, and messages that wait in one. Above: BusError(backpressure).
    static constexpr std::size_t kMaxRooms = 65'536;
    static constexpr std::size_t kMaxMembers = 65'536;
    static constexpr std::size_t kMaxWaiting = 4'096;

    // Errors: SerializationError(invalid_name), BusError(duplicate_id).
    static std::expected<NyaMesh, SendError> open(std::string_view id, NyaMeshOptions options = {});
    NyaMesh(NyaMesh&&) noexcept;
    NyaMesh& operator=(NyaMesh&&) noexcept;
    ~NyaMesh();  // closes

    // The others in the room are told ("join", "leave"), in the room's order: after what was accepted before, and
    // before what this member sends next. Joining a room twice is one join. After leave() on this thread no message
    // of the room is handled any more. Errors: SerializationError(invalid_name), BusError(closed, backpressure);
    // NodeNotFound(unknown) for leaving a room this member is not in.
    std::expected<void, SendError> join(std::string_view room);
    std::expected<void, SendError> leave(std::string_view room);

    // To all others in the room. Ok: the room has accepted the message, and every member it had then will see it, or
    // a "gap". If nobody else is just telling the room something, the others' handlers have run when this returns.
    // Errors: NodeNotFound(unknown) when this member is not in the room; BusError(closed, backpressure);
    // SerializationError(invalid_name) for intents called "join", "leave" or "gap".
    std::expected<void, SendError> send(std::string_view room, const nya::Json& msg);
    std::expected<void, SendError> send(std::string_view room, const IntentBox& intent);
    // To every room this member is in; NodeNotFound(unknown) when there is none. A member of several of them
    // receives it once per room.
    std::expected<void, SendError> send(const nya::Json& msg);
    std::expected<void, SendError> send_to_rooms(const IntentBox& intent);
    // Straight to one member, or any other node the bus knows: as P2PBox::send() of the intent "message".
    std::expected<void, SendError> send_to(std::string_view member, const nya::Json& msg);
    std::expected<void, SendError> send_to(std::string_view member, const IntentBox& intent);

    // Calls handler(const nya::Json& msg, std::string_view from) or handler(const MeshMessage&) for
    //   "message"          what send(msg) and send_to(msg) bring
    //   "join", "leave"    `from` has come into a room or left it; msg is the room
    //   "gap"              this member's queue was full, and it has missed messages of a room: msg says how many, and
    //                      comes before the next one; `from` is the room
    //   any other name     intents of that name, sent to a room or straight to this member
    template <class F>
    std::expected<Registration, SendError> on(std::string_view event, F&& handler) {
        if constexpr (std::invocable<std::decay_t<F>&, const nya::Json&, std::string_view>) {
            return add_handler(event, [f = std::forward<F>(handler)](const MeshMessage& message) mutable {
                f(message.intent.payload(), message.from);
            });
        } else {
            return add_handler(event, std::forward<F>(handler));
        }
    }

    // Who is in the room now, in the order they came, this member included; empty if there is no such room.
    std::vector<std::string> members(std::string_view room) const;
    // The rooms this member is in, sorted.
    std::vector<std::string> rooms() const;

    std::string_view node_id() const noexcept;  // valid while this NyaMesh lives
    bool is_open() const noexcept;
    const std::shared_ptr<MessageBus>& bus() const noexcept;

    // Leaves all rooms and the bus; see P2PBox::close(). Idempotent.
    void close();

private:
    struct Impl;
    explicit NyaMesh(std::unique_ptr<Impl> impl) noexcept;
    std::expected<Registration, SendError> add_handler(std::string_view event, MeshHandler handler);

    std::unique_ptr<Impl> impl_;
};

}  // namespace nyamesh
