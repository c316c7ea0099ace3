"""The machine itself: Python, GPUs, energy counters, disks."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from orchestrator.system.config import CONFIG_FILE
from orchestrator.system.docker import Docker, NoDocker
from orchestrator.system.doctor.engines import Engine
from orchestrator.system.doctor.finding import Finding, Status
from orchestrator.system.gpu import Driver, allocated_gpus, find_driver, list_gpus
from orchestrator.system.gpu_state import GpuState, process_name
from orchestrator.system.powercap import POWERCAP, counters, unreadable
from orchestrator.system.project import Project
from orchestrator.system.vacancy import Names, describe, displays, obstacle
from runners.contract.allocation import visible_gpus
from runners.contract.options import OPTIONS
from runners.contract.paths import ENV_VISIBLE_GPUS
from runners.contract.request import Gpu

_RESULTS_NEEDED_BYTES = 64 * 2**20
_RESULTS_SCARCE_BYTES = 2**30
_IMAGES_SCARCE_BYTES = 20 * 2**30
_GIB = 2**30


class Gpus(NamedTuple):
    """The machine's GPUs, those of them that are ours, and their driver."""

    present: list[Gpu]
    allocated: list[Gpu]
    driver: Driver | None

    @property
    def simulated(self) -> bool:
        """Whether what we have are none, but power curves in NVML's place."""
        return any(gpu.simulated for gpu in self.allocated)


def find_gpus() -> Gpus:
    """Ask NVML.

    Raises:
        MachineError: there is a driver and it does not answer, or ours is only a slice of a GPU.
    """
    present = list_gpus()
    return Gpus(present, allocated_gpus(present, visible_gpus(os.environ, len(present))), find_driver())


def versions() -> Iterator[Finding]:
    """Of orchestrate, and of the Python that runs it."""
    yield Finding("orchestrate", Status.OK, version("llm-orchestrate"))
    yield Finding("Python", Status.OK, f"{platform.python_version()} ({sys.executable})")


def project_folder(project: Project) -> Iterator[Finding]:
    """Where results and manifests are, or will be."""
    config = f" with {CONFIG_FILE}" if (project.folder / CONFIG_FILE).exists() else ""
    yield Finding("project", Status.OK, f"{project.folder}{config}")


def gpus(found: Gpus) -> Iterator[Finding]:
    """The GPUs that runs can be given."""
    if not found.present:
        yield Finding("GPU", Status.NOT_NEEDED, "none: runs use the CPU")
        return
    seen = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in found.present)
    if found.simulated:
        seen += "; simulated, none is measured"
    if found.driver:
        seen += f"; driver {found.driver.version}"
    if found.allocated == found.present:
        yield Finding("GPU", Status.OK, seen)
        return
    visible = visible_gpus(os.environ, len(found.present))
    ours = ", ".join(str(gpu.index) for gpu in found.allocated) or "none"
    seen += f"; {ENV_VISIBLE_GPUS}={visible} leaves {ours}"
    if found.allocated:
        yield Finding("GPU", Status.OK, seen)
    else:
        yield Finding("GPU", Status.WARNING, f"{seen}: runs use the CPU", f"unset {ENV_VISIBLE_GPUS} to use a GPU")


def gpu_vacancy(states: Iterable[GpuState], name_of: Names = process_name) -> Iterator[Finding]:
    """Whether each GPU can be measured on now: its memory, who is on it, how it is set, what is broken.

    Args:
        states: of the GPUs that are ours.
        name_of: tells what a process is called.
    """
    for state in states:
        name, hindrance = f"GPU {state.gpu.index}", obstacle(state, name_of)
        broken = state.lost or state.remap_failed or state.remap_pending
        if hindrance and broken:
            yield Finding(name, Status.BROKEN, hindrance.what, hindrance.hint)
        elif hindrance:
            yield Finding(name, Status.WARNING, f"{hindrance.what}; {_setting(state)}", hindrance.hint)
        elif state.mig:
            advice = "`sudo nvidia-smi --multi-instance-gpu=0`: a slice's share of the energy cannot be told apart"
            yield Finding(name, Status.WARNING, _setting(state), advice)
        elif state.ecc_uncorrected:
            advice = "reset the GPU; if they come back, have it replaced"
            yield Finding(name, Status.WARNING, _setting(state), advice)
        elif desktop := displays(state.tenants or ()):
            who = ", ".join(describe(tenant, name_of(tenant.pid)) for tenant in desktop)
            seen = f"a desktop draws power on it: {who}; {_setting(state)}"
            yield Finding(name, Status.WARNING, seen, "measure without a desktop, or on another GPU")
        else:
            yield Finding(name, Status.OK, _setting(state))


def _setting(state: GpuState) -> str:
    """How a GPU is set, as far as it tells."""
    used, total = state.memory_used_bytes, state.memory_total_bytes
    parts = [
        None if used is None or total is None else f"{(total - used) / _GIB:.1f} of {total / _GIB:.1f} GiB free",
        "who is on it is not told" if state.tenants is None else None,
        None if state.power_limit_w is None else f"limit {state.power_limit_w:.0f} W",
        None if state.persistence is None else f"persistence {'on' if state.persistence else 'off'}",
        None if state.mig is None else f"MIG {'on' if state.mig else 'off'}",
        f"{state.ecc_uncorrected} uncorrected ECC errors" if state.ecc_uncorrected else None,
    ]
    return ", ".join(part for part in parts if part) or "it tells nothing of itself"


def cuda(found: Gpus | None, engines: Mapping[str, Engine]) -> Iterator[Finding]:
    """Whether the engines that are installed here can use the GPUs."""
    if found is None:
        yield Finding("CUDA", Status.UNKNOWN, "the GPUs cannot be looked at")
        return
    if not found.allocated or found.driver is None:
        yield Finding("CUDA", Status.NOT_NEEDED, "there is no GPU to use")
        return
    if found.simulated:
        yield Finding("CUDA", Status.NOT_NEEDED, "a simulated GPU has none: engines compute on the CPU")
        return
    driver = f"the driver knows CUDA {found.driver.cuda}"
    using = {
        backend: engine
        for backend, engine in engines.items()
        if engine.versions and OPTIONS[backend].model_construct().may_use_gpu
    }
    if not using:
        yield Finding("CUDA", Status.OK, driver)
    for backend, engine in using.items():
        name = cuda_of(backend)
        if engine.cuda is None:
            seen = f"{driver}; the engine of {backend} is built without CUDA"
            yield Finding(name, Status.MISSING, seen, "install a CUDA build of PyTorch")
        elif not engine.sees_gpu:
            seen = f"{driver}; the engine of {backend}, built for {engine.cuda}, finds no GPU"
            yield Finding(name, Status.MISSING, seen, "update the driver, or install a PyTorch for an older CUDA")
        else:
            yield Finding(name, Status.OK, f"{driver}; the engine of {backend} is built for {engine.cuda}")


def cuda_of(backend: str) -> str:
    """What the finding is called that says whether one backend's engine can use the GPUs."""
    return f"CUDA for {backend}"


def rapl(found: Gpus | None, powercap: Path = POWERCAP) -> Iterator[Finding]:
    """Whether the CPU's energy counters can be read."""
    instead = "CPU energy is left out" if found and found.allocated else "energy is estimated"
    found_counters = counters(powercap)
    if not found_counters:
        seen = f"this machine shows no energy counters, as is usual for a virtual one: {instead}"
        yield Finding("RAPL", Status.WARNING, seen, f"for better estimates, set cpu_tdp_w in {CONFIG_FILE}")
        return
    error = unreadable(powercap)
    if error:
        seen = f"{error.filename} cannot be read ({error.strerror}): {instead}"
        advice = f"until the next boot: `sudo chmod a+r {powercap}/intel-rapl:*/energy_uj`"
        yield Finding("RAPL", Status.WARNING, seen, advice)
        return
    yield Finding("RAPL", Status.OK, f"{len(found_counters)} energy counters can be read")


def disks(project: Project, docker: Docker | NoDocker | None) -> Iterator[Finding]:
    """Room for results, and for images where Docker's folder can be seen."""
    folder = _nearest(project.results)
    free = shutil.disk_usage(folder).free
    seen = f"{_room(free)} in {project.results}"
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("disk: results", Status.BROKEN, f"{folder} cannot be written", "check its permissions")
    elif free < _RESULTS_NEEDED_BYTES:
        yield Finding("disk: results", Status.BROKEN, seen, "make room")
    else:
        scarce = free < _RESULTS_SCARCE_BYTES
        yield Finding("disk: results", Status.WARNING if scarce else Status.OK, seen, "make room" if scarce else "")
    if isinstance(docker, Docker):
        yield _images_disk(docker.data_root)


def _images_disk(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # the engine is elsewhere, or remaps users and closes its folder
        return Finding("disk: images", Status.UNKNOWN, f"{folder}, where Docker keeps images, cannot be seen from here")
    scarce = free < _IMAGES_SCARCE_BYTES
    advice = "an image with CUDA takes up to 20 GiB; `docker image prune` removes unused ones" if scarce else ""
    return Finding("disk: images", Status.WARNING if scarce else Status.OK, f"{_room(free)} in {folder}", advice)


def _nearest(folder: Path) -> Path:
    """A folder, or the nearest above it that can be seen."""
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110 - never raises


def _room(free_bytes: int) -> str:
    return f"{free_bytes / _GIB:.1f} GiB free"
