"""The further processes of an engine, as the runner sees them: started, told what to do, listened to, ended."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from runners.backends import pytorch_group
from runners.backends.pytorch_channel import Channel
from runners.contract.paths import FailureKind
from runners.contract.request import RunRequest
from runners.errors import RunnerError

_MODULE = "runners.backends.pytorch_worker"
_ENDS_WITHIN_S = 20.0
_EXPLAINS_WITHIN_S = 10.0

Own = TypeVar("Own")


class WorkerError(RunnerError):
    """A process of the engine failed, or ended.

    Args:
        message: what happened, and in which process.
        hint: what to do next.
        kind: of which kind the failure is there.
    """

    def __init__(self, message: str, hint: str, kind: FailureKind) -> None:
        super().__init__(message, hint)
        self.kind = kind


class _Worker(NamedTuple):
    rank: int
    process: subprocess.Popen[bytes]
    channel: Channel


class Workers:
    """The processes of ranks 1 and up; rank 0 is the runner itself.

    They are in the runner's process group, carry its environment with the attempt's mark, and die with it.

    Args:
        request: what to run; each has the whole of it.
        world: processes, the runner included.
        threads: CPU threads of each.
        alive: called when one of them gives a sign of life.
    """

    def __init__(self, request: RunRequest, world: int, threads: int, alive: Callable[[], None]) -> None:
        self._alive = alive
        self._ending = False
        self._workers = [_start(rank, world, threads) for rank in range(1, world)]
        document = request.model_dump(mode="json")
        for worker in self._workers:
            worker.channel.send({"request": document, "rank": worker.rank})
        for worker in self._workers:
            threading.Thread(target=self._watch, args=[worker], name=f"engine-{worker.rank}", daemon=True).start()

    def do(self, command: str, own: Callable[[], Own], **arguments: Any) -> tuple[Own, list[Any]]:
        """Lets all processes do something at the same time.

        Args:
            command: a method of :class:`.pytorch_worker.Commands`.
            own: what the runner's own process does meanwhile.
            arguments: for the others.

        Returns:
            What came of the runner's own part, and of the others' in the order of their ranks.

        Raises:
            WorkerError: another process failed or ended.
        """
        try:
            for worker in self._workers:
                worker.channel.send({"do": command, "with": arguments})
            mine = own()
        except RunnerError:
            raise
        except Exception as error:
            # Where one process fails, the others lose it in the middle of an exchange: its own words come first.
            if failure := self._failure_within(_EXPLAINS_WITHIN_S):
                raise failure from error
            raise
        return mine, self._collect()

    def close(self) -> None:
        """Ends all of them; those that do not end by themselves are killed."""
        self._ending = True
        for worker in self._workers:
            worker.channel.close()
        for worker in self._workers:
            try:
                worker.process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _collect(self) -> list[Any]:
        found: dict[int, Any] = {}
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.channel, selectors.EVENT_READ, worker)
            while len(found) < len(self._workers):
                for key, _ in selector.select():
                    worker = key.data
                    message = self._listen(worker)
                    if "done" in message:
                        found[worker.rank] = message["done"]
                        selector.unregister(worker.channel)
        return [found[worker.rank] for worker in self._workers]

    def _listen(self, worker: _Worker) -> dict[str, Any]:
        """The next message that is no mere sign of life, or the last sign of life that is here.

        Raises:
            WorkerError: the process failed or ended.
        """
        while True:
            message = worker.channel.receive()
            if message is None:
                raise _ended(worker)
            if failed := message.get("failed"):
                raise WorkerError(
                    f"process {worker.rank} of the engine: {failed['message']}",
                    failed["hint"],
                    FailureKind(failed["kind"]),
                )
            if "alive" not in message:
                return message
            self._alive()
            if not worker.channel.pending:
                return message

    def _failure_within(self, seconds: float) -> WorkerError | None:
        """Why another process failed, if one says so or ends soon."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.channel, selectors.EVENT_READ, worker)
            while ready := selector.select(seconds):
                for key, _ in ready:
                    try:
                        if "done" in self._listen(key.data):
                            selector.unregister(key.fileobj)
                    except WorkerError as failure:
                        return failure
                if not selector.get_map():
                    return None
        return None

    def _watch(self, worker: _Worker) -> None:
        """Frees the runner from an exchange with a process that has ended; gloo notices by itself, NCCL does not."""
        worker.process.wait()
        if not self._ending:
            pytorch_group.abort()


def _start(rank: int, world: int, threads: int) -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **pytorch_group.environment_of(rank, world, threads)},
        )
    return _Worker(rank, process, Channel(ours))


def _ended(worker: _Worker) -> WorkerError:
    try:
        code = worker.process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        code = None
    how = "fell silent" if code is None else f"ended with exit code {code}"
    if code is not None and code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    return WorkerError(
        f"process {worker.rank} of the engine {how}",
        "see runner.log; SIGKILL by nobody is the kernel's, for want of memory",
        FailureKind.ENGINE_FAILED,
    )
