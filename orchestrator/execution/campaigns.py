"""Campaigns run, resumed and looked at: what the library and the command line offer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.campaign.axes import Grid, resolve_grids
from orchestrator.campaign.inputs import fingerprints, local_inputs
from orchestrator.campaign.schema import Campaign, ContainerStrategy, DispatcherName
from orchestrator.dispatch.base import Dispatcher
from orchestrator.dispatch.choose import choose_dispatcher
from orchestrator.dispatch.scene import Scene
from orchestrator.errors import InputError, MachineError, OrchestratorError
from orchestrator.execution.attempts import Bench
from orchestrator.execution.events import CampaignEnded, CampaignStarted, Observer
from orchestrator.execution.loop import Loop
from orchestrator.execution.metering import require_meter
from orchestrator.execution.planning import open_or_plan, open_or_rebuild
from orchestrator.manifest.lock import campaign_lock, is_held
from orchestrator.manifest.store import Manifest, RunRow, Status
from orchestrator.reconcile import reconcile, survey
from orchestrator.results.baselines import Baselines
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.frozen import FrozenCampaign, thaw
from orchestrator.system.gpu import choose_gpus, list_gpus
from orchestrator.system.project import Project, find_project
from runners.contract.options import OPTIONS
from runners.contract.paths import ADHOC, CAMPAIGN, ENV_SIMULATED_GPU, ENV_VISIBLE_GPUS

_ROOM_NEEDED_BYTES = 64 * 2**20


def _never() -> bool:
    return False


def _unseen(_: object) -> None:
    pass


def run_campaign(
    campaign: Campaign,
    *,
    project: Project | None = None,
    dispatcher: Dispatcher | None = None,
    on_event: Observer = _unseen,
    should_stop: Callable[[], bool] = _never,
) -> CampaignEnded:
    """Run a campaign to its end, or go on with one that is there already.

    Args:
        campaign: from :func:`load_campaign`, or declared in Python.
        project: whose results/ and .state/ to use; found from the current folder if not given.
        dispatcher: from :func:`dispatcher_for`, which chooses one if none is given.
        on_event: called with each event, in this thread.
        should_stop: asked a few times a second; once true, the run in flight is stopped and pending again.

    Returns:
        How many runs are complete and how many failed.

    Raises:
        InputError: a campaign of this name is there, and its file was another.
        MachineError: something the machine should have is missing; nothing was started.
        InUseError: another orchestrator has this campaign.
        InterruptedCampaignError: ``should_stop`` said so.
    """
    project = project or find_project()
    bench = ready(campaign, project, dispatcher or dispatcher_for(campaign, project))
    with campaign_lock(bench.folder.path, campaign.name):
        manifest, mended = open_or_plan(
            campaign, bench.folder, project.manifest(campaign.name), bench.dispatcher.dispatching, should_stop
        )
        with manifest:
            return _carry_out(bench, manifest, mended, on_event, should_stop)


def resume(
    name: str,
    *,
    project: Project | None = None,
    dispatcher: Dispatcher | None = None,
    on_event: Observer = _unseen,
    should_stop: Callable[[], bool] = _never,
) -> CampaignEnded:
    """Finish a campaign from what is on the disk: what is missing is run, what failed is tried again.

    Args and errors are those of :func:`run_campaign`; the campaign file itself is not needed.
    """
    project = project or find_project()
    folder = CampaignFolder(existing(project, name))
    with campaign_lock(folder.path, name):
        frozen = _frozen(folder, name)
        bench = ready(frozen.campaign, project, dispatcher or dispatcher_for(frozen.campaign, project))
        manifest, mended = open_or_rebuild(frozen, folder, project.manifest(name), should_stop)
        with manifest:
            return _carry_out(bench, manifest, mended, on_event, should_stop)


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

    @property
    def runs(self) -> int:
        """All runs of the campaign."""
        return sum(self.counts.values())

    @property
    def remaining_s(self) -> float | None:
        """Estimate of the time left, from the attempts so far; None before the first."""
        left = self.runs - self.counts[Status.COMPLETED] - self.counts[Status.FAILED]
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
            campaign.file.cycles,
            manifest.counts(),
            is_held(project.results / name),
            manifest.mean_attempt_s(),
            project.results / name,
        )


def campaign_runs(name: str, *, project: Project | None = None, status: Status | None = None) -> list[RunRow]:
    """The runs of a campaign in their order, with what became of each."""
    project = project or find_project()
    with _reading(project, name) as (manifest, _):
        return list(manifest.runs(status=status))


def runs_to_resume(name: str, *, project: Project | None = None) -> tuple[list[RunRow], list[str]]:
    """What :func:`resume` would run, and in words what it would mend first; changes nothing."""
    project = project or find_project()
    with _reading(project, name) as (manifest, _):
        standing = survey(manifest, CampaignFolder(project.results / name))
        return [manifest.run(order_index) for order_index in standing.pending], standing.mended


def campaigns(project: Project) -> list[str]:
    """The names of the project's campaigns."""
    return sorted(path.parent.name for path in project.results.glob(f"*/{CAMPAIGN}"))


def unfinished_campaigns(project: Project) -> list[str]:
    """The campaigns that nobody is running and that have runs left, failed ones, or no manifest to tell."""
    unfinished = []
    for name in campaigns(project):
        try:
            status = campaign_status(name, project=project)
            left = not status.in_use and status.counts[Status.COMPLETED] < status.runs
        except OrchestratorError:
            left = True
        if left:
            unfinished.append(name)
    return unfinished


def existing(project: Project, name: str) -> Path:
    """The results folder of a campaign that is there.

    Raises:
        InputError: there is none of that name.
    """
    known = campaigns(project)
    if name in known or (name == ADHOC and (project.results / ADHOC).is_dir()):
        return project.results / name
    hint = f"known: {', '.join(known)}" if known else "start one with `orchestrate campaign FILE`"
    raise InputError(f"there is no campaign {name!r} in {project.results}", hint=hint)


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
    )


def _as_begun(campaign: str, flag: str, begun: str | None, wanted: str | None) -> None:
    if wanted and begun and wanted != begun:
        raise InputError(
            f"campaign {campaign!r} was begun with {flag} {begun}: all of its runs are started alike",
            hint=f"leave {flag} out; or measure it anew: orchestrate campaign FILE --name {campaign}-{wanted}",
        )


def ready(campaign: Campaign, project: Project, dispatcher: Dispatcher) -> Bench:
    """Check what the machine must have before anything is started or written, and lay it out.

    Raises:
        InputError: a prompt file is not the one the campaign began with.
        MachineError: an engine, an image, a GPU or room on the disk is missing.
    """
    _unchanged_inputs(campaign)
    grids, _ = resolve_grids(campaign.file)
    wanted = campaign.file.gpus
    gpus = (
        choose_gpus(wanted, list_gpus(), os.environ.get(ENV_VISIBLE_GPUS))
        if wanted is not None or ENV_SIMULATED_GPU in os.environ or any(map(_may_use_gpu, grids))
        else []
    )
    require_meter(campaign.file.measurement, gpus, os.environ)
    dispatcher.check(gpus)
    if not gpus and any("cuda" in dict(grid.options).get("device", ()) for grid in grids):
        raise MachineError("device: cuda, and this machine has no GPU", hint="use device: cpu, or auto")
    project.prepare()
    free = shutil.disk_usage(project.results).free
    if free < _ROOM_NEEDED_BYTES:
        raise MachineError(
            f"{project.results} has {free / 2**20:.0f} MiB free, and {_ROOM_NEEDED_BYTES >> 20} are needed",
            hint="make room, or name another folder with --project-dir",
        )
    measurement = campaign.file.measurement
    if measurement.cpu_tdp_w is None:
        measurement = measurement.model_copy(update={"cpu_tdp_w": project.config.cpu_tdp_w})
    folder = CampaignFolder(project.results / campaign.name)
    return Bench(campaign, folder, dispatcher, tuple(gpus), measurement, Baselines(project.state))


def _may_use_gpu(grid: Grid) -> bool:
    """Whether an engine of a grid takes a GPU where there is one."""
    devices = dict(grid.options).get("device", ("auto",))
    return bool(OPTIONS[grid.backend].MODULES) and any(device != "cpu" for device in devices)


def _unchanged_inputs(campaign: Campaign) -> None:
    for before, now in zip((campaign.dataset_sha256, campaign.model_sha256), fingerprints(campaign), strict=True):
        for name, digest in before.items():
            if now[name] != digest:
                raise InputError(
                    f"{name} is not what campaign {campaign.name!r} began with: its content changed",
                    hint="put the old one back, or begin a new campaign under another name",
                )


def _carry_out(
    bench: Bench, manifest: Manifest, mended: list[str], on_event: Observer, should_stop: Callable[[], bool]
) -> CampaignEnded:
    standing = reconcile(manifest, bench.folder, bench.dispatcher)
    on_event(
        CampaignStarted(
            bench.campaign.name,
            standing.runs,
            standing.completed,
            len(standing.pending) + len(standing.alive),
            bench.campaign.file.cycles,
            bench.dispatcher.dispatching.dispatcher,
            bench.dispatcher.how,
            ", ".join(gpu.name for gpu in bench.gpus) or "CPU",
            bench.folder.path,
            (*mended, *standing.mended),
        )
    )
    try:
        return Loop(bench, manifest, standing, on_event, should_stop).run()
    finally:
        bench.dispatcher.close()


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
