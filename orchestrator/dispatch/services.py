"""The compose services of a project that campaigns run in: are they there, do their images fit, do they start."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.dispatch.compose import Compose
from orchestrator.dispatch.describing import ask_image
from orchestrator.dispatch.scene import InputMount, Scene, mount_input
from orchestrator.errors import MachineError
from orchestrator.system.descriptions import Descriptions, misfit
from orchestrator.system.docker import CONTRACT_LABEL, Docker, Image, find_image, require_docker
from orchestrator.system.gpu import list_gpus
from orchestrator.system.ids import ids_for
from orchestrator.system.project import COMPOSE, STATE, git_commit
from orchestrator.system.project_env import complete_env, compose_files, wanted_env
from orchestrator.system.simulated_gpu.build import simulated_folder
from runners.contract.description import Description
from runners.contract.paths import (
    CONTAINER_SIMULATED_GPU,
    CONTRACT_VERSION,
    ENV_LIBRARY_PATH,
    ENV_SIMULATED_GPU,
)
from runners.contract.request import Gpu

GPU_RUNTIME = "nvidia"
_PLAIN_RUNTIME = "runc"
BACKEND_LABEL = "orchestrate.backend"
_CAMPAIGNS = "campaigns"
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


@dataclass
class Services:
    """The services that the backends of one campaign run in."""

    scene: Scene
    backends: Sequence[str]

    @cached_property
    def _docker(self) -> Docker:
        return require_docker()

    @cached_property
    def mounts(self) -> dict[str, InputMount]:
        """How each input of the campaign gets into a container, by its path here."""
        kept = (self.scene.project, Path.home())
        return {str(path): mount_input(path, kept) for path in self.scene.inputs}

    @cached_property
    def images(self) -> dict[str, Image]:
        """The image of each backend as it was when :meth:`check` found it.

        Raises:
            MachineError: one is missing.
        """
        found = {backend: (name, find_image(name)) for backend, name in self._image_names().items()}
        for backend, (name, image) in found.items():
            if image is None:
                raise MachineError(
                    f"the image {name} is missing",
                    hint=f"build it: docker compose build {backend}; or let --yes do it",
                )
        return {backend: image for backend, (_, image) in found.items() if image}

    @cached_property
    def _told(self) -> Descriptions:
        return Descriptions(self.scene.project / STATE)

    def description(self, backend: str, gpus: Sequence[Gpu]) -> Description:
        """What a backend's image says of itself; it is asked, unless it said so before.

        Args:
            backend: one of the campaign's.
            gpus: what its runs get.

        Raises:
            MachineError: it does not say, or is not one that this host can use.
        """
        image, cuda = self.images[backend].id, any(not gpu.simulated for gpu in gpus)
        said = self._told.find(image, cuda=cuda)
        if said is None:
            said = ask_image(image, backend, ids_for(self.scene.results, self._docker), gpus)
            self._told.keep(image, said, cuda=cuda)
        if wrong := misfit(backend, said):
            raise MachineError(f"the image {self._image_names()[backend]} {wrong.reason}", hint=wrong.hint)
        return said

    def known_description(self, backend: str) -> Description | None:
        """What a backend's image said of itself; None where it was not asked yet, or is not built.

        Raises:
            MachineError: there is no Docker, or no service for the backend.
        """
        image = find_image(self._image_names()[backend])
        return self._told.find(image.id) if image else None

    def missing(self) -> list[str]:
        """The backends whose image is not built; changes nothing.

        Raises:
            MachineError: there is no Docker, or no service for a backend.
        """
        return [backend for backend, name in self._image_names().items() if find_image(name) is None]

    def build(self, *, quiet: bool, should_stop: Callable[[], bool]) -> None:
        """Build what is missing.

        Raises:
            MachineError: that fails.
            InterruptedCampaignError: ``should_stop`` said so.
        """
        compose = self._compose()
        commit = {"GIT_COMMIT": git_commit(self.scene.project)}
        compose = replace(compose, environment={**commit, **compose.environment})
        compose.build(self.missing(), quiet=quiet, should_stop=should_stop)

    def check(self, gpus: Sequence[Gpu]) -> None:
        """Complete the project's ``.env``, then see that images are there and fit, and that containers get these GPUs.

        The labels of an image are looked at first, since that is quick; then it is asked what it really is.

        Raises:
            MachineError: not so.
        """
        complete_env(self.scene.project, wanted_env(self._docker, list_gpus(), self.scene.results))
        (self.scene.project / _CAMPAIGNS).mkdir(exist_ok=True)
        services = self._services()
        for backend, image in self.images.items():
            if image.labels.get(BACKEND_LABEL) != backend:
                raise MachineError(
                    f"the image {services[backend]['image']} is not one of ours for {backend}: it lacks the label"
                    f" {BACKEND_LABEL}={backend}",
                    hint="see which image the compose files name for this service",
                )
            contract = image.labels.get(CONTRACT_LABEL)
            if contract != str(CONTRACT_VERSION):
                raise MachineError(
                    f"the image {services[backend]['image']} speaks version {contract} of the contract,"
                    f" and this orchestrate version {CONTRACT_VERSION}",
                    hint=f"build it anew: docker compose build {backend}",
                )
            if gpus and not _simulated(gpus) and services[backend].get("runtime") != GPU_RUNTIME:
                raise MachineError(
                    f"this machine has a GPU, and the service {backend} would not get it",
                    hint="have COMPOSE_FILE=compose.yaml:compose.gpu.yaml in .env, and NVIDIA's container toolkit"
                    " (`orchestrate doctor`); or hide the GPU with CUDA_VISIBLE_DEVICES=",
                )
        for backend in self.images:
            self.description(backend, gpus)

    def for_run(self, gpus: Sequence[Gpu], changes: Mapping[str, Mapping[str, Any]] | None = None) -> Compose:
        """The compose files for a run on these GPUs: the campaign's inputs mounted, the images as they were checked.

        Args:
            gpus: what the containers get; empty: the CPU only.
            changes: what else is changed, by service.
        """
        same: dict[str, Any] = {
            "pull_policy": "never",
            "volumes": [_read_only(mount.source, mount.target) for mount in dict.fromkeys(self.mounts.values())],
        }
        if _HOST_NAME.fullmatch(platform.node()):
            same["hostname"] = platform.node()
        if _simulated(gpus):
            same["volumes"].append(_read_only(simulated_folder(os.environ), CONTAINER_SIMULATED_GPU))
            same["environment"] = {
                **gpu_variables(gpus),
                ENV_LIBRARY_PATH: CONTAINER_SIMULATED_GPU,
                ENV_SIMULATED_GPU: CONTAINER_SIMULATED_GPU,
            }
            # NVIDIA's would look for such GPUs among the real ones.
            same["runtime"] = _PLAIN_RUNTIME
        services = {
            backend: {**same, "image": self.images[backend].id, **(changes or {}).get(backend, {})}
            for backend in self.backends
        }
        compose = self._compose()
        return replace(
            compose,
            environment={**compose.environment, **gpu_variables(gpus)},
            # In compose's grammar a dollar begins a variable.
            override=json.loads(json.dumps({"services": services}).replace("$", "$$")),
        )

    def _compose(self) -> Compose:
        scene = self.scene
        ids = ids_for(scene.results, self._docker)
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
            "ORCHESTRATE_MEASURING": "true",
        }
        return Compose(scene.project, compose_files(scene.project, os.environ), environment)

    def _services(self) -> dict[str, Any]:
        services: dict[str, Any] = self._compose().config().get("services") or {}
        return services

    def _image_names(self) -> dict[str, str]:
        services = self._services()
        for backend in self.backends:
            if "image" not in services.get(backend, {}):
                lacking = "image of the service" if backend in services else "service"
                raise MachineError(
                    f"the compose files in {self.scene.project} name no {lacking} {backend!r}",
                    hint="`orchestrate init` says how they differ from this version's",
                )
        return {backend: services[backend]["image"] for backend in self.backends}


def gpu_variables(gpus: Sequence[Gpu]) -> dict[str, str]:
    """What decides in the client's environment which GPUs a container gets."""
    return {"NVIDIA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus) or "void"}


def _simulated(gpus: Sequence[Gpu]) -> bool:
    return any(gpu.simulated for gpu in gpus)


def _read_only(source: Path, target: str) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": str(source),
        "target": target,
        "read_only": True,
        "bind": {"create_host_path": False},
    }
