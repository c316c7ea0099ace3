"""The whole examination, and what follows from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from orchestrator.campaign.schema import DispatcherName
from orchestrator.system.config import CONFIG_FILE, UserConfig, load_user_config
from orchestrator.system.docker import NoDocker, find_docker
from orchestrator.system.doctor import containers, machine
from orchestrator.system.doctor.engines import backends, find_engine
from orchestrator.system.doctor.finding import Examination, Finding, Status
from orchestrator.system.fitness.examine import fitness
from orchestrator.system.gpu_state import gpu_states
from orchestrator.system.project import Project
from orchestrator.system.project_env import ENV_FILE, read_env
from runners.contract.options import OPTIONS

VERDICT = "can run"
_FINE = (Status.OK, Status.WARNING, Status.NOT_NEEDED)
_COMPOSE = ("Docker", "compose", "NVIDIA container toolkit", "compose files")


def examine(folder: Path) -> list[Finding]:
    """Look at everything that a run in a project's folder may need; makes, pulls and builds nothing.

    The last finding is the verdict: what can run here, and how.
    """
    seen = Examination()
    seen.add("versions", machine.versions)
    config = seen.look(CONFIG_FILE, lambda: load_user_config(folder / CONFIG_FILE)) or UserConfig()
    project = Project(folder, config)
    seen.add("project", lambda: machine.project_folder(project))

    gpus = seen.look("GPU", machine.find_gpus)
    if gpus is not None:
        seen.add("GPU", lambda: machine.gpus(gpus))
        seen.add("GPU", lambda: machine.gpu_vacancy(gpu_states(gpus.allocated) if gpus.allocated else ()))
    engines = {}
    for backend in OPTIONS:
        engine = seen.look(f"backend {backend}", partial(find_engine, backend))
        if engine is not None:
            engines[backend] = engine
    seen.add("backends", lambda: backends(engines))
    seen.add("CUDA", lambda: machine.cuda(gpus, engines))
    seen.add("RAPL", lambda: machine.rapl(gpus))

    docker = seen.look("Docker", find_docker) or NoDocker("it cannot be looked at", "")
    variables = {**(seen.look(ENV_FILE, lambda: read_env(folder)) or {}), **os.environ}
    seen.add("Docker", lambda: containers.docker_engine(docker))
    seen.add("NVIDIA container toolkit", lambda: containers.toolkit(docker, gpus))
    seen.add("compose files", lambda: containers.files(project, docker, gpus, os.environ))
    seen.add("images", lambda: containers.images(project, docker))
    seen.add("containers", lambda: containers.standing(docker))
    seen.add("PUID, PGID", lambda: containers.ownership(project, docker, variables))
    seen.add("disks", lambda: machine.disks(project, docker))
    seen.findings += fitness(gpus.allocated if gpus else [])
    return [*map(partial(_told, seen.findings), seen.findings), verdict(seen.findings, config.dispatch)]


def _told(findings: Sequence[Finding], finding: Finding) -> Finding:
    """A finding as it is shown: an engine that is not installed here is not missed where its image is."""
    backend = finding.name.removeprefix("backend ")
    if backend == finding.name or finding.status is not Status.MISSING:
        return finding
    if any(other.name == f"image {backend}" and other.status is Status.OK for other in findings):
        return replace(finding, status=Status.NOT_NEEDED, seen=f"{finding.seen}; it runs in its container", advice="")
    return replace(finding, seen=f"{finding.seen}; only campaigns over {backend} need it")


def verdict(findings: Sequence[Finding], dispatch: Literal["auto", DispatcherName]) -> Finding:
    """Which engines can run here, as a process and in a container.

    Args:
        findings: all others.
        dispatch: how the user config lets runs be started.
    """
    by_name: dict[str, list[Finding]] = {}
    for finding in findings:
        by_name.setdefault(finding.name, []).append(finding)
    fine = {name for name, found in by_name.items() if all(finding.status in _FINE for finding in found)}
    engines = [backend for backend, options in OPTIONS.items() if options.MODULES]
    ways = []
    if dispatch != "compose":
        broken = by_name.keys() - fine
        ways += [
            f"{engine} as a process"
            for engine in engines
            if f"backend {engine}" in fine and broken.isdisjoint({"CUDA", machine.cuda_of(engine)})
        ]
    if dispatch != "local":
        ways += [f"{engine} in a container" for engine in engines if fine.issuperset({f"image {engine}", *_COMPOSE})]
    if ways:
        return Finding(VERDICT, Status.OK, ", ".join(ways))
    only = "" if dispatch == "auto" else f" (dispatch: {dispatch} in {CONFIG_FILE})"
    advice = "install an engine, or build an image: see above what is missing"
    return Finding(VERDICT, Status.MISSING, f"no engine can run here{only}", advice)


def is_ready(findings: Sequence[Finding]) -> bool:
    """Whether an engine can run here and nothing is broken."""
    return all(
        finding.status is not Status.BROKEN and (finding.name != VERDICT or finding.status is Status.OK)
        for finding in findings
    )
