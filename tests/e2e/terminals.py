"""A command on a terminal of its own, answered as a person would."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_PATIENCE_S = 120.0
_PRESSED_AGAIN_S = 10.0


class Terminal:
    """A command that runs on a pseudo-terminal.

    Args:
        command: with its arguments.
        folder: where it runs.
        environment: what is set beside that of the test.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200", **(environment or {})},
        )
        os.close(slave)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def until(self, text: str) -> str:
        """Read until a text is shown; what was shown since the last time, up to its end."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.shown:
            assert self._read(deadline), f"not shown: {text!r}\n{self.shown}"
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def answer(self, question: str, text: str) -> str:
        """Wait for a question and answer it; what was shown before."""
        shown = self.until(question)
        self.type(text + "\n")
        return shown

    def give_up(self, key: str) -> str:
        """Press a key until the command has ended; what it said at last.

        Python misses a signal that comes just before it begins to read, until the next key is pressed.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.type(key)
            again = time.monotonic() + _PRESSED_AGAIN_S
            while self.process.poll() is None and time.monotonic() < again:
                self._read(min(again, time.monotonic() + 0.1))
        return self.end()

    def end(self) -> str:
        """Read on to its end."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read(deadline):
            pass
        self.process.wait(_PATIENCE_S)
        return self.shown

    def _read(self, deadline: float) -> bool:
        """Read some more; whether there can be more."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            chunk = os.read(self._master, 65_536)
        except OSError:  # nobody holds the other end any more
            return False
        self.shown += chunk.decode(errors="replace").replace("\r\n", "\n")
        return bool(chunk)


def _take_terminal() -> None:
    """Make it the terminal of the new session, so that Ctrl-C becomes a signal, whether or not the tests heed it."""
    import fcntl
    import termios

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
