"""Our own meter as the harness uses it: a sampler that was started long before, marks, and the energy between them.

The only file of the benchmark that knows how a run computes and judges its energy. With ``--checks`` each window is
judged by the checks of a run on its meters: a critical one that fails condemns the run, another one is a warning.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from runners.contract.result import Mark
from runners.contract.series import Series, figures_of
from runners.errors import MeterError
from runners.harness.meter_checks import meter_checks
from runners.harness.recording import Recording
from runners.harness.sampling import Sampler
from tests.bench.meter.peers.driver import Answer, drive
from tests.bench.meter.processes import Tool
from tests.bench.meter.recording import spec

OURS = Tool("orchestrate", Path(sys.executable), "tests.bench.meter.ours")
CHECKS = "--checks"

LOAD_S = 2.0
"""The least that a harness waits between starting the sampler and the first window: an engine takes longer to load."""


class Orchestrate:
    def __init__(self) -> None:
        self._sampler = Sampler(spec(Path("samples.jsonl"))).__enter__()
        time.sleep(LOAD_S)
        self._window = Mark(phase="window", start_s=0, end_s=0)
        self._begun_s = 0.0
        self._recorded: tuple[Recording, dict[str, Series]] | MeterError | None = None

    def begin(self) -> None:
        self._begun_s = time.monotonic()

    def end(self) -> Callable[[], Answer]:
        window = self._window = Mark(phase="window", start_s=self._begun_s, end_s=time.monotonic())
        return lambda: self._answer(window)

    def close(self) -> None:
        try:
            self._sampler.follow(self._window.end_s)
            recording = self._sampler.recording()
            self._recorded = recording, recording.series()
        except MeterError as error:
            self._recorded = error
        self._sampler.__exit__(None, None, None)

    def _answer(self, window: Mark) -> Answer:
        """What a result would say of this window; a run whose meter was lost has none.

        Raises:
            MeterError: that is why the run failed.
        """
        if not isinstance(self._recorded, tuple):
            raise self._recorded or MeterError("nothing was recorded", "")
        recording, series = self._recorded
        figures = figures_of(series, [window])
        failed = []
        if CHECKS in sys.argv:
            for check in meter_checks(recording, series, figures, window):
                if not check.passed and check.severity == "critical":
                    failed.append(f"{check.name}: {check.observed}")
                elif not check.passed:
                    logging.getLogger("checks").warning("%s: %s", check.name, check.observed)
        if figures.energy is None:
            return {"energy_j": None, "failed": failed}
        return {**dict(zip(("energy_j", "low_j", "high_j"), figures.energy, strict=True)), "failed": failed}


if __name__ == "__main__":
    drive("llm-orchestrate", Orchestrate)
