"""A run in a container, whether this orchestrator started it or an earlier one did."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

from orchestrator.dispatch import containers
from orchestrator.dispatch.base import Ending
from orchestrator.dispatch.compose import last_words
from orchestrator.errors import MachineError
from runners.contract.paths import EVENTS, EXIT_CODES, FAILURE, LOG, RESULT, AttemptName

_SIGNALLED = 128
_HIGHEST_SIGNAL = 64


class ContainerAttempt:
    """An attempt in a container, and the client that waits for its end.

    Args:
        name: which attempt it is.
        folder: where it works.
        container: the container's name.
        client: a process that ends when the attempt does.
        tells: whether the client's exit code is the runner's; else its output is (``docker wait``).
        age_s: how long ago the container was started.
    """

    def __init__(
        self,
        name: AttemptName,
        folder: Path,
        container: str,
        client: subprocess.Popen[bytes],
        *,
        tells: bool,
        age_s: float = 0.0,
    ) -> None:
        self.name = name
        self._folder = folder
        self._container = container
        self._client = client
        self._tells = tells
        self._started_s = time.monotonic() - age_s
        self._started_unix_s = time.time() - age_s
        self._ending: Ending | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started_s

    def wait(self, timeout_s: float) -> bool:
        """Wait until the client has ended, but no longer than this; then see that the container has, too.

        Raises:
            MachineError: the engine stopped answering, or the container was never started.
        """
        if self._ending:
            return True
        try:
            code = self._client.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        if not self._tells:
            told = self._client.stdout.read().strip() if self._client.stdout else b""
            code = int(told) if told.isdigit() else 1
        if code and containers.state_of(self._container) in ("running", "paused", "restarting"):
            # The client died alone. Whatever it was doing, the run goes on without it.
            self._client, self._tells = containers.wait_process(self._container), False
            return False
        self._ending = _judge(code, self._folder, self._container, self._started_unix_s)
        return True

    def ending(self) -> Ending:
        """How it ended."""
        return self._ending or Ending(None)

    def stop(self) -> None:
        """Stop the container itself and see it removed, then the client.

        Raises:
            MachineError: the engine does not answer.
        """
        was_there = containers.stop(self._container)
        _end(self._client)
        if not was_there:
            # The engine may still be at work on the client's last word: what it makes of it is never started.
            time.sleep(1.0)
        containers.remove(self._container)
        self._ending = self._ending or Ending(None)


class ExecutedAttempt:
    """An attempt executed in a container that stays up for other runs.

    Args:
        name: which attempt it is.
        folder: where it works.
        container: the container's name.
        client: the process that ends when the runner does, with its exit code.
    """

    def __init__(self, name: AttemptName, folder: Path, container: str, client: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._folder = folder
        self._container = container
        self._client = client
        self._started_s = time.monotonic()
        self._started_unix_s = time.time()
        self._ending: Ending | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started_s

    def wait(self, timeout_s: float) -> bool:
        """Wait until the client has ended, but no longer than this.

        A runner that left no word may have lost its client only: then the container goes, and all that is in it.

        Raises:
            MachineError: the engine stopped answering, or the runner was never started.
        """
        if self._ending:
            return True
        try:
            code = self._client.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        if code and not _left_word(self._folder):
            containers.remove(self._container)
        self._ending = _judge(code, self._folder, self._container, self._started_unix_s)
        return True

    def ending(self) -> Ending:
        """How it ended."""
        return self._ending or Ending(None)

    def stop(self) -> None:
        """Stop and remove the container, and with it the runner; the next run gets a new one.

        Raises:
            MachineError: the engine does not answer.
        """
        containers.stop(self._container)
        containers.remove(self._container)
        _end(self._client)
        self._ending = self._ending or Ending(None)


def _end(client: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        client.wait(1.0)
    client.kill()
    client.wait()


def _left_word(folder: Path) -> bool:
    """Whether the runner got as far as saying how it ended."""
    return (folder / RESULT).exists() or (folder / FAILURE).exists()


def _judge(code: int, folder: Path, container: str, since_unix_s: float) -> Ending:
    """What an exit code means.

    Raises:
        MachineError: the runner never ran; the client said why.
    """
    if code == 0 or _left_word(folder):
        return Ending(code)
    events = folder / EVENTS
    if code < _SIGNALLED and not (events.exists() and events.stat().st_size):
        raise MachineError(f"the container was not started: {_last_words(folder)}", hint="orchestrate doctor")
    if code not in EXIT_CODES.values() and _SIGNALLED < code <= _SIGNALLED + _HIGHEST_SIGNAL:
        code = _SIGNALLED - code
    return Ending(code, containers.ran_out_of_memory(container, since_unix_s - 1))


def _last_words(folder: Path) -> str:
    try:
        return last_words((folder / LOG).read_bytes())
    except OSError:
        return "it said nothing"
