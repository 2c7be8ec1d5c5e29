#!/usr/bin/env python3
"""wss://, as commands and scripts meet it: certificates that are good or not, and are changed while the hub runs.

    test_tls.py PATH-OF-NYAMESH PATH-OF-NYASH PATH-OF-CERTIFICATES
"""

import os
import shutil
import signal
import subprocess
import sys
import unittest

import processes
from processes import SystemTest

NYASH = CERTIFICATES = ""

SCRIPT = """
node = new P2PBox("script", "websocket", { ca_file: "CA" })
node.on("add", function(intent, from) { return intent.payload.a + intent.payload.b })
node.on("end", function(intent, from) { node.close() })
node.onState(function(state, problem) { print(state + " " + problem) })
"""


class TlsTest(SystemTest):
    def certificates(self):
        """A new CA, and what it has signed: a folder."""
        return self.start(program=CERTIFICATES, stdin=subprocess.PIPE).line()

    def start_tls_hub(self, folder, name="good", *words):
        """A hub with that certificate, in files of its own."""
        self.install(folder, name)
        return self.start_hub("--tls-cert", self.file("hub.pem"), "--tls-key", self.file("hub.key"), *words)

    def install(self, folder, name):
        shutil.copy(os.path.join(folder, name + ".pem"), self.file("hub.pem"))
        shutil.copy(os.path.join(folder, name + ".key"), self.file("hub.key"))

    def file(self, name):
        return os.path.join(self.directory, name)

    def script(self, code, url):
        with open(self.file("script.nyash"), "w", encoding="utf-8") as out:
            out.write(code)
        return self.start(self.file("script.nyash"), url=url, program=NYASH)

    def problem(self, url, *words):
        """What a listening node says of the connection that it does not get."""
        node = self.start("listen", "--name", "nobody", "--json", *words, url=url)
        told = node.wait_json(lambda told: told.get("problem"))
        node.kill()
        self.assertNotEqual(told["state"], "connected")
        return told["problem"]

    def reload(self, hub):
        """What the hub says of it."""
        hub.signal(signal.SIGHUP)
        while "certificates and keys" not in (said := hub.errors.get(timeout=processes.LIMIT)):
            pass
        return said


class Wss(TlsTest):
    def test_commands_and_scripts_talk_through_it(self):
        folder = self.certificates()
        ca = os.path.join(folder, "ca.pem")
        hub, url = self.start_tls_hub(folder)
        self.assertTrue(url.startswith("wss://127.0.0.1:"), url)
        bob = self.listen("bob", url, "--ca-file", ca, "--answer", "fine")
        script = self.script(SCRIPT.replace("CA", ca), url)
        self.assertEqual(script.line(), "connected ")
        talk = lambda *words: self.run_command(*words, "--ca-file", ca, url=url)
        self.assertEqual(talk("send", "bob", "chat", '"hi"', "--from", "alice"), (0, [], []))
        self.assertEqual(bob.wait_json(lambda told: "intent" in told),
                         {"from": "alice", "intent": "chat", "payload": "hi"})
        self.assertEqual(talk("request", "bob", "mood"), (0, ["fine"], []))
        self.assertEqual(talk("request", "script", "add", '{"a":2,"b":3}'), (0, ["5"], []))
        self.assertEqual(talk("send", "script", "end"), (0, [], []))
        self.assertEqual(script.end(), (0, [], []))

    def test_a_certificate_that_is_not_good_is_named(self):
        folder = self.certificates()
        ca = os.path.join(folder, "ca.pem")
        for name, words, said in (
                ("expired", ("--ca-file", ca), "the certificate of 127.0.0.1 has expired"),
                ("early", ("--ca-file", ca), "the certificate of 127.0.0.1 is not valid yet"),
                ("wrong_host", ("--ca-file", ca), "the certificate is for another host than 127.0.0.1"),
                ("self_signed", ("--ca-file", ca), "the certificate of 127.0.0.1 is self-signed"),
                ("good", (), "the certificate of 127.0.0.1 was issued by an unknown CA")):
            hub, url = self.start_tls_hub(folder, name)
            problem = self.problem(url, *words)
            self.assertIn(said, problem)
            self.assertIn(url, problem)
            hub.kill()

    def test_a_command_that_cannot_connect_says_why(self):
        hub, url = self.start_tls_hub(self.certificates())
        code, out, errors = self.run_command("send", "bob", "x", url=url)
        self.assertEqual((code, out), (1, []))
        self.assertIn("was issued by an unknown CA", errors[0])

    def test_a_script_hears_why(self):
        folder = self.certificates()
        hub, url = self.start_tls_hub(folder, "expired")
        script = self.script(SCRIPT.replace("CA", os.path.join(folder, "ca.pem")), url)
        while "has expired" not in script.line():
            pass
        script.kill()

    def test_a_ca_file_that_is_none_is_named(self):
        hub, url = self.start_tls_hub(self.certificates())
        code, _, errors = self.run_command("send", "bob", "x", "--ca-file", self.file("nothing.pem"), url=url)
        self.assertEqual(code, 1)
        self.assertIn(self.file("nothing.pem"), errors[0])

    def test_ws_and_wss_do_not_understand_each_other(self):
        folder = self.certificates()
        hub, url = self.start_tls_hub(folder)
        self.assertTrue(self.problem(url.replace("wss:", "ws:")))
        plain, url = self.start_hub()
        self.assertIn("does not speak TLS", self.problem(url.replace("ws:", "wss:"), "--ca-file",
                                                         os.path.join(folder, "ca.pem")))


class Reload(TlsTest):
    def test_new_connections_see_the_new_certificate_and_old_ones_stay(self):
        old, new = self.certificates(), self.certificates()
        hub, url = self.start_tls_hub(old)
        bob = self.listen("bob", url, "--ca-file", os.path.join(old, "ca.pem"))
        self.install(new, "good")
        self.assertIn("read again", self.reload(hub))
        self.assertIn("was issued by an unknown CA", self.problem(url, "--ca-file", os.path.join(old, "ca.pem")))
        self.assertEqual(self.run_command("send", "bob", "hello", "--ca-file", os.path.join(new, "ca.pem"), url=url),
                         (0, [], []))
        # The first thing bob hears since it was connected: that connection has stayed.
        self.assertEqual(bob.json()["intent"], "hello")

    def test_files_that_do_not_fit_leave_all_as_it_was(self):
        folder = self.certificates()
        ca = os.path.join(folder, "ca.pem")
        hub, url = self.start_tls_hub(folder)
        shutil.copy(os.path.join(folder, "expired.key"), self.file("hub.key"))
        said = self.reload(hub)
        self.assertIn("still with the old certificates and keys", said)
        self.assertIn(self.file("hub.key"), said)
        self.listen("bob", url, "--ca-file", ca)


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    NYASH = os.path.abspath(sys.argv.pop(1))
    CERTIFICATES = os.path.abspath(sys.argv.pop(1))
    unittest.main()
