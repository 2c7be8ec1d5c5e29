#!/usr/bin/env python3
"""Runs the samples of docs/tools.md.   test_tools_page.py PATH-OF-NYAMESH

All ```console samples are one shell's life: lines after "$ " are typed, the others are what must come. Port 8080 of the
page is one of the system's choice here.
"""

import os
import re
import signal
import subprocess
import sys
import unittest

import processes
from processes import SystemTest

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/tools.md")


def samples(kind):
    with open(PAGE, encoding="utf-8") as page:
        return re.findall(r"^```" + kind + r"\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)


class ToolsPage(SystemTest):
    def test_console_samples(self):
        hub, url = self.start_hub()
        typed, wanted = [], []
        for sample in samples("console"):
            for line in sample.splitlines():
                if not line.startswith("$ "):
                    wanted.append(line)
                elif line == "$ nyamesh hub --log off &":
                    typed += [f"sleep 0 & echo {url.rsplit(':', 1)[0]}:8080"]  # ours runs already; job 1 as on the page
                else:
                    typed.append(line[2:])
        environment = dict(os.environ, NYAMESH_HUB=url, XDG_STATE_HOME=self.state,
                           PATH=os.path.dirname(os.path.abspath(processes.NYAMESH)) + os.pathsep + os.environ["PATH"])
        shell = subprocess.run(["bash", "-c", "\n".join(typed)], cwd=self.directory, env=environment, text=True,
                               capture_output=True, timeout=processes.LIMIT, check=False)
        self.assertEqual(shell.stdout.splitlines(), wanted, shell.stderr)

    def test_configuration(self):
        text, = samples("toml hub.toml")
        file = os.path.join(self.directory, "hub.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(text.replace(":8080", ":0").replace(":9090", ":0").replace("hub-state", self.directory + "/state"))
        hub = self.start("hub", "--config", file)
        self.assertRegex(hub.line(), r"^ws://127.0.0.1:\d+$")
        hub.signal(signal.SIGTERM)
        self.assertEqual(hub.end()[0], 0)


if __name__ == "__main__":
    processes.NYAMESH = sys.argv.pop(1)
    unittest.main()
