"""Requests for the real runner, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.contract import paths
from runners.contract.options.pytorch import PytorchOptions
from runners.contract.request import Baseline, Experiment, Gpu, Measurement, RunRequest, Warmup, Workload
from runners.contract.result import RunFailure, RunResult
from tests.gpu.check.children import REPOSITORY
from tests.gpu.check.machine import Machine
from tests.gpu.check.plan import Plan

RUN_S = 120.0
INPUT_TOKENS = 128
OUTPUT_TOKENS = 32
BATCH = 16
_WARM = 3
_SMALL_BATCH = 4
_SMALL_TOKENS = 8


class Runs:
    """Makes requests for one model on one machine, each in a folder of its own.

    Args:
        machine: where they run.
        plan: how long their phases are.
        model: the folder of the model.
        folder: where theirs are made.
    """

    def __init__(self, machine: Machine, plan: Plan, model: Path, folder: Path) -> None:
        self.machine = machine
        self._plan = plan
        self._model = model
        self._folder = folder
        # A CPU beside a simulated GPU would take minutes over what takes a GPU seconds.
        simulated = machine.gpu.simulated
        self.batch = _SMALL_BATCH if simulated else BATCH
        self._output_tokens = _SMALL_TOKENS if simulated else OUTPUT_TOKENS

    def request(
        self,
        gpu: Gpu | None = None,
        baseline: Baseline | None = None,
        prompts: int | None = None,
        output_tokens: int | None = None,
        **measurement: Any,
    ) -> RunRequest:
        """The one experiment, or one that deviates from it as the arguments say."""
        asked: dict[str, Any] = {
            "baseline_s": self._plan.baseline_s,
            "loaded_idle_s": self._plan.loaded_idle_s,
            "min_window_s": self._plan.window_s,
            **measurement,
        }
        return RunRequest(
            campaign="gpu-check",
            experiment_id="gpu-check",
            cycle=1,
            cycles=1,
            attempt=1,
            order_index=0,
            experiment=Experiment(
                model="./random-weights",
                workload=Workload(
                    prompts=prompts or self.batch,
                    input_tokens=INPUT_TOKENS,
                    output_tokens=output_tokens or self._output_tokens,
                ),
                options=PytorchOptions(batch_size=min(self.batch, prompts or self.batch)),
            ),
            measurement=Measurement(**asked),
            gpus=[gpu or self.machine.gpu],
            baseline=baseline,
            model_path=str(self._model),
        )

    def brief(self, **deviations: Any) -> RunRequest:
        """A run with as little as can be around its window."""
        return self.request(baseline_s=0.0, loaded_idle_s=0.0, warmup=Warmup(iterations=_WARM), **deviations)

    def start(self, name: str, request: RunRequest) -> Attempt:
        """Starts the runner on a request."""
        return Attempt(self._folder / name, request, self.machine.variables)


class Attempt:
    """A runner at work; use it in a ``with`` statement, it does not outlive that."""

    def __init__(self, folder: Path, request: RunRequest, variables: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        path = folder / paths.REQUEST
        path.write_text(request.model_dump_json(), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runners", request.experiment.backend, "--request", str(path)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **variables},
        )

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self) -> RunResult | RunFailure | None:
        """Waits for what it leaves; None where that is nothing, or it takes too long."""
        try:
            self.process.wait(RUN_S)
        except subprocess.TimeoutExpired:
            return None
        if (result := self.folder / paths.RESULT).is_file():
            return RunResult.model_validate_json(result.read_bytes())
        if (failure := self.folder / paths.FAILURE).is_file():
            return RunFailure.model_validate_json(failure.read_bytes())
        return None

    def phase(self) -> str | None:
        """Where it is, as it says."""
        events = self.folder / paths.EVENTS
        lines = events.read_text(encoding="utf-8").splitlines() if events.is_file() else []
        said = [json.loads(line) for line in lines if line.endswith("}")]
        phase: str | None = said[-1]["phase"] if said else None
        return phase


def outcome(left: RunResult | RunFailure | None) -> str:
    """What a run left, in words."""
    if left is None:
        return "nothing"
    if isinstance(left, RunFailure):
        return f"failed with {left.kind.value}: {left.message}"
    failed = failed_checks(left)
    return f"{left.verdict}" + (f", failed checks: {', '.join(failed)}" if failed else "")


def failed_checks(result: RunResult) -> list[str]:
    """Names of the checks that failed; not that a simulated GPU measures nothing, which the page says anyway."""
    simulated = result.energy_method == "simulated"
    return [c.name for c in result.checks if not c.passed and not (simulated and c.name == "energy_measured")]
