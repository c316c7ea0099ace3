"""A real pseudo-terminal with a command in it, and what its screen then shows.

The screen understands what our output uses (text, CR, LF, cursor up, erase, colours) and fails on anything else.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.cells import get_character_cell_size

_CONTROL = re.compile(rb"\x1b\[(\??[\d;]*)([A-Za-z])")


class Screen:
    """What a terminal shows, with all that scrolled off above it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.wrapped = 0
        self.coloured = False
        self.peak = 0
        """Most lines that were below the cursor after it moved up: the height of what is drawn anew."""
        self._left = b""

    def feed(self, data: bytes) -> None:
        """Take in output."""
        data = self._left + data
        self._left = b""
        at = 0
        while at < len(data):
            byte = data[at : at + 1]
            if byte == b"\x1b":
                match = _CONTROL.match(data, at)
                if match is None:
                    assert len(data) - at < 16, f"an escape that is not known: {data[at : at + 16]!r}"
                    self._left = data[at:]
                    return
                self._control(match[1].decode(), match[2].decode())
                at = match.end()
                continue
            if byte in (b"\r", b"\n"):
                if byte == b"\n":
                    self.row += 1
                    self._reach(self.row)
                else:
                    self.column = 0
                at += 1
                continue
            size = 1 if byte < b"\x80" else 2 if byte < b"\xe0" else 3 if byte < b"\xf0" else 4
            if at + size > len(data):
                self._left = data[at:]
                return
            self._put(data[at : at + size].decode("utf-8", "replace"))
            at += size

    def _reach(self, row: int) -> None:
        while len(self.lines) <= row:
            self.lines.append([])

    def _put(self, character: str) -> None:
        assert character.isprintable(), f"a control character: {character!r}"
        width = get_character_cell_size(character)
        if self.column + width > self.columns:
            self.wrapped += 1
            self.row, self.column = self.row + 1, 0
            self._reach(self.row)
        line = self.lines[self.row]
        line.extend(" " * (self.column + width - len(line)))
        line[self.column : self.column + width] = [character, *[""] * (width - 1)]
        self.column += width

    def _control(self, parameters: str, kind: str) -> None:
        number = int(parameters) if parameters.isdecimal() else 1
        if kind == "m":
            self.coloured |= bool(
                set(parameters.split(";")) & {str(code) for code in [*range(30, 50), *range(90, 108)]}
            )
        elif kind == "A":
            self.row -= number
            assert self.row >= max(0, len(self.lines) - self.rows), "moved up over the top of the screen"
            self.peak = max(self.peak, len(self.lines) - self.row)
        elif kind == "K":
            assert parameters in ("2", "")
            self.lines[self.row] = [] if parameters == "2" else self.lines[self.row][: self.column]
        else:
            assert (parameters, kind) in (("?25", "l"), ("?25", "h")), (
                f"a control that is not known: {parameters}{kind}"
            )

    @property
    def text(self) -> str:
        """All that it shows and that scrolled off, blanks at the ends of lines left out."""
        return "\n".join("".join(line).rstrip() for line in self.lines)


class Terminal:
    """A command in a pseudo-terminal of so many columns and rows."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        echo: bool = True,
    ) -> None:
        self.screen = Screen(columns, rows)
        self.seen: list[str] = []
        """The screen after each piece of output."""
        self._master, slave = pty.openpty()
        self.resize(columns, rows)
        if not echo:
            attributes = termios.tcgetattr(slave)
            attributes[3] &= ~termios.ECHO
            termios.tcsetattr(slave, termios.TCSANOW, attributes)
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
        )
        os.close(slave)

    def resize(self, columns: int, rows: int) -> None:
        """Change its size, as a user does by dragging a corner of the window."""
        self.screen.columns, self.screen.rows = columns, rows
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def wait_for(self, shown: str | Callable[[str], bool], timeout_s: float = 60.0) -> str:
        """Read on until the screen shows a text; the screen."""
        holds = shown if callable(shown) else lambda text: shown in text
        deadline = time.monotonic() + timeout_s
        while not holds(self.screen.text):
            assert time.monotonic() < deadline, f"never shown: {shown}\n{self.screen.text}"
            if not self._read(0.2) and self.process.poll() is not None and not self._read(0.2):
                assert holds(self.screen.text), f"ended without showing {shown}\n{self.screen.text}"
        return self.screen.text

    def end(self, timeout_s: float = 120.0) -> int:
        """Read on until the command ends; its exit code."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"does not end\n{self.screen.text}"
            self._read(0.2)
        while self._read(0.1):
            pass
        os.close(self._master)
        return self.process.wait()

    def close(self) -> None:
        """Be rid of a command that a test left behind."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # the other side is closed
            return False
        self.screen.feed(data)
        self.seen.append(self.screen.text)
        return bool(data)
