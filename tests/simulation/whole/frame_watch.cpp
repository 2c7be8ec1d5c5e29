#include "simulation/whole/frame_watch.h"

#include "net/websocket_codec.h"

#include <string>

namespace nyamesh::simulation {

using testing::SimWorld;

// One direction of a connection: first the upgrade (HTTP), then frames.
class FrameWatch::Way final : net::FrameHandler {
public:
    Way(const Callback& callback, Connection connection, bool is_up)
        : callback_(callback),
          connection_(connection),
          is_up_(is_up),
          reader_(is_up ? net::Role::Server : net::Role::Client, std::size_t{1} << 20) {}

    void take(std::string_view bytes) {
        if (!is_upgraded_) {
            head_ += bytes;
            const std::size_t end = head_.find("\r\n\r\n");
            if (end == std::string::npos) return;
            is_upgraded_ = true;
            std::string rest = head_.substr(end + 4);
            head_.clear();
            reader_.read(rest, *this);
            return;
        }
        std::string copy(bytes);  // the reader undoes masks in place
        reader_.read(copy, *this);
    }

private:
    bool on_message(net::Opcode, std::string_view bytes) override {
        callback_(connection_, is_up_, bytes);
        return true;
    }
    bool on_ping(std::string_view) override { return true; }
    bool on_pong(std::string_view) override { return true; }
    void on_close(std::uint16_t, std::string_view) override {}

    const Callback& callback_;
    const Connection connection_;
    const bool is_up_;
    bool is_upgraded_ = false;
    std::string head_;
    net::FrameReader reader_;
};

FrameWatch::FrameWatch(SimWorld& world, Callback callback) : world_(world), callback_(std::move(callback)) {
    world_.on_bytes([this](Connection connection, SimWorld::Side from, std::string_view bytes) {
        const bool is_up = from == SimWorld::Side::Connecting;
        auto& way = ways_[{connection, is_up}];
        if (!way) way = std::make_unique<Way>(callback_, connection, is_up);
        way->take(bytes);
    });
}

FrameWatch::~FrameWatch() {
    world_.on_bytes({});
}

}  // namespace nyamesh::simulation
