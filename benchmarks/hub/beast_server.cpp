// The peer "Beast": a WebSocket server the way Boost.Beast's documentation and examples teach it. A
// websocket::stream over a tcp_stream, a strand per connection, the suggested timeouts, and a queue of messages of
// which one async_write at a time takes the first. GET /echo and GET /relay/NAME are described in dialects.cpp.
//
// Prints its port and serves until it is ended.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using beast::error_code;

using Message = std::shared_ptr<const std::string>;

class Session;

// Who is connected by which name.
class Names {
public:
    void add(const std::string& name, std::weak_ptr<Session> session) {
        const std::lock_guard lock(mutex_);
        sessions_[name] = std::move(session);
    }
    void remove(const std::string& name) {
        const std::lock_guard lock(mutex_);
        sessions_.erase(name);
    }
    std::shared_ptr<Session> find(const std::string& name) {
        const std::lock_guard lock(mutex_);
        const auto found = sessions_.find(name);
        return found == sessions_.end() ? nullptr : found->second.lock();
    }

private:
    std::mutex mutex_;
    std::unordered_map<std::string, std::weak_ptr<Session>> sessions_;
};

class Session : public std::enable_shared_from_this<Session> {
public:
    Session(tcp::socket&& socket, Names& names) : stream_(std::move(socket)), names_(names) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        if (!name_.empty()) names_.remove(name_);
    }

    void start() {
        asio::dispatch(stream_.get_executor(), beast::bind_front_handler(&Session::read_request, shared_from_this()));
    }

    // Any thread.
    void send(Message message) {
        asio::post(stream_.get_executor(),
                   beast::bind_front_handler(&Session::enqueue, shared_from_this(), std::move(message)));
    }

private:
    void read_request() {
        beast::get_lowest_layer(stream_).expires_after(std::chrono::seconds(30));
        http::async_read(beast::get_lowest_layer(stream_), buffer_, request_,
                         beast::bind_front_handler(&Session::on_request, shared_from_this()));
    }

    void on_request(error_code error, std::size_t) {
        if (error || !websocket::is_upgrade(request_)) return;
        constexpr std::string_view kRelay = "/relay/";
        const std::string target(request_.target());
        if (target.starts_with(kRelay)) {
            name_ = target.substr(kRelay.size());
            names_.add(name_, weak_from_this());
        }
        // The stream has timers of its own from here on.
        beast::get_lowest_layer(stream_).expires_never();
        stream_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
        stream_.async_accept(request_, beast::bind_front_handler(&Session::on_accept, shared_from_this()));
    }

    void on_accept(error_code error) {
        if (error) return;
        request_ = {};
        stream_.text(true);
        read();
    }

    void read() { stream_.async_read(buffer_, beast::bind_front_handler(&Session::on_read, shared_from_this())); }

    void on_read(error_code error, std::size_t) {
        if (error) return;
        auto message = std::make_shared<const std::string>(beast::buffers_to_string(buffer_.data()));
        buffer_.consume(buffer_.size());
        if (name_.empty()) {
            enqueue(std::move(message));
        } else if (const auto target = names_.find(message->substr(0, message->find('\n')))) {
            target->send(std::move(message));
        }
        read();
    }

    void enqueue(Message message) {
        queue_.push_back(std::move(message));
        if (queue_.size() == 1) write();
    }

    void write() {
        stream_.async_write(asio::buffer(*queue_.front()),
                            beast::bind_front_handler(&Session::on_write, shared_from_this()));
    }

    void on_write(error_code error, std::size_t) {
        if (error) return;
        queue_.pop_front();
        if (!queue_.empty()) write();
    }

    websocket::stream<beast::tcp_stream> stream_;
    Names& names_;
    beast::flat_buffer buffer_;
    http::request<http::string_body> request_;
    std::string name_;  // empty: echo
    std::deque<Message> queue_;
};

class Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(asio::io_context& context, Names& names)
        : context_(context),
          acceptor_(asio::make_strand(context), {asio::ip::address_v4::loopback(), 0}),
          names_(names) {}

    [[nodiscard]] unsigned port() const { return acceptor_.local_endpoint().port(); }

    void accept() {
        acceptor_.async_accept(asio::make_strand(context_),
                               beast::bind_front_handler(&Listener::on_accept, shared_from_this()));
    }

private:
    void on_accept(error_code error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<Session>(std::move(socket), names_)->start();
        }
        accept();
    }

    asio::io_context& context_;
    tcp::acceptor acceptor_;
    Names& names_;
};

}  // namespace

int main() {
    asio::io_context context{1};
    Names names;
    const auto listener = std::make_shared<Listener>(context, names);
    listener->accept();
    std::printf("%u\n", listener->port());
    std::fflush(stdout);
    context.run();
}
