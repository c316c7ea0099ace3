"""Between the runner and the further processes of its engine: a JSON line a message, over a socket."""

from __future__ import annotations

import json
import select
import socket
from typing import Any


class Channel:
    """One end of it. Only whole messages come out; the end of the other process does too.

    Args:
        connection: a connected stream socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def fileno(self) -> int:
        """For selectors."""
        return self._connection.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message.

        Raises:
            OSError: the other process is gone.
        """
        self._connection.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def offer(self, message: dict[str, Any]) -> None:
        """Sends a short message if there is room for it, else drops it: nobody waits for a reader that is busy.

        Raises:
            OSError: the other process is gone.
        """
        room = select.poll()
        room.register(self._connection, select.POLLOUT)
        if room.poll(0):
            self.send(message)

    def receive(self) -> dict[str, Any] | None:
        """The next message, once it is there; None when the other process is gone."""
        while b"\n" not in self._received:
            try:
                some = self._connection.recv(1 << 16)
            except ConnectionError:
                return None
            if not some:
                return None
            self._received += some
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        message: dict[str, Any] = json.loads(line)
        return message

    @property
    def pending(self) -> bool:
        """Whether a whole message is here already, which no selector tells."""
        return b"\n" in self._received

    def close(self) -> None:
        """Closes this end."""
        self._connection.close()
