// The guide's Level 1 in C++: two nodes in one process, and a message with a name and a payload.
#include <nyamesh/nyamesh.h>

#include <iostream>

int main() {
    auto alice = nyamesh::P2PBox::open("alice");
    auto bob = nyamesh::P2PBox::open("bob");
    if (!alice || !bob) return 1;

    // Handlers may be registered and removed at any time. This one stays until bob closes.
    bob->on("chat.message", [](const nyamesh::IntentBox& intent, std::string_view from) {
        std::cout << "From " << from << ": " << intent.payload()["text"].as_string() << '\n';
    });

    // In one process, sending is a call: when send returns, the handler has run.
    alice->send("bob", nyamesh::IntentBox("chat.message", {{"text", "Hello P2P!"}}));

    // What may fail says so, and says what to do about it.
    if (auto sent = alice->send("bbo", "hello"); !sent) {
        std::cout << sent.error().message << '\n' << sent.error().hint << '\n';
    }
}
