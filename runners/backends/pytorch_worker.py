"""``python -m runners.backends.pytorch_worker FD PARENT``: a further process of the engine.

It does what the runner tells it over a socket, and ends when that does, or when the runner dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners.backends.pytorch_channel import Channel
from runners.contract.request import RunRequest
from runners.failures import failure_of
from runners.logs import LOGGER, configure

if TYPE_CHECKING:
    from runners.backends.base import TokenIds
    from runners.backends.pytorch_load import Located
    from runners.backends.pytorch_replica import Replica

_PR_SET_PDEATHSIG = 1
_ALIVE_EVERY_S = 1.0


class Commands:
    """What the runner may tell this process to do; each returns what goes back to it.

    Args:
        request: what to run.
        rank: of this process.
        alive: called at every step of a batch.
    """

    def __init__(self, request: RunRequest, rank: int, alive: Callable[[], None]) -> None:
        from runners.backends.pytorch_place import place_of
        from runners.backends.pytorch_replica import Replica
        from runners.contract.options.pytorch import PytorchOptions

        options = request.experiment.options
        assert isinstance(options, PytorchOptions)
        self._options = options
        self._replica: Replica = Replica(request, options, place_of(rank, request, options), alive)

    def ready(self) -> None:
        """The engine is imported."""

    def join(self, port: int) -> None:
        """Joins the group of processes."""
        from runners.backends.pytorch_group import join

        join(self._replica.place, self._options.processes, port)

    def load(self, located: list[Any]) -> None:
        """Loads the models."""
        from runners.harness.working import told_while_working

        with told_while_working(self._replica._alive):
            self._replica.load(_located(located))

    def open_window(self) -> None:
        """Lets peaks count from here."""
        self._replica.open_window()

    def generate(self, prompts: list[TokenIds]) -> list[Any] | None:
        """Answers a batch: a part of it that is a batch of its own, or its share of the work on all of it."""
        if self._options.tensor_parallel_size > 1:
            self._replica.generate(prompts)
            return None
        from runners.backends.pytorch_group import share_of

        own = share_of(self._replica.place, prompts)
        return list(self._replica.generate(own)[:4]) if own else None

    def report(self) -> dict[str, Any]:
        """Memory, and what the engine says of itself."""
        memory = self._replica.memory()
        return {"memory": memory and list(memory), "config": self._replica.effective_config()}

    def close(self) -> None:
        """Lets everything go."""
        from runners.backends.pytorch_group import leave

        self._replica.close()
        leave()


def main() -> int:
    """Serves the runner until it ends; returns the exit code."""
    _die_with(int(sys.argv[2]))
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the runner decides
        signal.signal(number, signal.SIG_IGN)
    configure()
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    first = channel.receive()
    if first is None:
        return 0
    request = RunRequest.model_validate(first["request"])
    try:
        commands = Commands(request, first["rank"], _signs_of_life(channel))
        while (message := channel.receive()) is not None:
            channel.send({"done": getattr(commands, message["do"])(**message["with"])})
    except Exception as error:  # noqa: BLE001 - told to the runner, which fails with it
        failure = failure_of(error, "pytorch", request, os.environ)
        LOGGER.error("process %d: %s", first["rank"], failure.traceback)
        channel.send({"failed": {"kind": failure.kind.value, "message": failure.message, "hint": failure.hint}})
        sys.stderr.flush()
        os._exit(1)  # not through the engine's own teardown, which may wait for the others for ever
    return 0


def _located(parts: list[Any]) -> Located:
    from runners.backends.models import LocatedModel
    from runners.backends.pytorch_load import Located

    return Located(*(part and LocatedModel(Path(part[0]), part[1]) for part in parts))


def _signs_of_life(channel: Channel) -> Callable[[], None]:
    """A sign of life at most once a second, since each costs the runner a wake-up.

    The runner reads none while it works on the same batch. Waiting for it then would be waiting for each other.
    """
    last_s = 0.0

    def alive() -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= _ALIVE_EVERY_S:
            last_s = now_s
            channel.offer({"alive": True})

    return alive


def _die_with(parent: int) -> None:
    """Has the kernel kill this process when its parent dies, however that happens."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had died before
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
