"""Every joule of a result once more, from its own files, held against what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.results.reading import load_result
from orchestrator.results.series import series_of
from runners.contract import fingerprint
from runners.contract.energy import Energy, EnergyError, total
from runners.contract.joules import Counts, joules_of
from runners.contract.request import Gpu
from runners.contract.result import Mark, RunResult
from runners.contract.series import Series, primary_of

_TOLERANCE = 1e-9


class Figure(NamedTuple):
    """A figure of a result, and what its files give for it."""

    name: str
    said: Any
    recomputed: Any

    @property
    def agrees(self) -> bool:
        """Whether they are the same, but for the last digits of floating-point sums."""
        if isinstance(self.said, float) and isinstance(self.recomputed, float):
            return isclose(self.said, self.recomputed, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        return bool(self.said == self.recomputed)


class Stretch(NamedTuple):
    """The energy of one phase, all its stretches together; None where the record does not tell."""

    phase: str
    duration_s: float
    energy: Energy | None


class Recomputed(NamedTuple):
    """What the files of a run give."""

    result: RunResult
    figures: list[Figure]
    phases: list[Stretch]
    changed_files: list[str]
    """Files that are not what the result was computed from."""

    @property
    def agrees(self) -> bool:
        """Whether all figures do, and no file was changed."""
        return not self.changed_files and all(figure.agrees for figure in self.figures)


def recompute(folder: Path) -> Recomputed:
    """Computes the energies of a run again.

    Args:
        folder: the run's.

    Raises:
        InputError: a file is missing or broken, or an earlier version wrote it.
    """
    result = load_result(folder)
    series = series_of(folder, result)
    counts = Counts(result.requests, result.input_tokens, result.output_tokens)
    gpus = [Gpu(index=index, uuid=gpu.uuid, name=gpu.name) for index, gpu in enumerate(result.gpus)]
    fields: Mapping[str, Any] = dict(joules_of(series, result.marks, counts, result.baseline, gpus))
    changed = [
        name
        for name, record in result.files.items()
        if not (folder / name).is_file() or fingerprint.of_file(folder / name) != record.sha256
    ]
    return Recomputed(result, list(_figures(result, fields)), _phases(series, result.marks), changed)


def _figures(result: RunResult, fields: Mapping[str, Any]) -> Iterator[Figure]:
    for name, value in fields.items():
        if name != "gpus":
            yield Figure(name, getattr(result, name), value)
    said, recomputed = ({gpu.uuid: gpu for gpu in gpus} for gpus in (result.gpus, fields["gpus"]))
    for uuid in said | recomputed:
        for name in ("energy_j", "energy_low_j", "energy_high_j"):
            yield Figure(
                f"{uuid} {name}", getattr(said.get(uuid), name, None), getattr(recomputed.get(uuid), name, None)
            )


def _phases(series: Mapping[str, Series], marks: list[Mark]) -> list[Stretch]:
    """The primary sources' energy of each phase, in the order in which they began."""
    primary = [series[source.name] for source in primary_of([one.source for one in series.values()])]
    ordered = sorted(marks, key=lambda mark: mark.start_s)
    stretches = []
    for phase in dict.fromkeys(mark.phase for mark in ordered):
        of_phase = [mark for mark in ordered if mark.phase == phase]
        duration_s = sum(mark.end_s - mark.start_s for mark in of_phase)
        stretches.append(Stretch(phase, duration_s, _energy(primary, of_phase)))
    return stretches


def _energy(primary: list[Series], marks: list[Mark]) -> Energy | None:
    try:
        return total([one.energy(mark.start_s, mark.end_s).energy for one in primary for mark in marks])
    except EnergyError:
        return None
