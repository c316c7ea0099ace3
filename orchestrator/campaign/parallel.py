"""What is odd about a campaign that runs several at once, told by arithmetic. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.campaign.axes import Grid
from orchestrator.campaign.schema import CampaignFile
from orchestrator.campaign.validate import gpus_wanted
from orchestrator.errors import Issue
from runners.contract.options import OPTIONS

_OF_ALL = ("rapl", "estimate", "codecarbon")
"""Meters of what all runs of a machine share."""


def parallel_issues(file: CampaignFile, grids: Sequence[Grid]) -> Iterator[Issue]:
    """Whether ``parallel:`` goes together with what is measured, on what, how often; nothing where it is left out."""
    if file.parallel is None:
        return
    meter = file.measurement.meter
    if meter in _OF_ALL:
        message = f"{meter} measures the whole machine, and several runs share it at once"
        hint = "meter: auto or nvml measure each run's own GPUs; or leave parallel out"
        yield Issue(message, "measurement.meter", hint=hint)
    sizes = {size for grid in grids for size in sizes_at_once(grid)}
    if not sizes:
        yield Issue(
            "no experiment works on a GPU: there is nothing to be parallel over", "parallel", hint="leave it out"
        )
    elif file.gpus:
        yield from _balance(file, len(file.gpus), {size or len(file.gpus) for size in sizes})


def sizes_at_once(grid: Grid) -> set[int | None]:
    """On how many GPUs the runs of a grid work where several go on at once, if on any; None: on all that are named."""
    played = not OPTIONS[grid.backend].MODULES
    return {1 if played else size for size in gpus_wanted(grid) if size != 0}


def _balance(file: CampaignFile, named: int, sizes: Iterable[int]) -> Iterator[Issue]:
    blocks = {size: named // size for size in sorted(sizes) if size <= named}
    if blocks and max(blocks.values()) == 1:
        message = f"{_gpus(named)} named, so that runs go one at a time all the same"
        yield Issue(message, "parallel", hint="name more in gpus", severity="warning")
        return
    for size, count in blocks.items():
        if named % size:
            message = (
                f"{named} named, and experiments work on {size} at a time: {_gpus(named % size)} of them idle then"
            )
            yield Issue(message, "gpus", severity="warning")
        what = "GPUs" if size == 1 else f"sets of {size} GPUs"
        cycles, until = file.cycles, file.until
        if until and until.min_cycles < count:
            message = (
                f"{until.min_cycles} are fewer than {count} {what}: an experiment may seem known before it met each:"
            )
            message += " how they differ (about 4 %) is not in its figure"
            yield Issue(message, "until.min_cycles", hint=f"min_cycles: {count}", severity="warning")
        if cycles % count and not until:
            message = (
                f"{cycles} is no multiple of {count}, so no experiment meets each of {count} {what} equally often:"
            )
            message += " how they differ (about 4 %) is not balanced"
            hint = f"cycles: {count * math.ceil(cycles / count)}"
            yield Issue(message, "cycles", hint=hint, severity="warning")


def _gpus(number: int) -> str:
    return "1 GPU" if number == 1 else f"{number} GPUs"
