"""Grids -> experiments, one at a time, so that a million points need no more memory than one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from orchestrator.campaign.axes import Grid, resolve_grids
from orchestrator.campaign.document import field_name
from orchestrator.campaign.schema import Campaign
from orchestrator.errors import FileError, Issue
from runners.contract.identity import canonical_json, experiment_id, hash_of
from runners.contract.messages import validation_messages
from runners.contract.options import OPTIONS
from runners.contract.request import Experiment, Workload
from runners.contract.rules import broken_rule


class Planned(NamedTuple):
    """An experiment of a campaign, with its identity and where it was declared."""

    experiment_id: str
    backend: str
    source: str
    canonical: str
    experiment: Experiment


@dataclass(slots=True)
class Funnel:
    """What became of the declared points; complete once the expansion is exhausted."""

    declared: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    experiments: int = 0


def expand(campaign: Campaign, funnel: Funnel) -> Iterator[Planned]:
    """Yield each experiment once, in the order of the file, counting the others in the funnel.

    A combination of a grid that breaks a rule is dropped; a point that somebody wrote out is refused.

    Raises:
        FileError: such a point, or nothing is left to run.
    """
    grids, findings = resolve_grids(campaign.file)
    if findings:
        raise FileError([Issue(f.message, field_name(f.path), hint=f.hint) for f in findings])
    seen: set[int] = set()
    for planned in points(campaign, grids, funnel):
        identity = hash_of(planned.experiment_id)
        if identity in seen:
            funnel.duplicates += 1
            continue
        seen.add(identity)
        funnel.experiments += 1
        yield planned
    if not seen:
        raise FileError([Issue(none_left(funnel), field="backends")])


def none_left(funnel: Funnel) -> str:
    """What is wrong with a campaign whose every point a rule forbids."""
    rules = ", ".join(f"{name} ({count:,})" for name, count in funnel.dropped.most_common())
    return f"no experiment is left: all were dropped by {rules}"


def points(campaign: Campaign, grids: Iterable[Grid], funnel: Funnel, most: int | None = None) -> Iterator[Planned]:
    """Yield each point that breaks no rule, duplicates included; look at so many points at most."""
    for grid in grids:
        for experiment in _experiments(campaign, grid):
            if funnel.declared == most:
                return
            funnel.declared += 1
            rule = broken_rule(experiment)
            if rule is None:
                canonical = canonical_json(experiment)
                yield Planned(experiment_id(experiment, canonical), grid.backend, grid.source, canonical, experiment)
            elif not grid.path:
                funnel.dropped[rule.name] += 1
            else:
                raise FileError([Issue(f"breaks the rule {rule.name}: {rule.reason}", field=grid.source)])


def _experiments(campaign: Campaign, grid: Grid) -> Iterator[Experiment]:
    try:
        for model in grid.models:
            found = {"model": model, "model_sha256": campaign.model_sha256.get(model)}
            for point in grid.workload_points():
                dataset_sha256 = campaign.dataset_sha256.get(point.get("dataset", ""))
                workload = Workload.model_validate({**point, "dataset_sha256": dataset_sha256})
                for options in grid.option_points():
                    options["backend"] = grid.backend
                    inputs = _input_hashes(campaign, grid.backend, options)
                    yield Experiment.model_validate(
                        {**found, "workload": workload, "options": options, "input_sha256": inputs}
                    )
    except ValidationError as error:
        raise FileError(
            [Issue(message, field=f"{grid.source}.{field_name(path)}") for path, message in validation_messages(error)]
        ) from None


def _input_hashes(campaign: Campaign, backend: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of the local models that options name."""
    return {
        field: campaign.model_sha256[options[field]]
        for field in OPTIONS[backend].MODEL_FIELDS
        if options.get(field) in campaign.model_sha256
    }
