#include "p2p/gateways.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace nyamesh::p2p {

namespace {

// As many as a hub takes on one connection.
constexpr std::size_t kMaxBorrowers = 1'000;

nya::Mutex all_mutex;
std::map<const MessageBus*, std::weak_ptr<Gateways>>& all() {
    static std::map<const MessageBus*, std::weak_ptr<Gateways>> gateways;
    return gateways;
}

}  // namespace

std::atomic<int> Gateways::count_{0};

void Gateway::stop() {
    const auto fresh = gateways_->take_back(*this);
    std::vector<std::shared_ptr<WebSocketTransport>> closing;
    {
        const nya::Lock lock(mutex_);
        taken_back_.insert(taken_back_.end(), fresh.begin(), fresh.end());
        closing = taken_back_;
    }
    for (const auto& transport : closing) transport->begin_close();
    for (const auto& transport : closing) transport->close();
    if (!fresh.empty()) gateways_->lend_to_all();  // the next one's turn
}

std::shared_ptr<Gateways> Gateways::find(const std::shared_ptr<MessageBus>& bus) {
    const nya::Lock lock(all_mutex);
    const auto place = all().find(bus.get());
    return place == all().end() ? nullptr : place->second.lock();
}

std::unique_ptr<Gateway> Gateways::open(const std::shared_ptr<MessageBus>& bus, WebSocketOptions options,
                                        Receiver receiver) {
    std::shared_ptr<Gateways> gateways;
    {
        const nya::Lock lock(all_mutex);
        std::erase_if(all(), [](const auto& entry) { return entry.second.expired(); });
        auto& known = all()[bus.get()];
        gateways = known.lock();
        if (!gateways) known = gateways = std::shared_ptr<Gateways>(new Gateways(bus, receiver));
    }
    auto gateway = std::make_unique<Gateway>(gateways);
    bool is_first = false;
    {
        const nya::Lock lock(gateways->mutex_);
        gateways->gateways_.emplace_back(gateway.get(), std::move(options));
        is_first = gateways->gateways_.size() == 1;
    }
    count_.fetch_add(1);  // from now on a node that opens asks by itself
    if (is_first) gateways->lend_to_all();
    return gateway;
}

void Gateways::lend_to_all() {
    const auto bus = bus_.lock();
    if (!bus) return;
    for (const std::string& id : bus->nodes(TransportKind::InProcess, kMaxBorrowers))
        static_cast<void>(transport_of(id));
}

std::shared_ptr<Transport> Gateways::transport_of(std::string_view id) {
    std::optional<WebSocketOptions> options;
    {
        const nya::Lock lock(mutex_);
        if (const auto place = lent_.find(id); place != lent_.end()) return place->second;
        if (gateways_.empty() || lent_.size() >= kMaxBorrowers) return nullptr;
        options = gateways_.front().second;
    }
    const auto bus = bus_.lock();
    if (!bus) return nullptr;
    auto opened = WebSocketTransport::open(id, bus, *options);
    if (!opened) return nullptr;  // the gateway has the same options, and has been told
    const std::shared_ptr<WebSocketTransport> transport = *std::move(opened);
    {
        const nya::Lock lock(mutex_);
        const auto [place, is_new] = lent_.emplace(std::string(id), transport);
        if (!is_new) return place->second;
    }
    // Whether the node listens to them is not known here; news nobody listens to are dropped by the bus.
    for (const auto name : {news::kState, news::kUnconfirmed, news::kGap}) transport->want_news(name);
    transport->on_receive(receiver_(bus, id));
    return transport;
}

void Gateways::node_closing(std::string_view id) {
    std::shared_ptr<WebSocketTransport> lent;
    {
        const nya::Lock lock(mutex_);
        if (const auto place = lent_.find(id); place != lent_.end()) lent = place->second;
    }
    if (lent) lent->begin_close();
}

std::shared_ptr<Transport> Gateways::node_closed(std::string_view id) {
    const nya::Lock lock(mutex_);
    const auto place = lent_.find(id);
    if (place == lent_.end()) return nullptr;
    const std::shared_ptr<Transport> lent = std::move(place->second);
    lent_.erase(place);
    return lent;
}

std::vector<std::shared_ptr<WebSocketTransport>> Gateways::take_back(const Gateway& gateway) {
    std::vector<std::shared_ptr<WebSocketTransport>> taken_back;
    {
        const nya::Lock lock(mutex_);
        const auto place = std::find_if(gateways_.begin(), gateways_.end(),
                                        [&](const auto& entry) { return entry.first == &gateway; });
        if (place == gateways_.end()) return {};
        const bool has_lent = place == gateways_.begin();
        gateways_.erase(place);
        if (has_lent) {
            for (auto& [id, transport] : lent_) taken_back.push_back(std::move(transport));
            lent_.clear();
        }
    }
    count_.fetch_sub(1);
    return taken_back;
}

}  // namespace nyamesh::p2p
