"""A small driver of ``docker compose``: argument lists built by pure functions, and the client called with them."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from orchestrator.errors import MachineError

_TIMEOUT_S = 120.0


def run_arguments(
    service: str, command: Sequence[str], *, name: str, labels: Mapping[str, str], variables: Mapping[str, str]
) -> list[str]:
    """``run --rm``: a container of its own for one command, removed by the engine when that ends."""
    arguments = ["run", "--rm", "-T", "--no-deps", "--name", name]
    for key, value in labels.items():
        arguments += ["--label", f"{key}={value}"]
    return [*arguments, *_variables(variables), service, *command]


def exec_arguments(service: str, command: Sequence[str], *, variables: Mapping[str, str]) -> list[str]:
    """``exec``: one command in the container of a service that is up."""
    return ["exec", "-T", *_variables(variables), service, *command]


def _variables(variables: Mapping[str, str]) -> list[str]:
    return [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]


class ComposeError(MachineError):
    """The client failed.

    Args:
        message: which call, and the last that the client said.
        hint: what to do next.
        said: all that it said on standard error.
    """

    def __init__(self, message: str, *, hint: str, said: str) -> None:
        super().__init__(message, hint=hint)
        self.said = said


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

    def argv(self, arguments: Sequence[str]) -> list[str]:
        """The command line of the client."""
        files = [part for file in (*self.files, *(["-"] if self.override else [])) for part in ("--file", file)]
        project = ["--project-name", self.project] if self.project else []
        return ["docker", "compose", "--project-directory", str(self.folder), *files, *project, *arguments]

    def _stdin(self) -> bytes:
        return json.dumps(self.override).encode() if self.override else b""

    def call(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> str:
        """What the client prints.

        Raises:
            ComposeError: it fails.
            MachineError: it cannot be started, or does not answer in time.
        """
        try:
            done = subprocess.run(
                self.argv(["--progress", "quiet", *arguments]),
                input=self._stdin(),
                capture_output=True,
                timeout=timeout_s,
                env=self.environment,
                cwd=self.folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MachineError(
                f"docker compose {arguments[0]} does not answer for {timeout_s:g} s", hint="orchestrate doctor"
            ) from None
        except OSError as error:
            raise MachineError(f"docker cannot be started: {error.strerror}", hint="orchestrate doctor") from None
        if done.returncode:
            raise ComposeError(
                f"docker compose {arguments[0]} failed: {last_words(done.stderr)}",
                hint="orchestrate doctor",
                said=done.stderr.decode(errors="replace"),
            )
        return done.stdout.decode(errors="replace")

    def config(self) -> dict[str, Any]:
        """The files as compose reads them, all variables filled in.

        Raises:
            MachineError: they are not there, or wrong.
        """
        config: dict[str, Any] = json.loads(self.call("config", "--format", "json"))
        return config

    def build(self, services: Sequence[str], *, quiet: bool) -> None:
        """Build the images of services; their progress goes to standard error.

        Raises:
            MachineError: that fails.
        """
        argv = self.argv(["build", *(["--quiet"] if quiet else []), *services])
        code = subprocess.run(
            argv, input=self._stdin(), stdout=2, env=self.environment, cwd=self.folder, check=False
        ).returncode
        if code:
            raise MachineError(
                f"docker compose build {' '.join(services)} failed with exit code {code}",
                hint="the lines above say why; a failed download can be tried again",
            )

    def start(
        self, arguments: Sequence[str], output: BinaryIO, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start the client in a session of its own, so that Ctrl-C in the terminal does not reach it.

        Args:
            arguments: of :func:`run_arguments` or :func:`exec_arguments`.
            output: where all that it prints goes.
            environment: added to that of all calls.

        Raises:
            MachineError: the system starts no further process.
        """
        try:
            process = subprocess.Popen(
                self.argv(["--progress", "quiet", *arguments]),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.environment, **environment},
                cwd=self.folder,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"docker cannot be started: {error.strerror}", hint="orchestrate doctor") from None
        if process.stdin:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(self._stdin())
        return process


def last_words(output: bytes) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "it said nothing")
