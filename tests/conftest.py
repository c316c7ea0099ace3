"""Every test alone: its own folder, its own home, no token."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from orchestrator.system.simulated_gpu.build import build, compile_library, environment, find_compiler
from orchestrator.system.simulated_gpu.settings import Simulation
from tests.e2e.commands import Project
from tests.strict import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]

settings.register_profile("quick", deadline=None, max_examples=50, database=None)
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's reaches a test; engine tests keep the cache that holds the demo model."""
    named = ("ORCHESTRATE_HOME", "ORCHESTRATE_ATTEMPT", "ORCHESTRATE_WEBHOOK_URL", "ORCHESTRATE_WEBHOOK_SECRET")
    for variable in (*named, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    if request.node.get_closest_marker("engine") is None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project's folder with the installed command line in it; nothing of it outlives the test."""
    made = Project(tmp_path / "project")
    yield made
    made.stop_everything()


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library in NVML's place, compiled once; skips where there is no C compiler."""
    if find_compiler() is None:
        pytest.skip("there is no C compiler here")
    return compile_library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def simulate(nvml_library: Path, tmp_path: Path) -> Callable[[Simulation, float], dict[str, str]]:
    """Makes simulated GPUs that begin at an origin; the whole environment of a process that is to see them."""

    def made(simulation: Simulation, origin_s: float) -> dict[str, str]:
        folder = tmp_path / "simulated-gpu"
        folder.mkdir(exist_ok=True)
        shutil.copy2(nvml_library, folder)
        build(folder, simulation, origin_s)
        return {**os.environ, **environment(folder, os.environ)}

    return made
