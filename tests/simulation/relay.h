// Relay: a hub as nodes see it, without sockets: names that are here, away, gone or unknown, frames passed on as bytes,
// news for those who have asked or sent. It forgets everything when it is restarted, as a killed hub does.
//
// Each link carries one name. What it has to say comes out of `Out`; whoever owns it decides when that arrives.
#pragma once

#include "session/endpoint.h"
#include "wire/frame_codec.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace nyamesh::simulation {

class Relay {
public:
    using Link = std::uint64_t;
    using Time = session::Time;
    using Out = std::function<void(Link, std::string bytes)>;
    static constexpr std::chrono::milliseconds kGrace{5'000};
    static constexpr std::chrono::milliseconds kLease{120'000};

    explicit Relay(Out out) : out_(std::move(out)) {}

    // False: somebody else has the name, and is there.
    bool bind(Link link, const std::string& name, std::uint64_t instance, bool has_sessions, Time now);
    void lose(Link link, Time now);    // its connection is lost: the name is away
    void unbind(Link link, Time now);  // it has left: gone
    void on_bytes(Link link, std::string_view bytes, Time now);
    void restart(Time now);  // no links, no names, no watches
    bool is_bound(Link link) const;

    // While full, what is sent to that name is dropped now and then (by `drops`), and its senders are told to hold.
    void set_full(const std::string& name, bool is_full, Time now);
    std::function<bool()> drops = [] { return false; };

private:
    struct Name {
        Link holder = 0;
        wire::PeerState state = wire::PeerState::Unknown;
        std::uint64_t instance = 0;
        bool has_sessions = true;
        bool is_full = false;
        Time since{};
        std::set<Link> watches;
    };
    wire::PeerState state_of(const Name& name, Time now) const;
    void tell(Link link, const std::string& text, const Name& name, Time now);
    void tell_watchers(const std::string& text, const Name& name, Time now);
    void tell_pressure(Link link, const std::string& text, bool is_full);

    Out out_;
    std::map<std::string, Name, std::less<>> names_;
    Time started_{};
    wire::Scratch scratch_;
};

}  // namespace nyamesh::simulation
