// Links: the hub connections of one bus's nodes, and the one thread they live on.
//
// "Process" in the promises means this: the nodes of one bus. Tests and the simulator have several, each with links of
// its own; a program has one.
#pragma once

#include <nya/random.h>
#include <nyamesh/message_bus.h>
#include <nyamesh/send_error.h>

#include "base/mutex.h"
#include "net/epoll_loop.h"
#include "session/byte_budget.h"
#include "transport/websocket/hub_link.h"

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace nyamesh::websocket {

class Links {
public:
    // Those of that bus; any thread.
    static std::shared_ptr<Links> of(const std::shared_ptr<MessageBus>& bus);
    Links();  // on a thread of its own
    Links(std::shared_ptr<net::Loop> loop, std::shared_ptr<nya::Random> random);

    struct Request {
        std::string url;  // empty: NYAMESH_HUB, else the first link's, else ws://127.0.0.1:8080
        std::string token;
        std::string ca_file;
        std::function<void(std::function<void(std::string)> use)> renew_token;
    };
    // The link to that hub; there already, if it is the same hub and token. Errors: NetworkError(offline) for a url or
    // a file that cannot be used. Any thread.
    std::expected<std::shared_ptr<HubLink>, SendError> to(const Request& request);

    const std::shared_ptr<net::Loop>& loop() const noexcept { return loop_; }
    const std::shared_ptr<nya::Random>& random() const noexcept { return random_; }
    const std::shared_ptr<session::ByteBudget>& send_budget() const noexcept { return send_budget_; }
    const std::shared_ptr<session::ByteBudget>& receive_budget() const noexcept { return receive_budget_; }

private:
    static constexpr std::size_t kBudget = 64 * 1024 * 1024;

    std::unique_ptr<net::LoopThread> thread_;  // null: the loop is somebody else's
    const std::shared_ptr<net::Loop> loop_;
    const std::shared_ptr<nya::Random> random_;
    const std::shared_ptr<session::ByteBudget> send_budget_ = std::make_shared<session::ByteBudget>(kBudget);
    const std::shared_ptr<session::ByteBudget> receive_budget_ = std::make_shared<session::ByteBudget>(kBudget);
    nya::Mutex mutex_;
    std::map<std::string, std::weak_ptr<HubLink>> links_ NYA_GUARDED_BY(mutex_);
    std::string first_url_ NYA_GUARDED_BY(mutex_);
};

}  // namespace nyamesh::websocket
