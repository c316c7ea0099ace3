"""Whether a campaign can be run, and on this machine; seen before anything is started or written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.campaign.arguments import backends_passed_on, unknown_arguments
from orchestrator.campaign.axes import Grid, resolve_grids
from orchestrator.campaign.inputs import fingerprints
from orchestrator.campaign.parallel import parallel_issues, sizes_at_once
from orchestrator.campaign.schema import Campaign, CampaignFile
from orchestrator.campaign.settings import Settled, declared, settle
from orchestrator.campaign.validate import device_issues, gpus_wanted, require_sound
from orchestrator.campaign.web import seems_secret
from orchestrator.dispatch.base import Dispatcher
from orchestrator.errors import InputError, Issue, MachineError
from orchestrator.execution.attempts import Bench
from orchestrator.execution.metering import require_meter
from orchestrator.results.baselines import Baselines
from orchestrator.results.folders import CampaignFolder
from orchestrator.results.known_issues import known_issues
from orchestrator.system.gpu import allocated_gpus, choose_gpus, list_gpus
from orchestrator.system.project import Project
from runners.contract.allocation import visible_gpus
from runners.contract.options import OPTIONS
from runners.contract.paths import ENV_SIMULATED_GPU
from runners.contract.request import Gpu

_ROOM_NEEDED_BYTES = 64 * 2**20


def campaign_issues(campaign: Campaign) -> list[Issue]:
    """What is odd about a campaign; while one of it is an error, the campaign is only run if that is forced."""
    grids, _ = resolve_grids(campaign.file)
    return [*device_issues(campaign.file, grids), *parallel_issues(campaign.file, grids), *_webhook_issues(campaign)]


def _webhook_issues(campaign: Campaign) -> list[Issue]:
    url = campaign.file.notify.webhook_url
    if url is None or not seems_secret(url):
        return []
    return [
        Issue(
            "seems to hold a token; whoever gets the campaign file, or its results, can post there",
            "notify.webhook_url",
            hint="set ORCHESTRATE_WEBHOOK_URL in the environment or in .env instead",
            severity="warning",
        )
    ]


def settled(campaign: Campaign, project: Project, flags: Mapping[str, Mapping[str, Any]] | None = None) -> Settled:
    """How a campaign is carried out: the user config's settings, the file's over them, flags over those."""
    config, file = (
        declared(("gaps", said.gaps), ("failures", said.failures), ("notify", said.notify))
        for said in (project.config, campaign.file)
    )
    return settle({"user config": config, "file": file, "flag": flags or {}})


def ready(
    campaign: Campaign,
    project: Project,
    dispatcher: Dispatcher,
    *,
    force: bool = False,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
) -> Bench:
    """Check what the machine must have before anything is started or written, and lay it out.

    Raises:
        InputError: a prompt file is not the one the campaign began with, an engine has not the arguments that are
            passed on to it, the campaign has another error, and is not to be forced, or the project's issues.yaml is
            wrong.
        MachineError: an engine, an image, a GPU or room on the disk is missing.
    """
    _unchanged_inputs(campaign)
    known_issues(project.folder)  # what is wrong with them is told of now, not when all is over
    if not force:
        require_sound(campaign_issues(campaign))
    grids, _ = resolve_grids(campaign.file)
    gpus = campaign_gpus(campaign, grids)
    slots = _slots(campaign.file, grids, gpus)
    if slots > 1 and dispatcher.dispatching.container_strategy == "persistent":
        raise InputError(
            "parallel: runs of a persistent container share it, and would be stopped together",
            hint="--container-strategy ephemeral; or leave parallel out",
        )
    require_meter(campaign.file.measurement, gpus, os.environ)
    dispatcher.check(gpus)
    if not gpus and any("cuda" in dict(grid.options).get("device", ()) for grid in grids):
        raise MachineError("device: cuda, and this machine has no GPU", hint="use device: cpu, or auto")
    if not force:
        require_sound(argument_issues(campaign, dispatcher))
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
    settings = settled(campaign, project, flags).settings
    return Bench(campaign, folder, dispatcher, tuple(gpus), measurement, Baselines(project.state), settings, slots)


def campaign_gpus(campaign: Campaign, grids: Sequence[Grid]) -> list[Gpu]:
    """The GPUs that a campaign runs on; NVML is asked only where some of its engines may take one.

    Raises:
        MachineError: one that it names is not there, or not ours.
    """
    wanted = campaign.file.gpus
    if wanted is None and ENV_SIMULATED_GPU not in os.environ and not any(map(_may_use_gpu, grids)):
        return []
    present = list_gpus()
    visible = visible_gpus(os.environ, len(present))
    every = campaign.file.parallel and wanted is None
    return allocated_gpus(present, visible) if every else choose_gpus(wanted, present, visible)


def argument_issues(campaign: Campaign, dispatcher: Dispatcher, *, ask: bool = True) -> list[Issue]:
    """Arguments passed on to an engine that does not have them. An engine is asked only where there are some.

    Args:
        campaign: that passes them on.
        dispatcher: which serves it.
        ask: whether engines may be asked, which imports them; what is not known without is told as a warning.

    Raises:
        MachineError: an engine does not say which it has.
    """
    grids, _ = resolve_grids(campaign.file)
    said = {backend: dispatcher.description(backend, ask=ask) for backend in backends_passed_on(grids)}
    known = {backend: description for backend, description in said.items() if description}
    unasked = [
        Issue(f"the arguments passed on to {backend} are checked before the first run, not now", severity="warning")
        for backend in said
        if backend not in known
    ]
    return [*unasked, *unknown_arguments(grids, known)]


def _slots(file: CampaignFile, grids: Sequence[Grid], gpus: Sequence[Gpu]) -> int:
    """How many runs go on at once, at most.

    Raises:
        MachineError: there are too few GPUs for several, or for one of them.
    """
    if not file.parallel:
        return 1
    simulated = sum(gpu.simulated for gpu in gpus)
    blocks = []
    for grid in grids:
        there = len(gpus) if OPTIONS[grid.backend].MODULES else simulated
        for size in sizes_at_once(grid):
            if size and size > there > 0:
                raise MachineError(
                    f"an experiment of {grid.backend} works on {size} GPUs, and {there} can be used here",
                    hint="`orchestrate doctor` lists the GPUs",
                )
            if there:
                blocks.append(there // (size or there))
    if not blocks:
        raise MachineError(
            "parallel: per-gpu, and the campaign's runs get no GPU here",
            hint="leave it out; or try it: orchestrate simulate-gpu --gpus 2 -- orchestrate campaign FILE",
        )
    return max(blocks)


def _may_use_gpu(grid: Grid) -> bool:
    """Whether an engine of a grid takes a GPU where there is one."""
    return bool(OPTIONS[grid.backend].MODULES) and any(count != 0 for count in gpus_wanted(grid))


def _unchanged_inputs(campaign: Campaign) -> None:
    for before, now in zip((campaign.dataset_sha256, campaign.model_sha256), fingerprints(campaign), strict=True):
        for name, digest in before.items():
            if now[name] != digest:
                raise InputError(
                    f"{name} is not what campaign {campaign.name!r} began with: its content changed",
                    hint="put the old one back; or take the change over: orchestrate campaign FILE",
                )
