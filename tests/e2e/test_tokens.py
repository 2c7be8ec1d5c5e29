#!/usr/bin/env python3
"""Tokens that end, are renewed, or were signed with a key that is no longer one: over real sockets, in real time.

    test_tokens.py PATH-OF-NYAMESH
"""

import asyncio
import os
import signal
import sys
import unittest

import processes
from hub_client import HubClient
from processes import SystemTest

SHORT = "5"  # seconds a token lives that is to end: long enough to be shown in time on a busy machine


class TokenTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.secret = self.make_secret("secret", "0")
        self.hub, self.url = self.start_hub("--auth-key", self.secret)

    def make_secret(self, name, digit):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(digit * 32 + "\n")
        return path

    def token(self, subject, *words, key=None):
        code, out, errors = self.run_command("token", "--key", key or self.secret, "--subject", subject, *words)
        self.assertEqual((code, errors), (0, []))
        return out[0]


    async def open(self, name, token):
        return await HubClient.open(self.url, token=token, n=name, i="00000000000000a1", sessions=False)

    async def connect(self, name, *words):
        """A client with a token of its own."""
        return await self.open(name, self.token(name, *words))


class Expiry(TokenTest):
    def test_it_is_told_in_time_and_then_the_connection_ends_with_4503(self):
        async def play():
            client = await self.connect("alice", "--lifetime", SHORT)
            welcome = await client.next("welcome")
            self.assertLessEqual(welcome["in"], 1000 * int(SHORT))
            self.assertLessEqual((await client.next("expiring"))["in"], 1000 * int(SHORT))
            self.assertEqual(await client.close_code(), 4503)
        asyncio.run(play())

    def test_a_fresh_token_in_mid_connection_keeps_it(self):
        async def play():
            # Of two tokens the first is renewed; the end of the second says when the first one's time is over.
            fresh = self.token("alice", "--lifetime", "3600")
            client = await self.connect("alice", "--lifetime", SHORT)
            await client.next("expiring")
            await client.say(t="auth", token=fresh)
            self.assertGreater((await client.next("welcome"))["in"], 3_000_000)
            other = await self.connect("bob", "--lifetime", SHORT)
            self.assertEqual(await other.close_code(), 4503)
            await client.say(t="list")
            await client.next("nodes")
        asyncio.run(play())

    def test_one_that_is_refused_leaves_the_old_one_to_its_end(self):
        async def play():
            forged = self.token("alice", key=self.make_secret("forged", "1"))
            client = await self.connect("alice", "--lifetime", SHORT)
            await client.next("expiring")
            await client.say(t="auth", token=forged)
            self.assertEqual((await client.next("refused"))["e"], "unauthorized")
            await client.say(t="list")
            await client.next("nodes")
            self.assertEqual(await client.close_code(), 4503)
        asyncio.run(play())

    def test_one_of_somebody_else_ends_it_with_4504(self):
        async def play():
            client = await self.connect("alice")
            await client.next("bound")
            await client.say(t="auth", token=self.token("mallory"))
            self.assertEqual((await client.next("refused"))["e"], "unauthorized")
            self.assertEqual(await client.close_code(), 4504)
        asyncio.run(play())

    def test_a_node_says_that_its_token_has_ended(self):
        bob = self.listen("bob", self.url, "--token", self.token("bob", "--lifetime", SHORT))
        told = bob.wait_json(lambda told: told.get("state") == "failed")
        self.assertIn("4503", told["problem"])
        self.assertIn("the token has expired", told["problem"])
        self.assertEqual(bob.end()[0], 1)

    def test_one_that_has_ended_already_is_refused(self):
        async def play():
            token = self.token("alice", "--lifetime", SHORT)
            first = await self.open("alice", token)
            self.assertEqual(await first.close_code(), 4503)
            again = await self.open("alice", token)
            self.assertIn("expired", (await again.next("refused"))["message"])
            self.assertEqual(await again.close_code(), 4502)
        asyncio.run(play())


class Keys(TokenTest):
    def test_a_key_that_was_taken_away_signs_no_more(self):
        old = self.token("alice")
        bob = self.listen("bob", self.url, "--token", self.token("bob"))
        os.replace(self.make_secret("next", "1"), self.secret)
        self.hub.signal(signal.SIGHUP)
        while "certificates and keys read again" not in self.hub.errors.get(timeout=processes.LIMIT):
            pass
        code, out, errors = self.run_command("send", "bob", "x", "--from", "alice", "--token", old, url=self.url)
        self.assertEqual((code, out), (1, []))
        self.assertIn("4502", errors[0])
        fresh = self.token("alice")
        self.assertEqual(self.run_command("send", "bob", "hello", "--from", "alice", "--token", fresh, url=self.url),
                         (0, [], []))
        # Who is there stays there.
        self.assertEqual(bob.json()["intent"], "hello")


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    unittest.main()
