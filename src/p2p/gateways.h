// Gateways: in-process nodes reach the outside by the connection of a node opened with `gateway: true` (DESIGN: it
// lends its connection).
//
// While a bus has such a node, each in-process node of it (a borrower) has a transport of its own on the gateway's
// link: the hub knows it by its name, with a session per peer like any other. Without one it has none, and stays
// private. What arrives for a borrower goes to its own handlers and nowhere else, so nothing is ever relayed.
//
// A bus without a gateway pays nothing but a look at any(). Any thread; no lock is held while a transport is opened,
// used or closed.
#pragma once

#include <nyamesh/message_bus.h>
#include <nyamesh/transport.h>

#include "base/mutex.h"
#include "transport/websocket/websocket_transport.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh::p2p {

class Gateways;

// What a gateway node owns: the lending ends with it.
class Gateway {
public:
    explicit Gateway(std::shared_ptr<Gateways> gateways) : gateways_(std::move(gateways)) {}
    ~Gateway() { stop(); }
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;
    // Twice is fine: what a stop inside a handler has left under way, one outside waits for.
    void stop();

private:
    const std::shared_ptr<Gateways> gateways_;
    nya::Mutex mutex_;
    std::vector<std::shared_ptr<WebSocketTransport>> taken_back_ NYA_GUARDED_BY(mutex_);
};

// The gateways of one bus, and what its in-process nodes have borrowed.
class Gateways : public std::enable_shared_from_this<Gateways> {
public:
    using Receiver = Transport::ReceiveCallback (*)(const std::weak_ptr<MessageBus>& bus, std::string_view node_id);

    // Whether any bus of this program has a gateway.
    static bool any() noexcept { return count_.load(std::memory_order_seq_cst) > 0; }
    // Those of that bus; null if it has none.
    static std::shared_ptr<Gateways> find(const std::shared_ptr<MessageBus>& bus);
    // Opens one. The first of a bus lends, until it stops; then the next one. `receiver` makes a node's callback.
    static std::unique_ptr<Gateway> open(const std::shared_ptr<MessageBus>& bus, WebSocketOptions options,
                                         Receiver receiver);

    // A borrower's way out; made when it is first asked for.
    std::shared_ptr<Transport> transport_of(std::string_view id);
    // The node is about to leave the bus; then, it has: what it had borrowed is to be closed.
    void node_closing(std::string_view id);
    std::shared_ptr<Transport> node_closed(std::string_view id);

private:
    friend class Gateway;
    Gateways(const std::shared_ptr<MessageBus>& bus, Receiver receiver) : bus_(bus), receiver_(receiver) {}
    // Ends the lending of that gateway; the transports that have to be closed now.
    std::vector<std::shared_ptr<WebSocketTransport>> take_back(const Gateway& gateway);
    void lend_to_all();

    static std::atomic<int> count_;

    const std::weak_ptr<MessageBus> bus_;
    const Receiver receiver_;
    nya::Mutex mutex_;
    std::vector<std::pair<const Gateway*, WebSocketOptions>> gateways_ NYA_GUARDED_BY(mutex_);  // the first one lends
    std::map<std::string, std::shared_ptr<WebSocketTransport>, std::less<>> lent_ NYA_GUARDED_BY(mutex_);
};

}  // namespace nyamesh::p2p
