// FrameWatch: reads along what goes over a simulated network, and tells each frame as it is put on the wire.
#pragma once

#include "support/sim_loop.h"

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

namespace nyamesh::simulation {

class FrameWatch {
public:
    using Connection = testing::SimWorld::ConnectionId;
    // `is_up`: from a client to the hub.
    using Callback = std::function<void(Connection connection, bool is_up, std::string_view frame)>;

    FrameWatch(testing::SimWorld& world, Callback callback);
    ~FrameWatch();
    FrameWatch(const FrameWatch&) = delete;
    FrameWatch& operator=(const FrameWatch&) = delete;

private:
    class Way;
    testing::SimWorld& world_;
    const Callback callback_;
    std::map<std::pair<Connection, bool>, std::unique_ptr<Way>> ways_;
};

}  // namespace nyamesh::simulation
