// A program on Boost.Asio: a hub, a node that answers on the io_context, and another one, as in a process of its own,
// that asks in coroutines. One thread of ours; no callback, no lock.
#include <nyamesh/asio.h>
#include <nyamesh/hub.h>
#include <nyamesh/nyamesh.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <iostream>

using boost::asio::awaitable;
using nyamesh::IntentBox;
using nyamesh::P2PBox;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

// Each with a bus of its own: what is said between them goes by the hub.
P2PBox open(std::string_view name, const nyamesh::Hub& hub, boost::asio::io_context& context) {
    nyamesh::P2PBoxOptions options;
    options.bus = nyamesh::MessageBus::create();
    options.url = hub.url();
    options.executor = nyamesh::asio_executor(context);
    return P2PBox::open(name, nyamesh::TransportKind::WebSocket, options).value();
}

// A handler that has to wait for something starts a coroutine: here a kettle, which tells when it is done.
awaitable<void> boil(P2PBox& kitchen, std::string guest) {
    boost::asio::steady_timer kettle(co_await boost::asio::this_coro::executor, std::chrono::milliseconds(20));
    co_await kettle.async_wait(boost::asio::use_awaitable);
    const IntentBox ready("tea.ready", nya::Json{{"cups", 2}});
    const auto sent = co_await nyamesh::async_send(kitchen, guest, ready);
    if (!sent) std::cout << "kitchen: " << sent.error().to_string() << '\n';
}

awaitable<void> visit(P2PBox& guest, boost::asio::io_context& context) {
    const IntentBox question("menu", nya::Json::object());
    const nyamesh::Answer menu = co_await nyamesh::async_request(guest, "kitchen", question);
    std::cout << "guest: there is " << (menu ? menu->as_string() : menu.error().to_string()) << '\n';

    // Two things at once, and both are waited for.
    const IntentBox tea("price", "tea");
    const IntentBox cake("price", "cake");
    const auto [tea_price, cake_price] =
        co_await (nyamesh::async_request(guest, "kitchen", tea) && nyamesh::async_request(guest, "kitchen", cake));
    if (tea_price && cake_price) {
        std::cout << "guest: together " << tea_price->as_integer() + cake_price->as_integer() << '\n';
    }

    const nyamesh::Answer song = co_await nyamesh::async_request(guest, "kitchen", IntentBox("sing", 1));
    std::cout << "guest: a song? " << to_string(song.error().reason) << "\n";

    boost::asio::steady_timer ready(context, std::chrono::seconds(10));
    const auto heard = guest.on_once("tea.ready", [&](const IntentBox& intent, std::string_view from) {
        std::cout << "guest: " << from << " has " << intent.payload()["cups"].as_integer() << " cups of tea\n";
        ready.cancel();
    });
    const auto ordered = co_await nyamesh::async_send(guest, "kitchen", IntentBox("order", "tea"));
    if (!heard || !ordered) co_return;
    co_await ready.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

}  // namespace

int main() {
    const auto hub = nyamesh::Hub::start({.listen = {"127.0.0.1:0"}}).value();
    boost::asio::io_context context;  // before the nodes: it outlives them
    auto kitchen = open("kitchen", *hub, context);
    kitchen.on("menu", [](const IntentBox&, std::string_view) { return nya::Json("tea and cake"); });
    kitchen.on("price", [](const IntentBox& intent, std::string_view) {
        return nya::Json(intent.payload() == nya::Json("tea") ? 3 : 4);
    });
    kitchen.on("order", [&](const IntentBox&, std::string_view from) {
        boost::asio::co_spawn(context, boil(kitchen, std::string(from)), boost::asio::detached);
    });
    auto guest = open("guest", *hub, context);
    boost::asio::co_spawn(context, visit(guest, context), boost::asio::detached);
    context.run();
}
