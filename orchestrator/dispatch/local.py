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
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import psutil

from orchestrator.campaign.schema import Dispatching
from orchestrator.dispatch.abandoned import refuse_beside
from orchestrator.dispatch.base import Attempt, Ending
from orchestrator.dispatch.describing import ask_here
from orchestrator.dispatch.processes import KILL_DEADLINE_S, end, marked, marks
from orchestrator.errors import MachineError
from orchestrator.notify.webhook import ENV_SECRET, ENV_URL
from orchestrator.system.descriptions import misfit
from runners.contract.description import Description
from runners.contract.options import OPTIONS
from runners.contract.paths import (
    ENV_ATTEMPT,
    ENV_VISIBLE_GPUS,
    LOG,
    REQUEST,
    AttemptName,
    parse_attempt_name,
)
from runners.contract.request import Gpu

STOP_GRACE_S = 5.0


def runner_argv(python: str, backend: str, request: Path) -> list[str]:
    """The command line of a runner. The request is its whole configuration."""
    return [python, "-m", "runners", backend, "--request", str(request)]


def runner_environment(attempt: Attempt, inherited: Mapping[str, str]) -> dict[str, str]:
    """A runner's environment: what the orchestrator has, the campaign's context, the GPUs it may see.

    Nothing is imported from the folder it happens to start in, and whom notices go to is none of its business.
    """
    return {
        **{name: value for name, value in inherited.items() if name not in (ENV_URL, ENV_SECRET)},
        ENV_ATTEMPT: str(attempt.folder),
        **attempt.context,
        ENV_VISIBLE_GPUS: ",".join(gpu.uuid for gpu in attempt.gpus),
        "PYTHONSAFEPATH": "1",
    }


def missing_modules(backend: str) -> list[str]:
    """Which modules of a backend are not installed in this environment."""
    return [module for module in OPTIONS[backend].MODULES if importlib.util.find_spec(module) is None]


class LocalDispatcher:
    """Starts runners with this interpreter.

    Args:
        backends: all that the campaign needs.
        attempts: where its attempts work.
    """

    dispatching = Dispatching("local", None)
    how = "a subprocess a run"
    caveat = None
    samples_cpu = False

    def __init__(self, backends: Sequence[str], attempts: Path) -> None:
        self._backends = backends
        self._attempts = attempts
        self._gpus: tuple[Gpu, ...] = ()

    def missing_images(self) -> Sequence[str]:
        """None: there are no images."""
        return ()

    def build_images(self, *, quiet: bool, should_stop: Callable[[], bool]) -> None:
        """Nothing."""

    def check(self, gpus: Sequence[Gpu]) -> None:
        """Look whether each backend is installed in this environment.

        Raises:
            MachineError: one is not.
        """
        self._gpus = tuple(gpus)
        for backend in self._backends:
            absent = missing_modules(backend)
            if absent:
                raise MachineError(
                    f"the backend {backend} needs {' and '.join(absent)}, not installed here",
                    hint=OPTIONS[backend].INSTALL_HINT,
                )

    def open(self) -> None:
        """See that nobody's run was left at work here.

        Raises:
            MachineError: one was.
        """
        refuse_beside(self._attempts, ((Path(mark).parent, f"process {process.pid}") for process, mark in marks()))

    def close(self) -> None:
        """Nothing."""

    def seen_as(self, path: Path) -> str:
        """The path as it is."""
        return str(path)

    def image_digest(self, backend: str) -> str | None:
        """None: there is no image."""
        return None

    def description(self, backend: str, *, ask: bool = True) -> Description | None:
        """What this environment says of itself."""
        if not ask:
            return None
        said = ask_here(backend, self._gpus)
        if wrong := misfit(backend, said):
            raise MachineError(f"the backend {backend} here {wrong.reason}", hint="orchestrate doctor")
        return said

    def start(self, attempt: Attempt) -> LocalAttempt:
        """Start a runner in a session of its own; it writes to files in its folder.

        Raises:
            MachineError: the system starts no further process.
        """
        argv = runner_argv(sys.executable, attempt.backend, attempt.folder / REQUEST)
        environment = runner_environment(attempt, os.environ)
        try:
            # For an interpreter that cannot start: the runner itself writes its log and its events.
            with (attempt.folder / LOG).open("ab") as log:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
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
        for folder, processes in marked(attempts).items():
            name = parse_attempt_name(folder.name)
            leader = next((process for process in processes if _is_runner(process, folder)), None)
            if name and leader:
                live.append(LocalAttempt(name, folder, leader))
            else:
                end(folder, processes)
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

    def ending(self) -> Ending:
        """Its exit code, which only a child of ours tells."""
        return Ending(self._exit_code)

    def owned(self, pids: Collection[int]) -> set[int]:
        """Those in the runner's session, below it, or with its mark."""
        return {pid for pid in pids if self._owns(pid)}

    def _owns(self, pid: int) -> bool:
        runner = self._process.pid
        try:
            if os.getsid(pid) == runner:
                return True
            process = psutil.Process(pid)
            if runner in (parent.pid for parent in process.parents()):
                return True
            return process.environ().get(ENV_ATTEMPT) == str(self._folder)
        except (ProcessLookupError, PermissionError, psutil.Error):
            return False

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to whatever is left after a grace; returns once all is dead."""
        if not self._ended:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._process.send_signal(signal.SIGTERM)
            if not self.wait(STOP_GRACE_S):
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._process.kill()
                self.wait(KILL_DEADLINE_S)
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
        end(self._folder, marked(self._folder.parent).get(self._folder, []))


def _is_runner(process: psutil.Process, folder: Path) -> bool:
    """Whether a marked process is the runner itself: a child may lead a session too, but has no request."""
    try:
        return os.getsid(process.pid) == process.pid and str(folder / REQUEST) in process.cmdline()
    except (ProcessLookupError, psutil.Error):
        return False
