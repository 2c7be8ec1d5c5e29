#include "mesh/rooms.h"

#include <nyamesh/nya_mesh.h>

#include "intent/quote.h"

#include <algorithm>
#include <utility>

namespace nyamesh::mesh {

namespace {

SendError full(std::string what, std::string_view room, std::size_t limit, std::string hint) {
    return {SendError::Reason::Backpressure,
            std::move(what) + " " + quote(room) + ": the limit is " + std::to_string(limit), std::move(hint)};
}

}  // namespace

std::shared_ptr<Rooms> Rooms::of(const std::shared_ptr<MessageBus>& bus) {
    static nya::Mutex mutex;
    static std::map<const MessageBus*, std::weak_ptr<Rooms>> all;
    const nya::Lock lock(mutex);
    std::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
    auto& known = all[bus.get()];
    auto rooms = known.lock();
    if (!rooms) known = rooms = std::make_shared<Rooms>(bus);
    return rooms;
}

std::expected<void, SendError> Rooms::join(const std::string& name, const std::string& id) {
    const nya::Lock lock(mutex_);
    if (!rooms_.contains(name) && rooms_.size() >= NyaMesh::kMaxRooms) {
        return std::unexpected(full("there are too many rooms to open", name, NyaMesh::kMaxRooms, "Leave some first"));
    }
    auto& room = rooms_[name];
    if (!room) room = std::make_shared<Room>(name);
    if (room->members->size() >= NyaMesh::kMaxMembers) {
        return std::unexpected(
            full("there are too many members in room", name, NyaMesh::kMaxMembers, "Use several rooms"));
    }
    if (room->waiting.size() >= NyaMesh::kMaxWaiting) {
        return std::unexpected(full("too many messages wait in room", name, NyaMesh::kMaxWaiting, "Join again later"));
    }
    auto members = std::make_shared<Members>(*room->members);
    members->push_back(std::make_shared<Member>(id));
    room->members = std::move(members);
    room->waiting.push_back({IntentBox("join", name), id, room->members});
    return {};
}

// Never refused: whoever was let in can be told to be gone, so the queue grows at most by the number of members.
void Rooms::leave(const std::string& name, const std::string& id) {
    const nya::Lock lock(mutex_);
    const auto found = rooms_.find(name);
    if (found == rooms_.end()) return;
    Room& room = *found->second;
    auto members = std::make_shared<Members>();
    for (const auto& member : *room.members) {
        if (member->id == id) {
            member->is_in = false;
        } else {
            members->push_back(member);
        }
    }
    const bool is_empty = members->empty();
    room.members = std::move(members);
    room.waiting.push_back({IntentBox("leave", name), id, room.members});
    if (is_empty) rooms_.erase(found);
}

std::expected<void, SendError> Rooms::send(const std::string& name, const std::string& from, const IntentBox& intent) {
    const nya::Lock lock(mutex_);
    const auto found = rooms_.find(name);
    if (found == rooms_.end()) return {};  // it has just closed
    Room& room = *found->second;
    if (room.waiting.size() >= NyaMesh::kMaxWaiting) {
        return std::unexpected(full("too many messages wait in room", name, NyaMesh::kMaxWaiting,
                                    "Send again later, or look for a handler that blocks"));
    }
    room.waiting.push_back({intent, from, room.members});
    return {};
}

std::vector<std::string> Rooms::members(const std::string& name) const {
    std::vector<std::string> ids;
    const nya::Lock lock(mutex_);
    const auto found = rooms_.find(name);
    if (found == rooms_.end()) return ids;
    for (const auto& member : *found->second->members) ids.push_back(member->id);
    return ids;
}

void Rooms::tell(const std::string& name) {
    std::shared_ptr<Room> room;
    {
        const nya::Lock lock(mutex_);
        const auto found = rooms_.find(name);
        if (found == rooms_.end() || found->second->is_being_told) return;
        room = found->second;
        room->is_being_told = true;
    }
    tell_all(room);
}

// The caller has set is_being_told, and so is the only one here.
void Rooms::tell_all(const std::shared_ptr<Room>& room) {
    const auto keep_alive = shared_from_this();  // the last member may close in what runs below
    for (int left = kMaxPerTurn;; --left) {
        nya::Lock lock(mutex_);
        if (room->waiting.empty()) {
            room->is_being_told = false;
            return;
        }
        if (left <= 0) {
            lock.unlock();
            if (bus_->delivery()->post([keep_alive, room] { keep_alive->tell_all(room); })) return;
            left = kMaxPerTurn;  // it has stopped: nobody else will
            continue;
        }
        const Post post = std::move(room->waiting.front());
        room->waiting.pop_front();
        lock.unlock();
        deliver(*room, post);
    }
}

void Rooms::deliver(const Room& room, const Post& post) {
    const auto is_full = [](const std::expected<void, SendError>& routed) {
        return !routed && routed.error().reason == SendError::Reason::Backpressure;
    };
    IntentEnvelope envelope{post.from, {}, post.intent, 0, 0, room.name};
    for (const auto& member : *post.to) {
        if (member->id == post.from || !member->is_in) continue;
        if (member->missed > 0) {
            const IntentBox gap("gap", member->missed);
            if (is_full(bus_->route({room.name, member->id, gap, 0, 0, room.name}))) {
                ++member->missed;
                continue;
            }
            member->missed = 0;
        }
        envelope.to = member->id;
        if (is_full(bus_->route(envelope))) ++member->missed;
    }
}

}  // namespace nyamesh::mesh
