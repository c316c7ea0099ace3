"""Asking what would carry a run out, in an image or in this environment, before the first run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from orchestrator.dispatch import containers
from orchestrator.errors import MachineError
from orchestrator.system.docker import Ids, call_docker
from runners.contract.description import Description
from runners.contract.paths import ENV_CONTAINER_GPUS, ENV_VISIBLE_GPUS
from runners.contract.request import Gpu

ANSWER_S = 300.0
"""How long it may take: an engine is imported, perhaps from a disk that is cold and slow."""
_SHOWN_CHARACTERS = 200
_CLIENTS_ADVICE = "'docker run --help'"


def ask_image(image: str, backend: str, ids: Ids, gpus: Sequence[Gpu] = ()) -> Description:
    """What an image says of itself, in a container as confined as that of a run, which sees no results and no network.

    Args:
        image: its id.
        backend: which it is to serve.
        ids: whom runs are started as.
        gpus: real ones that it is shown; an engine may need the driver's libraries to be imported.

    Raises:
        MachineError: it does not answer in time, or not in our words.
    """
    short_id = image.removeprefix("sha256:")[:12]
    name = f"orchestrate-describe-{backend}-{short_id}-{os.getpid()}"
    try:
        done = call_docker(*describing_arguments(image, backend, ids, gpus, name), timeout_s=ANSWER_S)
    except BaseException as error:
        with contextlib.suppress(MachineError):  # an engine that does not answer is told of once
            containers.remove(name)
        if not isinstance(error, MachineError):
            raise
        raise MachineError(
            f"the image of {backend} does not say what it is: {error}",
            hint=f"see where it hangs: docker run --rm --entrypoint python {short_id} -m runners {backend} --describe",
        ) from None
    build = f"build it anew: docker compose build {backend}"
    if done.returncode:
        raise MachineError(
            f"the image of {backend} does not say what it is: {_last(done.stderr)} (exit code {done.returncode})",
            hint=build,
        )
    return _understood(done.stdout, f"the image of {backend}", build)


def describing_arguments(image: str, backend: str, ids: Ids, gpus: Sequence[Gpu], name: str) -> list[str]:
    """What the docker client is called with."""
    shown = ",".join(gpu.uuid for gpu in gpus if not gpu.simulated)
    runtime = ["--runtime", "nvidia", "--env", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"] if shown else []
    return [
        *("run", "--rm", "--name", name, "--pull", "never", "--network", "none", "--no-healthcheck"),
        *("--user", str(ids), "--read-only", "--tmpfs", "/tmp:exec,mode=1777"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--env", f"{ENV_CONTAINER_GPUS}={shown or 'void'}", *runtime),
        *("--entrypoint", "python", image, "-m", "runners", backend, "--describe"),
    ]


def ask_here(backend: str, gpus: Sequence[Gpu] = ()) -> Description:
    """What this environment says of itself, asked in a process of its own, as a run would be.

    Args:
        backend: which it is to serve.
        gpus: that it is shown.

    Raises:
        MachineError: it does not answer in time, or not in our words.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "runners", backend, "--describe"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_S,
            env={**os.environ, ENV_VISIBLE_GPUS: ",".join(gpu.uuid for gpu in gpus)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"the engine of {backend} cannot be asked what it takes: importing it takes longer than {ANSWER_S:g} s",
            hint="orchestrate doctor",
        ) from None
    if done.returncode:
        raise MachineError(
            f"the engine of {backend} cannot be asked what it takes: {_last(done.stderr)}", hint="orchestrate doctor"
        )
    return _understood(done.stdout, f"the backend {backend}", "orchestrate doctor")


def _understood(said: str, who: str, hint: str) -> Description:
    try:
        return Description.model_validate_json(said)
    except ValidationError:
        answer = repr(said.strip()[:_SHOWN_CHARACTERS])
        raise MachineError(
            f"{who} answers {answer} when asked what it is: it is of another version", hint=hint
        ) from None


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and _CLIENTS_ADVICE not in line]
    return lines[-1][:_SHOWN_CHARACTERS] if lines else "it says nothing"
