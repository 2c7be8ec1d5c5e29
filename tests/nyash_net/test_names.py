"""Two scripts in two processes reach each other by name.   test_names.py NYASH SMALL_HUB"""
import sys

from processes import Meeting

BOB = """
bob = new P2PBox("bob", "websocket", { linger: 10000 })
bob.on("chat.message", function(intent, from) {
    print(from + ": " + intent.payload.text)
    bob.send(from, new IntentBox("chat.reply", { text: "hello, " + from }))
})
bob.on("add", function(intent, from) { return intent.payload.a + intent.payload.b })
bob.on("slow", function(intent, from) { new TimeBox().sleep(100)  return "done" })
bob.on("fail", function(intent, from) { throw "no such shelf" })
bob.on("bye", function(intent, from) { print("bye")  bob.close() })
bob.onState(function(state, problem) { print(state) })
"""

ALICE = """
alice = new P2PBox("alice", transport: "websocket")
alice.on("chat.reply", function(intent, from) { print("reply: " + intent.payload.text) })
print(alice.getTransportType() + " " + alice.isReachable("bob"))
print(alice.send("bob", new IntentBox("chat.message", { text: "hi" })))
print(alice.request("bob", new IntentBox("add", { a: 2, b: 3 })))

// Many under way at once; while we wait, our own handlers and timers run.
nowait slow = alice.request("bob", new IntentBox("slow"))
nowait sum = alice.request("bob", new IntentBox("add", { a: 20, b: 30 }))
print(await slow)
print(await sum)
nowait sent = alice.send("bob", new IntentBox("chat.message", { text: "again" }), { wait: "handled" })
print(await sent)

r = alice.send("bob", new IntentBox("unheard"), { wait: "handled" }).getError()
print(r.kind + " " + r.reason + " " + r.retryable)
print(alice.send("bob", new IntentBox("unheard"), { wait: "delivered" }))
print(alice.request("bob", new IntentBox("fail")).getError().reason)

r = alice.send("bbo", "hi").getError()
print(r.kind + " " + r.reason + " " + r.retryable)
r = alice.send("bbo", "hi", { wait: "handled" }).getError()
print(r.kind + " " + r.reason)
r = alice.request("bbo", "hi").getError()
print(r.kind + " " + r.reason)
r = alice.request("bob", new IntentBox("slow"), { timeout: 20 }).getError()
print(r.kind + " " + r.reason)

print(alice.state())
alice.send("bob", "bye:")
alice.close()
print(alice.state())
print(alice.send("bob", "late").getError().reason)
"""

# A send that waits for another process lets the script's own handlers run: here they are what it waits for.
ASKS_BACK = """
mio = new P2PBox("mio", "websocket")
mio.on("name", function(intent, from) { return "Mio" })
print(mio.send("echo", new IntentBox("ask", null), { wait: "handled" }))
mio.send("echo", "bye:")
mio.close()
"""
ASKED = """
echo = new P2PBox("echo", "websocket")
echo.onState(function(state, problem) { print(state) })
echo.on("ask", function(intent, from) {
    print(echo.request(from, new IntentBox("name", null)))
})
echo.on("bye", function(intent, from) { echo.close() })
"""


def both_directions(nyash, small_hub):
    with Meeting(nyash, small_hub) as meeting:
        bob = meeting.script(BOB)
        bob.expect("connected")
        alice = meeting.script(ALICE)
        alice.expect("websocket false", "Ok(true)")
        alice.expect_line("Ok(5)")
        rest = alice.rest()
        assert [line for line in rest if not line.startswith("reply")] == [
            "Ok(done)", "Ok(50)", "Ok(true)",
            "BusError no_handler false", "Ok(true)", "handler_failed",
            "NodeNotFound unknown true", "NodeNotFound unknown", "NodeNotFound unknown", "Timeout may_have_run",
            "connected", "closed", "closed"], alice.history() + str(rest)
        assert alice.exit_status() == 0, alice.history()
        bob.expect("alice: hi", "alice: again", "bye")
        assert bob.exit_status() == 0, bob.history()
        assert any("no such shelf" in line for line in bob.errors), bob.history()


def waiting_does_not_stop_the_script(nyash, small_hub):
    with Meeting(nyash, small_hub) as meeting:
        asked = meeting.script(ASKED)
        asked.expect("connected")
        asks = meeting.script(ASKS_BACK)
        asks.expect("Ok(true)")
        asked.expect("Ok(Mio)")
        assert asks.exit_status() == 0, asks.history()
        assert asked.exit_status() == 0, asked.history()


def a_taken_name(nyash, small_hub):
    """The script that comes second is told, and ends: nothing would ever happen in it."""
    with Meeting(nyash, small_hub) as meeting:
        first = meeting.script('a = new P2PBox("a", "websocket", { key: "one" })\n'
                               'a.onState(function(state, problem) { print(state) })')
        first.expect("connected")
        second = meeting.script('a = new P2PBox("a", "websocket", { key: "other" })\n'
                                'a.on("x", function(intent, from) { })')
        assert second.exit_status() == 0, second.history()
        assert any("warning: node 'a'" in line for line in second.errors), second.history()
        third = meeting.script('a = new P2PBox("a", "websocket", { key: "other" })\n'
                               'a.onState(function(state, problem) { print(state)  print(problem.length() > 0) })')
        lines = third.rest()
        assert lines[-2:] == ["failed", "true"] and third.exit_status() == 0 and not third.errors, str(lines)


if __name__ == "__main__":
    both_directions(*sys.argv[1:])
    waiting_does_not_stop_the_script(*sys.argv[1:])
    a_taken_name(*sys.argv[1:])
    print("names work")
