#include <nyamesh/nyamesh.h>

#include <iostream>

int main() {
    auto alice = nyamesh::P2PBox::open("alice").value();
    auto bob = nyamesh::P2PBox::open("bob").value();
    bob.on("chat.message", [](const nyamesh::IntentBox& intent, std::string_view from) {
        std::cout << "From " << from << ": " << intent.payload()["text"].as_string() << '\n';
    });
    return alice.send("bob", nyamesh::IntentBox("chat.message", {{"text", "Hello P2P!"}})) ? 0 : 1;
}
