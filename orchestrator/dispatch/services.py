"""The compose services of a project that campaigns run in: are they there, do their images fit, do they start."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from orchestrator.dispatch.compose import Compose, ComposeError
from orchestrator.dispatch.scene import InputMount, Scene, mount_input
from orchestrator.errors import MachineError
from orchestrator.system.docker import CONTRACT_LABEL, Docker, caller_ids, find_image, require_docker
from orchestrator.system.gpu import list_gpus
from orchestrator.system.project import COMPOSE
from orchestrator.system.project_env import complete_env, read_env, wanted_env
from runners.contract.paths import CONTRACT_VERSION
from runners.contract.request import Gpu

_FILES = "COMPOSE_FILE"
GPU_RUNTIME = "nvidia"


class Image(NamedTuple):
    """The image of one backend."""

    name: str
    id: str | None
    """None where it is missing."""
    contract: str | None


@dataclass
class Services:
    """The services that the backends of one campaign run in."""

    scene: Scene
    backends: Sequence[str]
    images: dict[str, Image] = field(default_factory=dict)

    @cached_property
    def _docker(self) -> Docker:
        return require_docker()

    @cached_property
    def mounts(self) -> dict[str, InputMount]:
        """How each input of the campaign gets into a container, by its path here."""
        return {str(path): mount_input(path) for path in self.scene.inputs}

    @cached_property
    def compose(self) -> Compose:
        """The project's compose files, for runs of this campaign.

        Raises:
            MachineError: there is no Docker, or there are no such files.
        """
        scene = self.scene
        ids = caller_ids(self._docker)
        if not (scene.project / COMPOSE).is_file():
            raise MachineError(
                f"there is no {COMPOSE} in {scene.project}",
                hint="`orchestrate init` writes it there; or choose the project's folder with --project-dir",
            )
        environment = {
            **os.environ,
            "PUID": str(ids.uid),
            "PGID": str(ids.gid),
            "ORCHESTRATE_RESULTS": str(scene.results),
            "ORCHESTRATE_CAMPAIGNS": str(scene.campaign_folder),
            "ORCHESTRATE_MEASURING": "true",
        }
        complete_env(scene.project, wanted_env(self._docker, list_gpus()))
        files = os.environ.get(_FILES) or read_env(scene.project).get(_FILES) or COMPOSE
        separator = os.environ.get("COMPOSE_PATH_SEPARATOR", os.pathsep)
        return Compose(scene.project, tuple(files.split(separator)), environment)

    @cached_property
    def _config(self) -> dict[str, Any]:
        return self.compose.config()

    def look(self) -> dict[str, Image]:
        """See which image each backend has.

        Raises:
            MachineError: there is no Docker, or no service for a backend.
        """
        services = self._config.get("services", {})
        for backend in self.backends:
            if backend not in services:
                raise MachineError(
                    f"the compose files in {self.scene.project} have no service {backend!r}",
                    hint="`orchestrate init` says how they differ from this version's",
                )
            name = services[backend]["image"]
            found = find_image(name)
            self.images[backend] = Image(
                name, found.id if found else None, found.labels.get(CONTRACT_LABEL) if found else None
            )
        return self.images

    def check(self, gpus: Sequence[Gpu]) -> None:
        """See that images are there and fit, and that containers get these GPUs.

        Raises:
            MachineError: not so.
        """
        for backend, image in self.look().items():
            if image.id is None:
                raise MachineError(
                    f"the image {image.name} is missing",
                    hint=f"build it: docker compose build {backend}; or let --yes do it",
                )
            if image.contract != str(CONTRACT_VERSION):
                raise MachineError(
                    f"the image {image.name} speaks version {image.contract} of the contract,"
                    f" and this orchestrate version {CONTRACT_VERSION}",
                    hint=f"build it anew: docker compose build {backend}",
                )
            runtime = self._config["services"][backend].get("runtime")
            if gpus and runtime != GPU_RUNTIME:
                raise MachineError(
                    f"this machine has a GPU, and the service {backend} would not get it",
                    hint="have COMPOSE_FILE=compose.yaml:compose.gpu.yaml in .env, and NVIDIA's container toolkit"
                    " (`orchestrate doctor`); or hide the GPU with CUDA_VISIBLE_DEVICES=",
                )

    def with_inputs(self, gpus: Sequence[Gpu], changes: Mapping[str, Mapping[str, Any]] | None = None) -> Compose:
        """The compose files for a run on these GPUs, with the campaign's inputs mounted.

        Args:
            gpus: what the containers get; empty: the CPU only.
            changes: what else is changed, by service.
        """
        volumes = [
            {
                "type": "bind",
                "source": str(mount.source),
                "target": mount.target,
                "read_only": True,
                "bind": {"create_host_path": False},
            }
            for mount in dict.fromkeys(self.mounts.values())
        ]
        services = {name: {**(changes or {}).get(name, {}), "volumes": volumes} for name in self.backends}
        # In compose's grammar a dollar begins a variable.
        override = json.loads(json.dumps({"services": services}).replace("$", "$$"))
        return replace(
            self.compose,
            environment={**self.compose.environment, **gpu_variables(gpus)},
            override=override if volumes or changes else None,
        )

    def health(self, gpus: Sequence[Gpu]) -> None:
        """Start each service once, to see that the device answers and results can be written there.

        Raises:
            MachineError: not so; nothing was measured.
        """
        look = ["python", "-m", "runners.health", "--folder", self.scene.in_container(self.scene.attempts)]
        wanted = "cuda" if gpus else "cpu"
        for backend in self.backends:
            try:
                said = self.with_inputs(gpus).call("run", "--rm", "-T", "--no-deps", backend, *look)
            except ComposeError as error:
                reason, hint = _reason(error)
                raise MachineError(f"the container of {backend} is not healthy: {reason}", hint=hint) from None
            device = json.loads(said)["device"]
            if device != wanted:
                raise MachineError(f"the container of {backend} sees {device}, not {wanted}", hint="orchestrate doctor")


def _reason(error: ComposeError) -> tuple[str, str | None]:
    """What was said in the container, and the hint that came with it."""
    lines = [line.strip() for line in error.said.splitlines() if line.strip()]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    reasons = [line for line in lines if not line.startswith("hint: ")]
    return (reasons[-1] if reasons else str(error)), (hints[-1] if hints else error.hint)


def gpu_variables(gpus: Sequence[Gpu]) -> dict[str, str]:
    """What decides in the client's environment which GPUs a container gets."""
    return {"NVIDIA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus) or "void"}
