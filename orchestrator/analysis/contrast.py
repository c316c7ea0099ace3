"""The mean difference of two groups' logs: paired by cycle where cycles are shared, and blocked by GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestrator.analysis.blocks import Blocks
from orchestrator.analysis.cycles import that_count, two_way
from orchestrator.analysis.stopping import PER_LOOK_OF_TWO, widening

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Design = Literal["paired by cycle", "paired by cycle, blocked by GPU", "unpaired", "unpaired, blocked by GPU"]
_ROUNDING: Final = 1e-12
"""Differences of logs, and their errors, that are nothing but rounding."""
_ENOUGH_LEFT: Final = 0.5
"""Of the degrees of freedom of a group's spread, once GPUs are told from it too: with fewer, GPUs stay in."""
ENOUGH_SHARED: Final = 0.5
"""Of the cycles of the group that has more: with fewer in common, pairing would throw too many away."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one group's runs measured of one metric; runs without it are not among them."""

    campaign: str
    shares_cycles: bool
    """Whether all experiments ran in each cycle together, so that a cycle is something that groups share."""
    experiment: NDArray[Any]
    cycle: NDArray[Any]
    gpus: NDArray[Any]
    logs: NDArray[np.float64]
    looked_at: bool = False
    """Whether it was repeated until it was known, so that its spread may look smaller than it is."""

    def among(self, cycles: NDArray[Any]) -> Sample:
        """Its runs of those cycles only."""
        import numpy as np

        if len(cycles) == len(self.cycle):
            return self
        keep = np.isin(self.cycle, cycles)
        return replace(
            self,
            experiment=self.experiment[keep],
            cycle=self.cycle[keep],
            gpus=self.gpus[keep],
            logs=self.logs[keep],
        )


@dataclass(frozen=True, slots=True)
class Contrast:
    """The mean of b's logs less that of a's, and how surely it is known."""

    mean: float
    parts: tuple[tuple[float, float], ...]
    """What its variance is the sum of: each part with its degrees of freedom."""
    a: NDArray[np.float64]
    """Each cycle's value, as adjusted."""
    b: NDArray[np.float64]
    design: Design
    unlike_gpus: bool = False
    """They ran on unlike GPUs, and nothing tells what these add: part of the difference may be theirs."""
    looked_at: bool = False
    """Either was repeated until it was known: its errors are wider for that."""

    @property
    def error(self) -> float:
        """Its standard error."""
        return math.sqrt(sum(variance for variance, _ in self.parts))

    @property
    def paired(self) -> bool:
        """Whether ``a`` and ``b`` belong together, value by value."""
        return self.design.startswith("paired")

    @property
    def count(self) -> int:
        """The repetitions that it rests on."""
        return min(len(self.a), len(self.b))


def contrast(a: Sample, b: Sample, blocks: Blocks | None) -> Contrast | None:
    """Hold two samples against each other; None where they have fewer than two cycles (in common, if paired).

    Args:
        a: the reference.
        b: what is held against it.
        blocks: what GPUs add; None: not known, or there is one only.
    """
    a, b = _that_count(a), _that_count(b)
    if _is_paired(a, b):
        import numpy as np

        shared = np.intersect1d(a.cycle, b.cycle)
        found = _paired(a.among(shared), b.among(shared), blocks)
    else:
        found = _unpaired(a, b, blocks)
    if found is None:
        return None
    looked_at = a.looked_at or b.looked_at
    wider = widening(found.count, PER_LOOK_OF_TWO) ** 2 if looked_at else 1.0
    parts = tuple((0.0 if variance < _ROUNDING**2 else variance * wider, freedom) for variance, freedom in found.parts)
    return replace(found, mean=0.0 if abs(found.mean) < _ROUNDING else found.mean, parts=parts, looked_at=looked_at)


def _is_paired(a: Sample, b: Sample) -> bool:
    if a.campaign != b.campaign or not (a.shares_cycles and b.shares_cycles):
        return False
    of_a, of_b = set(a.cycle.tolist()), set(b.cycle.tolist())
    return len(of_a & of_b) >= max(2, ENOUGH_SHARED * max(len(of_a), len(of_b)))


def _that_count(sample: Sample) -> Sample:
    """Its runs of the cycles that tell of all its experiments together."""
    import numpy as np

    experiments, experiment = np.unique(sample.experiment, return_inverse=True)
    if len(experiments) < 2:
        return sample
    cycles, cycle = np.unique(sample.cycle, return_inverse=True)
    return sample.among(cycles[np.unique(cycle[that_count(experiment, cycle)])])


def _paired(a: Sample, b: Sample, blocks: Blocks | None) -> Contrast | None:
    of_a, of_b = _values(a), _values(b)
    if len(of_a) < 2 or len(of_a) != len(of_b):
        return None
    if blocks is not None:
        shares = _shares(b, blocks) - _shares(a, blocks)
        divisor, freedom = blocks.left_of(shares, 1 / (1 / _runs_a_cycle(a) + 1 / _runs_a_cycle(b)))
        apart = shares.mean(axis=0)
        if shares.any() and divisor >= _ENOUGH_LEFT and blocks.tells(apart):
            of_a, of_b = _values(_adjusted(a, blocks)), _values(_adjusted(b, blocks))
            own = _squares(of_b - of_a) / divisor / len(of_a), freedom
            gpus = blocks.uncertainty(apart), float(blocks.freedom)
            mean = float((of_b - of_a).mean())
            return Contrast(mean, (own, gpus), of_a, of_b, "paired by cycle, blocked by GPU")
    own = _squares(of_b - of_a) / (len(of_a) - 1) / len(of_a), len(of_a) - 1.0
    return Contrast(float((of_b - of_a).mean()), (own,), of_a, of_b, "paired by cycle", _unlike_gpus(a, b))


def _unpaired(a: Sample, b: Sample, blocks: Blocks | None) -> Contrast | None:
    values = _values(a), _values(b)
    if min(map(len, values)) < 2:
        return None
    left = [(len(each) - 1.0, len(each) - 1.0) for each in values]
    gpus: list[tuple[float, float]] = []
    design: Design = "unpaired"
    if blocks is not None and len({*a.gpus.tolist(), *b.gpus.tolist()}) > 1:
        shares = _shares(a, blocks), _shares(b, blocks)
        blocked = [blocks.left_of(share, _runs_a_cycle(each)) for share, each in zip(shares, (a, b), strict=True)]
        apart = shares[1].mean(axis=0) - shares[0].mean(axis=0)
        if min(divisor for divisor, _ in blocked) >= _ENOUGH_LEFT and blocks.tells(apart):
            values = _values(_adjusted(a, blocks)), _values(_adjusted(b, blocks))
            left, design = blocked, "unpaired, blocked by GPU"
            gpus = [(blocks.uncertainty(apart), float(blocks.freedom))]
    own = [
        (_squares(each) / divisor / len(each), freedom) for each, (divisor, freedom) in zip(values, left, strict=True)
    ]
    of_a, of_b = values
    unlike = not gpus and _unlike_gpus(a, b)
    return Contrast(float(of_b.mean() - of_a.mean()), (*own, *gpus), of_a, of_b, design, unlike)


def _squares(values: NDArray[np.float64]) -> float:
    """The sum of squares about the mean."""
    about = values - values.mean()
    return float(about @ about)


def _values(sample: Sample) -> NDArray[np.float64]:
    """One a cycle, in the order of the cycles."""
    import numpy as np

    cycles, of_cycle = np.unique(sample.cycle, return_inverse=True)
    if len(cycles) == len(sample.logs):
        return sample.logs[np.argsort(sample.cycle)]
    return two_way(sample.logs, np.unique(sample.experiment, return_inverse=True)[1], of_cycle)


def _adjusted(sample: Sample, blocks: Blocks) -> Sample:
    return replace(sample, logs=sample.logs - blocks.effects[blocks.codes(sample.gpus)])


def _shares(sample: Sample, blocks: Blocks) -> NDArray[np.float64]:
    """Which share of each cycle's runs was on which GPUs: cycles × GPUs."""
    import numpy as np

    cycles, of_cycle = np.unique(sample.cycle, return_inverse=True)
    shares = np.zeros((len(cycles), len(blocks.names)))
    np.add.at(shares, (of_cycle, blocks.codes(sample.gpus)), 1.0)
    share: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return share


def _runs_a_cycle(sample: Sample) -> float:
    return len(sample.cycle) / len(set(sample.cycle.tolist()))


def _unlike_gpus(a: Sample, b: Sample) -> bool:
    """Whether one ran on GPUs that the other was not on as often."""
    of_a, of_b = sorted(a.gpus.tolist()), sorted(b.gpus.tolist())
    if of_a == of_b:
        return False
    return {name: of_a.count(name) / len(of_a) for name in of_a} != {
        name: of_b.count(name) / len(of_b) for name in of_b
    }
