"""What Docker this machine has, seen through the ``docker`` client, so that we look where compose will act.

The client honours contexts and rootless set-ups exactly as ``docker compose`` does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import MachineError

CONTRACT_LABEL = "orchestrate.contract_version"
ENGINE_LABEL = "orchestrate.engine_version"
ATTEMPTS_LABEL = "orchestrate.attempts"
"""Of a container: the attempts folder of the campaign that it serves."""
ATTEMPT_LABEL = "orchestrate.attempt"
"""Of a container: the one attempt that it serves; one that stays up for several has none."""
COMPOSE_HINT = "install the plugin docker-compose-plugin (docs.docker.com/compose/install)"
_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Docker:
    """An engine that answers."""

    version: str
    rootless: bool
    runtimes: frozenset[str]
    data_root: Path
    """Where it keeps images, as the engine sees it."""
    compose: str | None
    """Version of the client's compose plugin; None: it has none."""

    @property
    def nvidia(self) -> bool:
        """Whether containers can be given GPUs: NVIDIA's container toolkit is registered as a runtime."""
        return "nvidia" in self.runtimes


@dataclass(frozen=True, slots=True)
class NoDocker:
    """Why no engine can be used, and what to do."""

    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is here."""

    id: str
    """``sha256:…``, of its configuration."""
    labels: Mapping[str, str]


class Ids(NamedTuple):
    """Whom files belong to."""

    uid: int
    gid: int

    def __str__(self) -> str:
        """As chown takes it."""
        return f"{self.uid}:{self.gid}"


def find_docker() -> Docker | NoDocker:
    """The engine that the client addresses, or why there is none."""
    if shutil.which("docker") is None:
        return NoDocker("there is no docker client here", "install Docker Engine (docs.docker.com/engine/install)")
    try:
        done = call_docker("info", "--format", "{{json .}}")
        info = _mapping(done.stdout)
        # Older clients end with 0 and tell of the failure in their answer.
        words = "\n".join([*(info.get("ServerErrors") or []), done.stderr]).strip()
        if not info.get("ServerVersion"):
            raise docker_error(words or f"`docker info` ended with {done.returncode} and said nothing")
        return Docker(
            version=info["ServerVersion"],
            rootless="name=rootless" in (info.get("SecurityOptions") or []),
            runtimes=frozenset(info.get("Runtimes") or ()),
            data_root=Path(info.get("DockerRootDir") or "/"),
            compose=_compose_version(),
        )
    except MachineError as error:
        return NoDocker(str(error), error.hint or "")


def require_docker() -> Docker:
    """An engine with compose.

    Raises:
        MachineError: the client, the engine or the compose plugin is missing, or the engine may not be used.
    """
    docker = find_docker()
    if isinstance(docker, NoDocker):
        raise MachineError(docker.reason, hint=docker.hint)
    if docker.compose is None:
        raise MachineError("docker has no compose plugin", hint=COMPOSE_HINT)
    return docker


def find_image(name: str) -> Image | None:
    """An image by its name; None if it is not here.

    Raises:
        MachineError: the engine does not answer.
    """
    done = call_docker("image", "inspect", "--format", "{{json .}}", name)
    if done.returncode:
        if "no such image" in done.stderr.lower():
            return None
        raise docker_error(done.stderr)
    found = _mapping(done.stdout)
    return Image(found["Id"], (found.get("Config") or {}).get("Labels") or {})


def service_images(folder: Path) -> dict[str, str]:
    """The image of each service that the compose files of a folder name, of every profile, as compose reads them.

    Raises:
        MachineError: the files are wrong, or there is no compose.
    """
    options = ("--project-directory", str(folder), "--profile", "*")
    done = call_docker("compose", *options, "config", "--format", "json", folder=folder)
    if done.returncode:
        raise MachineError(
            f"`docker compose config` fails: {_last_line(done.stderr)}", hint="correct the compose files or .env"
        )
    services: dict[str, dict[str, Any]] = _mapping(done.stdout).get("services") or {}
    return {name: service["image"] for name, service in services.items() if "image" in service}


def call_docker(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout_s: float = _ANSWER_S,
) -> subprocess.CompletedProcess[str]:
    """What the client says, and its exit code, which is not judged here.

    The client gets a session of its own, so that Ctrl-C in the terminal does not reach it. None of its processes
    outlives the call: a plugin such as compose is a child of the client, and would.

    Args:
        arguments: after ``docker``.
        folder: where it is started; None: here.
        environment: its whole environment; None: ours.
        stdin: what it can read.
        timeout_s: how long it may take.

    Raises:
        MachineError: it cannot be started, or takes longer.
    """
    try:
        process = subprocess.Popen(
            ["docker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise MachineError(
            f"docker cannot be started: {error.strerror}", hint="install Docker Engine anew; its client is broken"
        ) from None
    with process:
        try:
            output, said = process.communicate(stdin, timeout=timeout_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise MachineError(
                f"docker {arguments[0]} does not answer for {timeout_s:g} s",
                hint="the engine may hang: `sudo systemctl restart docker`",
            ) from None
    return subprocess.CompletedProcess(process.args, process.returncode, output, said)


def docker_error(words: str) -> MachineError:
    """Why the engine cannot be used, and what to do, by what the client said when it failed."""
    reason = _last_line(words)
    if "permission denied while trying to connect" in words:
        return MachineError(
            "permission denied on the Docker engine's socket",
            hint="add yourself to its group, `sudo usermod -aG docker $USER`, and log in again",
        )
    if "Cannot connect to the Docker daemon" in words:
        return MachineError(reason, hint="start the engine: `sudo systemctl start docker`")
    return MachineError(f"the Docker engine does not answer: {reason}", hint="`docker info` must work first")


def caller_ids(docker: Docker) -> Ids:
    """The PUID and PGID with which files that a container writes belong to the caller.

    Under rootless Docker that is root, since root inside is the caller outside.
    """
    return Ids(0, 0) if docker.rootless else Ids(os.getuid(), os.getgid())


def inside_container(root: Path = Path("/")) -> bool:
    """Whether this process itself is in a container."""
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    try:
        groups = (root / "proc/1/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(word in groups for word in ("docker", "kubepods", "containerd", "libpod"))


def _compose_version() -> str | None:
    done = call_docker("compose", "version", "--short")
    return done.stdout.strip().removeprefix("v") if done.returncode == 0 else None


def _mapping(text: str) -> dict[str, Any]:
    """The JSON object that the client printed; empty if it printed none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
