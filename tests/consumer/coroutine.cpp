#include <nyamesh/asio.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <iostream>

boost::asio::awaitable<void> greet(nyamesh::P2PBox& alice) {
    const nyamesh::Answer answer =
        co_await nyamesh::async_request(alice, "bob", nyamesh::IntentBox("greet", "Hello P2P!"));
    std::cout << "From alice: " << (answer ? answer->as_string() : answer.error().to_string()) << '\n';
}

int main() {
    boost::asio::io_context context;
    auto alice = nyamesh::P2PBox::open("alice").value();
    nyamesh::P2PBoxOptions options;
    options.executor = nyamesh::asio_executor(context);
    auto bob = nyamesh::P2PBox::open("bob", nyamesh::TransportKind::InProcess, options).value();
    bob.on("greet", [](const nyamesh::IntentBox& intent, std::string_view) { return intent.payload(); });
    boost::asio::co_spawn(context, greet(alice), boost::asio::detached);
    context.run();
}
