"""How a script with open nodes ends: close(), Ctrl-C, an error.   test_endings.py NYASH SMALL_HUB"""
import signal
import sys

from processes import Meeting

LISTENER = """
bob = new P2PBox("bob", "websocket")
bob.onState(function(state, problem) { print(state) })
bob.on("n", function(intent, from) { print(intent.payload) })
"""


def close_ends_the_script(meeting, bob):
    """It lives while a node is open, also one that only its handlers know."""
    script = meeting.script("""
static box Main {
    main(args) {
        local node = new P2PBox("carol", "websocket")
        node.onState(function(state, problem) { print(state) })
        node.on("stop", function(intent, from) { print("stopping")  node.close() })
        print("main is over")
    }
}
""")
    script.expect("main is over", "connected")
    stopper = meeting.script('d = new P2PBox("d", "websocket")\nprint(d.send("carol", "stop:"))\nd.close()')
    stopper.expect("Ok(true)")
    script.expect("stopping")
    assert script.exit_status() == 0, script.history()
    assert stopper.exit_status() == 0


def what_was_sent_is_received(meeting, bob):
    """The close of a node waits for what is on its way; also inside a handler, where the script's end does."""
    script = meeting.script("""
alice = new P2PBox("alice", "websocket")
i = 0
loop(i < 200) { alice.send("bob", new IntentBox("n", i))  i = i + 1 }
alice.close()
""")
    assert script.exit_status() == 0, script.history()
    bob.expect(*[str(i) for i in range(200)])
    script = meeting.script("""
alice = new P2PBox("alice", "websocket")
local_node = new P2PBox("local")
alice.on("go", function(intent, from) {
    i = 200
    loop(i < 400) { alice.send("bob", new IntentBox("n", i))  i = i + 1 }
    alice.close()
})
local_node.send("alice", "go:")
""")
    assert script.exit_status() == 0, script.history()
    bob.expect(*[str(i) for i in range(200, 400)])


def an_error_ends_it(meeting, bob):
    script = meeting.script("""
alice = new P2PBox("alice", "websocket")
alice.on("x", function(intent, from) { })
alice.send("bob", new IntentBox("n", "before the error"))
print(undefined_name)
""")
    assert script.exit_status() == 1, script.history()
    bob.expect("before the error")


def interrupted(meeting, bob):
    """Ctrl-C closes the nodes properly: their peers hear that they have left, and get what was sent."""
    script = meeting.script("""
alice = new P2PBox("alice", "websocket")
alice.onState(function(state, problem) {
    i = 0
    loop(i < 100) { alice.send("bob", new IntentBox("n", i))  i = i + 1 }
    print("ready")
})
""")
    script.expect("ready")
    script.interrupt()
    assert script.exit_status() == -signal.SIGINT, script.history()
    bob.expect(*[str(i) for i in range(100)])
    later = meeting.script("""
carol = new P2PBox("carol", "websocket")
print(carol.request("alice", "hi").getError().reason)
carol.close()
""")
    assert later.line() in ("gone", "unknown"), later.history()
    assert later.exit_status() == 0


if __name__ == "__main__":
    with Meeting(*sys.argv[1:]) as the_meeting:
        the_bob = the_meeting.script(LISTENER)
        the_bob.expect("connected")
        for part in (close_ends_the_script, what_was_sent_is_received, an_error_ends_it, interrupted):
            part(the_meeting, the_bob)
        the_bob.interrupt()
        assert the_bob.exit_status() == -signal.SIGINT
    print("scripts end well")
