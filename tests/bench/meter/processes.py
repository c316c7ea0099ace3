"""The tools under test as processes on a simulated GPU, each given a time and ended with all its children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.bench.meter.gpus import Machine

ROOT = Path(__file__).parents[3]
READY_TIMEOUT_S = 180.0
ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Tool:
    """A meter under test: the Python and the module of its driver."""

    name: str
    python: Path
    module: str
    arguments: tuple[str, ...] = ()
    """Beside the plan."""


@dataclass
class Answers:
    """What a driver said."""

    version: str = "?"
    windows: list[dict[str, Any]] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)
    failure: str | None = None
    """Why there are no answers: the tool could not be set up, died, or did not end in time."""


class Driven:
    """A driver at work."""

    def __init__(self, tool: Tool, machine: Machine, plan: Sequence[tuple[float, float]], scratch: Path) -> None:
        scratch.mkdir(parents=True)
        (scratch / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        self.tool = tool
        self.answers = Answers()
        self._errors = scratch / "stderr"
        self._last_s = max(start_s + length_s for start_s, length_s in plan)
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [tool.python, "-m", tool.module, scratch / "plan.json", *tool.arguments],
                cwd=scratch,
                env=environment(machine, scratch),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def ready(self) -> None:
        """Wait until the tool is set up."""
        with _deadline(self, READY_TIMEOUT_S):
            self._read()

    def go(self, origin_s: float) -> None:
        """Say when the plan begins."""
        with suppress(BrokenPipeError):
            _pipe(self._process.stdin).write(f"{origin_s}\n")
            _pipe(self._process.stdin).flush()

    def wait(self, origin_s: float) -> Answers:
        """Read what it says until it ends."""
        left_s = max(origin_s + self._last_s - time.monotonic(), 0.0)
        with _deadline(self, left_s + ANSWER_TIMEOUT_S):
            while self._read():
                pass
        if self._process.wait() != 0 and self.answers.failure is None:
            last = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            self.answers.failure = f"it ended with {self._process.returncode}: {''.join(last)}"
        return self.answers

    def end(self) -> None:
        """Kill it and everything it started, and forget its pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                _pipe(pipe).close()

    def kill(self) -> None:
        """Kill it and everything it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> bool:
        text = _pipe(self._process.stdout).readline()
        if not text:
            return False
        line = json.loads(text)
        if "version" in line:
            self.answers.version = line["version"]
        elif "signs" in line:
            self.answers.signs = line["signs"]
        elif "setup_error" in line:
            self.answers.failure = line["setup_error"]
        else:
            self.answers.windows.append(line)
        return True


@contextmanager
def driven(
    tools: Sequence[tuple[Tool, Sequence[tuple[float, float]]]], machine: Machine, scratch: Path
) -> Iterator[list[Driven]]:
    """Each tool with its plan in a process of its own, all on one machine; none of them outlives this."""
    drivers: list[Driven] = []
    try:
        for position, (tool, plan) in enumerate(tools):
            drivers.append(Driven(tool, machine, plan, scratch / f"{position}-{tool.name}"))
        yield drivers
    finally:
        for driver in drivers:
            driver.end()


def environment(machine: Machine, scratch: Path) -> dict[str, str]:
    """What a process needs to see the simulated GPU, and to leave nothing in anybody's home."""
    commands = scratch / "bin"
    commands.mkdir()
    # CodeCarbon looks for an NVIDIA machine by calling this one.
    smi = commands / "nvidia-smi"
    smi.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    smi.chmod(0o755)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CODECARBON", "ZEUS"))},
        "PATH": f"{commands}:{os.environ['PATH']}",
        "HOME": str(scratch),
        "PYTHONPATH": str(ROOT),
        **machine.variables,
    }


@contextmanager
def _deadline(driver: Driven, seconds: float) -> Iterator[None]:
    def expire() -> None:
        driver.answers.failure = f"it did not answer within {seconds:.0f} s"
        driver.kill()

    timer = threading.Timer(seconds, expire)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
