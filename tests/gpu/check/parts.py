"""All parts of the page, one after the other; one that fails leaves the others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from runners.contract.result import RunResult
from tests.gpu.check.children import Child
from tests.gpu.check.counter import counter_part, ratio_part, windows_part
from tests.gpu.check.faults import faults_part, undisturbed
from tests.gpu.check.machine import Machine
from tests.gpu.check.overhead import overhead_part
from tests.gpu.check.plan import Plan
from tests.gpu.check.recorded import Recorded, record
from tests.gpu.check.repeat import repeat_part
from tests.gpu.check.report import Part
from tests.gpu.check.requests import Runs
from tests.gpu.check.watch import look

_MODEL_S = 200.0
_FAULTS_S = 75.0


class Checked:
    """Fills in the parts.

    Args:
        machine: what is checked.
        plan: how long, how often.
        folder: for everything that is written on the way.
    """

    def __init__(self, machine: Machine, plan: Plan, folder: Path) -> None:
        self.parts: list[Part] = []
        self.torch_cuda: str | None = None
        self._machine = machine
        self._plan = plan
        self._folder = folder
        self._end_s = time.monotonic() + 60 * plan.minutes
        self._recorded: Recorded | None = None
        self._results: list[RunResult] = []
        self._runs = Runs(machine, plan, folder / "model", folder / "runs")

    def everything(self) -> None:
        """Carries all parts out."""
        self._part("Counter and power sensor", self._counter)
        self._part("Counter against integrated power", lambda: ratio_part(self._record()))
        self._part("Windows of the steady load", lambda: windows_part(self._record()))
        self._part("Throughput with metering on against off", self._overhead)
        self._part("One experiment again and again", self._repeat)
        self._part("Faults", self._faults)

    def _part(self, title: str, made: Callable[[], Part]) -> None:
        tell(f"{title} ...")
        part = survived(title, made)
        self.parts.append(part)
        missed = [one.name for one in part.expectations if not one.met]
        tell(f"  failed: {part.failure}" if part.failure else f"  not as expected: {'; '.join(missed) or 'nothing'}")

    def _counter(self) -> Part:
        known = look(self._machine.gpu.uuid)
        self._recorded = record(self._machine, self._plan, self._folder)
        self.torch_cuda = self._recorded.torch_cuda
        return counter_part(self._recorded, known)

    def _record(self) -> Recorded:
        if self._recorded is None:
            raise RuntimeError("there is no recording")
        return self._recorded

    def _overhead(self) -> Part:
        machine = self._machine
        arguments = [str(self._folder / "model"), str(self._plan.parameters), machine.device, machine.gpu.uuid]
        with Child("tests.gpu.check.model", arguments, self._folder, machine.variables) as child:
            (made,) = child.finish(_MODEL_S)
        part = overhead_part(self._runs, self._plan, self._folder)
        workload = self._runs.request().experiment.workload
        what = (
            f"a Llama of {made['parameters']:,} random bfloat16 weights; batches of {self._runs.batch},"
            f" {workload.input_tokens} tokens in, {workload.output_tokens} out"
        )
        return part._replace(notes=[*part.notes, what])

    def _repeat(self) -> Part:
        part, self._results = repeat_part(self._runs, self._plan.runs, self._end_s - _FAULTS_S)
        return part

    def _faults(self) -> Part:
        return faults_part(self._runs, self._folder, undisturbed(self._results), self._plan.cap_power)


def survived(title: str, made: Callable[[], Part]) -> Part:
    """A part; where making it fails, one that says why."""
    try:
        return made()
    except Exception as error:  # noqa: BLE001 - it stands on the page, and the other parts go on
        return Part(title, failure=f"{type(error).__name__}: {error}")


def tell(line: str) -> None:
    """Says on standard error how it goes, with the time."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()
