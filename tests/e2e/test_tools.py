#!/usr/bin/env python3
"""The nyamesh command as people and shells meet it.   test_tools.py PATH-OF-NYAMESH"""

import json
import os
import signal
import sys
import time
import unittest

import processes
from processes import SystemTest


class Talking(SystemTest):
    def test_two_terminals(self):
        hub, url = self.start_hub()
        bob = self.start("listen", "--name", "bob", "--count", "1", url=url)
        self.assertEqual(bob.errors.get(timeout=processes.LIMIT), "nyamesh: 'bob' is connected")
        self.assertEqual(self.run_command("send", "bob", "chat.message", '{"text":"hi"}', "--from", "alice", url=url),
                         (0, [], []))
        self.assertEqual(bob.end()[:2], (0, ['alice chat.message {"text":"hi"}']))

    def test_a_request_prints_its_answer(self):
        hub, url = self.start_hub()
        self.listen("calculator", url, "--answer", "[1,2]")
        self.assertEqual(self.run_command("request", "calculator", "list", url=url), (0, ["[1,2]"], []))

    def test_an_answer_that_is_a_text_is_printed_as_it_is(self):
        hub, url = self.start_hub()
        self.listen("bob", url, "--answer", "fine")
        self.assertEqual(self.run_command("request", "bob", "status", url=url), (0, ["fine"], []))

    def test_a_node_that_does_not_exist(self):
        hub, url = self.start_hub()
        # For 5 s after its start a hub says "not yet known", which is also how long a send waits.
        code, out, errors = self.run_command("send", "nobody", "x", "--json", "--timeout", "30s", url=url)
        self.assertEqual(code, 1)
        self.assertEqual(json.loads(out[0])["error"]["kind"], "NodeNotFound")

    def test_an_intent_that_nobody_listens_to(self):
        hub, url = self.start_hub()
        self.listen("bob", url, "--intent", "chat")
        code, out, errors = self.run_command("send", "bob", "tchat", "--wait", "handled", "--json", url=url)
        self.assertEqual((code, json.loads(out[0])["error"]["reason"]), (1, "no_handler"))

    def test_names_that_are_there(self):
        hub, url = self.start_hub()
        for name in ("lamp/2", "lamp/1", "door"):
            self.listen(name, url)
        self.assertEqual(self.run_command("nodes", url=url), (0, ["door", "lamp/1", "lamp/2"], []))
        self.assertEqual(self.run_command("nodes", "lamp/", "--json", url=url)[1], ['{"name":"lamp/1"}', '{"name":"lamp/2"}'])

    def test_ping(self):
        hub, url = self.start_hub()
        self.listen("bob", url)
        code, out, _ = self.run_command("ping", "bob", "-c", "2", "--interval", "1ms", url=url)
        self.assertEqual((code, len(out)), (0, 3))
        self.assertRegex(out[0], r"^bob: \d+\.\d\d ms$")
        self.assertRegex(out[2], r"^2 of 2 answered")

    def test_without_a_hub(self):
        code, _, errors = self.run_command("nodes", "--hub", "ws://127.0.0.1:1", "--timeout", "300ms")
        self.assertEqual(code, 1)
        self.assertIn("nyamesh hub", "\n".join(errors))


class CommandLine(SystemTest):
    def test_help_has_examples_and_exit_codes(self):
        for command in ("hub", "send", "listen", "request", "nodes", "ping", "verify", "bench", "token"):
            code, out, _ = self.run_command(command, "--help")
            self.assertEqual(code, 0)
            self.assertIn("examples:", out)
            self.assertIn("exit status: 0 ok, 1 failed, 2 an error on the command line", out)

    def test_mistakes_are_named(self):
        for words, said in ((["lisn"], "did you mean 'listen'"), (["send", "bob"], "intent is required"),
                            (["send", "a", "b", "--tiemout", "1s"], "did you mean '--timeout'"),
                            (["ping", "bob", "--interval", "soon"], "'soon' is no time"), ([], "subcommand is required")):
            code, out, errors = self.run_command(*words)
            self.assertEqual((code, out), (2, []), words)
            self.assertIn(said, "\n".join(errors))

    def test_completion_knows_every_command(self):
        code, out, _ = self.run_command("completion", "bash")
        self.assertEqual(code, 0)
        self.assertIn("hub send request listen nodes ping token verify bench completion", "\n".join(out))


class HubCommand(SystemTest):
    def test_sigterm_drains_and_ends_well(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            hub, url = self.start_hub("--drain", "100ms")
            bob = self.listen("bob", url)
            hub.signal(number)
            self.assertEqual(hub.end()[0], 0)
            self.assertEqual(bob.wait_json(lambda told: told.get("state") != "connected")["state"], "reconnecting")
            bob.kill()

    def test_a_port_in_use(self):
        hub, url = self.start_hub()
        code, out, errors = self.run_command("hub", "--listen", url.removeprefix("ws://"))
        self.assertEqual((code, out), (1, []))
        self.assertIn(url.removeprefix("ws://"), errors[0])

    def test_a_public_address_needs_protection(self):
        code, _, errors = self.run_command("hub", "--listen", "0.0.0.0:0")
        self.assertEqual(code, 1)
        self.assertIn("needs TLS and authentication", errors[0])

    def config(self, text):
        file = os.path.join(self.directory, "hub.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        return file

    def test_everything_can_be_configured(self):
        secret = os.path.join(self.directory, "secret")
        with open(secret, "w", encoding="utf-8") as out:
            out.write("0123456789abcdef0123456789abcdef\n")
        file = self.config(f"""
            listen = ["127.0.0.1:0"]
            admin = "127.0.0.1:0"
            allowed_origins = ["https://chat.example"]
            state_directory = "{self.directory}/hub"
            insecure = false
            log = "json"
            drain_ms = 100
            [auth]
            required = true
            audience = "chat"
            [[auth.keys]]
            id = "first"
            algorithm = "HS256"
            file = "{secret}"
            [limits]
            max_intent_bytes = 65536
            messages_per_second = 1000
            bytes_per_second = 1000000
            out_queue_bytes = 1000000
            connections = 100
            connections_per_address = 10
            accepts_per_second = 100
            names_per_connection = 10
            watches_per_connection = 100
            known_names = 1000
        """)
        hub = self.start("hub", "--config", file)
        url = hub.line()
        code, token, errors = self.run_command("token", "--key", secret, "--key-id", "first", "--subject", "alice",
                                               "--audience", "chat")
        self.assertEqual((code, errors), (0, []))
        self.assertEqual(self.run_command("nodes", "--from", "alice", "--token", token[0], url=url)[:2], (0, ["alice"]))
        code, _, errors = self.run_command("nodes", "--from", "alice", url=url)
        self.assertEqual(code, 1)
        hub.signal(signal.SIGHUP)
        hub.signal(signal.SIGTERM)
        code, _, log = hub.end()
        self.assertEqual(code, 0)
        self.assertTrue(any(json.loads(line)["event"] == "connected" for line in log if line.startswith("{")))

    def test_a_mistake_in_the_file_is_named_with_its_line(self):
        for text, said in (("listen = []\nadmn = ''", ":2: unknown key 'admn' at the top; did you mean 'admin'?"),
                           ("[limits]\nconections = 1", ":2: unknown key 'conections' in [limits]; did you mean 'connections'?"),
                           ("listen = 8080", ":1: 'listen': expected a list of texts"),
                           ("[limits]\nconnections = -1", ":2: 'connections': is out of range"),
                           ("insecure = 1", ":1: 'insecure': expected true or false"),
                           ("log = 'loud'", ":1: 'log': expected json, human or off"),
                           ("a = ", ":1: ")):
            file = self.config(text)
            code, _, errors = self.run_command("hub", "--config", file)
            self.assertEqual(code, 2)
            self.assertIn(file + said, errors[0])


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    unittest.main()
