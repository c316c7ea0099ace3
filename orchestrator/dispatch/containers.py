"""Containers seen and ended through the ``docker`` client, which addresses the engine that compose does."""

from __future__ import annotations

import subprocess
import time
from datetime import datetime
from typing import NamedTuple

from orchestrator.dispatch.compose import last_words
from orchestrator.errors import MachineError

STOP_GRACE_S = 10
_ANSWER_S = 60.0
_GONE_S = 60.0


class Container(NamedTuple):
    """One container of an attempt, as the engine lists it."""

    id: str
    name: str
    state: str
    """created, running, paused, restarting, removing, exited or dead."""
    attempt: str
    """The attempt folder's name; empty for a container that serves several."""


def list_containers(label: str, value: str, attempt_label: str) -> list[Container]:
    """All containers, in whatever state, that carry a label with this value.

    Raises:
        MachineError: the engine does not answer.
    """
    row = f'{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.State}}}}\t{{{{.Label "{attempt_label}"}}}}'
    listing = docker("ps", "--all", "--no-trunc", "--filter", f"label={label}={value}", "--format", row)
    return [Container(*line.split("\t")) for line in listing.splitlines()]


def state_of(name: str) -> str | None:
    """The state of the container of this name; None if there is none.

    Raises:
        MachineError: the engine does not answer.
    """
    listing = docker("ps", "--all", "--filter", f"name=^/?{name}$", "--format", "{{.State}}")
    return listing.strip() or None


def started_at(name: str) -> datetime | None:
    """When a container was started; None if it is gone."""
    done = _call("inspect", "--format", "{{.State.StartedAt}}", name)
    return (
        datetime.fromisoformat(done.stdout.decode().strip()[:26].rstrip("Z") + "+00:00")
        if not done.returncode
        else None
    )


def ran_out_of_memory(name: str, since_s: float) -> bool:
    """Whether the kernel ended something in a container for want of memory; it may be removed already.

    Args:
        name: of the container.
        since_s: Unix time before which nothing counts.
    """
    span = ("--since", f"{since_s:.0f}", "--until", f"{time.time() + 1:.0f}")
    done = _call("events", *span, "--filter", f"container={name}", "--filter", "event=oom")
    return done.returncode == 0 and bool(done.stdout.strip())


def stop(name: str) -> bool:
    """SIGTERM, and SIGKILL after a grace; whether there was such a container.

    Raises:
        MachineError: the engine does not answer.
    """
    done = _call("stop", "-t", str(STOP_GRACE_S), name)
    if done.returncode and not _is_absent(done.stderr):
        _raise_unless_answering()
    return done.returncode == 0


def remove(name: str) -> None:
    """Kill and remove a container; return once it is gone.

    Raises:
        MachineError: the engine does not answer, or it does not go.
    """
    deadline = time.monotonic() + _GONE_S
    while True:
        done = _call("rm", "--force", "--volumes", name)
        if done.returncode:
            _raise_unless_answering()
        if state_of(name) is None:
            return
        if time.monotonic() > deadline:
            raise MachineError(
                f"the container {name} does not go: {last_words(done.stderr)}",
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
    done = _call(*arguments)
    if done.returncode:
        raise MachineError(f"docker {arguments[0]} failed: {last_words(done.stderr)}", hint=_HINT)
    return done.stdout.decode(errors="replace")


_HINT = "start the Docker engine (`orchestrate doctor` says what it lacks), then `orchestrate resume`"


def _call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise MachineError(f"the Docker engine does not answer for {_ANSWER_S:g} s", hint=_HINT) from None
    except OSError as error:
        raise MachineError(f"docker cannot be started: {error.strerror}", hint=_HINT) from None


def _is_absent(words: bytes) -> bool:
    return b"No such container" in words


def _raise_unless_answering() -> None:
    """A failed call is borne only while the engine can be asked."""
    docker("version", "--format", "{{.Server.Version}}")
