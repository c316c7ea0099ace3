"""Faults that can be had without privileges: each must end in a failure or a failed check, never in a good figure."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pynvml

from runners.contract.paths import FailureKind
from runners.contract.request import Gpu
from runners.contract.result import RunFailure, RunResult
from runners.errors import MeterError
from runners.meters.nvml_session import call, session
from tests.gpu.check.children import Child, PartError
from tests.gpu.check.report import Expectation, Part, Table, shown
from tests.gpu.check.requests import RUN_S, Attempt, Runs, outcome

TITLE = "Faults"
NOWHERE = "GPU-00000000-0000-0000-0000-000000000000"
_STEP_S = 0.02
_LONG_S = 30.0
_OTHER_S = 300.0
_CAP = 0.9
_CAPPED = "the power limit is lowered in the window"
_CAPPED_WANTED = "gpu_unchanged fails, suspect"


class Fault(NamedTuple):
    """What was done, and what came of it."""

    name: str
    wanted: str
    seen: str
    met: bool | None
    """None: it was not tried, or nothing is expected of it."""


def faults_part(runs: Runs, folder: Path, per_token_j: float | None, cap_power: bool) -> Part:
    """Has each of them.

    Args:
        runs: makes the runs.
        folder: for what a process says.
        per_token_j: energy per output token of undisturbed runs.
        cap_power: whether the power limit may be changed for a moment.
    """
    elsewhere = runs.brief(gpu=Gpu(index=0, uuid=NOWHERE, name=runs.machine.gpu.name))
    # It gets no GPU, so it may start beside the next.
    with runs.start("no-such-gpu", elsewhere) as attempt:
        short = _short_window(runs)
        faults = [_no_such_gpu(attempt.wait()), short]
    faults += [_sampler_killed(runs), _other_process(runs, folder, per_token_j)]
    faults.append(
        _power_capped(runs) if cap_power else _not_capped("it changes a setting of the GPU: ask with --cap-power")
    )
    rows = [(one.name, one.wanted, one.seen) for one in faults]
    expectations = [Expectation(one.name, one.wanted, one.seen, one.met) for one in faults if one.met is not None]
    return Part(TITLE, [Table(("fault", "expected", "seen"), rows)], expectations)


def _no_such_gpu(left: RunResult | RunFailure | None) -> Fault:
    """The request named a GPU that is not there."""
    kinds = (FailureKind.METER_FAILED, FailureKind.BAD_REQUEST)
    met = isinstance(left, RunFailure) and left.kind in kinds and bool(left.hint)
    return Fault("a GPU that does not exist", "the run fails, with a hint", outcome(left), met)


def _short_window(runs: Runs) -> Fault:
    """A window of a few milliseconds."""
    with runs.start("short-window", runs.brief(prompts=1, output_tokens=1, min_window_s=None)) as attempt:
        left = attempt.wait()
    met = isinstance(left, RunResult) and left.verdict == "suspect" and _failed(left, "window_long_enough")
    return Fault("a window that is too short", "window_long_enough fails, suspect", outcome(left), met)


def _sampler_killed(runs: Runs) -> Fault:
    """The sampler dies in the window."""
    with runs.start("sampler-killed", runs.brief(min_window_s=_LONG_S)) as attempt:
        killed = _until_window(attempt)
        samplers = _samplers_of(attempt.process.pid) if killed else []
        for process in samplers:
            os.kill(process, signal.SIGKILL)
        left = attempt.wait() if samplers else None
    seen = outcome(left) if samplers else "the run did not come as far as its window, or had no sampler"
    met = isinstance(left, RunFailure) and left.kind is FailureKind.METER_FAILED
    return Fault("the sampler is killed in the window", "the run fails with meter_failed", seen, met)


def _other_process(runs: Runs, folder: Path, per_token_j: float | None) -> Fault:
    """Somebody else computes on the GPU. Only the host can know that, so of the runner nothing is expected."""
    asked = {
        "device": runs.machine.device,
        "uuid": runs.machine.gpu.uuid,
        "loads": [["other", 0.0, 0.0, _OTHER_S]],
        "pause_s": 0.0,
    }
    name, wanted = "another process on the GPU", "nothing of the runner: the host watches for it"
    try:
        with Child("tests.gpu.check.loads", [json.dumps(asked)], folder, runs.machine.variables) as child:
            child.first(RUN_S)
            with runs.start("other-process", runs.brief()) as attempt:
                left = attempt.wait()
    except PartError as error:
        return Fault(name, wanted, str(error), None)
    ratio = None
    if isinstance(left, RunResult) and left.energy_per_output_token_j and per_token_j:
        ratio = left.energy_per_output_token_j / per_token_j
    return Fault(
        name, wanted, f"{outcome(left)}; energy per token {shown(ratio, 1, ' ×', 3)} that of a run alone", None
    )


def _power_capped(runs: Runs) -> Fault:
    """The power limit is lowered in the window, and set back."""
    with runs.start("power-capped", runs.brief()) as attempt:
        if not _until_window(attempt):
            return _not_capped("the run did not come as far as its window")
        try:
            with _capped(runs.machine.gpu.uuid):
                left = attempt.wait()
        except MeterError as error:
            return _not_capped(str(error))
        except PartError as error:
            return Fault(_CAPPED, _CAPPED_WANTED, str(error), False)
    met = isinstance(left, RunResult) and left.verdict == "suspect" and _failed(left, "gpu_unchanged")
    return Fault(_CAPPED, _CAPPED_WANTED, outcome(left), met)


def _not_capped(why: str) -> Fault:
    return Fault(_CAPPED, _CAPPED_WANTED, f"not tried: {why}", None)


@contextmanager
def _capped(uuid: str) -> Iterator[None]:
    """The power limit lowered by a tenth, but not below what the GPU takes.

    Raises:
        MeterError: this user may not, or the limit is the lowest already.
        PartError: it could not be set back.
    """
    with session():
        handle = call(pynvml.nvmlDeviceGetHandleByUUID, uuid)
        before_mw = call(pynvml.nvmlDeviceGetPowerManagementLimit, handle)
        lowest_mw, _ = call(pynvml.nvmlDeviceGetPowerManagementLimitConstraints, handle)
        capped_mw = max(lowest_mw, int(_CAP * before_mw))
        if capped_mw >= before_mw:
            raise MeterError("the power limit is the lowest already", "raise it")
        call(pynvml.nvmlDeviceSetPowerManagementLimit, handle, capped_mw)
        try:
            yield
        finally:
            try:
                call(pynvml.nvmlDeviceSetPowerManagementLimit, handle, before_mw)
            except MeterError as error:
                raise PartError(
                    f"the power limit is still lowered; set it back: nvidia-smi -pl {before_mw // 1000} ({error})"
                ) from error


def _until_window(attempt: Attempt) -> bool:
    """Waits for the window to open; whether it did."""
    end_s = time.monotonic() + RUN_S
    while attempt.process.poll() is None and time.monotonic() < end_s:
        if attempt.phase() == "window":
            return True
        time.sleep(_STEP_S)
    return False


def _samplers_of(runner: int) -> list[int]:
    """The sampler that a runner started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, IndexError, ValueError):
            continue
        if parent == runner and b"runners.meters" in command:
            found.append(int(folder.name))
    return found


def _failed(result: RunResult, name: str) -> bool:
    return any(check.name == name and not check.passed for check in result.checks)


def undisturbed(results: list[RunResult]) -> float | None:
    """Energy per output token of undisturbed runs, in joules."""
    known = [one.energy_per_output_token_j for one in results if one.energy_per_output_token_j is not None]
    return median(known) if known else None
