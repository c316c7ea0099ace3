"""What the simulations share: noise of known truth, campaigns of it, and claims that are held against what was seen.

A simulation is a module beside this one with ``claims() -> Iterator[Claim]``; ``python -m tests.bench.stats`` finds it.
It calls the library's own functions: nothing of them is written anew here.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orchestrator.analysis.groups import Group
from orchestrator.results.table import HOW, WHO
from runners.contract.quantities import QUANTITIES

CAMPAIGNS: Final = 2000
"""How many campaigns are simulated for each figure."""
METRIC: Final = "energy_per_output_token_j"
SIGMA: Final = 0.03
"""Noise of a run relative to its truth, where a simulation has no reason to choose another."""

Logs = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Logs]
"""Draws of mean 0 and standard deviation 1, to be multiplied by a sigma and added to the log of the truth."""


def normal(chance: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    return chance.standard_normal(shape)


def skewed(chance: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """A gamma's of shape 16: skewness 0.5, as of a figure that is now and then higher by a daemon's work."""
    return (chance.standard_gamma(16.0, shape) - 16.0) / 4.0


def heavy(chance: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """Student's t with 3 degrees of freedom: a variance, but no kurtosis."""
    return chance.standard_t(3.0, shape) / math.sqrt(3.0)


NOISES: Final[Mapping[str, Noise]] = {"normal": normal, "mildly skewed": skewed, "heavy-tailed": heavy}


def seeded(*what: object) -> np.random.Generator:
    """A generator whose numbers depend on these words alone, so that a simulation does not change with another's."""
    return np.random.default_rng(zlib.crc32(" ".join(map(str, what)).encode()))


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure seen in simulation, and the bounds it is held to."""

    what: str
    seen: float
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    share: bool = True
    """Whether it is a share, said in percent."""

    @property
    def holds(self) -> bool:
        """NaN never does."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= self.seen <= high

    def __str__(self) -> str:
        def said(value: float) -> str:
            return f"{100 * value:.1f} %" if self.share else f"{value:.3g}"

        bounds = [
            f"{sign} {said(bound)}" for sign, bound in (("≥", self.at_least), ("≤", self.at_most)) if bound is not None
        ]
        missed = "" if self.holds else " **missed**"
        return f"| {self.what} | {said(self.seen)}{missed} | {', '.join(bounds) or '–'} | {self.note} |"


HEADER: Final = "| What | Seen | Held to | |\n| --- | ---: | ---: | --- |"


def share_of(hits: Sequence[bool] | NDArray[np.bool_] | Iterator[bool]) -> float:
    """How often it was so."""
    return float(np.mean(np.fromiter(hits, dtype=bool)))


def made_group(label: str, values: Logs, metric: str = METRIC, gpus: Sequence[str] = (), first_cycle: int = 1) -> Group:
    """A group of one experiment whose runs measured ``values``, a run a cycle, and nothing else; NaN: not measured.

    Args:
        label: of the group, and the id of its experiment.
        values: of the metric, in its unit, not logs.
        metric: the column that they become.
        gpus: the GPU of each run; empty: all on a CPU.
        first_cycle: the number of the first.
    """
    count = len(values)
    columns: dict[str, object] = dict.fromkeys((*WHO, *HOW)) | dict.fromkeys(QUANTITIES, math.nan)
    columns |= {
        "run_id": [f"{label}-{index}" for index in range(count)],
        "campaign": "simulated",
        "experiment_id": label,
        "cycle": np.arange(first_cycle, first_cycle + count),
        "attempt": 1,
        "order_index": np.arange(count),
        "backend": "simulated",
        "verdict": "good",
        "environment_id": "e" * 12,
        "energy_method": "measured",
        "energy_scope": "gpu",
        "gpus": list(gpus) or "",
        "failed_checks": "",
        "asked": "a" * 64,
        "output_sha256": "b" * 64,
        metric: values,
    }
    key = {"experiment_id": label, "environment_id": "e" * 12}
    return Group(label, key, pd.DataFrame(columns, index=range(count)))
