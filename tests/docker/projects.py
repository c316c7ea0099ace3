"""A project whose runs are containers, as `orchestrate init` makes one, and the containers that belong to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.commands import Project

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


class ContainerProject(Project):
    """A project's folder with the compose files in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("compose.yaml", "compose.gpu.yaml"):
            shutil.copy(ROOT / name, self.folder)
        self._before: set[Path] = set()

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        self._before = set(self.results.glob("*/attempts/*"))
        return super().start(*arguments, environment=environment)

    def containers(self, *fields: str) -> list[str]:
        """Names of this project's containers, in whatever state."""
        listing = docker("ps", "--all", "--format", '{{.Names}}\t{{.Label "orchestrate.attempts"}}\t{{.State}}')
        rows = [line.split("\t") for line in listing.splitlines()]
        return [name for name, attempts, state in rows if attempts.startswith(str(self.folder)) and state not in fields]

    def wait_for_container(self, timeout_s: float = 60.0) -> str:
        """The container of a run; one that is asked for its health before any run is none."""

        def found() -> str | None:
            return next((name for name in self.containers("created", "removing") if "-health-" not in name), None)

        return until(found, timeout_s)

    def wait_for_phase(self, campaign: str, phase: str, timeout_s: float = 60.0) -> Path:
        """The folder of the attempt, begun since the last start, whose runner says that it is in a phase."""

        def found() -> Path | None:
            for events in (self.results / campaign / "attempts").glob("*/events.jsonl"):
                if events.parent in self._before:
                    continue
                lines = [json.loads(line) for line in events.read_text().splitlines() if line.endswith("}")]
                if any(line.get("phase") == phase for line in lines):
                    return events.parent
            return None

        return until(found, timeout_s)

    def result_files(self, campaign: str) -> list[Path]:
        return sorted(self.results.glob(f"{campaign}/runs/*/c*/result.json"))

    def stop_everything(self) -> None:
        for name in self.containers():
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        super().stop_everything()


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def inspect(container: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", container))
    return found[0]


def until(look: Callable[[], T | None], timeout_s: float = 60.0) -> T:
    deadline = time.monotonic() + timeout_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found
