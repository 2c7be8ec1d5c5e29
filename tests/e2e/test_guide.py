#!/usr/bin/env python3
"""The guide's Level 3 over two processes and a hub: a C++ node and a script talk by name, both ways.

    test_guide.py PATH-OF-NYAMESH PATH-OF-NYASH
"""

import os
import sys
import unittest

import processes
from processes import SystemTest

NYASH = ""

SCRIPT = """
node = new P2PBox("script", transport: "websocket")
node.on("add", function(intent, from) { return intent.payload.a + intent.payload.b })
node.on("chat.message", function(intent, from) {
    print(from + ": " + intent.payload.text)
    node.send("cpp", new IntentBox("chat.reply", { text: "hello, " + from }))
})
node.on("end", function(intent, from) { node.close() })
node.onState(function(state, problem) { print(state) })
"""


class LevelThree(SystemTest):
    def test_cpp_and_script_by_name_both_ways(self):
        hub, url = self.start_hub()
        cpp = self.listen("cpp", url)
        file = os.path.join(self.directory, "script.nyash")
        with open(file, "w", encoding="utf-8") as out:
            out.write(SCRIPT)
        script = self.start(file, url=url, program=NYASH)
        self.assertEqual(script.line(), "connected")
        send = lambda *words: self.run_command(*words, url=url)
        self.assertEqual(send("send", "script", "chat.message", '{"text":"hi"}', "--from", "teller"), (0, [], []))
        self.assertEqual(script.line(), "teller: hi")
        told = cpp.wait_json(lambda told: "intent" in told)
        self.assertEqual(told, {"from": "script", "intent": "chat.reply", "payload": {"text": "hello, teller"}})
        self.assertEqual(send("request", "script", "add", '{"a":2,"b":3}'), (0, ["5"], []))
        self.assertEqual(send("send", "script", "end"), (0, [], []))
        self.assertEqual(script.end(), (0, [], []))


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    NYASH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
