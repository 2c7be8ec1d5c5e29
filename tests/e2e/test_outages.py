#!/usr/bin/env python3
"""Two scripts and a hub that is away for longer than the resume window: nothing that was lost is lost in silence.

    test_outages.py PATH-OF-NYAMESH PATH-OF-NYASH
"""

import os
import subprocess
import sys
import unittest

import processes
from processes import SystemTest

NYASH = ""
WINDOW = 1_000  # ms; the shortest outage that says something on a busy machine

BOB = """
bob = new P2PBox("bob", "websocket")
bob.onState(function(state, problem) { print(state) })
bob.on("n", function(intent, from) { print("heard " + intent.payload) })
bob.onGap(function(from, missed) { print("gap " + from + " " + missed) })
bob.on("bye", function(intent, from) { bob.close() })
"""

# Sends what it is told to, "accepted 4" a line; "handled 4" waits for that.
ALICE = """
alice = new P2PBox("alice", "websocket", { resume_window: WINDOW })
alice.onState(function(state, problem) { print(state) })
alice.onUnconfirmed(function(to, intent, reason) { print("unconfirmed " + to + " " + intent.payload + " " + reason) })
console = new ConsoleBox()
line = console.readLine()
loop(line != null and line != "bye") {
    words = line.split(" ")
    print(alice.send("bob", new IntentBox("n", words.get(1)), { wait: words.get(0) }))
    line = console.readLine()
}
alice.send("bob", "bye:")
alice.close()
"""


class Outage(SystemTest):
    def script(self, url, name, code):
        file = os.path.join(self.directory, name + ".nyash")
        with open(file, "w", encoding="utf-8") as out:
            out.write(code)
        script = self.start(file, url=url, program=NYASH, stdin=subprocess.PIPE)
        self.assertEqual(script.line(), "connected")
        return script

    def say(self, script, line):
        script.process.stdin.write(line + "\n")
        script.process.stdin.flush()

    def send(self, alice, *numbers, wait="accepted"):
        for number in numbers:
            self.say(alice, f"{wait} {number}")
            self.assertEqual(alice.line(), "Ok(true)")

    def lines_until(self, script, last):
        lines = []
        while (line := script.line()) != last:
            lines.append(line)
        return lines

    def unconfirmed(self, alice, count):
        """Reads on until so many are told: what each is, and why."""
        told = []
        while len(told) < count:
            words = alice.line().split()
            if words[0] == "unconfirmed":
                self.assertEqual(words[1], "bob")
                told.append((int(words[2]), words[3]))
        return told

    def test_longer_than_the_window(self):
        hub, url = self.start_hub()
        bob = self.script(url, "bob", BOB)
        alice = self.script(url, "alice", ALICE.replace("WINDOW", str(WINDOW)))
        self.send(alice, 1, 2, 3, wait="handled")
        for number in (1, 2, 3):
            self.assertEqual(bob.line(), f"heard {number}")
        hub.stop()  # it takes bytes, and will never pass them on
        self.send(alice, 4, 5, 6)
        told = self.unconfirmed(alice, 3)
        hub.kill()
        self.assertEqual([number for number, _ in told], [4, 5, 6])
        self.start_hub(port=int(url.rsplit(":", 1)[1]))
        self.lines_until(bob, "connected")
        self.lines_until(alice, "connected")
        self.send(alice, 7, 8)
        # What may have run is what bob has missed; what certainly has not was never on its way.
        on_their_way = [number for number, reason in told if reason == "unconfirmed"]
        self.assertEqual([reason for _, reason in told if reason not in ("unconfirmed", "not_sent")], [])
        heard = self.lines_until(bob, "heard 8")
        gap = [f"gap alice {len(on_their_way)}"] if on_their_way else []
        self.assertEqual(heard, gap + ["heard 7"])
        self.say(alice, "bye")
        self.assertEqual(alice.end()[0], 0)
        self.assertEqual(bob.end()[0], 0)

    def test_shorter_than_the_window_nothing_is_told(self):
        hub, url = self.start_hub()
        bob = self.script(url, "bob", BOB)
        alice = self.script(url, "alice", ALICE.replace("WINDOW", "120000"))
        self.send(alice, 1, wait="handled")
        self.assertEqual(bob.line(), "heard 1")
        hub.stop()
        self.send(alice, 2, 3)
        hub.kill()
        self.assertEqual(alice.line(), "reconnecting")
        self.send(alice, 4)
        self.start_hub(port=int(url.rsplit(":", 1)[1]))
        self.assertEqual(self.lines_until(bob, "heard 4"), ["reconnecting", "connected", "heard 2", "heard 3"])
        self.assertEqual(alice.line(), "connected")
        self.say(alice, "bye")
        self.assertEqual((alice.end()[:2], bob.end()[:2]), ((0, []), (0, [])))


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    NYASH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
