"""How exactly each experiment of a campaign is known so far, in the metric that its ``until:`` names."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from orchestrator.analysis.stopping import sequential_interval, sure_enough
from orchestrator.campaign.until import Until
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import thaw
from orchestrator.results.index import indexed_rows
from runners.contract.quantities import QUANTITIES
from runners.contract.result import RunResult


class Known(NamedTuple):
    """How exactly one experiment is known."""

    runs: int
    """That tell it: complete, good, and with the figure."""
    relative_half_width: float | None
    """Of the 95 % interval; None where nothing can be said."""
    enough: bool
    """Whether that is well enough."""
    method: str | None
    """How the energy was come by, where the metric is one of energy."""
    hopeless: str = ""
    """Why it is run no more though it is not known, in words; empty where it is run, or known."""

    @property
    def over(self) -> bool:
        """Whether it is run no more."""
        return self.enough or bool(self.hopeless)


_Mute = Literal["suspect", "without it"]
_TOLD: Final = ("experiment_id", "cycle", "verdict", "environment_id", "energy_method", "energy_scope")
_UNKNOWN: Final = Known(0, None, enough=False, method=None)


class _Alike(NamedTuple):
    """What runs have in common that are taken together."""

    environment_id: str
    method: str | None
    scope: str | None


class Precision:
    """What the complete runs of a campaign tell of its metric: a function of its run folders, and of nothing else.

    Suspect runs tell nothing. Runs of unlike environments, or whose energy was come by in unlike ways, are not taken
    together: that part counts which is known best. Where ``min_cycles`` runs are complete, and none of them can be made
    an interval of, there is no reason why further ones could: it is hopeless.

    Args:
        until: how well each experiment is to be known.
    """

    def __init__(self, until: Until) -> None:
        import scipy.special  # noqa: F401 (now, and not later beside a run that is measured)

        self.until = until
        self._quantity = QUANTITIES[until.metric]
        self._values: dict[str, dict[_Alike, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
        self._mute: dict[str, dict[int, _Mute]] = defaultdict(dict)
        """Why complete runs tell nothing, by cycle."""
        self._known: dict[str, Known] = {}

    def read(self, folder: CampaignFolder, index: Path | None = None) -> frozenset[str]:
        """Take in all complete runs of a campaign; those that cannot be read tell nothing.

        Args:
            folder: the campaign's results.
            index: the file that keeps what results were read; None: all are read.

        Returns:
            The experiments that are run no more: known well enough, or hopeless.
        """
        rows, _faults = indexed_rows(folder.path, index)
        for row in rows.select([*_TOLD, self.until.metric]).to_pylist():
            alike = self._alike(row["environment_id"], row["energy_method"], row["energy_scope"])
            self._take(row["experiment_id"], row["cycle"], row["verdict"], alike, row[self.until.metric])
        return frozenset(experiment for experiment in {*self._values, *self._mute} if self.of(experiment).over)

    def of(self, experiment_id: str) -> Known:
        """How exactly an experiment is known."""
        if experiment_id not in self._known:
            parts = [self._judged(*part) for part in self._values.get(experiment_id, {}).items()]
            best = max(parts, key=_rank, default=_UNKNOWN)
            self._known[experiment_id] = best._replace(hopeless=self._hopeless(experiment_id))
        return self._known[experiment_id]

    def silent(self, experiment_id: str) -> str:
        """Which complete runs of an experiment tell nothing, in words: ``3 suspect``; empty where all tell."""
        counts = Counter(self._mute.get(experiment_id, {}).values())
        return ", ".join(f"{count} {why}" for why, count in counts.items())

    def tells(self, result: RunResult) -> bool:
        """Whether a run has the figure."""
        return self._quantity.of(result) is not None

    def add(self, result: RunResult) -> None:
        """Take in a complete run."""
        alike = self._alike(result.environment.environment_id, result.energy_method, result.energy_scope)
        self._take(result.experiment_id, result.cycle, result.verdict, alike, self._quantity.of(result))

    def _alike(self, environment_id: str, method: str | None, scope: str | None) -> _Alike:
        return _Alike(environment_id, method, scope) if self._quantity.of_energy else _Alike(environment_id, None, None)

    def _take(self, experiment_id: str, cycle: int, verdict: str, alike: _Alike, value: float | None) -> None:
        self._known.pop(experiment_id, None)
        if verdict != "good":
            self._mute[experiment_id][cycle] = "suspect"
        elif value is None or math.isnan(value):
            self._mute[experiment_id][cycle] = "without it"
        else:
            self._values[experiment_id][alike][cycle] = value

    def _hopeless(self, experiment_id: str) -> str:
        parts = self._values.get(experiment_id, {}).values()
        runs = sum(map(len, parts)) + len(self._mute.get(experiment_id, {}))
        if runs < self.until.min_cycles or any(min(part.values()) > 0 for part in parts):
            return ""
        if not parts:
            return f"no run tells its {self.until.metric} ({self.silent(experiment_id)})"
        return f"its {self.until.metric} is 0 or less in a run, so it has no relative width"

    def _judged(self, alike: _Alike, by_cycle: Mapping[int, float]) -> Known:
        values = list(by_cycle.values())
        interval = sequential_interval(values)
        width = interval.relative_half_width if interval else None
        enough = sure_enough(values, self.until.relative_half_width, self.until.min_cycles)
        return Known(len(values), width, enough, alike.method)


def precision_of(folder: CampaignFolder, index: Path | None = None) -> Precision | None:
    """What the folders of a campaign tell; None where it has no ``until``.

    Args:
        folder: the campaign's results.
        index: the file that keeps what results were read; None: all are read.
    """
    until = thaw(folder.campaign_file).campaign.file.until if folder.campaign_file.exists() else None
    if until is None:
        return None
    precision = Precision(until)
    precision.read(folder, index)
    return precision


def _rank(known: Known) -> tuple[bool, float, int]:
    return known.enough, -math.inf if known.relative_half_width is None else -known.relative_half_width, known.runs
