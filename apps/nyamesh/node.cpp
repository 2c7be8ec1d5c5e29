#include "node.h"

#include <nya/expected.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>

namespace tool {

using nyamesh::ConnectionState;
using nyamesh::SendError;

namespace {

// A node that has not been given a name is nobody in particular: a name and a key for once.
std::string random_text() {
    std::random_device device;
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 16; ++i) text += kDigits[device() % 16];
    return text;
}

constexpr const char* kIsItRunning = "Is it running? Start one with: nyamesh hub";

struct FirstNews {
    std::mutex mutex;
    std::condition_variable changed;
    ConnectionState state = ConnectionState::Connecting;
    std::string problem;
};

}  // namespace

std::expected<nyamesh::P2PBox, SendError> begin_node(const NodeOptions& options, std::string_view purpose) {
    nyamesh::P2PBoxOptions made;
    made.url = options.url;
    made.key = options.key;
    made.token = options.token;
    made.ca_file = options.ca_file;
    made.resume_window = options.resume_window;
    made.linger = options.timeout;
    std::string name = options.name;
    if (name.empty()) {
        name = "nyamesh-" + std::string(purpose) + "-" + random_text();
        if (made.key.empty()) made.key = random_text() + random_text();
    }
    return nyamesh::P2PBox::open(name, nyamesh::TransportKind::WebSocket, std::move(made));
}

std::expected<nyamesh::P2PBox, SendError> open_node(const NodeOptions& options, std::string_view purpose) {
    auto box = NYA_TRY(begin_node(options, purpose));
    NYA_TRY(wait_until_connected(box, options));
    return box;
}

std::expected<void, SendError> wait_until_connected(nyamesh::P2PBox& box, const NodeOptions& options) {
    const auto news = std::make_shared<FirstNews>();
    auto registration = NYA_TRY(box.on_state([news](const nyamesh::StateChange& change) {
        const std::lock_guard lock(news->mutex);
        news->state = change.state;
        news->problem = change.problem;
        news->changed.notify_all();
    }));
    std::unique_lock lock(news->mutex);
    // What we are told: its state alone would not say why.
    const auto is_settled = [&] {
        return news->state == ConnectionState::Connected || news->state == ConnectionState::Failed;
    };
    const bool is_in_time = news->changed.wait_for(lock, options.timeout, is_settled);
    const std::string problem = news->problem;
    lock.unlock();
    registration.off();
    if (box.state() == ConnectionState::Connected) return {};
    const std::string where = options.url.empty() ? "the hub" : options.url;
    if (problem.empty())
        return std::unexpected(SendError(SendError::Reason::Offline,
                                         "no connection to " + where + (is_in_time ? "" : " in time"), kIsItRunning));
    // A hub that is there and does not want us is another matter.
    return std::unexpected(SendError(SendError::Reason::Offline, problem,
                                     problem.ends_with(" refused the connection") ? kIsItRunning : ""));
}

std::expected<nyamesh::IntentBox, SendError> typed_intent(std::string_view name, std::string_view payload) {
    if (payload.empty()) return nyamesh::IntentBox::create(name);
    if (nya::Json::validate(payload)) return nyamesh::IntentBox::from_json(name, payload);
    // What is meant as JSON is to be JSON; anything else is a text.
    if (std::string_view("{[\"").find(payload.front()) != std::string_view::npos)
        return nyamesh::IntentBox::from_json(name, payload);
    return nyamesh::IntentBox::create(name, nya::Json(payload));
}

}  // namespace tool
