// Any bytes in any portions: our frame reader must see the same messages, pings, pongs and closes as Beast's, and
// refuse with the same close code. The portions must make no difference to us at all, in neither role.
//
// Where the two may differ:
//   - Beast looks at a header once it is whole, we at each byte: what we refuse, Beast may still wait for;
//   - 1014 has been registered since, and above 4999 nothing is defined (RFC 6455, 7.4.2): we take the one and
//     refuse the others, Beast the other way round;
//   - Beast does not notice that a text ends within a character if its last frame is empty;
//   - a length of 2^63 or more breaks the protocol for us (5.2), for Beast it is just too big.
//
// The first byte of the input says whether the rest is raw bytes or the description of frames, how large a message may
// be and how the bytes are cut; a description is, for each frame, its first byte, the length of its payload, and that.
#include "net/websocket_codec.h"

#include "require.h"
#include "support/websocket_frames.h"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using nyamesh::net::FrameReader;
using nyamesh::net::Role;
namespace test = nyamesh::net::test;

// The same seed, the same portions.
class Cuts {
public:
    explicit Cuts(std::uint8_t kind) : kind_(kind % 4), state_(kind) {}
    std::size_t next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        const auto drawn = static_cast<std::size_t>(state_ >> 33);
        return kind_ == 0 ? 1 << 20 : kind_ == 1 ? 1 : kind_ == 2 ? 1 + drawn % 7 : 1 + drawn % 100;
    }

private:
    std::uint8_t kind_;
    std::uint64_t state_;
};

// What Beast reads from: a request for an upgrade, then the bytes in portions. What it writes goes nowhere.
class Source {
public:
    using executor_type = asio::io_context::executor_type;
    Source(asio::io_context& context, std::string_view bytes, Cuts cuts)
        : executor_(context.get_executor()), bytes_(bytes), cuts_(cuts) {}
    executor_type get_executor() const noexcept { return executor_; }

    template <class Buffers>
    std::size_t read_some(const Buffers& buffers, beast::error_code& error) {
        error = {};
        std::string_view& from = request_.empty() ? bytes_ : request_;
        if (from.empty()) {
            error = asio::error::eof;
            return 0;
        }
        const std::size_t wanted = request_.empty() ? cuts_.next() : from.size();
        const std::size_t size = asio::buffer_copy(buffers, asio::buffer(from.data(), std::min(wanted, from.size())));
        from.remove_prefix(size);
        return size;
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, beast::error_code& error) {
        error = {};
        return asio::buffer_size(buffers);
    }
    // Beast demands that they exist, and does not call them.
    template <class Buffers>
    std::size_t read_some(const Buffers& buffers) {
        beast::error_code error;
        return read_some(buffers, error);
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers) {
        return asio::buffer_size(buffers);
    }

private:
    executor_type executor_;
    std::string_view request_ =
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    std::string_view bytes_;
    Cuts cuts_;
};

[[maybe_unused]] void teardown(beast::role_type, Source&, beast::error_code& error) {
    error = {};
}

template <class Handler>
void async_teardown(beast::role_type, Source&, Handler&&) {}  // never asked for

struct Verdict {
    std::string log;
    std::uint16_t refused = 0;  // 0: not refused
    bool wants_more = false;    // the bytes were too few for an end
};

Verdict beasts(std::string_view bytes, Cuts cuts, std::size_t limit) {
    asio::io_context context;
    beast::websocket::stream<Source> stream(context, bytes, cuts);
    stream.read_message_max(limit);
    stream.control_callback({});
    beast::error_code error;
    stream.accept(error);
    require(!error, "Beast takes our request");

    test::Listener listener;
    stream.control_callback([&](beast::websocket::frame_type kind, beast::string_view payload) {
        const std::string_view text(payload.data(), payload.size());
        if (kind == beast::websocket::frame_type::ping) listener.on_ping(text);
        if (kind == beast::websocket::frame_type::pong) listener.on_pong(text);
    });
    while (!error) {
        beast::flat_buffer message;
        stream.read(message, error);
        if (error) break;
        listener.on_message(stream.got_text() ? nyamesh::net::Opcode::Text : nyamesh::net::Opcode::Binary,
                            {static_cast<const char*>(message.data().data()), message.size()});
    }
    Verdict verdict;
    namespace ws = beast::websocket;
    if (error == ws::error::closed) {
        const auto& reason = stream.reason();
        listener.on_close(reason.code == ws::close_code::none ? 1005 : reason.code,
                          {reason.reason.data(), reason.reason.size()});
    } else if (error == asio::error::eof || error == asio::error::connection_aborted) {
        verdict.wants_more = true;
    } else if (error == ws::error::message_too_big || error == ws::error::buffer_overflow) {
        verdict.refused = 1009;
    } else if (error == ws::error::bad_frame_payload || error == ws::error::bad_close_payload) {
        verdict.refused = 1007;
    } else {
        verdict.refused = 1002;
    }
    verdict.log = listener.log;
    return verdict;
}

Verdict ours(std::string bytes, Role role, Cuts cuts, std::size_t limit) {
    FrameReader reader(role, limit);
    test::Listener listener;
    Verdict verdict;
    for (std::size_t at = 0; at < bytes.size() && verdict.refused == 0;) {
        std::string portion = bytes.substr(at, cuts.next());
        at += portion.size();
        if (const auto* error = reader.read(portion, listener)) verdict.refused = error->close_code;
    }
    verdict.log = listener.log;
    return verdict;
}

std::string frames_of(std::string_view description, Role role) {
    std::string bytes;
    while (description.size() >= 2) {
        const auto size = static_cast<std::uint8_t>(description[1]);
        // Mostly short; the last quarter stands for long ones.
        const std::size_t repeats = size >= 192 ? 64 : 1;
        const std::string_view part = description.substr(2, size % 192);
        std::string payload;
        for (std::size_t i = 0; i < repeats; ++i) payload += part;
        bytes += test::frame_bytes({static_cast<std::uint8_t>(description[0]), payload}, role);
        description.remove_prefix(2 + part.size());
    }
    return bytes;
}

// A close code or a length on which the two disagree.
bool is_disputed(std::string_view bytes, std::size_t limit) {
    struct : nyamesh::net::FrameHandler {
        bool on_message(nyamesh::net::Opcode, std::string_view) override { return true; }
        bool on_ping(std::string_view) override { return true; }
        bool on_pong(std::string_view) override { return true; }
        void on_close(std::uint16_t code, std::string_view) override { is_1014 = code == 1014; }
        bool is_1014 = false;
    } handler;
    FrameReader reader(Role::Server, limit);
    std::string copy(bytes);
    const auto* error = reader.read(copy, handler);
    if (error == nullptr) return handler.is_1014;
    const std::string_view words = error->message;
    return words == "a close frame has a code that must not be sent" ||
           words == "a frame's length has its highest bit set";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::uint8_t choice = data[0];
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t limit = (choice & 2) != 0 ? 100 : 65'536;
    const auto cut_kind = static_cast<std::uint8_t>(choice >> 2);

    for (const Role role : {Role::Server, Role::Client}) {
        const std::string bytes = (choice & 1) != 0 ? frames_of(input, role) : std::string(input);
        const Verdict whole = ours(bytes, role, Cuts(0), limit);
        const Verdict cut = ours(bytes, role, Cuts(cut_kind), limit);
        const Verdict single = ours(bytes, role, Cuts(1), limit);
        require(whole.log == cut.log && whole.refused == cut.refused, "portions make no difference");
        require(whole.log == single.log && whole.refused == single.refused, "single bytes make no difference");
        if (role == Role::Client || is_disputed(bytes, limit)) continue;

        const Verdict theirs = beasts(bytes, Cuts(cut_kind), limit);
        if (whole.refused == 1007 && theirs.log.size() > whole.log.size()) {
            require(theirs.log.starts_with(whole.log), "Beast reads the same messages up to a text that is cut");
            continue;
        }
        require(whole.log == theirs.log, "Beast reads the same messages");
        require(whole.refused == theirs.refused || theirs.wants_more, "Beast refuses with the same code");
        require(whole.refused != 0 || theirs.refused == 0, "what Beast refuses we refuse");
    }
    return 0;
}
