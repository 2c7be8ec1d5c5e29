#include "simulation/relay.h"

namespace nyamesh::simulation {

using wire::FrameType;
using wire::PeerState;

bool Relay::bind(Link link, const std::string& text, std::uint64_t instance, bool has_sessions, Time now) {
    Name& name = names_[text];
    if (name.holder != 0 && name.holder != link && name.instance != instance) return false;
    name.holder = link;
    name.state = PeerState::Here;
    name.instance = instance;
    name.has_sessions = has_sessions;
    name.is_full = false;
    tell_watchers(text, name, now);
    return true;
}

void Relay::lose(Link link, Time now) {
    for (auto& [text, name] : names_) {
        name.watches.erase(link);
        if (name.holder != link) continue;
        name.holder = 0;
        name.state = PeerState::Away;
        name.since = now;
        tell_watchers(text, name, now);
    }
}

void Relay::unbind(Link link, Time now) {
    for (auto& [text, name] : names_) {
        name.watches.erase(link);
        if (name.holder != link) continue;
        name.holder = 0;
        name.state = PeerState::Gone;
        name.since = now;
        tell_watchers(text, name, now);
    }
}

void Relay::restart(Time now) {
    names_.clear();
    started_ = now;
}

bool Relay::is_bound(Link link) const {
    for (const auto& [text, name] : names_) {
        if (name.holder == link) return true;
    }
    return false;
}

void Relay::on_bytes(Link link, std::string_view bytes, Time now) {
    const auto route = wire::read_route(bytes, scratch_);
    if (!route) return;
    if (route->type == FrameType::Resolve) {
        const auto frame = wire::decode(bytes, scratch_);
        const std::string text(frame->head.name);
        Name& name = names_[text];
        name.watches.insert(link);
        return tell(link, text, name, now);
    }
    if (!wire::is_relayed(route->type)) return;
    const std::string to(route->to);
    Name& name = names_[to];
    const bool is_new = name.watches.insert(link).second;
    if (name.holder == 0) return tell(link, to, name, now);
    if (name.is_full) {
        if (is_new) tell_pressure(link, to, true);
        if (drops()) return;
    }
    out_(name.holder, std::string(bytes));
}

void Relay::set_full(const std::string& text, bool is_full, Time) {
    Name& name = names_[text];
    if (name.is_full == is_full) return;
    name.is_full = is_full;
    for (const Link link : name.watches) tell_pressure(link, text, is_full);
}

void Relay::tell_pressure(Link link, const std::string& text, bool is_full) {
    wire::Head head;
    head.type = is_full ? FrameType::Hold : FrameType::Go;
    head.name = text;
    std::string bytes;
    wire::encode(head, {}, bytes);
    out_(link, std::move(bytes));
}

PeerState Relay::state_of(const Name& name, Time now) const {
    if (name.holder != 0) return PeerState::Here;
    if (name.state == PeerState::Away && now - name.since > kLease) return PeerState::Gone;
    if (name.state == PeerState::Unknown && now - started_ < kGrace) return PeerState::Later;
    return name.state;
}

void Relay::tell(Link link, const std::string& text, const Name& name, Time now) {
    wire::Head head;
    head.type = FrameType::Peer;
    head.name = text;
    head.state = state_of(name, now);
    if (head.state == PeerState::Here) {
        head.instance = name.instance;
        head.has_sessions = name.has_sessions;
    }
    if (head.state == PeerState::Later)
        head.in_ms =
            static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(started_ + kGrace - now).count());
    std::string bytes;
    wire::encode(head, {}, bytes);
    out_(link, std::move(bytes));
}

void Relay::tell_watchers(const std::string& text, const Name& name, Time now) {
    for (const Link link : name.watches) tell(link, text, name, now);
}

}  // namespace nyamesh::simulation
