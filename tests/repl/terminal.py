"""A program on a pseudo terminal, driven by what it shows: nothing here waits for a length of time."""
import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import time

GUARD = 60  # seconds after which something is wrong


class Terminal:
    def __init__(self, command, env=None, columns=80, rows=40):
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "EDITRC")}
        environment.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"}, **(env or {}))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.pending = ""  # shown, and not yet matched
        self.log = ""

    def _more(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError("nothing more was shown. So far:\n" + self.log)
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the program is gone
            data = b""
        text = data.decode("utf-8", "replace")
        self.pending += text
        self.log += text
        return bool(data)

    def expect(self, text):
        """Waits until `text` is shown, after what was expected before; returns what stood in between."""
        deadline = time.monotonic() + GUARD
        while text not in self.pending:
            if not self._more(deadline):
                raise AssertionError(f"ended without showing {text!r}. It showed:\n{self.log}")
        before, self.pending = self.pending.split(text, 1)
        return plain(before)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def exit_status(self, keep_typing=""):
        """Waits for the end. Keys may be typed until then: two signals close together count as one."""
        deadline = time.monotonic() + GUARD
        is_there = True
        while is_there:
            if keep_typing:
                try:
                    self.type(keep_typing)
                except OSError:
                    pass
            is_there = self._more(deadline)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def plain(shown):
    """Without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\(B|\x07|\r", "", shown)
