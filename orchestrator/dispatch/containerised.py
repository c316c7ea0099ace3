"""Runs in containers through Docker Compose: one container a run, or one for all runs of a backend."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.campaign.schema import ContainerStrategy, Dispatching
from orchestrator.dispatch import containers
from orchestrator.dispatch.base import Attempt, LiveAttempt
from orchestrator.dispatch.compose import Compose, exec_arguments, run_arguments
from orchestrator.dispatch.container_attempt import ContainerAttempt, ExecutedAttempt
from orchestrator.dispatch.processes import end, marked
from orchestrator.dispatch.scene import Scene
from orchestrator.dispatch.services import Services
from runners.contract.paths import (
    ENV_ATTEMPT,
    ENV_CAMPAIGN_ID,
    ENV_CAMPAIGN_NAME,
    ENV_CYCLE,
    ENV_CYCLES,
    ENV_VISIBLE_GPUS,
    LOG,
    REQUEST,
    AttemptName,
    parse_attempt_name,
    short_run_id,
)
from runners.contract.request import Gpu

ATTEMPTS_LABEL = "orchestrate.attempts"
ATTEMPT_LABEL = "orchestrate.attempt"
CAMPAIGN_LABEL = "orchestrate.campaign"
_CREATED_WITHIN_S = 60.0

CAVEAT = (
    "persistent containers: what one run leaves behind (caches, memory, compiled kernels) is there in the next,"
    " so runs are not independent"
)


def container_name(attempt: Path, name: AttemptName, campaign: str) -> str:
    """Tells who reads ``docker ps`` which run it is; unique by the attempt's path."""
    run = short_run_id(name.experiment_id, name.cycle)
    return f"orchestrate-{campaign}-{run}.a{name.attempt}-{path_key(attempt)}"


def path_key(path: Path) -> str:
    """A short name for a path, as good as unique on a machine."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


def campaign_variables(attempt: Attempt) -> dict[str, str]:
    """What a runner is told by its environment: the campaign's context, and its GPUs, counted from 0 inside."""
    variables = {
        ENV_CAMPAIGN_ID: attempt.campaign,
        ENV_CAMPAIGN_NAME: attempt.campaign,
        ENV_CYCLE: str(attempt.name.cycle),
        ENV_CYCLES: str(attempt.cycles),
    }
    if attempt.gpus:
        variables[ENV_VISIBLE_GPUS] = ",".join(str(index) for index in range(len(attempt.gpus)))
    return variables


class ComposeDispatcher:
    """Starts each run in a container of its backend's service.

    Args:
        scene: where the campaign's runs take place.
        backends: all that the campaign needs.
        strategy: a container for each run, removed after it (``ephemeral``), or one that stays for all runs of
            a backend (``persistent``).
    """

    def __init__(self, scene: Scene, backends: Sequence[str], strategy: ContainerStrategy = "ephemeral") -> None:
        self.dispatching = Dispatching("compose", strategy)
        self._scene = scene
        self._strategy = strategy
        self._services = Services(scene, backends)
        self._gpus: tuple[Gpu, ...] = ()
        self._up: set[str] = set()

    @property
    def how(self) -> str:
        """What it starts."""
        return "a container a run" if self._strategy == "ephemeral" else "one container for all runs of a backend"

    @property
    def caveat(self) -> str | None:
        """What persistent containers do to measurements."""
        return CAVEAT if self._strategy == "persistent" else None

    def missing_images(self) -> list[str]:
        """The backends whose image is not built."""
        return [backend for backend, image in self._services.look().items() if image.id is None]

    def build_images(self, *, quiet: bool) -> None:
        """Build what is missing."""
        self._services.compose.build(self.missing_images(), quiet=quiet)

    def check(self, gpus: Sequence[Gpu]) -> None:
        """See that images are there and fit, and that containers get these GPUs."""
        self._gpus = tuple(gpus)
        self._services.check(gpus)

    def open(self) -> None:
        """Start each service once, to see that the device answers and that results can be written."""
        self._services.health(self._gpus)

    def close(self) -> None:
        """Remove the containers that stayed up."""
        for container in self._up:
            containers.remove(container)
        self._up.clear()

    def seen_as(self, path: Path) -> str:
        """Where an input of the campaign is mounted."""
        return self._services.mounts[str(path)].seen_as

    def image_digest(self, backend: str) -> str | None:
        """The id of the backend's image."""
        return self._services.images[backend].id

    def start(self, attempt: Attempt) -> LiveAttempt:
        """Start an attempt in a container.

        Raises:
            MachineError: the system starts no further process, or the service does not come up.
        """
        command = ["--request", self._scene.in_container(attempt.folder / REQUEST)]
        if self._strategy == "ephemeral":
            return self._run(attempt, command)
        return self._execute(attempt, ["entrypoint", attempt.backend, *command])

    def find_live(self, attempts: Path) -> list[LiveAttempt]:
        """Containers that an earlier orchestrator left at work below this folder.

        One that stayed up for several runs is removed, with whatever is at work in it.
        """
        for found in self._left(attempts):
            if not found.attempt:
                containers.remove(found.name)
        self._await_clients(attempts)
        live: list[LiveAttempt] = []
        for found in self._left(attempts):
            name = parse_attempt_name(found.attempt)
            started = containers.started_at(found.name) if name and found.state in ("running", "paused") else None
            if name and started:
                age_s = max(0.0, (datetime.now(UTC) - started).total_seconds())
                client = containers.wait_process(found.name)
                live.append(
                    ContainerAttempt(name, attempts / found.attempt, found.name, client, tells=False, age_s=age_s)
                )
            else:
                containers.remove(found.name)
        return live

    def _run(self, attempt: Attempt, command: Sequence[str]) -> ContainerAttempt:
        container = container_name(attempt.folder, attempt.name, attempt.campaign)
        labels = {
            ATTEMPTS_LABEL: str(attempt.folder.parent),
            ATTEMPT_LABEL: attempt.folder.name,
            CAMPAIGN_LABEL: attempt.campaign,
        }
        arguments = run_arguments(
            attempt.backend, command, name=container, labels=labels, variables=campaign_variables(attempt)
        )
        client = self._start_client(self._services.with_inputs(attempt.gpus), arguments, attempt)
        return ContainerAttempt(attempt.name, attempt.folder, container, client, tells=True)

    def _execute(self, attempt: Attempt, command: Sequence[str]) -> ExecutedAttempt:
        key = path_key(attempt.folder.parent)
        container = f"orchestrate-{attempt.campaign}-{attempt.backend}-{key}"
        service = {
            "container_name": container,
            "labels": {ATTEMPTS_LABEL: str(attempt.folder.parent), CAMPAIGN_LABEL: attempt.campaign},
            "command": ["sleep", "infinity"],
        }
        compose = self._services.with_inputs(attempt.gpus, {attempt.backend: service})
        compose = replace(compose, project=f"orchestrate-{key}")
        if containers.state_of(container) != "running":
            self._up.add(container)
            compose.call("up", "--detach", "--no-deps", attempt.backend)
        arguments = exec_arguments(attempt.backend, command, variables=campaign_variables(attempt))
        client = self._start_client(compose, arguments, attempt)
        return ExecutedAttempt(attempt.name, attempt.folder, container, client)

    def _start_client(self, compose: Compose, arguments: Sequence[str], attempt: Attempt) -> subprocess.Popen[bytes]:
        # The runner writes its own files, so that they go on when the client dies. What the client says joins them.
        with (attempt.folder / LOG).open("ab") as log:
            return compose.start(arguments, log, {ENV_ATTEMPT: str(attempt.folder)})

    def _left(self, attempts: Path) -> list[containers.Container]:
        return containers.list_containers(ATTEMPTS_LABEL, str(attempts), ATTEMPT_LABEL)

    def _await_clients(self, attempts: Path) -> None:
        """See each client that a dead orchestrator left to its point: its container runs, or it has ended.

        Otherwise a container could come up after we looked.
        """
        deadline = time.monotonic() + _CREATED_WITHIN_S
        for folder, processes in marked(attempts).items():
            name = parse_attempt_name(folder.name)
            container = container_name(folder, name, folder.parent.parent.name) if name else ""
            while time.monotonic() < deadline and any(process.is_running() for process in processes):
                if containers.state_of(container) == "running":
                    break
                time.sleep(0.1)
            else:
                end(folder, processes)
