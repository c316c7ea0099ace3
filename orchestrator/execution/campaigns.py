"""Campaigns run, resumed and looked at: what the library and the command line offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.inputs import local_inputs
from orchestrator.campaign.schema import Campaign, ContainerStrategy, DispatcherName
from orchestrator.campaign.until import Until
from orchestrator.dispatch.base import Dispatcher
from orchestrator.dispatch.choose import choose_dispatcher
from orchestrator.dispatch.containerised import Persistence
from orchestrator.dispatch.scene import Scene
from orchestrator.errors import InputError, ManifestError, OrchestratorError
from orchestrator.execution.attempts import Bench
from orchestrator.execution.begun import campaigns as campaigns
from orchestrator.execution.begun import existing as existing
from orchestrator.execution.changes import retired
from orchestrator.execution.events import CampaignEnded, CampaignStarted, Observer
from orchestrator.execution.loop import Loop
from orchestrator.execution.notices import Notices
from orchestrator.execution.planning import is_current, open_or_plan, open_or_rebuild
from orchestrator.execution.precision import Precision
from orchestrator.execution.readiness import ready
from orchestrator.manifest.lock import campaign_lock, is_held
from orchestrator.manifest.store import Manifest, RunRow, Status
from orchestrator.reconcile import reconcile, survey
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, thaw
from orchestrator.system.project import Project, find_project
from runners.contract.identity import experiment_from
from runners.contract.paths import CAMPAIGN
from runners.contract.request import Experiment


def _never() -> bool:
    return False


def _unseen(_: object) -> None:
    pass


def run_campaign(
    campaign: Campaign,
    *,
    project: Project | None = None,
    dispatcher: Dispatcher | None = None,
    force: bool = False,
    accept_changes: bool = False,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
    on_event: Observer = _unseen,
    should_stop: Callable[[], bool] = _never,
    until: Callable[[], bool] = _never,
) -> CampaignEnded:
    """Run a campaign to its end, or go on with one that is there already.

    Args:
        campaign: from :func:`load_campaign`, or declared in Python.
        project: whose results/ and .state/ to use; found from the current folder if not given.
        dispatcher: from :func:`dispatcher_for`, which chooses one if none is given.
        force: run it even if it needs more GPUs than it names, or passes on what an engine does not know.
        accept_changes: take over what changed in its file since it was begun, even if other runs follow from that.
        flags: settings over those of the campaign file and the user config: ``{"gaps": {"cycle_s": 30.0}}``.
        on_event: called with each event, in this thread.
        should_stop: asked a few times a second; once true, the run in flight is stopped and pending again.
        until: asked before each run; once true, none is started any more, and the rest stays pending.

    Returns:
        How many runs are complete, how many failed, how many are left because of ``until``, and how many are not
        needed, since the campaign's own ``until`` is met without them.

    Raises:
        InputError: a campaign of this name is there, and its file changed in a way that was not accepted or by which
            its runs could not be compared; or it cannot be run as it is.
        MachineError: something the machine should have is missing; nothing was started.
        InUseError: another orchestrator has this campaign.
        InterruptedCampaignError: ``should_stop`` said so.
    """
    project = project or find_project()
    notices = Notices.of(campaign, project, flags, on_event, should_stop)
    with notices.told():
        bench = ready(campaign, project, dispatcher or dispatcher_for(campaign, project), force=force, flags=flags)
        with campaign_lock(bench.folder.path, campaign.name):
            manifest, mended = open_or_plan(
                campaign,
                bench.folder,
                project.manifest(campaign.name),
                bench.dispatcher.dispatching,
                should_stop,
                accept_changes=accept_changes,
            )
            with manifest, notices.counted(manifest):
                return _carry_out(bench, project, manifest, mended, on_event, should_stop, until)


def resume(
    name: str,
    *,
    project: Project | None = None,
    dispatcher: Dispatcher | None = None,
    force: bool = False,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
    on_event: Observer = _unseen,
    should_stop: Callable[[], bool] = _never,
    until: Callable[[], bool] = _never,
) -> CampaignEnded:
    """Finish a campaign from what is on the disk: what is missing is run, what failed is tried again.

    Args and errors are those of :func:`run_campaign`; the campaign file itself is not needed.
    """
    project = project or find_project()
    folder = CampaignFolder(existing(project, name))
    notices = Notices.of(_frozen(folder, name).campaign, project, flags, on_event, should_stop)
    with notices.told(), campaign_lock(folder.path, name):
        frozen = _frozen(folder, name)
        dispatcher = dispatcher or dispatcher_for(frozen.campaign, project)
        bench = ready(frozen.campaign, project, dispatcher, force=force, flags=flags)
        manifest, mended = open_or_rebuild(frozen, folder, project.manifest(name), should_stop)
        with manifest, notices.counted(manifest):
            return _carry_out(bench, project, manifest, mended, on_event, should_stop, until)


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """Where a campaign stands."""

    name: str
    experiments: int
    cycles: int
    counts: dict[Status, int]
    in_use: bool
    mean_attempt_s: float | None
    results: Path
    last_at: datetime | None
    """When it was last worked on; None before the first attempt."""
    recovered: dict[str, int]
    """Complete runs that had failed before, by the kind of failure."""
    retired: tuple[tuple[str, int], ...]
    """Complete runs that are no longer planned, since the campaign's file changed."""
    until: Until | None = None
    """What ends the repetitions; then ``cycles``, ``runs`` and what is left are the most that there can be."""
    least_left: int = 0
    """How many runs are left at least."""

    @property
    def runs(self) -> int:
        """All runs of the campaign, those that turned out not to be needed among them."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """Runs that neither are complete nor unneeded, those that failed among them."""
        return self.runs - self.counts[Status.COMPLETED] - self.counts[Status.UNNEEDED]

    @property
    def remaining_s(self) -> float | None:
        """Estimate of the time left, from the attempts so far; None before the first."""
        left = self.left - self.counts[Status.FAILED]
        return None if self.mean_attempt_s is None else left * self.mean_attempt_s


def campaign_status(name: str, *, project: Project | None = None) -> CampaignStatus:
    """Where a campaign stands by its manifest; safe while it runs.

    Raises:
        InputError: there is no such campaign.
    """
    project = project or find_project()
    with _reading(project, name) as (manifest, campaign):
        return CampaignStatus(
            name,
            manifest.experiment_count(),
            campaign.file.most_cycles,
            manifest.counts(),
            is_held(project.results / name),
            manifest.mean_attempt_s(),
            project.results / name,
            manifest.last_worked_at(),
            manifest.recovered(),
            tuple(sorted(retired(CampaignFolder(project.results / name)))),
            campaign.file.until,
            manifest.least_left(campaign.file.until.min_cycles if campaign.file.until else campaign.file.cycles),
        )


def campaign_runs(name: str, *, project: Project | None = None, status: Status | None = None) -> list[RunRow]:
    """The runs of a campaign in their order, with what became of each."""
    project = project or find_project()
    with _reading(project, name) as (manifest, _):
        return list(manifest.runs(status=status))


def campaign_experiments(name: str, *, project: Project | None = None) -> dict[str, Experiment]:
    """The experiments of a campaign by their ids, in the order of its file."""
    with _reading(project or find_project(), name) as (manifest, _):
        return {identity: experiment_from(config) for identity, config in manifest.configs().items()}


def runs_to_resume(name: str, *, project: Project | None = None) -> tuple[list[RunRow], list[str]]:
    """What :func:`resume` would run, and in words what it would mend first; changes nothing."""
    project = project or find_project()
    with _reading(project, name) as (manifest, campaign):
        folder = CampaignFolder(project.results / name)
        standing = survey(manifest, folder, over=_over(campaign, folder, project))
        return [manifest.run(order_index) for order_index in standing.pending], standing.mended


def is_complete(name: str, *, project: Project | None = None) -> bool:
    """Whether nothing of a campaign is left to run or to mend, seen from its manifest and its folders alone.

    Raises:
        InputError: there is no such campaign.
    """
    project = project or find_project()
    folder = CampaignFolder(existing(project, name))
    frozen = _frozen(folder, name)
    try:
        with Manifest.open(project.manifest(name), readonly=True) as manifest:
            if not is_current(manifest, frozen):
                return False
            standing = survey(manifest, folder, over=_over(frozen.campaign, folder, project))
    except ManifestError:
        return False
    return not (standing.pending or standing.changes or is_held(folder.path))


def unfinished_campaigns(project: Project) -> list[str]:
    """The campaigns that nobody is running and that have runs left, failed ones, or no manifest to tell."""
    unfinished = []
    for name in campaigns(project):
        try:
            status = campaign_status(name, project=project)
            left = not status.in_use and status.left > 0
        except OrchestratorError:
            left = True
        if left:
            unfinished.append(name)
    return unfinished


def begun_campaign(name: str, *, project: Project | None = None) -> Campaign:
    """A campaign as it was frozen when it began.

    Raises:
        InputError: there is no such campaign.
    """
    project = project or find_project()
    return _frozen(CampaignFolder(existing(project, name)), name).campaign


def dispatcher_for(
    campaign: Campaign,
    project: Project | None = None,
    dispatch: DispatcherName | None = None,
    container_strategy: ContainerStrategy | None = None,
) -> Dispatcher:
    """The dispatcher that serves a campaign: what is asked for, else what the user config says, else the default.

    A campaign that was begun goes on as it began, so that its runs can be compared.

    Args:
        campaign: whose runs are to be started.
        project: found from the current folder if not given.
        dispatch: ``local`` or ``compose``.
        container_strategy: ``ephemeral`` or ``persistent``.

    Raises:
        InputError: the campaign was begun with another dispatcher than the one asked for.
        MachineError: there is no way to start its runs here.
    """
    project = project or find_project()
    file = project.results / campaign.name / CAMPAIGN
    begun = thaw(file) if file.exists() else None
    if begun:
        _as_begun(campaign.name, "--dispatch", begun.dispatcher, dispatch)
        _as_begun(campaign.name, "--container-strategy", begun.container_strategy, container_strategy)
        dispatch, container_strategy = begun.dispatcher, begun.container_strategy
    configured = None if project.config.dispatch == "auto" else project.config.dispatch
    grids, _ = resolve_grids(campaign.file)
    scene = Scene(project.folder, project.results, campaign.name, tuple(local_inputs(campaign)))
    return choose_dispatcher(
        [grid.backend for grid in grids],
        scene,
        dispatch or configured,
        container_strategy or project.config.container_strategy,
        Persistence(project.config.warmup_delay_s, project.config.auto_teardown),
    )


def _as_begun(campaign: str, flag: str, begun: str | None, wanted: str | None) -> None:
    if wanted and begun and wanted != begun:
        raise InputError(
            f"campaign {campaign!r} was begun with {flag} {begun}: all of its runs are started alike",
            hint=f"leave {flag} out; or measure it anew: orchestrate campaign FILE --name {campaign}-{wanted}",
        )


def _carry_out(
    bench: Bench,
    project: Project,
    manifest: Manifest,
    mended: list[str],
    on_event: Observer,
    should_stop: Callable[[], bool],
    until: Callable[[], bool],
) -> CampaignEnded:
    wanted = bench.campaign.file.until
    precision = Precision(wanted) if wanted else None
    index = project.results_index(bench.campaign.name)
    over = partial(precision.read, bench.folder, index) if precision else tuple[str, ...]
    standing = reconcile(manifest, bench.folder, bench.dispatcher, bench.measures_as, over)
    on_event(
        CampaignStarted(
            bench.campaign.name,
            standing.runs,
            standing.completed,
            len(standing.pending) + len(standing.alive),
            bench.campaign.file.most_cycles,
            bench.dispatcher.dispatching.dispatcher,
            bench.dispatcher.how,
            ", ".join(gpu.name for gpu in bench.gpus) or "CPU",
            bench.folder.path,
            (*mended, *standing.mended),
            standing.unneeded,
            str(wanted) if wanted else None,
        )
    )
    try:
        return Loop(bench, manifest, standing, on_event, should_stop, until, precision).run()
    finally:
        bench.dispatcher.close()


def _over(campaign: Campaign, folder: CampaignFolder, project: Project) -> frozenset[str]:
    """The experiments that are run no more, by the folders alone."""
    until = campaign.file.until
    return Precision(until).read(folder, project.results_index(campaign.name)) if until else frozenset()


def _frozen(folder: CampaignFolder, name: str) -> FrozenCampaign:
    if not folder.campaign_file.exists():
        raise InputError(f"{name!r} holds single runs, no campaign", hint=f"`orchestrate results list {name}`")
    frozen = thaw(folder.campaign_file)
    if frozen.campaign.name != name:
        raise InputError(
            f"{folder.path} holds results of campaign {frozen.campaign.name!r}: the folder was copied or renamed",
            hint=f"give it back its name, {frozen.campaign.name}",
        )
    return frozen


@contextmanager
def _reading(project: Project, name: str) -> Iterator[tuple[Manifest, Campaign]]:
    campaign = _frozen(CampaignFolder(existing(project, name)), name).campaign
    path = project.manifest(name)
    if not path.exists():
        raise InputError(f"the manifest of campaign {name!r} is lost", hint=f"`orchestrate resume {name}` rebuilds it")
    with Manifest.open(path, readonly=True) as manifest:
        yield manifest, campaign
