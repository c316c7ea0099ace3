"""What is odd about a campaign as a whole, told by arithmetic and without a look at the machine. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.campaign.axes import Grid
from orchestrator.campaign.document import field_name
from orchestrator.campaign.schema import CampaignFile
from orchestrator.errors import FileError, Issue
from runners.contract.options import OPTIONS, OPTIONS_RULES
from runners.contract.options.base import Options
from runners.contract.paths import ADHOC


def device_issues(file: CampaignFile, grids: Sequence[Grid]) -> list[Issue]:
    """Whether ``gpus:`` and what the experiments work on go together.

    Left out, ``gpus:`` is one GPU, or the CPU where there is none. An experiment gets no more of those that are named
    than it works on, so what is too many stays idle, and is not measured. With ``parallel:`` others run there; and left
    out, ``gpus:`` is all that are ours, which only the machine can tell.
    """
    if file.parallel and not file.gpus:
        return []
    named = len(file.gpus) if file.gpus else 1
    demands = [(grid, demand) for grid in grids for demand in [set(gpus_wanted(grid))]]
    issues = []
    for grid, demand in demands:
        most = max((count for count in demand if count), default=0)
        if most > named:
            are_named = f"{named} named" if file.gpus else "none is named, which leaves one, or the CPU"
            place = field_name(grid.path or ("backends", grid.backend))
            message = f"an experiment of {grid.backend} works on {most} GPUs, and {are_named}"
            issues.append(Issue(message, place, hint=_mending(file, grid, _enough(file.gpus or (), most))))
    if file.gpus and not issues and not file.parallel:
        wanted = [named if count is None else count for _, demand in demands for count in demand]
        issues += _idle(file, max(wanted, default=named))
    return issues


def require_sound(issues: Iterable[Issue]) -> None:
    """Refuse what is wrong.

    Raises:
        FileError: an issue is an error.
    """
    if errors := [issue for issue in issues if issue.severity == "error"]:
        raise FileError(errors, hint="--force runs it all the same")


def gpus_wanted(grid: Grid) -> Iterator[int | None]:
    """How many GPUs the points of a grid work on, where there are some: 0 on the CPU, None on all that are named.

    Each number once. Points that a rule drops do not count. The simulated backend plays on all simulated GPUs, and on
    no other.
    """
    rules = OPTIONS_RULES[grid.backend]
    found: set[int | None] = set()
    for options in _points(grid):
        wanted = _wanted(options)
        # A grid may have a million points and one number: the rules, which take longest, are asked only of a new one.
        if wanted not in found and not any(rule.forbids(options) for rule in rules):
            found.add(wanted)
            yield wanted


def _wanted(options: Options) -> int | None:
    if not options.MODULES:
        return None
    return options.gpus_needed if options.may_use_gpu else 0


def _points(grid: Grid) -> Iterator[Options]:
    """The options of each point; their values were checked one by one when the grid was made."""
    defaults = OPTIONS[grid.backend].model_construct()
    for point in grid.option_points():
        yield defaults.model_copy(update=point)


def _idle(file: CampaignFile, most: int) -> Iterator[Issue]:
    named = file.gpus or []
    if most < len(named):
        works = f"no experiment works on more than {most}" if most else "no experiment works on a GPU"
        hint = _naming(file, named[:most]) if most else "leave them out"
        yield Issue(f"{len(named)} named, and {works}: the others stay idle", "gpus", hint=hint, severity="warning")


def _enough(named: Iterable[int], count: int) -> list[int]:
    """The GPUs that are named, and the first others, so that there are enough."""
    kept = list(named)
    others = (index for index in itertools.count() if index not in kept)
    return kept + list(itertools.islice(others, count - len(kept)))


def _mending(file: CampaignFile, grid: Grid, gpus: Sequence[int]) -> str:
    """What to write so that an experiment has what it works on; processes of some backends also work on the CPU."""
    if "device" not in OPTIONS[grid.backend].model_fields:
        return _naming(file, gpus)
    return f"{_naming(file, gpus)}, or {'--device cpu' if file.name == ADHOC else 'device: cpu'}"


def _naming(file: CampaignFile, gpus: Sequence[int]) -> str:
    """What to write so that these GPUs are named; a single run has flags in place of a file."""
    if file.name == ADHOC:
        return " ".join(f"--gpu {index}" for index in gpus)
    return f"write gpus: [{', '.join(map(str, gpus))}]"
