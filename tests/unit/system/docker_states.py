"""Docker as tests have it: the real engine, or a stand-in client for the states that cannot be had here."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

DENIED = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied'
)
STOPPED = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"

Answer = tuple[str, str, int]
"""Standard output, standard error, exit code."""

_CLIENT = """\
#!{python} -SE
import sys
answers = {answers!r}
said = " ".join(sys.argv[1:])
out, err, code = next((answers[begin] for begin in answers if said.startswith(begin)), ("", "unknown command", 125))
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


def info(**changes: Any) -> str:
    """What `docker info` prints of an engine, as far as anybody reads it."""
    engine = {
        "ServerVersion": "28.2.2",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "Runtimes": {"io.containerd.runc.v2": {}, "runc": {}},
        "DockerRootDir": "/var/lib/docker",
    }
    return json.dumps({**engine, **changes})


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, answers: Mapping[str, Answer]) -> None:
    """Put a client on the PATH that answers as it is told, by how its arguments begin."""
    script = _CLIENT.format(python=sys.executable, answers={"compose version": ("5.6.1\n", "", 0), **answers})
    put_client(monkeypatch, folder, script)


def put_client(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Make this the only client there is."""
    no_client(monkeypatch, folder)
    client = folder / "bin" / "docker"
    client.write_text(script)
    client.chmod(0o755)


def no_client(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A PATH on which there is no client."""
    (folder / "bin").mkdir()
    monkeypatch.setenv("PATH", str(folder / "bin"))


def use_real_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client with its own settings and plugins, which tests otherwise hide with the user's home."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker client here")
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    monkeypatch.setenv("DOCKER_CONFIG", os.environ.get("DOCKER_CONFIG", str(home / ".docker")))


def use_real_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client, and an engine and compose that answer."""
    use_real_client(monkeypatch)
    for command in (["docker", "version"], ["docker", "compose", "version"]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"`{' '.join(command)}` does not answer here")


def make_image(name: str, *labels: str) -> str:
    """An empty image, for its name and labels; its id."""
    changes = [part for label in labels for part in ("--change", f"LABEL {label}")]
    empty = bytes(10240)  # an archive of nothing
    command = ["docker", "import", *changes, "-", name]
    return subprocess.run(command, input=empty, capture_output=True, check=True).stdout.decode().strip()


def remove_image(name: str) -> None:
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)
