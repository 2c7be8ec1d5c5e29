"""Programs that talk to each other, driven by what they print: nothing here waits for a length of time."""
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

GUARD = float(os.environ.get("NYA_TEST_GUARD", "60"))  # seconds after which something is wrong


class Process:
    """One program; both its outputs are read line by line as they come."""

    def __init__(self, command, env=None):
        self.name = os.path.basename(command[0])
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, encoding="utf-8")
        self.lines = queue.Queue()
        self.log = []
        self.errors = []
        self.readers = [threading.Thread(target=self._read_out, daemon=True),
                        threading.Thread(target=self._read_err, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read_out(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_err(self):
        for line in self.process.stderr:
            self.errors.append(line.rstrip("\n"))

    def line(self):
        """The next line it prints."""
        try:
            line = self.lines.get(timeout=GUARD)
        except queue.Empty:
            raise AssertionError(f"{self.name} printed nothing more. {self.history()}") from None
        if line is None:
            raise AssertionError(f"{self.name} has ended. {self.history()}")
        self.log.append(line)
        return line

    def expect(self, *wanted):
        """The next lines, exactly these."""
        for text in wanted:
            line = self.line()
            if line != text:
                raise AssertionError(f"{self.name} printed {line!r}, not {text!r}. {self.history()}")

    def expect_line(self, text):
        """Reads on until that line."""
        while self.line() != text:
            pass

    def rest(self):
        """What it still prints until it ends."""
        lines = []
        while (line := self.lines.get(timeout=GUARD)) is not None:
            lines.append(line)
        return lines

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def exit_status(self):
        """Waits for its end. Ended by a signal it is minus that signal."""
        try:
            status = self.process.wait(timeout=GUARD)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end. {self.history()}") from None
        for reader in self.readers:
            reader.join(timeout=GUARD)
        return status

    def history(self):
        return "It printed:\n  " + "\n  ".join(self.log) + "\nand on stderr:\n  " + "\n  ".join(self.errors)


class Meeting:
    """A hub, and scripts that know where it is."""

    def __init__(self, nyash, small_hub):
        self.nyash = nyash
        self.small_hub = small_hub
        self.home = tempfile.mkdtemp(prefix="nyash_net")
        self.started = []
        self.hub = None
        self.url = ""

    def __enter__(self):
        self.start_hub()
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.process.poll() is None:
                process.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def start_hub(self):
        """A new hub, where the last one was."""
        port = self.url.rpartition(":")[2]
        self.hub = self._start([self.small_hub] + ([port] if port else []))
        self.url = self.hub.line()

    def script(self, code):
        env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        env.update(NYAMESH_HUB=self.url, XDG_STATE_HOME=self.home)
        return self._start([self.nyash, "-e", code], env)

    def file(self, path, *arguments):
        env = dict(os.environ, NYAMESH_HUB=self.url, XDG_STATE_HOME=self.home)
        return self._start([self.nyash, path, *arguments], env)

    def _start(self, command, env=None):
        self.started.append(Process(command, env))
        return self.started[-1]
