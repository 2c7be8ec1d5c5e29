#include <nyash/interpreter.h>

int main() {
    nyash::Interpreter interpreter;
    return interpreter
        .run_source("embed", R"(
        bob = new P2PBox("bob")
        bob.on("chat", function(intent, from) { print("From " + from + ": " + intent.payload) })
        alice = new P2PBox("alice")
        alice.send("bob", "chat:Hello P2P!")
    )")
        .exit_code;
}
