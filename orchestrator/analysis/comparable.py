"""What groups measured of a metric, and whether two of them can be held against each other at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.analysis.blocks import Blocks, blocks_of
from orchestrator.analysis.contrast import Sample
from orchestrator.analysis.groups import Choice, Group
from orchestrator.analysis.summary import was_looked_at
from runners.contract.paths import ADHOC
from runners.contract.quantities import QUANTITIES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Meters = frozenset[tuple[str, str]]
"""Methods and scopes by which joules were come by."""

ESTIMATED: Final = "energy is estimated, not measured"
"""Why joules are not compared unless that is asked for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of one group."""

    sample: Sample | None
    why_not: str = ""
    """Why there is no sample."""
    metered: Meters = frozenset()
    """The methods and scopes of its energy, where the metric follows from energy."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What is the same of a group's runs for each metric, a value a run."""

    group: Group
    campaign: str
    shares_cycles: bool
    experiment: NDArray[Any]
    cycle: NDArray[Any]
    gpus: NDArray[Any]
    method: NDArray[Any]
    scope: NDArray[Any]
    looked_at: bool


def runs_of(group: Group) -> Runs | None:
    """The usable runs of a group; None where there is none."""
    frame = group.frame
    if not len(frame):
        return None
    campaign = str(frame["campaign"].iat[0])
    experiment, gpus, method, scope, order = (
        frame[name].to_numpy(dtype=object)
        for name in ("experiment_id", "gpus", "energy_method", "energy_scope", "order")
    )
    together = campaign != ADHOC and "grouped" not in order.tolist()
    return Runs(
        group, campaign, together, experiment, frame["cycle"].to_numpy(), gpus, method, scope, was_looked_at(frame)
    )


def reading_of(runs: Runs | None, metric: str, choice: Choice) -> Reading:
    """What a group's runs measured of a metric.

    Args:
        runs: of the group.
        metric: the name of a quantity.
        choice: whether estimated joules count.
    """
    import numpy as np

    if runs is None:
        return Reading(None, "no usable run")
    quantity = QUANTITIES[metric]
    values = runs.group.frame[metric].to_numpy(dtype="float64", na_value=np.nan)
    kept = np.isfinite(values)
    if not kept.any():
        return Reading(None, f"{quantity.title} was not measured")
    if quantity.of_energy and not choice.estimated:
        kept &= runs.method != "estimated"
        if not kept.any():
            return Reading(None, ESTIMATED)
    if values[kept].min() <= 0:
        return Reading(None, f"{quantity.title} is not above 0 in every run")
    metered = _meters(runs.method[kept], runs.scope[kept]) if quantity.of_energy else Meters()
    sample = Sample(
        runs.campaign,
        runs.shares_cycles,
        runs.experiment[kept],
        runs.cycle[kept],
        runs.gpus[kept],
        np.log(values[kept]),
        runs.looked_at,
    )
    return Reading(sample, "", metered)


def unlike(a: Reading, b: Reading) -> str:
    """Why two readings are not to be held against each other, in words; empty where they are."""
    if a.why_not and a.why_not == b.why_not:
        return a.why_not
    without = [f"{side}: {reading.why_not}" for side, reading in (("A", a), ("B", b)) if reading.why_not]
    if without:
        return "; ".join(without)
    if not metered_alike(a.metered, b.metered):
        return f"metered unlike: A by {listed(a.metered)}, B by {listed(b.metered)}"
    return ""


def metered_alike(*meters: Meters) -> bool:
    """Whether figures may be held against each other, by what their energy was measured by and of.

    All of one method and scope: groups that mix meters, even the same ones, may mix them in unlike parts, so that what
    is told apart is the meters. Figures that do not follow from energy have no meters, and are alike.
    """
    return len(frozenset[tuple[str, str]]().union(*meters)) <= 1


def meters_of(group: Group, metric: str) -> Meters:
    """By what a group's usable runs measured the energy that a metric follows from; none where it follows from none."""
    if not QUANTITIES[metric].of_energy:
        return Meters()
    measured = group.frame[metric].notna().to_numpy()
    method, scope = (group.frame[name].to_numpy(dtype=object)[measured] for name in ("energy_method", "energy_scope"))
    return _meters(method, scope)


def listed(meters: Meters) -> str:
    """Meters in words: ``nvml (gpu) and rapl (cpu)``."""
    return " and ".join(named(meters))


def named(meters: Meters) -> list[str]:
    """Each in words: ``nvml (gpu)``."""
    return [f"{method} ({scope})" for method, scope in sorted(meters)]


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


def _meters(method: NDArray[Any], scope: NDArray[Any]) -> Meters:
    return frozenset(zip(map(str, method), map(str, scope), strict=True))
