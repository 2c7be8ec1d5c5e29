// Visitor: a stream that has been accepted and is nobody yet. Reads one HTTP request, within its deadline and size,
// and becomes a Connection, gets an operator's page, or is shown out with an HTTP status.
#pragma once

#include "hub/list.h"
#include "net/http.h"
#include "net/loop.h"

#include <memory>
#include <string>
#include <string_view>

namespace nyamesh::hub {

class HubCore;
struct ByHub;

class Visitor final : public net::StreamEvents, public Link<ByHub> {
public:
    enum class Door { Clients, Operators };
    Visitor(HubCore& core, std::unique_ptr<net::Stream> stream, net::Address peer, Door door);
    ~Visitor() override;

    const net::Address& peer() const noexcept { return peer_; }
    Door door() const noexcept { return door_; }

    void on_data(std::span<char> bytes) override;
    void on_closed(const net::StreamEnd& end) override;

private:
    void upgrade(const net::HttpRequest& request, std::string_view rest);
    void answer(int status, std::string_view message);
    void write_and_close(std::string_view text);
    bool is_allowed_origin(const net::HttpRequest& request) const;

    HubCore& core_;
    std::unique_ptr<net::Stream> stream_;
    net::Address peer_;
    std::string request_;
    net::Loop::TimerId deadline_ = 0;
    Door door_;
    bool is_answered_ = false;
};

}  // namespace nyamesh::hub
