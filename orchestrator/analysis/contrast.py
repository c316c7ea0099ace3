"""The mean difference of two groups' logs: paired by cycle where cycles are shared, and blocked by GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestrator.analysis.blocks import Blocks
from orchestrator.analysis.cycles import two_way

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Design = Literal[
    "paired by cycle", "paired by cycle, blocked by GPU", "unpaired", "unpaired, blocked by GPU"
]  # fmt: skip
_ROUNDING: Final = 1e-12
"""Differences of logs, and their errors, that are nothing but rounding."""
_ENOUGH_SHARED: Final = 0.5
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
    error: float
    """Its standard error."""
    freedom: float
    """Degrees of freedom of that."""
    a: NDArray[np.float64]
    """Each cycle's value, as adjusted."""
    b: NDArray[np.float64]
    design: Design
    unlike_gpus: bool
    """They ran on unlike GPUs, and nothing tells what these add: part of the difference may be theirs."""

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

    Unpaired, the standard error and its degrees of freedom are those of Welch (1947).

    Args:
        a: the reference.
        b: what is held against it.
        blocks: what GPUs add; None: not known, or there is one only.
    """
    if _is_paired(a, b):
        import numpy as np

        shared = np.intersect1d(a.cycle, b.cycle)
        found = _paired(a.among(shared), b.among(shared), blocks)
    else:
        found = _unpaired(a, b, blocks)
    if found is None:
        return None
    mean, error = (0.0 if abs(value) < _ROUNDING else value for value in (found.mean, found.error))
    return replace(found, mean=mean, error=error)


def _is_paired(a: Sample, b: Sample) -> bool:
    if a.campaign != b.campaign or not (a.shares_cycles and b.shares_cycles):
        return False
    of_a, of_b = set(a.cycle.tolist()), set(b.cycle.tolist())
    return len(of_a & of_b) >= max(2, _ENOUGH_SHARED * max(len(of_a), len(of_b)))


def _paired(a: Sample, b: Sample, blocks: Blocks | None) -> Contrast | None:
    import numpy as np

    if blocks is not None:
        share_a, share_b = _shares(a, blocks), _shares(b, blocks)
        share = share_b - share_a
        centred = share - share.mean(axis=0)
        runs = 1 / (1 / _runs_a_cycle(a) + 1 / _runs_a_cycle(b))
        freedom = len(share) - 1 - runs * float(np.sum((centred @ blocks.inverse) * centred))
        contrast_of_gpus = share.mean(axis=0)
        if share.any() and freedom >= 1 and blocks.tells(contrast_of_gpus):
            found = _paired(_adjusted(a, blocks), _adjusted(b, blocks), None)
            if found is None:
                return None
            spread = found.error**2 * (len(share) - 1) / freedom
            error = math.sqrt(spread + blocks.variance * float(contrast_of_gpus @ blocks.inverse @ contrast_of_gpus))
            return replace(
                found, error=error, freedom=freedom, design="paired by cycle, blocked by GPU", unlike_gpus=False
            )
    of_a, of_b = _values(a), _values(b)
    if len(of_a) < 2 or len(of_a) != len(of_b):
        return None
    difference = of_b - of_a
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    unlike = _unlike_gpus(a, b)
    return Contrast(float(difference.mean()), error, len(difference) - 1.0, of_a, of_b, "paired by cycle", unlike)


def _unpaired(a: Sample, b: Sample, blocks: Blocks | None) -> Contrast | None:
    import numpy as np

    extra, lost, blocked = 0.0, (0.0, 0.0), False
    if blocks is not None:
        shares = _shares(a, blocks), _shares(b, blocks)
        contrast_of_gpus = shares[1].mean(axis=0) - shares[0].mean(axis=0)
        centred = [share - share.mean(axis=0) for share in shares]
        lost = (
            _runs_a_cycle(a) * float(np.sum((centred[0] @ blocks.inverse) * centred[0])),
            _runs_a_cycle(b) * float(np.sum((centred[1] @ blocks.inverse) * centred[1])),
        )
        enough = all(len(share) - 1 - gone >= 1 for share, gone in zip(shares, lost, strict=True))
        blocked = enough and blocks.tells(contrast_of_gpus) and (contrast_of_gpus.any() or any(lost))
        if blocked:
            a, b = _adjusted(a, blocks), _adjusted(b, blocks)
            extra = blocks.variance * float(contrast_of_gpus @ blocks.inverse @ contrast_of_gpus)
    of_a, of_b = _values(a), _values(b)
    if len(of_a) < 2 or len(of_b) < 2:
        return None
    free_a, free_b = (
        len(values) - 1 - gone * blocked for values, gone in zip((of_a, of_b), lost, strict=True)
    )  # fmt: skip
    var_a, var_b = (
        float(np.sum((values - values.mean()) ** 2)) / free / len(values)
        for values, free in ((of_a, free_a), (of_b, free_b))
    )
    both = var_a + var_b
    freedom = both**2 / (var_a**2 / free_a + var_b**2 / free_b) if both else free_a + free_b
    return Contrast(
        float(of_b.mean() - of_a.mean()),
        math.sqrt(both + extra),
        freedom,
        of_a,
        of_b,
        "unpaired, blocked by GPU" if blocked else "unpaired",
        not blocked and _unlike_gpus(a, b),
    )


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
