#!/usr/bin/env python3
"""A lease, waited through: two minutes, in real time.   test_lease.py PATH-OF-NYAMESH"""

import sys
import time
import unittest

import processes
from processes import SystemTest

LEASE = 120  # seconds; what the protocol says (docs/protocol.md, "Names")


class Lease(SystemTest):
    def test_the_name_of_a_killed_node_goes_to_somebody_else_only_after_it(self):
        hub, url = self.start_hub()
        bob = self.listen("bob", url, "--key", "ours")
        killed_at = time.monotonic()
        bob.kill()
        other = self.start("listen", "--name", "bob", "--key", "another", "--json", url=url)
        told = other.json()
        self.assertEqual(told["state"], "reconnecting")
        self.assertIn("belongs to another client", told["problem"])
        self.assertEqual(other.json()["state"], "connected")
        self.assertGreaterEqual(time.monotonic() - killed_at, LEASE)  # it may well be late, but never early
        self.assertEqual(self.run_command("send", "bob", "hello", url=url), (0, [], []))
        self.assertEqual(other.json()["intent"], "hello")
        # It is another's now.
        first = self.start("listen", "--name", "bob", "--key", "ours", "--json", url=url)
        self.assertEqual(first.wait_json(lambda told: told["state"] != "reconnecting")["state"], "failed")


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    processes.LIMIT = 2 * LEASE
    unittest.main()
