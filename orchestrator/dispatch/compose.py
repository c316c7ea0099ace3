"""A small driver of ``docker compose``: argument lists built by pure functions, and the client called with them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from orchestrator.errors import InterruptedCampaignError, MachineError
from orchestrator.system.docker import call_docker

_TIMEOUT_S = 120.0
_LOOK_EVERY_S = 0.2
_SILENCE = "it said nothing"
_DOCTOR = "orchestrate doctor"


def run_arguments(
    service: str,
    command: Sequence[str],
    *,
    name: str,
    labels: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
) -> list[str]:
    """``run --rm``: a container of its own for one command, removed by the engine when that ends."""
    arguments = ["run", "--rm", "-T", "--no-deps", "--name", name]
    for key, value in labels.items():
        arguments += ["--label", f"{key}={value}"]
    return [*arguments, *_variables(variables or {}), service, *command]


def exec_arguments(service: str, command: Sequence[str], *, variables: Mapping[str, str]) -> list[str]:
    """``exec``: one command in the container of a service that is up."""
    return ["exec", "-T", *_variables(variables), service, *command]


def _variables(variables: Mapping[str, str]) -> list[str]:
    return [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]


class Words(NamedTuple):
    """What was said last, by the client or in a container."""

    reason: str
    hint: str | None


def words_of(said: str) -> Words:
    """The last line that gives a reason, and the hint that came with it, if one did."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    reasons = [line for line in lines if not line.startswith("hint: ")]
    return Words(reasons[-1] if reasons else _SILENCE, hints[-1] if hints else None)


@dataclass(frozen=True)
class Compose:
    """The compose files of a project, and what is set when they are read.

    Args:
        folder: the project's folder, from which paths in the files count.
        files: the compose files, a later one adding to those before it.
        environment: the whole environment of the client; the files' variables are taken from it.
        override: what is added last, in the grammar of the files; the client reads it from standard input.
        project: name of the compose project; None: the one that the files give themselves.
    """

    folder: Path
    files: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    override: Mapping[str, Any] | None = None
    project: str | None = None

    def arguments(self, command: Sequence[str]) -> list[str]:
        """What the client is called with."""
        files = [part for file in (*self.files, *(["-"] if self.override else [])) for part in ("--file", file)]
        project = ["--project-name", self.project] if self.project else []
        return ["compose", "--project-directory", str(self.folder), *files, *project, *command]

    def call(self, *command: str, environment: Mapping[str, str] | None = None, timeout_s: float = _TIMEOUT_S) -> str:
        """What the client prints.

        Args:
            command: of compose.
            environment: added to that of all calls.
            timeout_s: how long it may take.

        Raises:
            MachineError: it fails, or does not answer in time; the message is what was said last.
        """
        done = call_docker(
            *self.arguments(["--progress", "quiet", *command]),
            folder=self.folder,
            environment={**self.environment, **(environment or {})},
            stdin=self._stdin(),
            timeout_s=timeout_s,
        )
        if done.returncode:
            reason, hint = words_of(done.stderr)
            code = f", exit code {done.returncode}" if reason == _SILENCE else ""
            raise MachineError(f"docker compose {command[0]} failed: {reason}{code}", hint=hint or _DOCTOR)
        return done.stdout

    def config(self) -> dict[str, Any]:
        """The files as compose reads them, all variables filled in, with the services of every profile.

        Raises:
            MachineError: they are not there, or wrong.
        """
        config: dict[str, Any] = json.loads(
            self.call("config", "--format", "json", environment={"COMPOSE_PROFILES": "*"})
        )
        return config

    def build(self, services: Sequence[str], *, quiet: bool, should_stop: Callable[[], bool]) -> None:
        """Build the images of services; their progress goes to standard error.

        Raises:
            MachineError: that fails.
            InterruptedCampaignError: ``should_stop`` said so; the build was ended.
        """
        argv = ["docker", *self.arguments(["build", *(["--quiet"] if quiet else []), *services])]
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=2, env=self.environment, cwd=self.folder, start_new_session=True
        ) as client:
            while client.poll() is None:
                if should_stop():
                    os.killpg(client.pid, signal.SIGKILL)
                    raise InterruptedCampaignError("stopped while images were built; nothing was started")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(_LOOK_EVERY_S)
        if client.returncode:
            raise MachineError(
                f"docker compose build {' '.join(services)} failed with exit code {client.returncode}",
                hint="the lines above say why; a failed download can be tried again",
            )

    def start(
        self, command: Sequence[str], output: BinaryIO, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start the client in a session of its own, so that Ctrl-C in the terminal does not reach it.

        Args:
            command: of :func:`run_arguments` or :func:`exec_arguments`.
            output: where all that it prints goes.
            environment: added to that of all calls.

        Raises:
            MachineError: the system starts no further process.
        """
        try:
            process = subprocess.Popen(
                ["docker", *self.arguments(["--progress", "quiet", *command])],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.environment, **environment},
                cwd=self.folder,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"docker cannot be started: {error.strerror}", hint=_DOCTOR) from None
        if process.stdin:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(self._stdin().encode())
        return process

    def _stdin(self) -> str:
        return json.dumps(self.override) if self.override else ""
