"""What the tests of whole systems share: the nyamesh command in processes of its own, and a cable that can go dead."""

import json
import os
import queue
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

NYAMESH = ""  # set by main()
LIMIT = 60    # seconds after which a wait has failed; nothing is measured with it


class Process:
    """A nyamesh command; its lines are waited for, never slept for."""

    def __init__(self, *words, url=None, state=None, program=None, stdin=None):
        environment = dict(os.environ)
        environment.pop("NYAMESH_HUB", None)
        if url:
            environment["NYAMESH_HUB"] = url
        if state:
            environment["XDG_STATE_HOME"] = state
        self.process = subprocess.Popen([program or NYAMESH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=stdin or subprocess.DEVNULL, text=True, env=environment)
        self.readers = []
        self.said = []
        self.lines = queue.Queue()
        self.errors = queue.Queue()
        for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            self.readers.append(threading.Thread(target=self._read, args=(stream, into), daemon=True))
            self.readers[-1].start()

    @staticmethod
    def _read(stream, into):
        for line in stream:
            into.put(line.rstrip("\n"))
        into.put(None)

    def line(self):
        try:
            found = self.lines.get(timeout=LIMIT)
        except queue.Empty:
            raise AssertionError("it says nothing more after:\n" + "\n".join(self.said)) from None
        if found is None:
            raise AssertionError("it ended without another line: " + "\n".join(self.all(self.errors)))
        self.said.append(found)
        return found

    def json(self):
        return json.loads(self.line())

    def wait_json(self, is_meant):
        while True:
            told = self.json()
            if is_meant(told):
                return told

    @staticmethod
    def all(lines):
        found = []
        while (line := lines.get(timeout=LIMIT)) is not None:
            found.append(line)
        return found

    def end(self):
        """(exit code, lines on stdout, lines on stderr)"""
        code = self.process.wait(timeout=LIMIT)
        return code, self.all(self.lines), self.all(self.errors)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """It is there, and does nothing more: from now on, not from when the signal gets to it."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        for reader in self.readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


class SystemTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.state = os.path.join(directory.name, "state")

    def start(self, *words, **more):
        more.setdefault("state", self.state)
        process = Process(*words, **more)
        self.addCleanup(process.close)
        return process

    def start_hub(self, *words, port=0):
        """The hub and its url."""
        hub = self.start("hub", "--listen", f"127.0.0.1:{port}", "--state-dir", os.path.join(self.directory, "hub"), *words)
        return hub, hub.line()

    def run_command(self, *words, **more):
        return self.start(*words, **more).end()

    def listen(self, name, url, *words, **more):
        """A listening node that the hub knows."""
        node = self.start("listen", "--name", name, "--json", *words, url=url, **more)
        node.wait_json(lambda told: told.get("state") == "connected")
        return node


class DeadCable:
    """A way to the hub that can go silent: nothing is closed, nothing arrives."""

    def __init__(self, port):
        self.target = port
        self.is_dead = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        self.kept = []  # so that nothing is closed
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            self.kept += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    def _carry(self, a, b):
        while True:
            try:
                data = a.recv(65536)
                if self.is_dead.is_set():
                    return
                if not data:
                    b.shutdown(socket.SHUT_WR)
                    return
                b.sendall(data)
            except OSError:
                return

    def close(self):
        self.listener.close()
        for one in self.kept:
            one.close()
