// What the whole-system tests share: a hub, and "processes" (buses with connections of their own).
#pragma once

#include <nyamesh/hub.h>
#include <nyamesh/p2p_box.h>

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace nyamesh::testing {

// Kept for whoever sets it first; get() waits for that.
template <class T>
class Once {
public:
    void set(T value) {
        std::call_once(once_, [&] { promise_.set_value(std::move(value)); });
    }
    T get() { return future_.get(); }

private:
    std::promise<T> promise_;
    std::future<T> future_ = promise_.get_future();
    std::once_flag once_;
};

struct Meeting {
    std::unique_ptr<Hub> hub = Hub::start({.listen = {"127.0.0.1:0"}}).value();

    P2PBoxOptions options(const std::shared_ptr<MessageBus>& bus, std::string key = "secret") const {
        P2PBoxOptions made;
        made.bus = bus;
        made.url = hub->url();
        made.key = std::move(key);
        return made;
    }
    P2PBox open(const std::shared_ptr<MessageBus>& bus, std::string_view id) const {
        return P2PBox::open(id, TransportKind::WebSocket, options(bus)).value();
    }
};

// Returns once the hub knows the node (or, with another state, once that has come).
inline void wait_for(P2PBox& box, ConnectionState state = ConnectionState::Connected) {
    const auto come = std::make_shared<Once<bool>>();
    auto news = box.on_state([come, state](const StateChange& change) {
        if (change.state == state) come->set(true);
    });
    REQUIRE(news.has_value());
    if (box.state() == state) come->set(true);
    come->get();
    news->off();
}

}  // namespace nyamesh::testing
