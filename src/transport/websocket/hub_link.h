// HubLink: this process's connection to one hub, shared by all nodes that use it.
//
//   connect ─▶ hello ─▶ welcome ─▶ bind each node ─▶ frames flow
//      ▲                                                │ lost, drained
//      └──────── full-jitter backoff ◀──────────────────┘
//
// It knows nothing of sessions: whatever a connection loses, the nodes' endpoints repair once they are bound again.
// All of it happens on the loop's thread. docs/protocol.md has the frames.
#pragma once

#include <nya/random.h>
#include <nyamesh/send_error.h>

#include "net/loop.h"
#include "net/websocket.h"
#include "session/endpoint.h"
#include "wire/frame_codec.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::websocket {

// A node as its link sees it. All calls on the loop's thread.
class LinkedNode {
public:
    virtual ~LinkedNode() = default;
    virtual const std::string& name() const noexcept = 0;
    virtual std::uint64_t instance() const noexcept = 0;
    virtual const std::string& key() const noexcept = 0;

    virtual void on_bound(std::size_t max_frame_bytes) = 0;  // the hub knows it: frames flow
    virtual void on_detached(const SendError& why) = 0;      // they do not any more, or still not
    virtual void on_failed(const SendError& why) = 0;        // and never will
    virtual void on_frame(const wire::Frame& frame, bool is_binary) = 0;
    virtual void on_peer(std::string_view peer, const session::PeerNews& news) = 0;
    virtual void on_hold(std::string_view peer, bool is_held) = 0;
    // At the end of a turn: says what it has to say.
    virtual void pump(session::FrameSink& sink) = 0;
};

struct LinkOptions {
    net::Url url;
    std::shared_ptr<const net::TlsContext> tls;
    std::string token;  // may be empty
    // Asks for a fresh token; `use` is called on the loop's thread, or never. May be empty.
    std::function<void(std::function<void(std::string)> use)> renew_token;
    std::chrono::milliseconds first_pause{100};  // of the backoff: at most this, doubled each time…
    std::chrono::milliseconds longest_pause{10'000};
    std::chrono::seconds proven_after{10};  // …until a connection has lived this long
};

struct LinkStatistics {
    std::uint64_t connects = 0;
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t dropped = 0;  // frames that were none, or for nobody here
};

class HubLink final : public std::enable_shared_from_this<HubLink>, net::WebSocketEvents, session::FrameSink {
public:
    HubLink(std::shared_ptr<net::Loop> loop, std::shared_ptr<nya::Random> random, LinkOptions options);
    ~HubLink() override;

    void add(std::shared_ptr<LinkedNode> node);
    // Tells the hub that it left. Without nodes the connection is closed. `gone` is called once that has been sent.
    void remove(const std::shared_ptr<LinkedNode>& node, std::function<void()> gone);
    // Its pump() is called before this turn ends.
    void wants_to_send(const std::shared_ptr<LinkedNode>& node);
    // It says at once what it has to say.
    void pump_now(const std::shared_ptr<LinkedNode>& node) { node->pump(*this); }
    // The connection is cut, as by a broken cable; for tests and `nyamesh verify`.
    void cut();

    // How often it asks the hub for the names that are there (List); `tell` hears the answer, or why there is none.
    using NamesCallback = std::function<void(std::expected<std::vector<std::string>, SendError>)>;
    void list_names(std::string prefix, NamesCallback tell);

    const std::string& url_text() const noexcept { return url_text_; }
    LinkStatistics statistics() const noexcept { return statistics_; }

private:
    enum class Binding : std::uint8_t { None, Asked, Bound, Refused };
    struct Member {
        std::shared_ptr<LinkedNode> node = {};
        Binding binding = Binding::None;
        std::string lease = {};
        net::Loop::TimerId retry = 0;
        bool is_ready = false;
        // Opened under that name while the one before is still leaving: each has its turn once that is over.
        std::vector<std::shared_ptr<LinkedNode>> successors = {};
    };
    using Members = std::map<std::string, Member, std::less<>>;

    // net::WebSocketEvents
    void on_open() override;
    bool on_message(net::Opcode opcode, std::string_view bytes) override;
    void on_drained() override;
    void on_closed(const net::WebSocketEnd& end) override;
    // session::FrameSink
    bool has_room() const override;
    void send(const wire::Head& head, std::string_view payload) override;

    void connect();
    void connect_after(std::chrono::nanoseconds pause);
    void lost(const SendError& why);
    void fail(const SendError& why);
    void renew_token();
    void start(Member& member);
    void bind(Member& member);
    void pump_ready();
    void tell_when_sent(std::function<void()> gone, int looks = 100);
    void on_hub_frame(const wire::Frame& frame);
    void on_welcome(const wire::Head& head);
    void on_bound(const wire::Head& head);
    void on_refused(const wire::Head& head);
    void on_unbound(const wire::Head& head);
    void on_peer(const wire::Head& head);
    void on_drain(const wire::Head& head);
    void on_nodes(std::string_view payload);
    std::chrono::nanoseconds jitter(std::chrono::nanoseconds most);
    SendError offline(std::string what) const;

    const std::shared_ptr<net::Loop> loop_;
    const std::shared_ptr<nya::Random> random_;
    LinkOptions options_;
    const std::string url_text_;

    std::unique_ptr<net::WebSocket> socket_;
    bool is_welcome_ = false;
    bool has_failed_ = false;
    bool has_renewed_ = false;  // since the last welcome, because a token was refused
    bool is_ending_ = false;    // without nodes: closing
    SendError failure_;
    std::size_t max_frame_bytes_;
    std::chrono::milliseconds pause_;
    net::Loop::TimerId timer_ = 0;
    nya::Clock::time_point welcomed_{};

    Members members_;
    std::vector<std::shared_ptr<LinkedNode>> ready_;
    bool is_pump_posted_ = false;
    std::vector<std::pair<std::string, NamesCallback>> lists_;
    wire::Scratch scratch_;
    std::string encoded_;
    LinkStatistics statistics_;
};

}  // namespace nyamesh::websocket
