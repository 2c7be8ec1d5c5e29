// The program's hub: a HubCore on a thread of its own, and the checks of its options.
#include <nyamesh/hub.h>

#include <nya/expected.h>
#include <nya/random.h>

#include "hub/hub_core.h"
#include "net/epoll_loop.h"

#include <atomic>
#include <future>

namespace nyamesh {

namespace {

using TlsPointer = std::shared_ptr<const net::TlsContext>;

std::expected<TlsPointer, std::string> load_tls(const std::optional<HubTls>& files) {
    if (!files) return TlsPointer();
    return net::TlsContext::server({files->certificate_file, files->key_file});
}

// What others than this machine can reach is safe by default.
std::expected<void, std::string> check_safety(const net::Address& where, const HubOptions& options) {
    if (where.is_loopback() || options.is_insecure) return {};
    const char* missing = !options.tls && !options.auth.is_required ? "TLS and authentication"
                          : !options.tls                            ? "TLS"
                          : !options.auth.is_required               ? "authentication"
                                                                    : nullptr;
    if (missing == nullptr) return {};
    return std::unexpected("listening on " + where.to_string() + ", which others can reach, needs " + missing +
                           ". Give a certificate and keys for tokens, listen on 127.0.0.1, or allow it (insecure)");
}

}  // namespace

struct Hub::Impl {
    HubOptions options;
    net::LoopThread thread{"nya-hub"};
    std::unique_ptr<hub::HubCore> core;  // of the loop's thread
    std::uint16_t port = 0;
    std::uint16_t admin_port = 0;
    std::string url;
    std::atomic<bool> is_stopped = false;

    // Runs `work` on the loop's thread and waits for what it returns.
    template <class Work>
    auto on_loop(Work work) const {
        using Result = decltype(work());
        if (thread.loop()->runs_here()) return work();
        std::promise<Result> promise;
        auto result = promise.get_future();
        const bool is_posted = thread.loop()->post([&] {
            if constexpr (std::is_void_v<Result>) {
                work();
                promise.set_value();
            } else {
                promise.set_value(work());
            }
        });
        if (!is_posted) return Result();
        return result.get();
    }

    std::expected<void, std::string> open(std::vector<net::Address> where, const std::optional<net::Address>& admin,
                                          hub::HubCore::Settings settings, const TlsPointer& tls) {
        core = std::make_unique<hub::HubCore>(*thread.loop(), nya::Random::system(), std::move(settings));
        for (const net::Address& address : where) {
            const std::uint16_t got = NYA_TRY(core->listen(address, tls));
            if (port != 0) continue;
            port = got;
            const bool is_any = address.ip == "0.0.0.0" || address.ip == "::";
            const net::Address shown{is_any ? "127.0.0.1" : address.ip, got};
            url = (tls ? "wss://" : "ws://") + shown.to_string();
        }
        if (admin) admin_port = NYA_TRY(core->listen_for_operators(*admin));
        return {};
    }
};

std::expected<std::unique_ptr<Hub>, std::string> Hub::start(HubOptions options) {
    if (options.listen.empty()) return std::unexpected("a hub needs an address to listen on");
    std::vector<net::Address> where;
    for (const std::string& text : options.listen) {
        where.push_back(NYA_TRY(net::Address::parse(text)));
        NYA_TRY(check_safety(where.back(), options));
    }
    std::optional<net::Address> admin;
    if (!options.admin.empty()) {
        admin = NYA_TRY(net::Address::parse(options.admin));
        if (!admin->is_loopback() && !options.is_insecure) {
            return std::unexpected("the operators' pages have no protection of their own: " + admin->to_string() +
                                   " would show them to others. Use 127.0.0.1, or allow it (insecure)");
        }
    }
    auto settings = NYA_TRY(hub::HubCore::settings(options));
    const TlsPointer tls = NYA_TRY(load_tls(options.tls));

    auto impl = std::make_unique<Impl>();
    impl->options = std::move(options);
    auto opened = impl->on_loop([&] { return impl->open(where, admin, std::move(settings), tls); });
    std::unique_ptr<Hub> hub(new Hub(std::move(impl)));
    if (!opened) return std::unexpected(opened.error());
    return hub;
}

Hub::Hub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hub::~Hub() {
    stop();
}

std::uint16_t Hub::port() const noexcept {
    return impl_->port;
}
std::string Hub::url() const {
    return impl_->url;
}
std::uint16_t Hub::admin_port() const noexcept {
    return impl_->admin_port;
}

void Hub::drain(std::chrono::milliseconds within) {
    // The core owns the promise: if another thread stops the hub before the last one has gone, it ends with the core,
    // and so does our waiting.
    std::promise<void> done;
    auto result = done.get_future();
    impl_->on_loop([&] {
        if (impl_->core == nullptr) return done.set_value();
        impl_->core->drain(within, [done = std::move(done)]() mutable { done.set_value(); });
    });
    result.wait();
}

void Hub::stop() {
    if (impl_->is_stopped.exchange(true)) return;
    impl_->on_loop([&] { impl_->core.reset(); });
}

std::expected<void, std::string> Hub::reload() {
    const TlsPointer tls = NYA_TRY(load_tls(impl_->options.tls));
    auto tokens = NYA_TRY(hub::TokenChecker::make(impl_->options.auth));
    impl_->on_loop([&] {
        if (impl_->core == nullptr) return;
        if (tls) impl_->core->replace_tls(tls);
        impl_->core->replace_keys(std::move(tokens));
    });
    return {};
}

HubStatistics Hub::statistics() const {
    return impl_->on_loop([&] { return impl_->core ? impl_->core->statistics() : HubStatistics(); });
}

}  // namespace nyamesh
