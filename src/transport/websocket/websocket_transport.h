// WebSocketTransport: a node's way to the others of its hub.
//
//   send ─▶ Endpoint (sessions; under this node's lock) ─▶ HubLink (the process's connection; the loop's thread)
//   bus  ◀─ receive callback ◀─ Endpoint ◀─────────────────┘
//
// The application's threads only put messages into the endpoint and wake the loop, which takes out what may be sent at
// the end of its turn. What arrives is handed to the bus, which runs the handlers elsewhere, and tells us when they
// have returned. What the bus has no room for waits here, within the window that was granted to the senders.
#pragma once

#include <nyamesh/message_bus.h>
#include <nyamesh/transport.h>

#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace nyamesh {

namespace websocket {
class Links;
}

struct WebSocketOptions {
    std::string url =
        {};  // of the hub; empty: NYAMESH_HUB, else that of the bus's first networked node, else ws://127.0.0.1:8080
    std::string key =
        {};  // the secret by which the name is known to be ours; empty: kept in the user's state directory
    std::string token = {};  // for a hub that asks for one
    // Asked for a fresh token when the old one ends; on the bus's delivery executor. May be empty.
    std::function<std::string()> renew_token = {};
    std::string ca_file = {};                 // PEM: who signs the hub's certificate; empty: whom the system trusts
    std::chrono::milliseconds linger{2'000};  // how long close() waits for what is still on its way
    std::chrono::milliseconds resume_window{120'000};
};

class WebSocketTransport final : public Transport {
public:
    // Validates, and returns at once: state Connecting. Errors: SerializationError(invalid_name), NetworkError(offline)
    // for options that cannot be used.
    static std::expected<std::unique_ptr<WebSocketTransport>, SendError> open(std::string_view node_id,
                                                                              const std::shared_ptr<MessageBus>& bus,
                                                                              const WebSocketOptions& options);
    // On given links: what the simulator does. `renewer` runs the option renew_token; the bus, if there is one, hears
    // of figures and traces.
    static std::expected<std::unique_ptr<WebSocketTransport>, SendError> open(
        std::string_view node_id, std::shared_ptr<websocket::Links> links, std::shared_ptr<nya::Executor> renewer,
        const WebSocketOptions& options, const std::shared_ptr<MessageBus>& bus = nullptr);
    ~WebSocketTransport() override;

    std::string_view node_id() const noexcept override;
    TransportKind kind() const noexcept override { return TransportKind::WebSocket; }
    // Errors: see P2PBox::send(). Waits for a first contact, and for what `opts` says.
    std::expected<void, SendError> send(std::string_view to, const IntentBox& intent, const SendOpts& opts) override;
    void send_async(std::string_view to, const IntentBox& intent, const SendOpts& opts, SentCallback done) override;
    void request(std::string_view to, const IntentBox& intent, const SendOpts& opts, AnswerCallback done) override;
    void on_receive(ReceiveCallback callback) override;  // from then on it connects
    bool is_reachable(std::string_view node) const override;
    ConnectionState state() const override;
    void want_news(std::string_view name) override;
    void begin_close() override;
    void close() override;

    // For the tools.
    // Asks the peer's endpoint, not its handlers, for a sign of life.
    void ping(std::string_view to, std::chrono::milliseconds timeout, SentCallback done);
    // The names the hub knows to be here, at most 1000 that begin with `prefix`.
    void list_names(std::string prefix, std::function<void(std::expected<std::vector<std::string>, SendError>)> tell);
    // Cuts the connection to the hub, as a broken cable would; it comes back by itself.
    void cut();
    std::string hub_url() const;
    // In words, for people: why there is no connection; empty while there is one.
    std::string problem() const;
    struct Statistics {
        std::uint64_t sent = 0, sent_again = 0, received = 0, duplicates = 0, unconfirmed = 0, gaps = 0, connects = 0;
    };
    Statistics statistics() const;

private:
    class Node;
    WebSocketTransport(std::shared_ptr<websocket::Links> links, std::shared_ptr<Node> node) noexcept;
    std::shared_ptr<websocket::Links> links_;  // first: the loop outlives the node
    std::shared_ptr<Node> node_;
    std::atomic<bool> is_closed_{false};
    std::promise<void> left_;  // kept by the first close()
    const std::shared_future<void> has_left_ = left_.get_future().share();
};

}  // namespace nyamesh
