"""Runs in containers through Docker Compose: one container a run, or one for all runs of a backend."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from orchestrator.campaign.schema import ContainerStrategy, Dispatching
from orchestrator.dispatch import containers
from orchestrator.dispatch.abandoned import refuse_beside
from orchestrator.dispatch.base import Attempt, LiveAttempt
from orchestrator.dispatch.compose import Compose, exec_arguments, run_arguments
from orchestrator.dispatch.container_attempt import ContainerAttempt, ExecutedAttempt, SettlingAttempt
from orchestrator.dispatch.host_sampler import HostSampler, SampledAttempt, can_sample
from orchestrator.dispatch.processes import end, marked
from orchestrator.dispatch.scene import Scene
from orchestrator.dispatch.services import Services
from orchestrator.errors import MachineError
from orchestrator.system.docker import ATTEMPT_LABEL, ATTEMPTS_LABEL
from orchestrator.system.powercap import powercap_root
from runners.contract.description import Description
from runners.contract.paths import (
    ENV_ATTEMPT,
    ENV_GPU_ORDER,
    ENV_VISIBLE_GPUS,
    LOG,
    REQUEST,
    AttemptName,
    parse_attempt_name,
    short_run_id,
)
from runners.contract.request import Gpu

CAMPAIGN_LABEL = "orchestrate.campaign"
_CREATED_WITHIN_S = 60.0
_IDLE_COMMANDS = frozenset({"sleep", "docker-init", "tini"})

CAVEAT = (
    "persistent containers: what one run leaves behind (caches, memory, compiled kernels) is there in the next,"
    " so runs are not independent"
)


class Persistence(NamedTuple):
    """How containers are kept that stay up for several runs."""

    warmup_delay_s: float = 0.0
    """Pause after one came up, before its first run."""
    auto_teardown: bool = True
    """Whether they are removed when the campaign ends."""


def is_idle(container: containers.Container) -> bool:
    """Whether a container is up and nothing is at work in it."""
    return container.state == "running" and containers.commands_in(container.name) <= _IDLE_COMMANDS


def container_name(attempt: Path, name: AttemptName, campaign: str) -> str:
    """Tells who reads ``docker ps`` which run it is; unique by the attempt's path."""
    run = short_run_id(name.experiment_id, name.cycle)
    return f"orchestrate-{campaign}-{run}.a{name.attempt}-{path_key(attempt)}"


def path_key(path: Path) -> str:
    """A short name for a path, as good as unique on a machine."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


def variables_of(attempt: Attempt, shown: Sequence[Gpu]) -> dict[str, str]:
    """What a runner is told by its environment: the campaign's context, and its GPUs as they count inside.

    Inside, those that the container is shown count from 0 in the order of the bus, which is NVML's everywhere; CUDA is
    told to count so, too. By itself it begins with the fastest.

    Args:
        attempt: that is started.
        shown: the GPUs that its container sees.
    """
    if not shown:
        return attempt.context
    by_bus = sorted(shown, key=lambda gpu: gpu.index)
    inside = ",".join(str(by_bus.index(gpu)) for gpu in attempt.gpus)
    return {**attempt.context, ENV_GPU_ORDER: "PCI_BUS_ID", ENV_VISIBLE_GPUS: inside}


class ComposeDispatcher:
    """Starts each run in a container of its backend's service.

    Args:
        scene: where the campaign's runs take place.
        backends: all that the campaign needs.
        strategy: a container for each run, removed after it (``ephemeral``), or one that stays for all runs of
            a backend (``persistent``).
        persistence: how those are kept that stay.
    """

    def __init__(
        self,
        scene: Scene,
        backends: Sequence[str],
        strategy: ContainerStrategy = "ephemeral",
        persistence: Persistence | None = None,
    ) -> None:
        self.dispatching = Dispatching("compose", strategy)
        self._scene = scene
        self._backends = backends
        self._strategy = strategy
        self._persistence = persistence or Persistence()
        self._up: set[str] = set()
        self._services = Services(scene, backends)
        self._gpus: tuple[Gpu, ...] = ()
        self._powercap = powercap_root(os.environ)

    @property
    def how(self) -> str:
        """What it starts."""
        if self._strategy == "ephemeral":
            return "a container a run"
        stays = "" if self._persistence.auto_teardown else ", which stays up afterwards"
        return f"one container for all runs of a backend{stays}"

    @property
    def caveat(self) -> str | None:
        """What persistent containers do to measurements."""
        return CAVEAT if self._strategy == "persistent" else None

    def missing_images(self) -> list[str]:
        """The backends whose image is not built."""
        return self._services.missing()

    def build_images(self, *, quiet: bool, should_stop: Callable[[], bool]) -> None:
        """Build what is missing."""
        self._services.build(quiet=quiet, should_stop=should_stop)

    def check(self, gpus: Sequence[Gpu]) -> None:
        """See that images are there and fit, and that containers get these GPUs."""
        self._gpus = tuple(gpus)
        self._services.check(gpus)

    def open(self) -> None:
        """See that nobody's run was left at work here, and ask each service once for its health.

        Raises:
            MachineError: not so.
        """
        refuse_beside(self._scene.attempts, self._others())
        for backend in self._backends:
            self._ask_health(backend)

    def close(self) -> None:
        """Remove the containers that stayed up, unless they are to stay."""
        if self._strategy == "persistent" and self._persistence.auto_teardown:
            for backend in self._backends:
                containers.remove(self._standing_name(backend))

    def seen_as(self, path: Path) -> str:
        """Where an input of the campaign is mounted."""
        return self._services.mounts[str(path)].seen_as

    def image_digest(self, backend: str) -> str | None:
        """The id of the backend's image."""
        return self._services.images[backend].id

    def description(self, backend: str, *, ask: bool = True) -> Description | None:
        """What the backend's image says of itself."""
        if not ask:
            return self._services.known_description(backend)
        return self._services.description(backend, self._gpus)

    @cached_property
    def samples_cpu(self) -> bool:
        """Whether this host has counters of the CPU's energy, which a container does not see."""
        return can_sample(self._powercap)

    def start(self, attempt: Attempt) -> LiveAttempt:
        """Start an attempt in a container, and before it what samples beside it.

        Raises:
            MachineError: the system starts no further process, or the service does not come up.
        """
        command = ["--request", self._scene.in_container(attempt.folder / REQUEST)]
        hz = attempt.host_sample_hz
        beside = HostSampler(attempt.folder, hz, self._powercap) if hz else None
        try:
            live = self._run(attempt, command) if self._strategy == "ephemeral" else self._execute(attempt, command)
        except BaseException:
            if beside:
                beside.end()
            raise
        return SampledAttempt(live, beside) if beside else live

    def find_live(self, attempts: Path) -> list[LiveAttempt]:
        """Containers that an earlier orchestrator left at work below this folder.

        One that stayed up for several runs is removed, with whatever is at work in it; but if it is to stay, and
        nothing is at work in it nor about to be, it stays for the runs to come.
        """
        for found in self._left(attempts):
            if not found.labels[ATTEMPT_LABEL] and not (self._keeps and not marked(attempts) and is_idle(found)):
                containers.remove(found.name)
        self._await_clients(attempts)
        live: list[LiveAttempt] = []
        for found in self._left(attempts):
            if not found.labels[ATTEMPT_LABEL]:
                continue
            folder = attempts / found.labels[ATTEMPT_LABEL]
            name = parse_attempt_name(folder.name)
            started = containers.started_at(found.name) if name and found.state in containers.AT_WORK else None
            if name and started:
                age_s = max(0.0, (datetime.now(UTC) - started).total_seconds())
                client = containers.wait_process(found.name)
                live.append(ContainerAttempt(name, folder, found.name, client, tells=False, age_s=age_s))
            else:
                containers.remove(found.name)
        return live

    def _run(self, attempt: Attempt, command: Sequence[str]) -> ContainerAttempt:
        container = container_name(attempt.folder, attempt.name, attempt.campaign)
        labels = {**self._labels(), ATTEMPT_LABEL: attempt.folder.name}
        arguments = run_arguments(
            attempt.backend, command, name=container, labels=labels, variables=variables_of(attempt, attempt.gpus)
        )
        client = self._start_client(self._services.for_run(attempt.gpus), arguments, attempt)
        return ContainerAttempt(attempt.name, attempt.folder, container, client, tells=True)

    @property
    def _keeps(self) -> bool:
        """Whether containers that serve several runs outlive their campaign."""
        return self._strategy == "persistent" and not self._persistence.auto_teardown

    def _execute(self, attempt: Attempt, command: Sequence[str]) -> LiveAttempt:
        container = self._standing_name(attempt.backend)
        service = {"container_name": container, "labels": self._labels(), "command": ["sleep", "infinity"]}
        compose = self._services.for_run(self._gpus, {attempt.backend: service})
        compose = replace(compose, project=f"orchestrate-{path_key(self._scene.attempts)}")
        arguments = exec_arguments(
            attempt.backend, ["entrypoint", attempt.backend, *command], variables=variables_of(attempt, self._gpus)
        )

        def begin() -> ExecutedAttempt:
            client = self._start_client(compose, arguments, attempt)
            return ExecutedAttempt(attempt.name, attempt.folder, container, client)

        came_up = self._stand(container, compose, attempt)
        if came_up and self._persistence.warmup_delay_s:
            return SettlingAttempt(attempt.name, container, self._persistence.warmup_delay_s, begin)
        return begin()

    def _stand(self, container: str, compose: Compose, attempt: Attempt) -> bool:
        """See that the container of a backend is up; whether it came up now.

        One that an earlier campaign left is looked at by compose, which makes it anew where anything about it differs
        from what it is to be: its image, its GPUs, what is mounted.
        """
        running = containers.state_of(container) == "running"
        if running and attempt.backend in self._up:
            return False
        before = containers.id_of(container) if running else None
        mark = {ENV_ATTEMPT: str(attempt.folder)}
        compose.call("up", "--detach", "--no-deps", attempt.backend, environment=mark)
        self._up.add(attempt.backend)
        return before is None or containers.id_of(container) != before

    def _start_client(self, compose: Compose, arguments: Sequence[str], attempt: Attempt) -> subprocess.Popen[bytes]:
        # The runner writes its own files, so that they go on when the client dies. What the client says joins them.
        with (attempt.folder / LOG).open("ab") as log:
            return compose.start(arguments, log, {ENV_ATTEMPT: str(attempt.folder)})

    def _ask_health(self, backend: str) -> None:
        name = f"orchestrate-{self._scene.campaign}-health-{path_key(self._scene.attempts)}"
        look = ["python", "-m", "runners.health", "--folder", self._scene.in_container(self._scene.attempts)]
        arguments = run_arguments(backend, look, name=name, labels=self._labels())
        try:
            said = self._services.for_run(self._gpus).call(*arguments)
        except MachineError as error:
            with contextlib.suppress(MachineError):  # an engine that does not answer is told of once
                containers.remove(name)
            raise MachineError(f"the container of {backend} is not healthy: {error}", hint=error.hint) from None
        try:
            device = json.loads(said)["device"]
        except (ValueError, KeyError, TypeError):
            raise MachineError(
                f"the container of {backend} answers {said.strip()!r} when asked for its health",
                hint=f"its image may be an old one, or not ours: docker compose build {backend}",
            ) from None
        wanted = "cpu" if not self._gpus else "simulated" if self._gpus[0].simulated else "cuda"
        if device != wanted:
            raise MachineError(f"the container of {backend} sees {device}, not {wanted}", hint="orchestrate doctor")

    def _labels(self) -> dict[str, str]:
        return {ATTEMPTS_LABEL: str(self._scene.attempts), CAMPAIGN_LABEL: self._scene.campaign}

    def _standing_name(self, backend: str) -> str:
        return f"orchestrate-{self._scene.campaign}-{backend}-{path_key(self._scene.attempts)}"

    def _left(self, attempts: Path) -> list[containers.Container]:
        return containers.list_containers(f"{ATTEMPTS_LABEL}={attempts}", ATTEMPT_LABEL)

    def _others(self) -> Iterator[tuple[Path, str]]:
        """The attempts folder and the name of each container at work; one that only stands is not."""
        for found in containers.list_containers(ATTEMPTS_LABEL, ATTEMPTS_LABEL, ATTEMPT_LABEL):
            if found.state in containers.AT_WORK and (found.labels[ATTEMPT_LABEL] or not is_idle(found)):
                yield Path(found.labels[ATTEMPTS_LABEL]), f"container {found.name}"

    def _await_clients(self, attempts: Path) -> None:
        """See each client that a dead orchestrator left to its point: its container runs, or it has ended.

        Otherwise a container could come up after we looked.
        """
        deadline = time.monotonic() + _CREATED_WITHIN_S
        for folder, processes in marked(attempts).items():
            name = parse_attempt_name(folder.name)
            container = container_name(folder, name, self._scene.campaign) if name else ""
            while time.monotonic() < deadline and any(process.is_running() for process in processes):
                if containers.state_of(container) in containers.AT_WORK:
                    break
                time.sleep(0.1)
            else:
                end(folder, processes)
