"""``python -m runners.health``: whether the device that this container is to use answers. Loads no engine.

Exit code 0 and a line of JSON on standard output, or 1 and the reason on standard error.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runners import gpus
from runners.errors import MeterError, RunnerError
from runners.writable import require_writable


class Health(NamedTuple):
    """The device that answered."""

    device: str
    """``cpu``, ``cuda``, or ``simulated``: GPUs that only NVML shows."""
    detail: str


def main(arguments: list[str]) -> int:
    """Looks, and tells; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.health", description="Tells whether the device that this container is to use answers."
    )
    parser.add_argument("--folder", type=Path, help="see also that files can be made in this folder")
    folder: Path | None = parser.parse_args(arguments).folder
    try:
        found = health(os.environ)
        if folder:
            require_writable(folder)
    except RunnerError as error:
        sys.stderr.write(f"{error}\nhint: {error.hint}\n")
        return 1
    sys.stdout.write(json.dumps(found._asdict()) + "\n")
    return 0


def health(variables: Mapping[str, str]) -> Health:
    """The device that a container with these variables is to use.

    Raises:
        MeterError: it does not answer.
    """
    if not gpus.asked_for(variables):
        return Health("cpu", f"{len(os.sched_getaffinity(0))} CPUs")
    try:
        import pynvml

        from runners.meters.nvml_info import present
        from runners.meters.nvml_session import call, session
    except ImportError as error:
        raise gpus.without_nvml() from error
    with session():
        driver, found = call(pynvml.nvmlSystemGetDriverVersion), present()
    gpus.require_some(len(found), variables)
    detail = f"{len(found)} {'GPU' if len(found) == 1 else 'GPUs'}, driver {driver}"
    if any(gpu.simulated for gpu in found):
        return Health("simulated", detail)
    _require_cuda()
    return Health("cuda", detail)


def _require_cuda() -> None:
    """Initialises CUDA, as an engine will.

    Raises:
        MeterError: there is no CUDA, or it does not start.
    """
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise MeterError(
            f"CUDA is not here: {error}", "let NVIDIA_DRIVER_CAPABILITIES name compute, as compose.gpu.yaml does"
        ) from error
    code = library.cuInit(0)
    if code:
        name = ctypes.c_char_p()
        library.cuGetErrorName(code, ctypes.byref(name))
        raise MeterError(
            f"CUDA does not start: cuInit gives {code} ({(name.value or b'an unknown error').decode()})",
            "look at nvidia-smi and dmesg; after an update of the driver, start the container anew",
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
