"""A run in a container, whether this orchestrator started it or an earlier one did."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path

from orchestrator.dispatch import containers
from orchestrator.dispatch.base import Ending
from orchestrator.dispatch.compose import words_of
from orchestrator.errors import MachineError
from runners.contract.paths import EVENTS, EXIT_CODES, FAILURE, LOG, RESULT, AttemptName, FailureKind

_SIGNALLED = 128
_HIGHEST_SIGNAL = 64
_CREATED_LATE_S = 2.0
_NOT_BEGUN_S = 1e-6


class ContainerAttempt:
    """An attempt in a container of its own, and the client that waits for its end.

    Args:
        name: which attempt it is.
        folder: where it works.
        container: the container's name.
        client: a process that leads its session, and ends when the attempt does.
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
        self._id: str | None = None

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
        well = code == 0 and _left_word(self._folder)
        if not well and containers.state_of(self._container) in containers.AT_WORK:
            # The client died alone. Whatever it was doing, the run goes on without it.
            self._client, self._tells = containers.wait_process(self._container), False
            return False
        self._ending = _judge(code, self._folder, self._container, self._started_unix_s)
        return True

    def ending(self) -> Ending:
        """How it ended."""
        return self._ending or Ending(None)

    def owned(self, pids: Collection[int]) -> set[int]:
        """Those in the container.

        Raises:
            MachineError: the engine does not answer.
        """
        self._id = self._id or containers.id_of(self._container)
        return containers.within(self._id, pids) if self._id else set()

    def stop(self) -> None:
        """End the client, so that it starts nothing more; then stop the container itself and see it removed.

        Raises:
            MachineError: the engine does not answer.
        """
        _end(self._client)
        if not containers.stop(self._container):
            # The engine may still be making the container that the client asked for; nobody is left to start it.
            time.sleep(_CREATED_LATE_S)
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
        self._id: str | None = None

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
        if not _left_word(self._folder):
            containers.remove(self._container)
        self._ending = _judge(code, self._folder, self._container, self._started_unix_s)
        return True

    def ending(self) -> Ending:
        """How it ended."""
        return self._ending or Ending(None)

    def owned(self, pids: Collection[int]) -> set[int]:
        """Those in the container.

        Raises:
            MachineError: the engine does not answer.
        """
        self._id = self._id or containers.id_of(self._container)
        return containers.within(self._id, pids) if self._id else set()

    def stop(self) -> None:
        """Remove the container, and with it the runner, which is not asked first; the next run gets a new one.

        Raises:
            MachineError: the engine does not answer.
        """
        containers.remove(self._container)
        _end(self._client)
        self._ending = self._ending or Ending(None)


class SettlingAttempt:
    """An attempt in a container that just came up, and is left alone for a while before it begins.

    Args:
        name: which attempt it is.
        container: the container's name.
        delay_s: how long that is.
        begin: starts it.
    """

    def __init__(self, name: AttemptName, container: str, delay_s: float, begin: Callable[[], ExecutedAttempt]) -> None:
        self.name = name
        self._container = container
        self._begins_s = time.monotonic() + delay_s
        self._begin = begin
        self._begun: ExecutedAttempt | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it began; below 0 before."""
        return self._begun.age_s if self._begun else min(time.monotonic() - self._begins_s, -_NOT_BEGUN_S)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended, but no longer than this; begin it when it is time.

        Raises:
            MachineError: the engine stopped answering, or the runner was never started.
        """
        if self._begun:
            return self._begun.wait(timeout_s)
        left_s = self._begins_s - time.monotonic()
        if left_s > timeout_s:
            time.sleep(timeout_s)
            return False
        time.sleep(max(0.0, left_s))
        self._begun = self._begin()
        return False

    def ending(self) -> Ending:
        """How it ended."""
        return self._begun.ending() if self._begun else Ending(None)

    def owned(self, pids: Collection[int]) -> set[int]:
        """Those in the container.

        Raises:
            MachineError: the engine does not answer.
        """
        return self._begun.owned(pids) if self._begun else set()

    def stop(self) -> None:
        """Remove the container; the next run gets a new one.

        Raises:
            MachineError: the engine does not answer.
        """
        if self._begun:
            self._begun.stop()
        else:
            containers.remove(self._container)


def _end(client: subprocess.Popen[bytes]) -> None:
    """Kill the client's whole session: compose is a child of the client, and would go on without it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(client.pid, signal.SIGKILL)
    client.wait()


def _left_word(folder: Path) -> bool:
    """Whether the runner got as far as saying how it ended."""
    return (folder / RESULT).exists() or (folder / FAILURE).exists()


def _judge(code: int, folder: Path, container: str, since_unix_s: float) -> Ending:
    """What an exit code means.

    Raises:
        MachineError: the runner never ran; the client or the entrypoint said why.
    """
    if code == 0 or _left_word(folder):
        return Ending(code)
    if code < _SIGNALLED and code not in _RUNNERS_OWN and not _began(folder):
        reason, hint = words_of(_log(folder))
        raise MachineError(f"the container was not started: {reason}", hint=hint or "orchestrate doctor")
    if code not in EXIT_CODES.values() and _SIGNALLED < code <= _SIGNALLED + _HIGHEST_SIGNAL:
        code = _SIGNALLED - code
    return Ending(code, containers.ran_out_of_memory(container, since_unix_s - 1))


_RUNNERS_OWN = set(EXIT_CODES.values()) - {EXIT_CODES[FailureKind.BAD_REQUEST]}
"""Exit codes that only a runner has; the entrypoint's own is that of a bad request."""


def _began(folder: Path) -> bool:
    events = folder / EVENTS
    return events.exists() and events.stat().st_size > 0


def _log(folder: Path) -> str:
    try:
        return (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
