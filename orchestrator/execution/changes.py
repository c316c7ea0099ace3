"""What of a campaign file changed since its campaign was begun, and what that means for its runs."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.campaign.expand import Funnel, expand
from orchestrator.campaign.schema import Campaign, CampaignFile
from orchestrator.errors import InputError
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, thaw

_CARRIED_OUT = ("gaps", "failures", "notify", "schedule", "timeout_s", "silence_timeout_s")
"""Keys that say how a campaign is carried out: a change of them holds from the next run on, and touches none."""
_MEASURED = ("measurement", "seed", "force_cold_start")
"""Keys that are no part of an experiment's identity, and by which its runs are measured all the same."""

Run = tuple[str, int]
"""An experiment_id and a cycle."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A campaign file held against the campaign that it began."""

    fields: tuple[str, ...]
    """What is not as it was: keys of the file, and files that it names."""
    experiments: int
    """How many it has from now on."""
    experiments_sha256: str
    added: tuple[str, ...]
    """Experiments that are new, or were changed into what they are."""
    gone: tuple[str, ...]
    """Experiments that are no longer in the file."""
    cycles: tuple[int, int]
    """Before and from now on, at most."""
    repeated: tuple[str, str]
    """How often each experiment is run, in words, before and from now on."""
    retired: int
    """Complete runs that are no longer planned: kept and marked."""
    kept: int
    """Complete runs that are planned as before."""

    @property
    def touches_runs(self) -> bool:
        """Whether other runs are to be carried out than before, or in another way."""
        return bool(set(self.fields) - set(_CARRIED_OUT)) and (
            bool(self.added or self.gone)
            or self.cycles[0] != self.cycles[1]
            or bool(set(self.fields) & {*_MEASURED, "until", "order", "gpus", "parallel"})
        )

    @property
    def incomparable(self) -> tuple[str, ...]:
        """The keys whose change would have runs of one experiment measured in two ways."""
        return tuple(name for name in _MEASURED if name in self.fields) if self.kept else ()

    def lines(self) -> list[str]:
        """The same for a person."""
        said = [f"changed: {', '.join(self.fields)}"]
        further = _counted(len(self.added) * self.cycles[1], "run")
        at_most = "at most " * ("until" in self.repeated[1])
        said.append(f"+ {_counted(len(self.added), 'experiment')}, {at_most}{further} to carry out")
        said.append(f"- {_counted(len(self.gone), 'experiment')}, no longer in the file: not run any more")
        said.append(f"= {_counted(self.experiments - len(self.added), 'experiment')} as before")
        if self.repeated[0] != self.repeated[1]:
            said.append(f"cycles: {self.repeated[0]} before, {self.repeated[1]} from now on")
        if self.retired:
            said.append(f"{_counted(self.retired, 'complete run')} no longer planned: kept, and marked as retired")
        return said


def changes(frozen: FrozenCampaign, campaign: Campaign, folder: CampaignFolder) -> Changes | None:
    """What taking a campaign file over would change; None where it says what it said. Reads, writes nothing.

    Args:
        frozen: the campaign as it was begun.
        campaign: as its file is now.
        folder: its results.
    """
    fields = differences(frozen.campaign, campaign)
    if not fields:
        return None
    before, after = _ids(frozen.campaign), _ids(campaign)
    digest = hashlib.sha256("".join(f"{identity}\n" for identity in after).encode()).hexdigest()
    known, wanted = set(before), set(after)
    published = folder.published()
    left = retired_runs(published, wanted, campaign.file)
    was_planned = published - retired_runs(published, known, frozen.campaign.file)
    return Changes(
        fields=tuple(fields),
        experiments=len(after),
        experiments_sha256=digest,
        added=tuple(identity for identity in after if identity not in known),
        gone=tuple(identity for identity in before if identity not in wanted),
        cycles=(frozen.campaign.file.most_cycles, campaign.file.most_cycles),
        repeated=(_repeated(frozen.campaign.file), _repeated(campaign.file)),
        retired=len(was_planned & left),
        kept=len(published - left),
    )


def changes_of(campaign: Campaign, folder: CampaignFolder) -> Changes | None:
    """The same for a campaign that may have been begun before; None where it was not."""
    if not folder.campaign_file.exists():
        return None
    return changes(thaw(folder.campaign_file), campaign, folder)


def require_comparable(name: str, found: Changes) -> None:
    """Refuse a change by which runs of one experiment would be measured in two ways.

    Raises:
        InputError: it is one.
    """
    if found.incomparable:
        keys = ", ".join(found.incomparable)
        raise InputError(
            f"campaign {name!r} has {_counted(found.kept, 'complete run')}, and {keys} changed:"
            " runs measured before and after could not be compared",
            hint=f"measure anew beside it: orchestrate campaign FILE --name {name}-2;"
            f" or in its place: orchestrate resume {name} --wipe",
        )


def retired(folder: CampaignFolder) -> set[Run]:
    """The complete runs of a campaign that are no longer planned, since its file changed; none if it never did."""
    if not folder.campaign_file.exists():
        return set()
    return no_longer_planned(folder.published(), thaw(folder.campaign_file))


def no_longer_planned(runs: Collection[Run], frozen: FrozenCampaign) -> set[Run]:
    """Those of some runs, complete or not, that a campaign no longer holds; none if its file never changed."""
    if not frozen.revision:
        return set()
    return retired_runs(runs, set(_ids(frozen.campaign)), frozen.campaign.file)


def retired_runs(runs: Collection[Run], planned: Collection[str], file: CampaignFile) -> set[Run]:
    """Those of some runs whose experiment, or whose cycle, is not among what is planned.

    With ``until`` every cycle of a planned experiment counts: how many there are to be is for the runs to say.
    """
    last = float("inf") if file.until else file.cycles
    return {(identity, cycle) for identity, cycle in runs if identity not in planned or cycle > last}


def differences(before: Campaign, after: Campaign) -> list[str]:
    """What of a campaign is not as it was: keys of its file, and files that it names."""
    changed = [
        name for name in type(after.file).model_fields if getattr(before.file, name) != getattr(after.file, name)
    ]
    was, now = ({**campaign.dataset_sha256, **campaign.model_sha256} for campaign in (before, after))
    return changed + [f"the content of {name}" for name in was if name in now and was[name] != now[name]]


def _repeated(file: CampaignFile) -> str:
    until = file.until
    return f"{until.min_cycles} to {until.max_cycles}, until {until}" if until else str(file.cycles)


def _ids(campaign: Campaign) -> list[str]:
    return [planned.experiment_id for planned in expand(campaign, Funnel())]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
