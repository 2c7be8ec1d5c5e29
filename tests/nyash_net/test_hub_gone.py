"""The hub goes and comes back: scripts hear of it, and go on.   test_hub_gone.py NYASH SMALL_HUB"""
import sys

from processes import Meeting

BOB = """
bob = new P2PBox("bob", "websocket")
bob.onState(function(state, problem) { print(state) })
bob.on("n", function(intent, from) { print(from + " " + intent.payload) })
bob.on("bye", function(intent, from) { bob.close() })
"""
# Sends one more number for each line it reads.
ALICE = """
alice = new P2PBox("alice", "websocket")
alice.onState(function(state, problem) { print(state + " " + (problem.length() > 0)) })
console = new ConsoleBox()
i = 0
line = console.readLine()
loop(line != null and line != "bye") {
    i = i + 1
    print(alice.send("bob", new IntentBox("n", i)))
    line = console.readLine()
}
alice.send("bob", "bye:")
alice.close()
"""


def main(nyash, small_hub):
    with Meeting(nyash, small_hub) as meeting:
        bob = meeting.script(BOB)
        bob.expect("connected")
        alice = meeting.script(ALICE)
        alice.expect("connected false")
        alice.say("")
        alice.expect("Ok(true)")
        bob.expect("alice 1")
        meeting.hub.kill()
        bob.expect("reconnecting")
        alice.expect("reconnecting true")
        alice.say("")
        alice.say("")
        alice.expect("Ok(true)", "Ok(true)")  # they wait for the hub
        meeting.start_hub()
        bob.expect_line("connected")
        bob.expect_line("alice 2")
        bob.expect("alice 3")
        alice.expect_line("connected false")
        alice.say("")
        alice.expect_line("Ok(true)")
        bob.expect("alice 4")
        alice.say("bye")
        assert alice.exit_status() == 0, alice.history()
        assert bob.exit_status() == 0, bob.history()
    print("the hub may go")


if __name__ == "__main__":
    main(*sys.argv[1:])
