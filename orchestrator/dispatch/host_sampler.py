"""The CPU's energy counters sampled on the host, beside a run whose container cannot see them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from orchestrator.dispatch.base import Ending, LiveAttempt
from orchestrator.errors import MachineError
from orchestrator.system.powercap import counters, unreadable
from runners.contract.paths import HOST_SAMPLES, LOG, RESULT, AttemptName

_READY_S = 30.0
_STOP_S = 10.0
_HINT = "`orchestrate doctor` says whether RAPL can be read; the attempt's runner.log may say more"


def can_sample(root: Path) -> bool:
    """Whether this host has RAPL counters and we may read them.

    Args:
        root: the powercap folder.
    """
    return bool(counters(root)) and unreadable(root) is None


def specification(folder: Path, sample_hz: float, root: Path) -> dict[str, Any]:
    """What the sampler is told: RAPL and nothing else, into a file of its own.

    Args:
        folder: of the attempt.
        sample_hz: samples a second.
        root: the powercap folder.
    """
    return {
        "samples": str(folder / HOST_SAMPLES),
        "sample_hz": sample_hz,
        "runner_pid": os.getpid(),
        "gpu_uuids": [],
        "cpu_tdp_w": None,
        "simulated_power_w": None,
        "meter": "rapl",
        "powercap": str(root),
    }


class HostSampler:
    """A sampler at work. It ends when its standard input does, so it outlives no orchestrator.

    Args:
        folder: of the attempt; resolved.
        sample_hz: samples a second.
        root: the powercap folder.

    Raises:
        MachineError: it does not start to sample.
    """

    def __init__(self, folder: Path, sample_hz: float, root: Path) -> None:
        self._folder = folder
        try:
            with (folder / LOG).open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "runners.meters"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=folder,
                    env={**os.environ, "PYTHONSAFEPATH": "1"},
                    start_new_session=True,
                )
        except OSError as error:
            raise MachineError(f"the CPU's energy cannot be sampled: {error.strerror}", hint=_HINT) from None
        try:
            self._begin(specification(folder, sample_hz, root))
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End it, once what it samples beside has ended; its file goes if the run's result holds what was in it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if (self._folder / RESULT).exists():
            (self._folder / HOST_SAMPLES).unlink(missing_ok=True)

    def _begin(self, spec: dict[str, Any]) -> None:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(spec).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise MachineError("the sampler of the CPU's energy ended before it began", hint=_HINT) from None
        if not select.select([self._process.stdout], [], [], _READY_S)[0]:
            raise MachineError(f"the sampler of the CPU's energy says nothing for {_READY_S:g} s", hint=_HINT)
        answer = _answer(self._process.stdout.readline())
        if not answer.get("ready"):
            failed = answer.get("failed") or {}
            message = failed.get("message") or "its sampler died"
            raise MachineError(f"the CPU's energy cannot be sampled: {message}", hint=failed.get("hint") or _HINT)


class SampledAttempt:
    """An attempt beside which the host samples, from before its start until after its end.

    Args:
        attempt: the attempt itself.
        sampler: what samples.
    """

    def __init__(self, attempt: LiveAttempt, sampler: HostSampler) -> None:
        self._attempt = attempt
        self._sampler = sampler

    @property
    def name(self) -> AttemptName:
        """Which attempt it is."""
        return self._attempt.name

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return self._attempt.age_s

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended, but no longer than this; then end the sampler.

        Raises:
            MachineError: as the attempt does.
        """
        try:
            ended = self._attempt.wait(timeout_s)
        except BaseException:
            self._sampler.end()
            raise
        if ended:
            self._sampler.end()
        return ended

    def ending(self) -> Ending:
        """How it ended."""
        return self._attempt.ending()

    def owned(self, pids: Collection[int]) -> set[int]:
        """Those of the attempt; the sampler uses no GPU."""
        return self._attempt.owned(pids)

    def stop(self) -> None:
        """Stop it, and then the sampler.

        Raises:
            MachineError: as the attempt does.
        """
        try:
            self._attempt.stop()
        finally:
            self._sampler.end()


def _answer(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
