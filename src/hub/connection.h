// Connection: one client of the hub, from the end of its upgrade on.
//
// Relaying is the hot path. A frame that arrives is looked at for three members (t, to, from) and appended, as it is,
// to the out-buffer of the connection that has the name; the loop sends all of a turn's at its end. Per message there
// is no allocation, no lock, no look at a clock, and where the last sender or target comes again, no table.
//
// Pressure. A client that brings too much is read more slowly. One that takes too little: at half of its out-queue
// those who send to it are told `hold`, at a quarter `go`; what is sent all the same, beyond the whole of it, is
// dropped and counted, and sessions repair that. It is cut when it has taken no byte for ten seconds.
#pragma once

#include "hub/auth.h"
#include "hub/budget.h"
#include "hub/list.h"
#include "hub/name_table.h"
#include "net/websocket.h"
#include "wire/frame_codec.h"
#include "wire/protocol.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace nyamesh::hub {

class HubCore;
struct ByHub;
struct ByBusy;

class Connection final : public net::WebSocketEvents, public Party, public Link<ByHub>, public Link<ByBusy> {
public:
    struct Arrival {
        net::Address peer;
        std::string token;      // of the Authorization header
        std::string_view rest;  // what came behind the upgrade
    };
    Connection(HubCore& core, std::uint64_t number, std::unique_ptr<net::Stream> stream, Arrival arrival);
    ~Connection();

    // Ends it with a closing handshake; its names are free, or away, at once. The reason is extended by what to do.
    void fail(std::uint16_t code, std::string_view reason);
    void send(const wire::Head& head, std::string_view payload = {});

    // Called about once a second while something waits to be sent. False: nothing does any more.
    bool check_progress();

    std::uint64_t number() const noexcept { return number_; }
    const net::Address& peer() const noexcept { return peer_; }
    nya::Clock::time_point since() const noexcept { return since_; }
    std::size_t waiting() const noexcept { return stream_->out().size(); }
    std::uint64_t received() const noexcept { return received_; }
    std::uint64_t sent() const noexcept { return sent_; }
    bool is_leaving() const noexcept { return is_leaving_; }
    bool is_greeted() const noexcept { return is_greeted_; }
    bool is_paused() const noexcept { return is_paused_; }
    bool is_full() const noexcept { return is_full_; }
    const std::string& client() const noexcept { return client_; }
    const Claims* claims() const noexcept { return claims_.get(); }

    // Party
    void tell(Watch& watch) override;
    void tell_forgotten(Watch& watch) override;
    void tell_bound(const Name& name) override;
    void tell_taken(const Name& name) override;
    void tell_replaced(const Name& name, std::uint64_t instance) override;
    void ask_for_life() override;

    // WebSocketEvents
    bool on_message(net::Opcode opcode, std::string_view bytes) override;
    void on_pong(std::string_view payload) override;
    void on_drained() override;
    void on_closed(const net::WebSocketEnd& end) override;

private:
    void handle(net::Opcode opcode, std::string_view bytes);
    void relay(net::Opcode opcode, const wire::Route& route, std::string_view bytes);
    Watch* find_watch(std::string_view to);
    void deliver(net::Opcode opcode, std::string_view bytes, Watch& sender);
    void written(std::size_t bytes);

    void control(std::string_view bytes);
    void greet(const wire::Head& head);
    void send_welcome();
    void refuse_sending(Watch& watch);
    void tell_taken(const Name& name, bool is_own);
    bool has_lost(std::string_view name) const;
    void bind(const wire::Head& head);
    void unbind(const wire::Head& head);
    void resolve(const wire::Head& head);
    void renew(const wire::Head& head);
    void list(const wire::Head& head);
    void refuse(std::string_view name, std::string_view error, std::string_view message, bool may_retry);

    bool admit(const std::string& token);
    void unauthorized(const std::string& why);
    void watch_expiry();
    std::int64_t seconds_left() const;  // of a token that ends

    void answer_absent(std::string_view name, Watch* watch);
    void send_state(const Name& name, bool is_answer);
    void hold(Watch& watch);
    void go(Watch& watch);
    void send_go(Watch& watch);
    void become_full();
    void relieve();
    bool is_overfull() const noexcept;
    void put_off(Watch& watch);

    void slow_down();
    void try_to_resume();
    void leave(bool is_orderly);

    struct LostName {
        std::string name;
        nya::Clock::time_point when;
    };

    HubCore& core_;
    std::unique_ptr<net::WebSocket> socket_;
    net::Stream* stream_;  // the socket's
    const std::uint64_t number_;
    const nya::Clock::time_point since_;
    Budget messages_;
    Budget bytes_;
    std::uint64_t turn_ = 0;  // in which the budgets were refilled
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    net::Address peer_;
    std::string client_;
    std::string token_;                            // of the header, until hello
    std::unique_ptr<Claims> claims_;               // of its token
    std::unique_ptr<std::vector<LostName>> lost_;  // to others, lately
    net::Loop::TimerId deadline_ = 0;              // for hello; later of the token
    net::Loop::TimerId resume_timer_ = 0;
    std::uint8_t seconds_without_progress_ = 0;
    bool is_greeted_ = false;
    bool is_leaving_ = false;  // closed by us
    bool is_paused_ = false;
    bool is_full_ = false;    // its senders have been told to hold
    bool has_stale_ = false;  // some of its watches are
    bool is_warned_ = false;  // that its token ends
};

}  // namespace nyamesh::hub
