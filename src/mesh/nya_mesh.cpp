// NyaMesh: a node of the bus that knows which rooms it is in.
#include <nyamesh/nya_mesh.h>

#include <nya/expected.h>
#include <nyamesh/names.h>
#include <nyamesh/p2p_box.h>

#include "base/mutex.h"
#include "intent/quote.h"
#include "mesh/rooms.h"

#include <set>

namespace nyamesh {

namespace {

// What only rooms say.
bool is_room_event(std::string_view name) noexcept {
    return name == "join" || name == "leave" || name == "gap";
}

std::expected<void, SendError> check_message(const IntentBox& intent) {
    if (!is_room_event(intent.name())) return {};
    return std::unexpected(SendError(SendError::Reason::InvalidName,
                                     "intent name " + quote(intent.name()) + " is kept for what rooms tell",
                                     "Choose another name; join, leave and gap are taken"));
}

// Where a member is. Shared with its handlers, which may run when the NyaMesh has gone.
struct Membership {
    Membership(std::shared_ptr<mesh::Rooms> the_rooms, std::string_view node_id)
        : rooms(std::move(the_rooms)), id(node_id) {}

    const std::shared_ptr<mesh::Rooms> rooms;
    const std::string id;
    mutable nya::Mutex mutex;  // before that of the rooms
    std::set<std::string, std::less<>> joined NYA_GUARDED_BY(mutex);
    bool is_closed NYA_GUARDED_BY(mutex) = false;

    bool is_in(std::string_view room) const {
        const nya::Lock lock(mutex);
        return joined.contains(room);
    }
};

}  // namespace

struct NyaMesh::Impl {
    Impl(P2PBox box, std::shared_ptr<mesh::Rooms> rooms)
        : node(std::move(box)), membership(std::make_shared<Membership>(std::move(rooms), node.node_id())) {}
    ~Impl() { close(); }

    void close() {
        std::set<std::string, std::less<>> left;
        {
            const nya::Lock lock(membership->mutex);
            membership->is_closed = true;
            left.swap(membership->joined);
            for (const std::string& room : left) membership->rooms->leave(room, membership->id);
        }
        for (const std::string& room : left) membership->rooms->tell(room);
        node.close();
    }
    SendError closed() const {
        return {SendError::Reason::Closed, "member " + quote(membership->id) + " has been closed", "Open it again"};
    }
    SendError not_in(std::string_view room) const {
        return {SendError::Reason::Unknown, "member " + quote(membership->id) + " is not in room " + quote(room),
                "Join it first, or check the spelling"};
    }

    P2PBox node;
    const std::shared_ptr<Membership> membership;
};

NyaMesh::NyaMesh(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
NyaMesh::NyaMesh(NyaMesh&&) noexcept = default;
NyaMesh& NyaMesh::operator=(NyaMesh&&) noexcept = default;
NyaMesh::~NyaMesh() = default;

std::expected<NyaMesh, SendError> NyaMesh::open(std::string_view id, NyaMeshOptions options) {
    if (!options.bus) options.bus = MessageBus::global();
    auto rooms = mesh::Rooms::of(options.bus);
    P2PBoxOptions node_options{std::move(options.bus), std::move(options.executor), options.queue_limit};
    auto node = NYA_TRY(P2PBox::open(id, TransportKind::InProcess, std::move(node_options)));
    return NyaMesh(std::make_unique<Impl>(std::move(node), std::move(rooms)));
}

std::expected<void, SendError> NyaMesh::join(std::string_view room) {
    NYA_TRY(check_room_name(room));
    const auto membership = impl_->membership;  // a handler may destroy us
    const std::string name(room);
    {
        const nya::Lock lock(membership->mutex);
        if (membership->is_closed) return std::unexpected(impl_->closed());
        if (membership->joined.contains(name)) return {};
        NYA_TRY(membership->rooms->join(name, membership->id));
        membership->joined.insert(name);
    }
    membership->rooms->tell(name);
    return {};
}

std::expected<void, SendError> NyaMesh::leave(std::string_view room) {
    const auto membership = impl_->membership;
    const std::string name(room);
    {
        const nya::Lock lock(membership->mutex);
        if (membership->is_closed) return std::unexpected(impl_->closed());
        if (membership->joined.erase(name) == 0) return std::unexpected(impl_->not_in(room));
        membership->rooms->leave(name, membership->id);
    }
    membership->rooms->tell(name);
    return {};
}

std::expected<void, SendError> NyaMesh::send(std::string_view room, const IntentBox& intent) {
    NYA_TRY(check_message(intent));
    const auto membership = impl_->membership;
    const std::string name(room);
    {
        const nya::Lock lock(membership->mutex);
        if (membership->is_closed) return std::unexpected(impl_->closed());
        if (!membership->joined.contains(name)) return std::unexpected(impl_->not_in(room));
        NYA_TRY(membership->rooms->send(name, membership->id, intent));
    }
    membership->rooms->tell(name);
    return {};
}

std::expected<void, SendError> NyaMesh::send(std::string_view room, const nya::Json& msg) {
    const IntentBox intent = NYA_TRY(IntentBox::create("message", msg));
    return send(room, intent);
}

std::expected<void, SendError> NyaMesh::send(const nya::Json& msg) {
    const IntentBox intent = NYA_TRY(IntentBox::create("message", msg));
    return send_to_rooms(intent);
}

std::expected<void, SendError> NyaMesh::send_to_rooms(const IntentBox& intent) {
    NYA_TRY(check_message(intent));
    const auto membership = impl_->membership;
    std::set<std::string, std::less<>> accepted;
    std::expected<void, SendError> result;
    {
        const nya::Lock lock(membership->mutex);
        if (membership->is_closed) return std::unexpected(impl_->closed());
        if (membership->joined.empty()) {
            return std::unexpected(SendError(SendError::Reason::Unknown,
                                             "member " + quote(membership->id) + " is in no room",
                                             "Join one first, or name a member with send_to()"));
        }
        for (const std::string& room : membership->joined) {
            auto sent = membership->rooms->send(room, membership->id, intent);
            if (sent) {
                accepted.insert(room);
            } else if (result) {
                result = std::move(sent);
            }
        }
    }
    for (const std::string& room : accepted) membership->rooms->tell(room);
    return result;
}

std::expected<void, SendError> NyaMesh::send_to(std::string_view member, const IntentBox& intent) {
    NYA_TRY(check_message(intent));
    return impl_->node.send(member, intent);
}

std::expected<void, SendError> NyaMesh::send_to(std::string_view member, const nya::Json& msg) {
    const IntentBox intent = NYA_TRY(IntentBox::create("message", msg));
    return send_to(member, intent);
}

std::expected<Registration, SendError> NyaMesh::add_handler(std::string_view event, MeshHandler handler) {
    return impl_->node.on(event, [membership = std::weak_ptr(impl_->membership), is_for_event = is_room_event(event),
                                  handler = std::move(handler)](const Arrival& arrival) mutable {
        const std::string_view room = arrival.room();
        if (is_for_event && room.empty()) return;  // some node has sent an intent of that name
        if (!room.empty()) {
            const auto alive = membership.lock();
            if (!alive || !alive->is_in(room)) return;  // left with the message in the queue
        }
        handler({arrival.intent, arrival.from, room});
    });
}

std::vector<std::string> NyaMesh::members(std::string_view room) const {
    return impl_->membership->rooms->members(std::string(room));
}

std::vector<std::string> NyaMesh::rooms() const {
    const nya::Lock lock(impl_->membership->mutex);
    return {impl_->membership->joined.begin(), impl_->membership->joined.end()};
}

std::string_view NyaMesh::node_id() const noexcept {
    return impl_->node.node_id();
}

bool NyaMesh::is_open() const noexcept {
    return impl_ && impl_->node.is_open();
}

const std::shared_ptr<MessageBus>& NyaMesh::bus() const noexcept {
    return impl_->node.bus();
}

void NyaMesh::close() {
    impl_->close();
}

}  // namespace nyamesh
