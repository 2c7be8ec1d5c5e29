// The states, and what ends each of them:
//
//   Connecting   a client until the server's answer has been found good       (handshake_time)
//   Refused      the server answered otherwise; its words are waited for       (handshake_time)
//   Open
//   Closing      our close frame is out, the peer's is waited for              (close_time)
//   Finishing    nothing is read or written any more, the stream is to end    (close_time)
//   Closed       on_closed() has been called
//
// Each has at most one timer running, always the same one. While open it is the heartbeat's, and it is left alone by
// what arrives: when it fires, it looks how long ago that was, and is set to when the silence would be too long. Ten
// thousand idle connections cost some thousand timers a second, and busy ones no more.
//
// Callbacks may destroy the WebSocket. So each is the last thing its function does, or `is_gone_` is looked at.
#include "net/websocket.h"

#include "base/assert.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace nyamesh::net {

namespace {

constexpr std::size_t kMaxHandshakeBytes = 8 * 1024;
constexpr std::size_t kMaxRefusalBytes = 4 * 1024;  // of a refusal's body
constexpr std::size_t kMaxRefusalWords = 200;       // of it that are shown
constexpr std::size_t kMaxPingBytes = 125;

// The first line of a refusal's body, without anything that would disturb a log.
std::string first_words(std::string_view body) {
    std::string words(body.substr(0, std::min(body.find_first_of("\r\n"), kMaxRefusalWords)));
    std::ranges::replace_if(words, [](char c) { return c < 0x20 || c > 0x7E; }, '?');
    return words;
}

std::size_t to_number(std::string_view text) {
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

class WebSocketImpl final : public WebSocket, private StreamEvents, private FrameHandler {
public:
    WebSocketImpl(Loop& loop, Role role, const WebSocketSettings& settings, WebSocketEvents& events)
        : loop_(loop),
          clock_(*loop.clock()),
          events_(events),
          reader_(role, settings.max_message_bytes),
          last_heard_(clock_.now()),
          heartbeat_after_(settings.heartbeat_after),
          dead_after_(settings.dead_after),
          close_time_(settings.close_time) {}
    ~WebSocketImpl() override {
        if (is_gone_ != nullptr) *is_gone_ = true;
        loop_.cancel(timer_);
        loop_.cancel(soon_);
    }

    void start_connecting(const ClientRequest& request, std::chrono::milliseconds within,
                          std::shared_ptr<nya::Random> random) {
        random_ = std::move(random);
        handshake_ = std::make_unique<Handshake>(Handshake{request, upgrade_key(random_->next(), random_->next()), {}});
        handshake_->request.tls = nullptr;  // the stream's from now on
        handshake_time_ = within;
        set_timer(last_heard_ + within);
        stream_ = loop_.connect(request.url.target, request.tls, *this);
    }
    void start_open(std::unique_ptr<Stream> stream, std::string_view rest) {
        stream_ = std::move(stream);
        stream_->set_events(*this);
        if (!stream_->out().empty()) stream_->flush_later();
        reader_.keep(rest);
        begin_open();
        if (reader_.has_rest()) read_soon();
    }

    void send_text(std::string_view bytes) override { send(Opcode::Text, bytes); }
    void send_binary(std::string_view bytes) override { send(Opcode::Binary, bytes); }
    void ping(std::string_view payload) override {
        NYA_ASSERT(payload.size() <= kMaxPingBytes);
        send(Opcode::Ping, payload);
    }
    void close(std::uint16_t code, std::string_view reason) override;

    bool is_open() const noexcept override { return state_ == State::Open; }
    void set_max_message_bytes(std::size_t bytes) override { reader_.set_max_message_bytes(bytes); }
    void set_heartbeat(std::chrono::milliseconds after, std::chrono::milliseconds dead_after) override {
        heartbeat_after_ = after;
        dead_after_ = dead_after;
        if (state_ == State::Open) set_heartbeat_timer();
    }
    void pause_reading() override {
        if (state_ != State::Open || std::exchange(is_paused_, true)) return;
        stream_->pause_reading();
    }
    void resume_reading() override;
    Stream& stream() noexcept override { return *stream_; }

private:
    enum class State : std::uint8_t { Connecting, Refused, Open, Closing, Finishing, Closed };

    struct Handshake {
        ClientRequest request;
        std::string key;
        std::string answer;  // as far as it has come; then, of a refusal, the body
        int status = 0;
        std::size_t body_size = 0;
        std::string error = {};
    };

    // Of the stream.
    void on_open() override;
    void on_data(std::span<char> bytes) override;
    void on_drained() override;
    void on_closed(const StreamEnd& end) override;
    // Of the reader.
    bool on_message(Opcode opcode, std::string_view bytes) override;
    bool on_ping(std::string_view payload) override;
    bool on_pong(std::string_view payload) override;
    void on_close(std::uint16_t code, std::string_view reason) override;

    void begin_open() {
        state_ = State::Open;
        was_open_ = true;
        set_heartbeat_timer();
    }
    void take_answer(std::string_view bytes);
    void take_refusal();
    void refuse(std::string reason);

    void feed(std::span<char> bytes);
    void read_soon();
    void write(Opcode opcode, std::string_view payload);
    void send(Opcode opcode, std::string_view payload) {
        if (state_ == State::Open) write(opcode, payload);
    }
    void send_pending_pong();

    void set_timer(nya::Clock::time_point when);
    void set_heartbeat_timer();
    void on_timer();
    void beat();

    void end_with(std::uint16_t code, std::string_view reason);
    void finish_stream();
    void finish(const StreamEnd& end);

    Loop& loop_;
    nya::Clock& clock_;
    WebSocketEvents& events_;
    std::unique_ptr<Stream> stream_;
    FrameReader reader_;
    std::shared_ptr<nya::Random> random_;        // for masks; of a client only
    std::unique_ptr<Handshake> handshake_;       // while connecting
    std::unique_ptr<std::string> pending_pong_;  // what the out buffer had no room for
    std::unique_ptr<WebSocketEnd> ending_;       // as far as it is known
    bool* is_gone_ = nullptr;                    // of the feed() under way: tells it of the destructor
    Loop::TimerId timer_ = 0;
    Loop::TimerId soon_ = 0;  // what must not be done inside a call of the user's
    nya::Clock::time_point last_heard_;
    std::chrono::milliseconds heartbeat_after_;
    std::chrono::milliseconds dead_after_;
    std::chrono::milliseconds close_time_;
    std::chrono::milliseconds handshake_time_{0};
    State state_ = State::Connecting;
    bool was_open_ = false;
    bool is_paused_ = false;
    bool has_pinged_ = false;  // since it heard something
};

// ---- the client's handshake ---------------------------------------------------------------------------------------

void WebSocketImpl::on_open() {
    if (state_ != State::Connecting) return;
    const ClientRequest& request = handshake_->request;
    const Url& url = request.url;
    const bool is_numeric_v6 = url.target.host.find(':') != std::string::npos;
    std::string host = is_numeric_v6 ? "[" + url.target.host + "]" : url.target.host;
    if (url.target.port != (url.is_secure ? 443 : 80)) host += ":" + std::to_string(url.target.port);
    stream_->out().append(
        upgrade_request(host, url.path, handshake_->key, request.subprotocol, request.authorization, request.origin));
    stream_->flush_later();
}

void WebSocketImpl::take_answer(std::string_view bytes) {
    std::string& answer = handshake_->answer;
    answer += bytes;
    auto parsed = parse_response(answer, kMaxHandshakeBytes);
    if (!parsed) return refuse(parsed.error().message);
    if (!*parsed) return;
    const HttpResponse& response = (*parsed)->message;
    handshake_->status = response.status;
    if (auto checked = check_upgrade_answer(response, handshake_->key, handshake_->request.subprotocol); !checked) {
        state_ = State::Refused;
        handshake_->error = std::move(checked.error());
        handshake_->body_size = std::min(to_number(response.header("content-length")), kMaxRefusalBytes);
        answer.erase(0, (*parsed)->length);
        return take_refusal();
    }
    std::string rest = answer.substr((*parsed)->length);
    handshake_.reset();
    begin_open();
    bool is_gone = false;
    is_gone_ = &is_gone;
    events_.on_open();
    if (is_gone) return;
    is_gone_ = nullptr;
    if (is_paused_) return reader_.keep(rest);
    if (state_ == State::Open || state_ == State::Closing) feed(rest);
}

// Waits for the body, which says why: our hub's is one line.
void WebSocketImpl::take_refusal() {
    const std::string& body = handshake_->answer;
    if (body.size() < handshake_->body_size) return;
    const std::string words = first_words(body.substr(0, handshake_->body_size));
    refuse(handshake_->error + (words.empty() ? "" : ": " + words));
}

void WebSocketImpl::refuse(std::string reason) {
    end_with(1006, reason);
    finish({StreamEnd::Kind::Refused, std::move(reason)});
}

// ---- receiving ----------------------------------------------------------------------------------------------------

void WebSocketImpl::on_data(std::span<char> bytes) {
    last_heard_ = clock_.now();
    has_pinged_ = false;
    switch (state_) {
        case State::Connecting:
            return take_answer({bytes.data(), bytes.size()});
        case State::Refused:
            handshake_->answer.append(bytes.data(), std::min(bytes.size(), kMaxRefusalBytes));
            return take_refusal();
        case State::Open:
        case State::Closing:
            if (is_paused_) return reader_.keep({bytes.data(), bytes.size()});
            return feed(bytes);
        case State::Finishing:
        case State::Closed:
            return;
    }
}

void WebSocketImpl::feed(std::span<char> bytes) {
    bool is_gone = false;
    is_gone_ = &is_gone;
    const CodecError* error = reader_.read(bytes, *this);
    if (is_gone) return;
    is_gone_ = nullptr;
    if (error != nullptr && (state_ == State::Open || state_ == State::Closing)) {
        // 7.1.7: after a close frame of ours no second one is sent.
        if (state_ == State::Open) write(Opcode::Close, close_payload(error->close_code, error->message));
        end_with(error->close_code, error->message);
        return finish_stream();
    }
    if (!is_paused_ && reader_.has_rest()) read_soon();
}

bool WebSocketImpl::on_message(Opcode opcode, std::string_view bytes) {
    if (state_ != State::Open) return true;  // our close is out: all but the peer's is skipped
    const bool* is_gone = is_gone_;
    const bool goes_on = events_.on_message(opcode, bytes);
    if (*is_gone) return false;
    if (!goes_on) pause_reading();
    return !is_paused_;
}

// 5.5.2, 5.5.3: of several pings only the latest need be answered.
bool WebSocketImpl::on_ping(std::string_view payload) {
    if (state_ != State::Open) return true;
    if (stream_->out().size() > stream_->high_mark()) {
        pending_pong_ = std::make_unique<std::string>(payload);
    } else {
        pending_pong_.reset();
        write(Opcode::Pong, payload);
    }
    return true;
}

bool WebSocketImpl::on_pong(std::string_view payload) {
    if (state_ != State::Open) return true;
    const bool* is_gone = is_gone_;
    events_.on_pong(payload);
    return !*is_gone && !is_paused_;
}

void WebSocketImpl::on_close(std::uint16_t code, std::string_view reason) {
    if (state_ == State::Open) {
        write(Opcode::Close, close_payload(code, {}));  // 5.5.1: echoes the code
        end_with(code, reason);
    } else if (code != 1005) {
        ending_->code = code;
        if (!reason.empty()) ending_->reason = reason;
    }
    finish_stream();
}

void WebSocketImpl::resume_reading() {
    if (!std::exchange(is_paused_, false) || stream_ == nullptr) return;
    last_heard_ = clock_.now();  // what was not read was no silence
    has_pinged_ = false;
    stream_->resume_reading();
    if (reader_.has_rest()) read_soon();
}

void WebSocketImpl::read_soon() {
    if (soon_ != 0) return;
    soon_ = loop_.call_at(clock_.now(), [this] {
        soon_ = 0;
        if (!is_paused_ && (state_ == State::Open || state_ == State::Closing)) feed({});
    });
}

// ---- sending ------------------------------------------------------------------------------------------------------

void WebSocketImpl::write(Opcode opcode, std::string_view payload) {
    OutBuffer& out = stream_->out();
    const bool is_first = out.empty();  // else a flush has been asked for already
    if (!random_) {
        write_frame(out, opcode, payload);
    } else {
        std::uint32_t mask = 0;
        while (mask == 0) mask = static_cast<std::uint32_t>(random_->next() >> 32);
        write_masked_frame(out, opcode, payload, mask);
    }
    if (is_first) stream_->flush_later();
}

void WebSocketImpl::send_pending_pong() {
    if (!pending_pong_ || state_ != State::Open || stream_->out().size() > stream_->high_mark()) return;
    write(Opcode::Pong, *std::exchange(pending_pong_, nullptr));
}

void WebSocketImpl::on_drained() {
    send_pending_pong();
    if (state_ == State::Open) events_.on_drained();
}

// ---- time ---------------------------------------------------------------------------------------------------------

void WebSocketImpl::set_timer(nya::Clock::time_point when) {
    loop_.cancel(timer_);
    timer_ = loop_.call_at(when, [this] {
        timer_ = 0;
        on_timer();
    });
}

void WebSocketImpl::set_heartbeat_timer() {
    if (heartbeat_after_ == heartbeat_after_.zero()) {
        loop_.cancel(std::exchange(timer_, 0));
    } else {
        set_timer(last_heard_ + std::min(heartbeat_after_, dead_after_));
    }
}

void WebSocketImpl::on_timer() {
    switch (state_) {
        case State::Connecting: {
            const std::string what =
                "the WebSocket was not opened within " + std::to_string(handshake_time_.count()) + " ms";
            end_with(1006, what);
            return finish({StreamEnd::Kind::TimedOut, what});
        }
        case State::Refused:
            handshake_->body_size = handshake_->answer.size();
            return take_refusal();
        case State::Open:
            return beat();
        case State::Closing:
            return finish({StreamEnd::Kind::TimedOut, "the peer did not answer our close"});
        case State::Finishing:
            if (!was_open_) return finish({StreamEnd::Kind::Closed, "closed before it was open"});
            return finish({StreamEnd::Kind::TimedOut, "the peer did not close the connection"});
        case State::Closed:
            return;
    }
}

void WebSocketImpl::beat() {
    send_pending_pong();
    if (is_paused_) {  // whether it lives waits unread; and its pings, too, so it is told unasked that we do (5.5.3)
        last_heard_ = clock_.now();
        if (stream_->out().empty()) write(Opcode::Pong, {});
        return set_heartbeat_timer();
    }
    // A peer that takes long to read what we have for it answers late: its pong is behind all that.
    const auto limit = stream_->out().empty() ? dead_after_ : 2 * dead_after_;
    const auto silence = clock_.now() - last_heard_;
    if (silence >= limit) {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(silence).count();
        const std::string what = "nothing was heard for " + std::to_string(ms) + " ms";
        end_with(1006, what);
        return finish({StreamEnd::Kind::TimedOut, what});
    }
    if (silence >= heartbeat_after_ && !std::exchange(has_pinged_, true)) write(Opcode::Ping, {});
    const auto next = has_pinged_ ? clock_.now() + heartbeat_after_ : last_heard_ + heartbeat_after_;
    set_timer(std::min(next, last_heard_ + (silence < dead_after_ ? dead_after_ : limit)));
}

// ---- the end ------------------------------------------------------------------------------------------------------

void WebSocketImpl::close(std::uint16_t code, std::string_view reason) {
    if (state_ == State::Connecting || state_ == State::Refused) {
        end_with(code, reason);
        state_ = State::Finishing;
        return set_timer(clock_.now());
    }
    if (state_ != State::Open) return;
    write(Opcode::Close, close_payload(code, reason));
    end_with(code, reason);
    state_ = State::Closing;
    set_timer(clock_.now() + close_time_);
    resume_reading();  // toward the peer's close
}

void WebSocketImpl::end_with(std::uint16_t code, std::string_view reason) {
    if (ending_) return;
    ending_ = std::make_unique<WebSocketEnd>();
    ending_->code = code;
    ending_->reason = reason;
}

// 7.1.1: the server ends the bytes; a client only if the server does not, or has broken the protocol.
void WebSocketImpl::finish_stream() {
    const bool server_will = random_ != nullptr && !reader_.has_failed();
    state_ = State::Finishing;
    set_timer(clock_.now() + close_time_);
    if (!server_will) stream_->close_after_flush();
}

void WebSocketImpl::on_closed(const StreamEnd& end) {
    if (state_ == State::Refused) {
        handshake_->body_size = handshake_->answer.size();
        return take_refusal();
    }
    finish(end);
}

void WebSocketImpl::finish(const StreamEnd& end) {
    loop_.cancel(std::exchange(timer_, 0));
    loop_.cancel(std::exchange(soon_, 0));
    end_with(1006, end.message);
    WebSocketEnd ending = std::move(*ending_);
    ending.was_open = was_open_;
    ending.http_status = handshake_ ? handshake_->status : 0;
    ending.stream = end;
    state_ = State::Closed;
    handshake_.reset();
    stream_.reset();
    events_.on_closed(ending);
}

}  // namespace

std::unique_ptr<WebSocket> WebSocket::connect(Loop& loop, const ClientRequest& request,
                                              const WebSocketSettings& settings, std::shared_ptr<nya::Random> random,
                                              WebSocketEvents& events) {
    auto socket = std::make_unique<WebSocketImpl>(loop, Role::Client, settings, events);
    socket->start_connecting(request, settings.handshake_time, std::move(random));
    return socket;
}

std::unique_ptr<WebSocket> WebSocket::accept(Loop& loop, std::unique_ptr<Stream> stream,
                                             const WebSocketSettings& settings, std::string_view rest,
                                             WebSocketEvents& events) {
    auto socket = std::make_unique<WebSocketImpl>(loop, Role::Server, settings, events);
    socket->start_open(std::move(stream), rest);
    return socket;
}

}  // namespace nyamesh::net
