"""What each run gets of the machine."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from orchestrator.execution.attempts import Bench
from orchestrator.execution.pending import Need
from orchestrator.manifest.store import Manifest, RunRow
from runners.contract.identity import experiment_from
from runners.contract.paths import REQUEST, AttemptName
from runners.contract.request import Experiment, Gpu, RunRequest

_WHOLE_MACHINE = frozenset({"the machine"})


class Placed(NamedTuple):
    """A run, and what it gets."""

    row: RunRow
    experiment: Experiment
    gpus: tuple[Gpu, ...]


class Placing:
    """Places the runs of one campaign: on GPUs of their own where several go on at once, else on the whole machine.

    Args:
        bench: of the campaign.
        manifest: of the campaign.
    """

    def __init__(self, bench: Bench, manifest: Manifest) -> None:
        self._bench = bench
        self._manifest = manifest
        self.everything = frozenset(gpu.uuid for gpu in bench.gpus) if bench.slots > 1 else _WHOLE_MACHINE

    def of(self, order_index: int) -> Placed:
        """A run, and the GPUs that are its turn."""
        row = self._manifest.run(order_index)
        experiment = experiment_from(self._manifest.config(row.experiment_id))
        position = self._manifest.position(order_index)
        return Placed(row, experiment, self._bench.gpus_of(experiment, position, row.cycle))

    def as_started(self, order_index: int, name: AttemptName) -> Placed:
        """A run, and the GPUs that an attempt at it was given by whoever started it."""
        placed = self.of(order_index)
        try:
            file = self._bench.folder.attempt_folder(name) / REQUEST
            return placed._replace(gpus=tuple(RunRequest.model_validate_json(file.read_bytes()).gpus))
        except (OSError, ValidationError):
            return placed

    def need(self, order_index: int) -> Need:
        """What a run needs."""
        placed = self.of(order_index)
        return Need(placed.row.cycle, self.resources(placed.gpus))

    def resources(self, gpus: tuple[Gpu, ...]) -> frozenset[str]:
        """What a run on these keeps others from; on the CPU, which all share, that is everything."""
        return frozenset(gpu.uuid for gpu in gpus) & self.everything or self.everything
