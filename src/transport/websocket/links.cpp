#include "transport/websocket/links.h"

#include "intent/quote.h"

#include <cstdlib>
#include <utility>

namespace nyamesh::websocket {

using Reason = SendError::Reason;

namespace {

constexpr const char* kDefaultUrl = "ws://127.0.0.1:8080";

// A link has to go on its loop's thread, whoever was the last to hold it; or anywhere, once the loop has ended.
struct OnLoop {
    std::shared_ptr<net::Loop> loop;

    void operator()(HubLink* link) const {
        std::unique_ptr<HubLink> owned(link);
        if (loop->runs_here()) return;
        static_cast<void>(loop->post([held = std::move(owned)] {}));
    }
};

}  // namespace

std::shared_ptr<Links> Links::of(const std::shared_ptr<MessageBus>& bus) {
    static nya::Mutex mutex;
    static std::map<const MessageBus*, std::weak_ptr<Links>> all;
    const nya::Lock lock(mutex);
    std::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
    auto& known = all[bus.get()];
    auto links = known.lock();
    if (!links) known = links = std::make_shared<Links>();
    return links;
}

Links::Links()
    : thread_(std::make_unique<net::LoopThread>("nya-net")), loop_(thread_->loop()), random_(nya::Random::system()) {}

Links::Links(std::shared_ptr<net::Loop> loop, std::shared_ptr<nya::Random> random)
    : loop_(std::move(loop)), random_(std::move(random)) {}

std::expected<std::shared_ptr<HubLink>, SendError> Links::to(const Request& request) {
    const nya::Lock lock(mutex_);
    std::string text = request.url;
    if (text.empty()) {
        const char* const told = std::getenv("NYAMESH_HUB");
        text = told != nullptr && *told != '\0' ? told : !first_url_.empty() ? first_url_ : kDefaultUrl;
    }
    auto url = net::Url::parse(text);
    if (!url) {
        return std::unexpected(SendError(Reason::Offline,
                                         "the hub's address " + quote(text) + " is none: " + url.error(),
                                         "It looks like ws://127.0.0.1:8080 or wss://hub.example"));
    }
    if (first_url_.empty()) first_url_ = url->to_string();
    std::erase_if(links_, [](const auto& link) { return link.second.expired(); });
    auto& known = links_[url->to_string() + '\n' + request.token + '\n' + request.ca_file];
    if (auto link = known.lock()) return link;

    LinkOptions options;
    options.token = request.token;
    options.renew_token = request.renew_token;
    if (url->is_secure) {
        auto tls = net::TlsContext::client({request.ca_file, true});
        if (!tls) return std::unexpected(SendError(Reason::Offline, tls.error(), "Check the option ca_file"));
        options.tls = *std::move(tls);
    }
    options.url = *std::move(url);
    const std::shared_ptr<HubLink> link(new HubLink(loop_, random_, std::move(options)), OnLoop{loop_});
    known = link;
    return link;
}

}  // namespace nyamesh::websocket
