"""What groups measured of a metric, and whether two of them can be held against each other at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.analysis.blocks import Blocks, blocks_of
from orchestrator.analysis.contrast import Sample
from orchestrator.analysis.groups import Choice, Group, for_ranking
from runners.contract.paths import ADHOC
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ESTIMATED: Final = "energy is estimated, not measured"
"""Why joules are not compared unless that is asked for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of one group."""

    sample: Sample | None
    why_not: str = ""
    """Why there is no sample."""
    metered: frozenset[tuple[str, str]] = frozenset()
    """The methods and scopes of its energy, where the metric follows from energy."""


def reading_of(group: Group, metric: str, choice: Choice) -> Reading:
    """What a group measured of a metric.

    Args:
        group: whose usable runs are read.
        metric: the name of a quantity.
        choice: whether estimated joules count.
    """
    import numpy as np

    frame = for_ranking(group, metric, choice).frame
    if not len(frame):
        return Reading(None, ESTIMATED if len(group.frame) else "no usable run")
    values = frame[metric].to_numpy(dtype="float64", na_value=np.nan)
    known = np.isfinite(values)
    if not known.any():
        return Reading(None, f"{QUANTITIES[metric].title} was not measured")
    if values[known].min() <= 0:
        return Reading(None, f"{QUANTITIES[metric].title} is not above 0 in every run")
    if not known.all():
        frame, values = frame[known], values[known]
    metered: frozenset[tuple[str, str]] = frozenset()
    if QUANTITIES[metric].of_energy:
        metered = frozenset(zip(map(str, frame["energy_method"]), map(str, frame["energy_scope"]), strict=True))
    campaign = str(frame["campaign"].iat[0])
    sample = Sample(
        campaign,
        campaign != ADHOC and "grouped" not in set(frame["order"]),
        frame["experiment_id"].to_numpy(dtype=object),
        frame["cycle"].to_numpy(),
        frame["gpus"].to_numpy(dtype=object),
        np.log(values),
    )
    return Reading(sample, "", metered)


def unlike(a: Reading, b: Reading) -> str:
    """Why two readings are not to be held against each other, in words; empty where they are."""
    if a.why_not and a.why_not == b.why_not:
        return a.why_not
    without = [f"{side}: {reading.why_not}" for side, reading in (("A", a), ("B", b)) if reading.why_not]
    if without:
        return "; ".join(without)
    if a.metered != b.metered or len(a.metered) > 1:
        return f"metered unlike: A by {_meters(a)}, B by {_meters(b)}"
    return ""


def blocks_among(readings: Iterable[Reading]) -> Blocks | None:
    """What GPUs add, told from all these readings; None where that cannot be told, or there is one GPU only."""
    import numpy as np

    samples = [reading.sample for reading in readings if reading.sample is not None]
    if len({name for sample in samples for name in sample.gpus.tolist()}) < 2:
        return None
    return blocks_of(
        np.concatenate([_within(sample, sample.experiment) for sample in samples]),
        np.concatenate([_within(sample, sample.cycle) for sample in samples]),
        np.concatenate([sample.gpus for sample in samples]).astype(str),
        np.concatenate([sample.logs for sample in samples]),
    )


def _within(sample: Sample, names: NDArray[np.generic]) -> NDArray[np.str_]:
    """Names of a campaign's own as names among all campaigns."""
    import numpy as np

    return np.array([f"{sample.campaign} {name}" for name in names.tolist()])


def _meters(reading: Reading) -> str:
    return " and ".join(f"{method} ({scope})" for method, scope in sorted(reading.metered))
