"""The folder that makes a process see simulated GPUs: the library, and what it is to simulate."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import InputError, MachineError
from orchestrator.files import write_durably
from orchestrator.system.simulated_gpu.settings import GPUS_CONF, Simulation, render
from runners.contract.paths import ENV_LIBRARY_PATH, ENV_SIMULATED_GPU

LIBRARY = "libnvidia-ml.so.1"
_SOURCE = Path(__file__).with_name("nvml.c")
_TRY = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).nvmlInit_v2())"
_COMPILERS = ("cc", "gcc", "clang")
_INSTALL_HINT = "install one: apt-get install gcc libc6-dev (Debian, Ubuntu), dnf install gcc (Fedora, RHEL)"


def build(folder: Path, simulation: Simulation, origin_s: float | None = None) -> None:
    """Make the folder, or bring it up to date: the library is compiled only if its source changed.

    Args:
        folder: made if it is not there.
        simulation: the GPUs.
        origin_s: the moment of CLOCK_MONOTONIC at which they begin; None: now.

    Raises:
        MachineError: there is no C compiler, or it fails.
    """
    compile_library(folder)
    write_durably(folder / GPUS_CONF, render(simulation, time.monotonic() if origin_s is None else origin_s))


def build_text(parent: Path, text: str, source: str) -> Path:
    """Make a folder of a ``gpus.conf`` as it stands; the same text has the same folder, and no other text has it.

    Args:
        parent: where that folder is made.
        text: the file.
        source: what the text is called in errors.

    Raises:
        InputError: the text is wrong; the message has source and line.
        MachineError: there is no C compiler, or it fails.
    """
    folder = parent / hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]
    library = compile_library(folder)
    if not (folder / GPUS_CONF).exists():
        write_durably(folder / GPUS_CONF, text)
    done = subprocess.run(
        [sys.executable, "-c", _TRY, str(library)],
        env={**os.environ, **environment(folder, os.environ)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        shutil.rmtree(folder)
        wrong = f"simulated GPU: {folder / GPUS_CONF}"
        reason = done.stderr.strip() or f"exit code {done.returncode}"
        if reason.startswith(wrong):
            raise InputError(source + reason.removeprefix(wrong))
        raise MachineError(f"the simulated GPU cannot be loaded: {reason.splitlines()[-1]}")
    return folder


def simulated_folder(environ: Mapping[str, str]) -> Path:
    """The folder by which this process sees simulated GPUs, whole enough to be given to a container.

    Raises:
        MachineError: it is not.
    """
    folder = Path(environ.get(ENV_SIMULATED_GPU, "")).resolve()
    for name in (LIBRARY, GPUS_CONF):
        if not (folder / name).is_file():
            raise MachineError(
                f"{ENV_SIMULATED_GPU} names {folder}, and there is no {name} in it",
                hint="start with `orchestrate simulate-gpu -- COMMAND`",
            )
    return folder


def compile_library(folder: Path) -> Path:
    """The library, compiled into the folder unless it is there already.

    Raises:
        MachineError: there is no C compiler, or it fails.
    """
    library = folder / LIBRARY
    mark = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()
    if library.is_file() and mark.encode() in library.read_bytes():
        return library
    compiler = find_compiler()
    if compiler is None:
        named = os.environ.get("CC")
        lacking = f"CC names {named!r}, which is none" if named else "there is none here"
        raise MachineError(f"a simulated GPU needs a C compiler, and {lacking}", hint=_INSTALL_HINT)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        draft = Path(aside, LIBRARY)
        options = ["-std=c11", "-O2", "-fPIC", "-shared", f'-DSOURCE_SHA256="{mark}"', "-o", str(draft)]
        done = subprocess.run(
            [compiler, *options, str(_SOURCE), "-lm"], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise MachineError(
                f"{compiler} cannot compile the simulated GPU: {done.stderr.strip() or done.returncode}",
                hint=f"if headers are missing, {_INSTALL_HINT}",
            )
        draft.chmod(0o755)
        draft.replace(library)
    return library


def find_compiler() -> str | None:
    """The C compiler: $CC, or what the system calls it; None where there is none."""
    named = os.environ.get("CC")
    return next(filter(None, map(shutil.which, [named] if named else _COMPILERS)), None)


def environment(folder: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """The two variables by which a process sees the GPUs of a folder.

    Args:
        folder: made by :func:`build`.
        inherited: the environment they are added to.
    """
    others = [path for path in inherited.get(ENV_LIBRARY_PATH, "").split(":") if path and path != str(folder)]
    return {ENV_LIBRARY_PATH: ":".join([str(folder), *others]), ENV_SIMULATED_GPU: str(folder)}
