#!/usr/bin/env python3
"""SIGTERM and Ctrl-C: nodes take leave of their peers, the hub lets its clients come back; nothing is lost.

    test_endings.py PATH-OF-NYAMESH PATH-OF-NYASH
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import unittest

import processes
from hub_client import HubClient
from processes import SystemTest

NYASH = ""

SCRIPT = """
bob = new P2PBox("bob", "websocket")
bob.on("n", function(intent, from) { print(intent.payload) })
bob.onState(function(state, problem) { print(state) })
"""
BUSY_SCRIPT = """
bob = new P2PBox("bob", "websocket")
bob.onState(function(state, problem) { print(state)  new TimeBox().sleep(1)  loop(true) { } })  // waiting shows the line
"""


class EndingTest(SystemTest):
    def script(self, url, code):
        file = os.path.join(self.directory, "script.nyash")
        with open(file, "w", encoding="utf-8") as out:
            out.write(code)
        return self.start(file, url=url, program=NYASH)


class Nodes(EndingTest):
    def watch_end_of(self, name, url, end):
        """What the hub tells, in this order, who watches that node when it ends."""
        async def play():
            client = await HubClient.open(url)
            await client.say(t="resolve", n=name)
            heard = [(await client.next("peer"))["state"]]
            end()
            heard.append((await client.next("peer"))["state"])
            await client.close()
            return heard
        return asyncio.run(play())

    def test_listen_takes_leave(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            hub, url = self.start_hub()
            bob = self.listen("bob", url)
            self.assertEqual(self.watch_end_of("bob", url, lambda: bob.signal(number)), ["here", "gone"])
            self.assertEqual(bob.end()[0], 0)

    def test_a_script_takes_leave(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for code in (SCRIPT, BUSY_SCRIPT):
                hub, url = self.start_hub()
                bob = self.script(url, code)
                self.assertEqual(bob.line(), "connected")
                self.assertEqual(self.watch_end_of("bob", url, lambda: bob.signal(number)), ["here", "gone"])
                self.assertEqual(bob.end()[0], -number)  # to a shell: 130, 143

    def test_a_script_that_is_asked_twice_ends_at_once(self):
        """Waiting for a hub that does not answer any more."""
        for number in (signal.SIGINT, signal.SIGTERM):
            hub, url = self.start_hub()
            self.listen("alice", url)
            bob = self.script(url, """
                bob = new P2PBox("bob", "websocket", { linger: 60000 })
                bob.on("go", function(intent, from) { bob.send("alice", "late")  print("sent") })
                bob.onState(function(state, problem) { print(state) })
                """)
            self.assertEqual(bob.line(), "connected")
            self.assertEqual(self.run_command("send", "bob", "go", "--wait", "handled", url=url)[0], 0)
            self.assertEqual(bob.line(), "sent")
            hub.stop()
            bob.signal(number)
            bob.signal(number)
            self.assertEqual(bob.end()[0], -number)
            hub.signal(signal.SIGCONT)

    def test_who_waits_for_an_answer_is_told_that_it_will_not_come(self):
        hub, url = self.start_hub()
        bob = self.script(url, """
            bob = new P2PBox("bob", "websocket")
            bob.on("think", function(intent, from) { print("thinking")  new TimeBox().sleep(60000)  return 42 })
            bob.onState(function(state, problem) { print(state) })
            """)
        self.assertEqual(bob.line(), "connected")
        asks = self.start("request", "bob", "think", "--json", "--timeout", "60s", url=url)
        self.assertEqual(bob.line(), "thinking")
        bob.signal(signal.SIGTERM)
        code, out, _ = asks.end()
        self.assertEqual(code, 1)
        self.assertIn(json.loads(out[0])["error"]["reason"], ("unconfirmed", "gone", "may_have_run", "handler_failed"))
        self.assertEqual(bob.end()[0], -signal.SIGTERM)


class Drain(EndingTest):
    def verify_end(self, name, url, *words):
        node = self.start("verify-end", "--name", name, "--rate", "200", *words, url=url, stdin=subprocess.PIPE)
        self.assertEqual(node.json(), {"ready": True})
        return node

    def test_clients_come_back_to_the_next_hub_and_nothing_is_lost(self):
        hub, url = self.start_hub("--drain", "200ms")
        bob = self.verify_end("bob", url)
        alice = self.verify_end("alice", url, "--to", "bob", "--messages", "300")
        watching = self.listen("watching", url)
        alice.process.stdin.write("go\n")
        alice.process.stdin.flush()
        heard = [bob.json()["got"] for _ in range(50)]
        hub.signal(signal.SIGTERM)
        self.assertEqual(hub.end()[0], 0)
        self.assertEqual(watching.json()["state"], "reconnecting")
        self.start_hub(port=int(url.rsplit(":", 1)[1]))
        self.assertEqual(watching.wait_json(lambda told: told["state"] != "reconnecting")["state"], "connected")
        self.assertEqual(alice.json(), {"done": True, "reason": ""})  # and not a word of anything refused or unconfirmed
        bob.process.stdin.close()
        heard += [json.loads(line)["got"] for line in bob.all(bob.lines)]
        self.assertEqual(heard, list(range(300)))

    def test_a_script_too(self):
        hub, url = self.start_hub("--drain", "200ms")
        bob = self.script(url, SCRIPT)
        self.assertEqual(bob.line(), "connected")
        hub.signal(signal.SIGTERM)
        self.assertEqual(hub.end()[0], 0)
        self.assertEqual(bob.line(), "reconnecting")
        self.start_hub(port=int(url.rsplit(":", 1)[1]))
        self.assertEqual(bob.line(), "connected")
        self.assertEqual(self.run_command("send", "bob", "n", "1", "--wait", "handled", url=url), (0, [], []))
        self.assertEqual(bob.line(), "1")


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    NYASH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
