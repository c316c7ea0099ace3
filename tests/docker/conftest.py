"""Real images on a real engine; where there is none, tests are skipped, and in strict mode that is a failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docker.projects import ContainerProject

REPOSITORY = Path(__file__).parents[2]
IMAGES = ("pytorch", "vllm", "llamacpp", "simulated")
DOCKER_CONFIG = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
# What a user's shell or the dispatcher sets, and the compose files read.
READ_BY_COMPOSE = (
    "COMPOSE_FILE",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "CUDA_VISIBLE_DEVICES",
    "GIT_COMMIT",
    "HF_TOKEN",
    "NVIDIA_VISIBLE_DEVICES",
    "ORCHESTRATE_CAMPAIGNS",
    "ORCHESTRATE_MEASURING",
    "ORCHESTRATE_RESULTS",
    "PGID",
    "PUID",
)
# Root may own folders for anyone; anyone else only for themselves.
USER = (1234, 1234) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


class Clone:
    """A fresh clone's compose files, with nobody's .env, whose containers run as ``USER``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results"
        self.campaigns = folder / "campaigns"
        for made in (self.results, self.campaigns):
            made.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(self.results, *USER)
        for name in ("compose.yaml", "compose.gpu.yaml", ".dockerignore"):
            shutil.copy(REPOSITORY / name, folder)

    def compose(
        self,
        *arguments: str,
        files: Sequence[str] = ("compose.yaml",),
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """``docker compose`` in this folder, as PUID and PGID of ``USER`` unless variables say otherwise."""
        user = dict(zip(("PUID", "PGID"), map(str, USER), strict=True))
        kept = {name: value for name, value in os.environ.items() if name not in READ_BY_COMPOSE}
        return subprocess.run(
            ["docker", "compose", *(part for file in files for part in ("-f", file)), *arguments],
            cwd=self.folder,
            env={**kept, **user, **(variables or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def config(self, *files: str, **variables: str) -> dict[str, Any]:
        """The services as compose reads them, of all profiles."""
        done = self.compose("--profile", "*", "config", "--format", "json", files=files, variables=variables)
        assert done.returncode == 0, done.stderr
        services: dict[str, Any] = json.loads(done.stdout)["services"]
        return services

    def run(self, service: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One command in a container that is removed afterwards; variables are set in that container."""
        passed = (part for name, value in variables.items() for part in ("-e", f"{name}={value}"))
        return self.compose("run", "--rm", "-T", *passed, service, *command)

    @contextmanager
    def running(
        self, service: str, *command: str, override: Mapping[str, Any] | None = None, **variables: str
    ) -> Iterator[str]:
        """The name of a container that runs meanwhile; override is added to its service, variables to the shell."""
        name = f"orchestrate-test-{uuid.uuid4().hex[:12]}"
        (self.folder / "override.json").write_text(json.dumps({"services": {service: override or {}}}))
        arguments = ("run", "-d", "--name", name, service, *command)
        started = self.compose(*arguments, files=("compose.yaml", "override.json"), variables=variables)
        try:
            assert started.returncode == 0, started.stderr
            yield name
        finally:
            docker("rm", "--force", name)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The docker client."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)


def inspected(*arguments: str) -> dict[str, Any]:
    """What the engine knows of an image or a container."""
    done = docker(*arguments)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(autouse=True)
def docker_config(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The docker client keeps its plugins, which may lie below the HOME that a test does not have."""
    monkeypatch.setenv("DOCKER_CONFIG", DOCKER_CONFIG)


@pytest.fixture(scope="session")
def compose_client() -> None:
    """Skips where ``docker compose`` is not installed."""
    if not shutil.which("docker") or docker("compose", "version").returncode:
        pytest.skip("there is no docker compose here")


@pytest.fixture(scope="session")
def image_names(compose_client: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The image of each backend; skips where one is missing."""
    if docker("version").returncode:
        pytest.skip("no Docker engine answers")
    services = Clone(tmp_path_factory.mktemp("names") / "clone").config("compose.yaml")
    names: dict[str, str] = {service: services[service]["image"] for service in IMAGES}
    missing = [name for name in names.values() if docker("image", "inspect", name).returncode]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not built: `make images` does it, which may download several GB")
    return names


@pytest.fixture
def clone(compose_client: None, tmp_path: Path) -> Clone:
    """A fresh clone of its own."""
    return Clone(tmp_path / "clone")


@pytest.fixture
def container_project(
    image_names: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ContainerProject]:
    """A project with compose files in it; no container and no process of it outlives the test."""
    for variable in READ_BY_COMPOSE:
        monkeypatch.delenv(variable, raising=False)
    made = ContainerProject(tmp_path / "project")
    yield made
    made.stop_everything()
