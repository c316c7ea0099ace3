"""The command line as a user has it: the installed ``orchestrate``, in a project folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from runners.contract.paths import ENV_ATTEMPT

ORCHESTRATE = str(Path(sys.executable).parent / "orchestrate")


class Project:
    """A folder with campaigns in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(exist_ok=True)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [ORCHESTRATE, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def run(
        self, *arguments: str, timeout_s: float = 120.0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ORCHESTRATE, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, **(environment or {})},
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def processes(self) -> list[psutil.Process]:
        """Live processes that belong to any attempt of this project."""
        return [process for process, mark in marked_processes() if Path(mark).is_relative_to(self.folder)]

    def runner(self) -> psutil.Process | None:
        """The runner that is at work, if there is one."""
        leaders = [process for process in self.processes() if _leads(process)]
        return leaders[0] if leaders else None

    def wait_for_runner(self, host: subprocess.Popen[str], *, phase: str, timeout_s: float = 60.0) -> psutil.Process:
        """Wait until a runner says that it is in a phase."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and host.poll() is None:
            runner = self.runner()
            if runner and any(f'"{phase}"' in text for text in self._said(runner)):
                return runner
            time.sleep(0.02)
        raise AssertionError(f"no runner got to {phase}: {host.poll()}")

    def _said(self, runner: psutil.Process) -> Sequence[str]:
        try:
            return [(Path(runner.environ()[ENV_ATTEMPT]) / "events.jsonl").read_text()]
        except (psutil.Error, OSError, KeyError):
            return []

    def stop_everything(self) -> None:
        for process in self.processes():
            process.kill()


def marked_processes() -> list[tuple[psutil.Process, str]]:
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(ENV_ATTEMPT)
            if mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append((process, mark))
        except psutil.Error:
            continue
    return found


def _leads(process: psutil.Process) -> bool:
    try:
        return os.getsid(process.pid) == process.pid
    except ProcessLookupError:
        return False


def kill(process: subprocess.Popen[str] | psutil.Process) -> None:
    """kill -9, and forget it."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    if isinstance(process, subprocess.Popen):
        process.communicate()
