"""Runs as subprocesses of the current environment: the default that needs no Docker.

Each runner leads a session of its own, so that Ctrl-C in the terminal reaches the orchestrator only, and
carries its attempt's folder in the environment, which whatever it starts inherits. By that mark an
attempt and its descendants are found again, even by an orchestrator that did not start them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from orchestrator.dispatch.base import Attempt
from orchestrator.errors import MachineError
from runners.contract.paths import (
    ENV_ATTEMPT,
    ENV_CAMPAIGN_ID,
    ENV_CAMPAIGN_NAME,
    ENV_CYCLE,
    ENV_CYCLES,
    ENV_VISIBLE_GPUS,
    EVENTS,
    LOG,
    REQUEST,
    AttemptName,
    parse_attempt_name,
)
from runners.contract.request import OPTIONS

STOP_GRACE_S = 5.0
_KILL_DEADLINE_S = 30.0


def runner_argv(python: str, backend: str, request: Path) -> list[str]:
    """The command line of a runner. The request is its whole configuration."""
    return [python, "-m", "runners", backend, "--request", str(request)]


def runner_environment(attempt: Attempt, inherited: Mapping[str, str]) -> dict[str, str]:
    """A runner's environment: what the orchestrator has, the campaign's context, the GPUs it may see.

    Nothing is imported from the folder it happens to start in.
    """
    return {
        **inherited,
        ENV_ATTEMPT: str(attempt.folder),
        ENV_CAMPAIGN_ID: attempt.campaign,
        ENV_CAMPAIGN_NAME: attempt.campaign,
        ENV_CYCLE: str(attempt.name.cycle),
        ENV_CYCLES: str(attempt.cycles),
        ENV_VISIBLE_GPUS: ",".join(gpu.uuid for gpu in attempt.gpus),
        "PYTHONSAFEPATH": "1",
    }


class LocalDispatcher:
    """Starts runners with this interpreter."""

    name = "local"

    def missing(self, backend: str) -> tuple[str, str] | None:
        """Which modules of a backend are not installed in this environment."""
        options = OPTIONS[backend]
        absent = [module for module in options.MODULES if importlib.util.find_spec(module) is None]
        if not absent:
            return None
        return f"the backend {backend} needs {' and '.join(absent)}, not installed here", options.INSTALL_HINT

    def start(self, attempt: Attempt) -> LocalAttempt:
        """Start a runner in a session of its own, its output going to files in its folder.

        Raises:
            MachineError: the system starts no further process.
        """
        argv = runner_argv(sys.executable, attempt.backend, attempt.folder / REQUEST)
        environment = runner_environment(attempt, os.environ)
        try:
            with (attempt.folder / EVENTS).open("wb") as events, (attempt.folder / LOG).open("wb") as log:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=events,
                    stderr=log,
                    env=environment,
                    cwd=attempt.folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise MachineError(f"the runner cannot be started: {error.strerror}") from None
        return LocalAttempt(attempt.name, attempt.folder, psutil.Process(process.pid), process)

    def find_live(self, attempts: Path) -> list[LocalAttempt]:
        """Runners that an earlier orchestrator left at work below this folder."""
        live = []
        for folder, processes in _marked(attempts).items():
            name = parse_attempt_name(folder.name)
            leader = next((process for process in processes if _is_runner(process, folder)), None)
            if name and leader:
                live.append(LocalAttempt(name, folder, leader))
            else:
                _end(folder, processes)
        return live


class LocalAttempt:
    """A runner's process, and by its mark whatever that started."""

    def __init__(
        self,
        name: AttemptName,
        folder: Path,
        process: psutil.Process,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._process = process
        self._child = child
        self._exit_code: int | None = None
        self._ended = False
        self._since_s = time.monotonic()
        self._age_at_start_s = 0.0 if child else max(0.0, time.time() - process.create_time())

    @property
    def age_s(self) -> float:
        """Seconds since the process was started."""
        return self._age_at_start_s + time.monotonic() - self._since_s

    def wait(self, timeout_s: float) -> bool:
        """Sleep until the process ends, but no longer than this; then sweep up what it left behind."""
        if self._ended:
            return True
        try:
            self._exit_code = self._process.wait(timeout_s)
        except psutil.TimeoutExpired:
            if self._child or not self._waits_to_be_reaped():
                return False
        self._ended = True
        if self._child:
            self._child.returncode = self._exit_code
        self._sweep()
        return True

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs, or if it was not our child."""
        return self._exit_code

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to whatever is left after a grace; returns once all is dead."""
        if not self._ended:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._process.send_signal(signal.SIGTERM)
            if not self.wait(STOP_GRACE_S):
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._process.kill()
                self.wait(_KILL_DEADLINE_S)
        self._sweep()

    def _waits_to_be_reaped(self) -> bool:
        """Whether it is dead, and its new parent (a container's first process, perhaps) does not look."""
        try:
            return bool(self._process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def _sweep(self) -> None:
        """Kill what the runner left behind: its process group, and whatever carries its mark."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        _end(self._folder, _marked(self._folder.parent).get(self._folder, []))


def _marked(attempts: Path) -> dict[Path, list[psutil.Process]]:
    """Live processes by the attempt folder they carry in their environment, oldest first."""
    found: dict[Path, list[psutil.Process]] = {}
    for process, mark in _marks():
        folder = Path(mark)
        if folder.parent == attempts:
            found.setdefault(folder, []).append(process)
    return {folder: sorted(processes, key=lambda process: process.create_time()) for folder, processes in found.items()}


def _marks() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mark = process.environ().get(ENV_ATTEMPT)
            if mark and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                process.create_time()
                yield process, mark


def _is_runner(process: psutil.Process, folder: Path) -> bool:
    """Whether a marked process is the runner itself: a child may lead a session too, but has no request."""
    try:
        return os.getsid(process.pid) == process.pid and str(folder / REQUEST) in process.cmdline()
    except (ProcessLookupError, psutil.Error):
        return False


def _end(folder: Path, processes: Sequence[psutil.Process]) -> None:
    """Kill processes of an attempt until none is left.

    Raises:
        MachineError: one survives SIGKILL, as a process stuck in a driver does.
    """
    deadline = time.monotonic() + _KILL_DEADLINE_S
    left = list(processes)
    while left:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=0.2)
        left = _marked(folder.parent).get(folder, [])
        if left and time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left)
            raise MachineError(
                f"processes of attempt {folder.name} do not die: {pids}",
                hint="they are probably stuck in a driver; check `dmesg`, then resume",
            )
