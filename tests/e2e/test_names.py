#!/usr/bin/env python3
"""A client is killed and comes back: what becomes of its name, and of what was on its way to it.

    test_names.py PATH-OF-NYAMESH
"""

import json
import signal
import subprocess
import sys
import time
import unittest

import processes
from processes import DeadCable, SystemTest

class KilledClient(SystemTest):
    def tell_time(self, began):  # a figure, not a judgement: the machine may be busy
        print(f"{self.id().split('.')[-1]}: name back after {(time.monotonic() - began) * 1000:.0f} ms", flush=True)

    def test_its_restart_has_the_name_back(self):
        hub, url = self.start_hub()
        bob = self.listen("bob", url)
        bob.kill()
        began = time.monotonic()
        self.listen("bob", url)  # the key is in the state directory
        self.tell_time(began)

    def test_also_when_the_hub_believes_in_a_half_open_connection(self):
        hub, url = self.start_hub()
        cable = DeadCable(int(url.rsplit(":", 1)[1]))
        self.addCleanup(cable.close)
        bob = self.listen("bob", cable.url, "--key", "ours")  # keys are kept by address, and this one has two
        cable.is_dead.set()
        bob.kill()
        began = time.monotonic()
        again = self.listen("bob", url, "--key", "ours")
        self.tell_time(began)
        self.assertEqual(self.run_command("send", "bob", "hello", url=url)[0], 0)
        self.assertEqual(again.wait_json(lambda told: "intent" in told)["intent"], "hello")

    def test_also_when_the_old_one_only_sleeps(self):
        hub, url = self.start_hub()
        bob = self.listen("bob", url)
        bob.signal(signal.SIGSTOP)
        began = time.monotonic()
        self.listen("bob", url)
        self.tell_time(began)
        bob.signal(signal.SIGCONT)
        # Two of one name: the one that was replaced hears so, and does not fight for it.
        self.assertEqual(bob.wait_json(lambda told: told.get("state") in ("failed", "connected"))["state"], "failed")

    def test_nobody_else_gets_the_name(self):
        hub, url = self.start_hub()
        bob = self.listen("bob", url)
        bob.kill()
        thief = self.start("listen", "--name", "bob", "--key", "another", "--json", url=url)
        self.assertNotEqual(thief.wait_json(lambda told: "state" in told)["state"], "connected")
        thief.kill()

    def test_what_was_on_its_way_is_reported_and_not_replayed(self):
        hub, url = self.start_hub()
        bob = self.start("verify-end", "--name", "bob", "--rate", "100", url=url, stdin=subprocess.PIPE)
        self.assertEqual(bob.json(), {"ready": True})
        alice = self.start("verify-end", "--name", "alice", "--to", "bob", "--messages", "200", "--rate", "200", url=url,
                           stdin=subprocess.PIPE)
        self.assertEqual(alice.json(), {"ready": True})
        alice.process.stdin.write("go\n")
        alice.process.stdin.flush()
        heard = [bob.json()["got"] for _ in range(20)]
        bob.signal(signal.SIGSTOP)  # what is sent now arrives in its socket, and is never handled
        time.sleep(0.2)  # the length of the outage
        bob.kill()
        heard += [line["got"] for line in map(json.loads, bob.all(bob.lines)) if "got" in line]
        again = self.start("verify-end", "--name", "bob", "--rate", "100", url=url, stdin=subprocess.PIPE)
        later = []  # what was never on a wire may be here before it says that it is ready
        while "ready" not in (told := again.json()):
            later.append(told["got"])
        unconfirmed = []
        while True:
            told = alice.json()
            if "unconfirmed" in told:
                unconfirmed.append(told["unconfirmed"])
            if "done" in told:
                break
        again.process.stdin.close()
        later += [line["got"] for line in map(json.loads, again.all(again.lines)) if "got" in line]
        self.assertEqual(heard, list(range(len(heard))))
        self.assertEqual(later, sorted(set(later)))
        self.assertFalse(set(later) & set(heard), "replayed to another instance")
        self.assertFalse(set(later) & set(unconfirmed), "replayed although reported")
        self.assertTrue(unconfirmed)
        self.assertEqual(set(heard) | set(later) | set(unconfirmed), set(range(200)), "silence")


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    unittest.main()
