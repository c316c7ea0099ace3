"""Containers seen and ended through the ``docker`` client, which addresses the engine that compose does."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import MachineError
from orchestrator.system.docker import call_docker, docker_error

AT_WORK = ("running", "paused", "restarting")
STOP_GRACE_S = 10
_STOP_TIMEOUT_S = 60.0
_GONE_S = 60.0


class Container(NamedTuple):
    """One container, as the engine lists it."""

    name: str
    state: str
    """created, running, paused, restarting, removing, exited or dead."""
    labels: Mapping[str, str]


def list_containers(label: str, *labels: str) -> list[Container]:
    """All containers, in whatever state, that carry a label.

    Args:
        label: ``key``, or ``key=value``.
        labels: the labels to read.

    Raises:
        MachineError: the engine does not answer.
    """
    fields = ["{{json .Names}}", "{{json .State}}", *(f'{{{{json (.Label "{name}")}}}}' for name in labels)]
    listing = docker("ps", "--all", "--filter", f"label={label}", "--format", f"[{','.join(fields)}]")
    rows = [json.loads(line) for line in listing.splitlines()]
    return [Container(name, state, dict(zip(labels, values, strict=True))) for name, state, *values in rows]


def state_of(name: str) -> str | None:
    """The state of the container of this name; None if there is none.

    Raises:
        MachineError: the engine does not answer.
    """
    listing = docker("ps", "--all", "--filter", f"name=^/?{name}$", "--format", "{{.State}}")
    return listing.strip() or None


def started_at(name: str) -> datetime | None:
    """When a container was started; None if it is gone."""
    done = call_docker("inspect", "--format", "{{.State.StartedAt}}", name)
    if done.returncode:
        return None
    return datetime.fromisoformat(done.stdout.strip()[:26].rstrip("Z") + "+00:00")


def id_of(name: str) -> str | None:
    """The engine's id of a container; None if it is gone.

    Raises:
        MachineError: the engine does not answer.
    """
    done = call_docker("inspect", "--format", "{{.Id}}", name)
    if done.returncode:
        _require_engine()
        return None
    return done.stdout.strip()


def commands_in(name: str) -> frozenset[str]:
    """The names of the programs that run in a container; ``unknown`` where the engine does not tell."""
    done = call_docker("top", name, "-eo", "pid,comm")
    if done.returncode:
        return frozenset({"unknown"})
    return frozenset(line.split(None, 1)[1].strip() for line in done.stdout.splitlines()[1:] if len(line.split()) > 1)


def within(container_id: str, pids: Collection[int], proc: Path = Path("/proc")) -> set[int]:
    """Which processes of this machine are in a container: the kernel names it in their control group.

    The engine is not asked, so this is cheap, and counts what was executed in a container like what it began with.
    """
    return {pid for pid in pids if container_id in _control_group(proc / str(pid) / "cgroup")}


def _control_group(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def ran_out_of_memory(name: str, since_s: float) -> bool:
    """Whether the kernel ended something in a container for want of memory; it may be removed already.

    Args:
        name: of the container.
        since_s: Unix time before which nothing counts.
    """
    span = ("--since", f"{since_s:.0f}", "--until", f"{time.time() + 1:.0f}")
    done = call_docker("events", *span, "--filter", f"container={name}", "--filter", "event=oom")
    return done.returncode == 0 and bool(done.stdout.strip())


def stop(name: str) -> bool:
    """SIGTERM, and SIGKILL after a grace; whether there was such a container.

    Raises:
        MachineError: the engine does not answer.
    """
    done = call_docker("stop", "-t", str(STOP_GRACE_S), name, timeout_s=_STOP_TIMEOUT_S)
    if done.returncode and "No such container" not in done.stderr:
        _require_engine()
    return done.returncode == 0


def remove(name: str) -> None:
    """Kill and remove a container; return once it is gone.

    Raises:
        MachineError: the engine does not answer, or it does not go.
    """
    deadline = time.monotonic() + _GONE_S
    while True:
        done = call_docker("rm", "--force", "--volumes", name, timeout_s=_GONE_S)
        if done.returncode:
            _require_engine()
        if state_of(name) is None:
            return
        if time.monotonic() > deadline:
            raise MachineError(
                f"the container {name} does not go: {done.stderr.strip()}",
                hint="it is probably stuck in a driver; check `dmesg`, then resume",
            )
        time.sleep(0.2)


def wait_process(name: str) -> subprocess.Popen[bytes]:
    """A client that ends when the container does, and prints its exit code."""
    return subprocess.Popen(
        ["docker", "wait", name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def docker(*arguments: str) -> str:
    """What the client prints.

    Raises:
        MachineError: it fails, as it does where no engine answers.
    """
    done = call_docker(*arguments)
    if done.returncode:
        raise docker_error(done.stderr)
    return done.stdout


def _require_engine() -> None:
    """A failed call is borne only while the engine can be asked."""
    docker("version", "--format", "{{.Server.Version}}")
