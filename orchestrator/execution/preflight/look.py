"""The whole look ahead: before anything is started, it reads, and asks the hub what it must."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.campaign.axes import Grid, resolve_grids
from orchestrator.campaign.expand import Funnel, Planned, expand
from orchestrator.campaign.schema import Campaign
from orchestrator.campaign.settings import Gaps
from orchestrator.campaign.validate import gpus_wanted
from orchestrator.errors import Issue, MachineError, OrchestratorError
from orchestrator.execution.campaigns import campaign_status
from orchestrator.execution.changes import changes_of
from orchestrator.execution.preflight import estimate as estimates
from orchestrator.execution.preflight import models
from orchestrator.execution.preflight.estimate import Asked, Estimate, Plan
from orchestrator.execution.preflight.memory import Room, Weights, memory_issue, need
from orchestrator.execution.readiness import campaign_gpus, settled
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.known import known_runs
from orchestrator.system.config import UserConfig
from orchestrator.system.doctor.finding import Finding
from orchestrator.system.doctor.finding import Status as Standing
from orchestrator.system.fitness.examine import fitness
from orchestrator.system.fitness.host_settings import host_settings
from orchestrator.system.gpu_state import GpuState, gpu_states, process_name
from orchestrator.system.project import Project
from orchestrator.system.vacancy import obstacle
from runners.contract.options import OPTIONS
from runners.contract.request import Experiment, Gpu

_MOST_EXPERIMENTS = 2000
"""Of a larger campaign the first so many are looked at, and the others taken to be like them."""
_J_PER_KWH = 3.6e6
_S_PER_H = 3600.0
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known of a campaign before it starts."""

    estimate: Estimate
    downloads: models.Downloads
    fitness: tuple[Finding, ...]
    """How fit this machine is for measuring; empty where nothing is measured."""
    issues: tuple[Issue, ...]
    """What stands in the campaign's way, or may."""
    gaps: Gaps = field(default_factory=Gaps)

    def lines(self) -> Iterator[str]:
        """All that is to be told in any case."""
        yield from estimates.told(self.estimate, until_cool=self.gaps.until_cool)
        yield from models.told(self.downloads)

    def unfit(self) -> list[Issue]:
        """What makes this machine less fit for measuring than it could be, as warnings."""
        return [_warning(finding) for finding in self.fitness if finding.status is Standing.WARNING]

    def as_mapping(self) -> dict[str, Any]:
        """The same for machines."""
        expected, downloads = self.estimate, self.downloads

        def span(found: estimates.Span | None) -> dict[str, float] | None:
            return found._asdict() if found else None

        return {
            "runs": expected.runs,
            "runs_at_least": expected.runs if expected.least is None else expected.least,
            "seconds": span(expected.seconds),
            "joules": span(expected.joules),
            "energy_methods": sorted(expected.methods),
            "gaps_s": expected.gaps_s,
            "from_runs": {"same_experiment": expected.same, "same_backend_and_model": expected.like},
            "results_bytes": expected.size_bytes,
            "download_bytes": downloads.size_bytes,
            "download_into": None if downloads.cache is None else str(downloads.cache),
            "free_bytes": downloads.room_bytes,
            "hub": [
                {"name": found.wanted.title, "state": found.state, "download_bytes": found.download_bytes}
                for found in downloads.found
            ],
            "machine": [
                {"name": finding.name, "status": finding.status, "seen": finding.seen, "advice": finding.advice}
                for finding in self.fitness
            ],
        }

    def excess(self, config: UserConfig) -> list[str]:
        """What is so large that somebody is to be asked, in words."""
        download = (self.downloads.size_bytes or 0) / _GB
        found = [(download, config.ask_above_download_gb, "download", "GB", "ask_above_download_gb")]
        return [*excess(self.estimate, config), *_above(found)]


def excess(expected: Estimate, config: UserConfig) -> list[str]:
    """What of an estimate is so large that somebody is to be asked, in words."""
    hours = expected.seconds.mean / _S_PER_H if expected.seconds else 0.0
    kwh = expected.joules.mean / _J_PER_KWH if expected.joules else 0.0
    return _above(
        [
            (hours, config.ask_above_hours, "take", "h", "ask_above_hours"),
            (kwh, config.ask_above_kwh, "spend", "kWh", "ask_above_kwh"),
        ]
    )


def _above(figures: Sequence[tuple[float, float, str, str, str]]) -> list[str]:
    return [
        f"it is expected to {verb} {value:.3g} {unit}, more than {setting}: {limit:g}"
        for value, limit, verb, unit, setting in figures
        if value > limit
    ]


def preflight(
    campaign: Campaign,
    project: Project,
    *,
    in_containers: bool,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
    keep: bool = True,
) -> Preflight:
    """Look ahead.

    Args:
        campaign: that is to be run, or gone on with.
        project: where its results lie, and those of others.
        in_containers: whether its runs are in containers.
        flags: settings over those of the campaign file and the user config.
        keep: whether what was read of results is kept for the next time.
    """
    grids, _ = resolve_grids(campaign.file)
    try:
        gpus = campaign_gpus(campaign, grids)
    except MachineError:  # told, with what to do, when the campaign is started
        gpus = []
    funnel = Funnel()
    planned = list(itertools.islice(expand(campaign, funnel), _MOST_EXPERIMENTS))
    gaps = settled(campaign, project, flags).settings.gaps
    plan = _plan(campaign, grids, planned, funnel, gpus, gaps, _left(campaign, project))
    expected = estimates.estimate(plan, known_runs(project.results, project.state, keep=keep))
    downloads = models.look_for(models.wanted_of(grids), project, in_containers=in_containers)
    states = _states(gpus)
    issues = [
        *models.download_issues(downloads),
        *_memory_issues(campaign, planned, downloads, gpus, states),
        *_room_issues(expected, project),
        *_tenant_issues(states),
    ]
    measures = any(OPTIONS[grid.backend].MODULES for grid in grids)
    judged = fitness([gpu for gpu in gpus if gpu.simulated or measures]) if measures or gpus else []
    return Preflight(expected, downloads, tuple(judged), tuple(issues), gaps)


def _plan(
    campaign: Campaign,
    grids: Sequence[Grid],
    planned: Sequence[Planned],
    funnel: Funnel,
    gpus: Sequence[Gpu],
    gaps: Gaps,
    left: _Left | None,
) -> Plan:
    file, experiments = campaign.file, len(planned)
    if experiments == _MOST_EXPERIMENTS:  # the share that rules drop is taken to be that of the first
        experiments = round(sum(grid.points for grid in grids) * experiments / funnel.declared)
        experiments = max(experiments, _MOST_EXPERIMENTS)
    if left is None:
        left = _Left(experiments * file.most_cycles, experiments * (file.until.min_cycles if file.until else 0))
    most = max((count for grid in grids for count in gpus_wanted(grid) if count), default=1)
    return Plan(
        [_asked(each.experiment, each.experiment_id, gpus) for each in planned],
        experiments,
        left.most,
        gaps,
        max(len(gpus) // most, 1) if file.parallel else 1,
        file.order == "grouped",
        file.measurement.min_window_s or 0.0,
        min(left.least, left.most) if file.until else None,
    )


def _asked(experiment: Experiment, identity: str, gpus: Sequence[Gpu]) -> Asked:
    given, workload = experiment.gpus_of(gpus), experiment.workload
    return Asked(
        identity,
        experiment.backend,
        experiment.model,
        given[0].name if given else "CPU",
        workload.prompts,
        workload.input_tokens,
        workload.output_tokens,
    )


class _Left(NamedTuple):
    """How many runs are left to be carried out."""

    most: int
    least: int
    """Where ``until`` may spare some."""


def _left(campaign: Campaign, project: Project) -> _Left | None:
    """What is left of a campaign that was begun, by its file as it is now; None: it was not."""
    try:
        changed = changes_of(campaign, CampaignFolder(project.results / campaign.name))
        if changed:
            return _Left(max(changed.experiments * changed.cycles[1] - changed.kept, 0), 0)
        status = campaign_status(campaign.name, project=project)
    except OrchestratorError:
        return None
    return _Left(status.left, status.least_left)


def _states(gpus: Sequence[Gpu]) -> list[GpuState]:
    try:
        return gpu_states(gpus) if gpus else []
    except MachineError:
        return []


def _memory_issues(
    campaign: Campaign,
    planned: Sequence[Planned],
    downloads: models.Downloads,
    gpus: Sequence[Gpu],
    states: Sequence[GpuState],
) -> list[Issue]:
    """Of each model on each backend the worst that is to be said."""
    totals = {state.gpu.uuid: state.memory_total_bytes for state in states}
    known: dict[str, Weights | None] = {}
    worst: dict[tuple[str, str], tuple[bool, float, Issue]] = {}
    for experiment in (each.experiment for each in planned):
        if not OPTIONS[experiment.backend].MODEL_FILE:
            continue
        model = experiment.model
        if model not in known:
            known[model] = models.weights_of(model, campaign, downloads.found)
        weights = known[model]
        room = _room([gpu for gpu in experiment.gpus_of(gpus) if not gpu.simulated], totals)
        if weights is None or room is None:
            continue
        needed = need(weights, experiment)
        issue = memory_issue(experiment, needed, room)
        if issue:
            rank = (issue.severity == "error", needed.weights + needed.cache, issue)
            before = worst.get((model, experiment.backend))
            if before is None or rank[:2] > before[:2]:
                worst[model, experiment.backend] = rank
    return [issue for _, _, issue in worst.values()]


def _room(gpus: Sequence[Gpu], totals: Mapping[str, int | None]) -> Room | None:
    if not gpus:
        host = host_settings()
        sizes = [size for size in (host.memory_bytes, host.memory_limit_bytes) if size is not None]
        return Room(min(sizes), "this machine", False) if sizes else None
    known = [size for gpu in gpus if (size := totals.get(gpu.uuid))]
    if len(known) < len(gpus):
        return None
    return Room(sum(known), "its GPU" if len(gpus) == 1 else f"its {len(gpus)} GPUs", True)


def _room_issues(expected: Estimate, project: Project) -> Iterator[Issue]:
    folder = next((path for path in (project.results, *project.results.parents) if path.is_dir()), None)
    if folder is None or expected.size_bytes is None:
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if expected.size_bytes > free:
        message = (
            f"results are expected to take {models.gigabytes(expected.size_bytes)},"
            f" and {models.gigabytes(free)} are free in {project.results}"
        )
        yield Issue(message, hint="make room, or name another folder with --project-dir", severity="warning")


def _tenant_issues(states: Sequence[GpuState]) -> Iterator[Issue]:
    for state in states:
        hindrance = obstacle(state, process_name)
        if hindrance:
            yield Issue(hindrance.what, hint=hindrance.hint, severity="warning")


def _warning(finding: Finding) -> Issue:
    return Issue(f"{finding.name}: {finding.seen}", hint=finding.advice or None, severity="warning")
