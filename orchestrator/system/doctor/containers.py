"""All that runs in containers need: Docker, the project's compose files, images, whom results belong to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.errors import MachineError
from orchestrator.system.descriptions import Descriptions, misfit
from orchestrator.system.docker import (
    ATTEMPT_LABEL,
    ATTEMPTS_LABEL,
    COMPOSE_HINT,
    CONTRACT_LABEL,
    ENGINE_LABEL,
    Docker,
    Ids,
    Image,
    NoDocker,
    call_docker,
    find_image,
    service_images,
)
from orchestrator.system.doctor.finding import Finding, Status
from orchestrator.system.doctor.machine import Gpus
from orchestrator.system.ids import ids_for, may_write
from orchestrator.system.project import COMPOSE, COMPOSE_GPU, Project, git_commit, is_our_compose
from orchestrator.system.project_env import ENV_FILE, compose_files, wanted_env
from runners.contract.description import Description
from runners.contract.options import OPTIONS
from runners.contract.paths import CONTRACT_VERSION

_NO_ENGINE = "no Docker engine answers"
_INIT = "`orchestrate init` makes what is missing"


def docker_engine(docker: Docker | NoDocker) -> Iterator[Finding]:
    """The engine and the compose plugin."""
    if isinstance(docker, NoDocker):
        yield Finding("Docker", Status.MISSING, docker.reason, docker.hint)
        yield Finding("compose", Status.UNKNOWN, _NO_ENGINE)
        return
    yield Finding("Docker", Status.OK, f"{docker.version}{', rootless' if docker.rootless else ''}")
    if docker.compose is None:
        yield Finding("compose", Status.MISSING, "docker has no compose plugin", COMPOSE_HINT)
    else:
        yield Finding("compose", Status.OK, docker.compose)


def toolkit(docker: Docker | NoDocker, gpus: Gpus | None) -> Iterator[Finding]:
    """Whether containers can be given GPUs."""
    name = "NVIDIA container toolkit"
    if gpus is None:
        yield Finding(name, Status.UNKNOWN, "the GPUs cannot be looked at")
    elif not gpus.allocated:
        yield Finding(name, Status.NOT_NEEDED, "there is no GPU to use")
    elif gpus.simulated:
        yield Finding(name, Status.NOT_NEEDED, "containers get a simulated GPU without it")
    elif isinstance(docker, NoDocker):
        yield Finding(name, Status.UNKNOWN, _NO_ENGINE)
    elif docker.nvidia:
        yield Finding(name, Status.OK, "the runtime nvidia is registered")
    else:
        advice = "install nvidia-container-toolkit, then `sudo nvidia-ctk runtime configure` and restart Docker"
        yield Finding(name, Status.MISSING, "Docker has no runtime nvidia: containers cannot use the GPUs", advice)


def files(
    project: Project, docker: Docker | NoDocker, gpus: Gpus | None, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Whether the compose files are there, are ours, can be read by compose, and suit this machine.

    Args:
        project: whose files.
        docker: the engine, or why there is none.
        gpus: the machine's; None if they cannot be looked at.
        environ: what is set beside ``.env``.
    """
    name, folder = "compose files", project.folder
    if not (folder / COMPOSE).exists():
        yield Finding(name, Status.MISSING, f"{folder} has no {COMPOSE}", _INIT)
        return
    if not is_our_compose(folder / COMPOSE):
        yield Finding(
            name, Status.MISSING, f"{folder / COMPOSE} is not of orchestrate", "give it a folder: orchestrate init DIR"
        )
        return
    named = compose_files(folder, environ)
    absent = [file for file in named if not (folder / file).is_file()]
    if absent:
        yield Finding(name, Status.BROKEN, f"COMPOSE_FILE names {', '.join(absent)}: not there", f"{_INIT}; else .env")
        return
    if isinstance(docker, NoDocker) or docker.compose is None:
        yield Finding(name, Status.OK, ", ".join(named))
        return
    service_images(folder)
    names_gpus = COMPOSE_GPU in named
    if names_gpus and not docker.nvidia:
        seen = f"COMPOSE_FILE names {COMPOSE_GPU}, and Docker has no runtime nvidia"
        yield Finding(name, Status.BROKEN, seen, f"install the NVIDIA container toolkit, or set COMPOSE_FILE={COMPOSE}")
    elif gpus and gpus.allocated and not gpus.simulated and docker.nvidia and not names_gpus:
        wanted = wanted_env(docker, gpus.allocated, project.results)["COMPOSE_FILE"]
        seen = f"COMPOSE_FILE does not name {COMPOSE_GPU}: containers do not get the GPUs"
        yield Finding(name, Status.MISSING, seen, f"set COMPOSE_FILE={wanted} in {ENV_FILE}")
    else:
        yield Finding(name, Status.OK, ", ".join(named))


def images(project: Project, docker: Docker | NoDocker) -> Iterator[Finding]:
    """Whether the image of each backend is here, speaks our version of the contract, and suits us by what it said.

    Images are asked when a campaign begins, since their engines take long to be imported: not here.
    """
    if isinstance(docker, NoDocker) or docker.compose is None:
        yield Finding("images", Status.UNKNOWN, _NO_ENGINE if isinstance(docker, NoDocker) else "there is no compose")
        return
    if not is_our_compose(project.folder / COMPOSE):
        yield Finding("images", Status.UNKNOWN, f"there is no {COMPOSE} of orchestrate")
        return
    try:
        services = service_images(project.folder)
    except MachineError:
        yield Finding("images", Status.UNKNOWN, "compose cannot read its files")
        return
    told = Descriptions(project.state)
    for service, tag in services.items():
        if service not in OPTIONS:
            continue
        build = f"cd {project.folder} && docker compose build {service}"
        image = find_image(tag)
        if image is None:
            yield Finding(f"image {service}", Status.MISSING, f"{tag} is not here", build)
            continue
        contract = image.labels.get(CONTRACT_LABEL, "unknown")
        seen = f"{tag} {image.id[:19]}, contract {contract}"
        said = told.find(image.id)
        wrong = misfit(service, said) if said else None
        if contract != str(CONTRACT_VERSION):
            yield Finding(f"image {service}", Status.MISSING, f"{seen}; {CONTRACT_VERSION} is needed", build)
        elif wrong:
            yield Finding(f"image {service}", Status.MISSING, f"{seen}; it {wrong.reason}", build)
        else:
            yield Finding(f"image {service}", Status.OK, f"{seen}, {_engine_in(image, said, project)}")


def standing(docker: Docker | NoDocker) -> Iterator[Finding]:
    """Containers that stay up for several runs, of whichever project: of a campaign under way, or left by one."""
    if isinstance(docker, NoDocker):
        return
    fields = f'{{{{.Names}}}}\t{{{{.Label "{ATTEMPT_LABEL}"}}}}\t{{{{.Label "{ATTEMPTS_LABEL}"}}}}'
    done = call_docker("ps", "--filter", f"label={ATTEMPTS_LABEL}", "--format", fields)
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        name, attempt, attempts = line.split("\t")
        if not attempt:
            campaign = Path(attempts).parent
            seen = f"{name} stands for campaign {campaign.name} in {campaign.parent}"
            advice = f"once nobody needs it: docker rm --force {name}"
            yield Finding("container", Status.OK, seen, advice)


def _engine_in(image: Image, said: Description | None, project: Project) -> str:
    """The engine in an image, by what it said or else by its label, and whether it is of another commit than we are."""
    if said is None or said.engine is None:
        return f"engine {image.labels.get(ENGINE_LABEL, 'unknown')}; it is asked when a campaign begins"
    ours, theirs = git_commit(project.folder), said.git_commit or ""
    if not ours or not theirs or ours == theirs:
        return said.engine.version
    return f"{said.engine.version}; built from commit {theirs[:7]}, and here is {ours[:7]}"


def ownership(project: Project, docker: Docker | NoDocker, variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether what containers write will belong to the caller, and the results folder lets the caller write."""
    name = "PUID, PGID"
    if isinstance(docker, NoDocker):
        yield Finding(name, Status.UNKNOWN, _NO_ENGINE)
        return
    wanted = ids_for(project.results, docker)
    right = f"set PUID={wanted.uid} and PGID={wanted.gid} in {ENV_FILE}"
    puid, pgid = variables.get("PUID"), variables.get("PGID")
    if not puid or not pgid:
        yield Finding(
            name, Status.MISSING, "not set: containers started by hand refuse to run", f"{_INIT}; else {right}"
        )
    elif (puid, pgid) != (str(wanted.uid), str(wanted.gid)):
        seen = f"{puid}:{pgid}, but files of yours need {wanted}{' (rootless Docker)' if docker.rootless else ''}"
        yield Finding(name, Status.WARNING, seen, right)
    else:
        yield Finding(name, Status.OK, str(wanted))
    if os.path.isdir(project.results):  # noqa: PTH112 - never raises
        status = project.results.stat()
        caller = Ids(os.getuid(), os.getgid()) if docker.rootless else wanted
        if caller.uid != status.st_uid and not may_write(caller, status):
            seen = f"{project.results} belongs to {Ids(status.st_uid, status.st_gid)}, not to you"
            advice = f"sudo chown -R {caller} {project.results}"
            yield Finding("results", Status.WARNING, seen, advice)
