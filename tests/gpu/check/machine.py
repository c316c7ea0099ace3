"""Which GPU is checked, and on what machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import NamedTuple

from runners.contract.request import Gpu
from runners.contract.result import Environment
from runners.errors import MeterError
from runners.harness.environment import snapshot
from runners.meters.nvml_info import present
from tests.gpu.check.children import REPOSITORY, PartError
from tests.gpu.check.report import Table, shown

__all__ = ["Machine", "MeterError", "PartError", "described", "find", "slug_of"]


class Machine(NamedTuple):
    """What is checked."""

    gpu: Gpu
    environment: Environment

    @property
    def device(self) -> str:
        """Where loads and models run: a simulated GPU computes nothing."""
        return "cpu" if self.gpu.simulated else "cuda"

    @property
    def limit_w(self) -> float | None:
        """The power limit that is in force."""
        limit: float | None = self.environment.gpus[0]["enforced_power_limit_w"]
        return limit

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs so that it sees this GPU and no other."""
        shown = {"CUDA_VISIBLE_DEVICES": self.gpu.uuid, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        # A model that is small enough for a CPU is slower on several cores than on one.
        return {**shown, "OMP_NUM_THREADS": "1"} if self.gpu.simulated else shown


def find(index: int, variables: Mapping[str, str]) -> Machine:
    """The GPU with an index.

    Raises:
        PartError: there is none.
        MeterError: NVML does not answer.
    """
    gpus = present()
    found = next((gpu for gpu in gpus if gpu.index == index), None)
    if found is None:
        raise PartError(f"there is no GPU {index} here: {len(gpus)} are visible; nvidia-smi -L lists them")
    return Machine(found, snapshot([found], variables))


def slug_of(gpu: Gpu) -> str:
    """The name of a GPU as a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", gpu.name.lower()).strip("-")


def described(machine: Machine, command: str, took_s: float, torch_cuda: str | None) -> Table:
    """What stands at the head of the page."""
    environment, gpu = machine.environment, machine.environment.gpus[0]
    libraries = environment.libraries
    rows = [
        ("GPU", machine.gpu.name),
        ("memory", shown(gpu["memory_bytes"], 2**-30, " GiB")),
        ("power limit, in force", shown(machine.limit_w, 1, " W")),
        ("driver", environment.driver or "–"),
        ("CUDA of the driver", environment.cuda or "–"),
        ("CUDA of torch", torch_cuda or "–"),
        *(
            (name, libraries.get(name, "–"))
            for name in ("torch", "transformers", "nvidia-ml-py", "pydantic", "pyarrow")
        ),
        ("Python", environment.python),
        ("system", f"{environment.os}, {environment.cpu_count} cores of {environment.cpu}"),
        ("commit", _commit(environment)),
        ("date", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("command", f"`{command}`"),
        ("took", f"{took_s:.0f} s"),
    ]
    return Table(("", "value"), rows)


def _commit(environment: Environment) -> str:
    if environment.git_commit is None:
        return "not known: no git here"
    command = ["git", "-C", str(REPOSITORY), "diff", "--quiet", "HEAD"]
    try:
        changed = subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 1
    except (OSError, subprocess.TimeoutExpired):
        changed = False
    return environment.git_commit + (", with changes" if changed else "")
