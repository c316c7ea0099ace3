import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runners.contract.result import RunFailure


class Runner:
    """Starts `python -m runners` in an attempt folder, as a dispatcher does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.streams = folder.with_suffix(".streams")
        """What came out of it otherwise than through its files, which is nothing."""
        self.started: list[subprocess.Popen[bytes]] = []

    def write(self, workload: dict[str, Any], options: dict[str, Any], **fields: Any) -> None:
        request = {
            "campaign": "c",
            "experiment_id": "e-1",
            "cycle": 1,
            "cycles": 1,
            "attempt": 1,
            "order_index": 0,
            "experiment": {"model": fields.pop("model", "none"), "workload": workload, "options": options},
            **fields,
        }
        (self.folder / "request.json").write_text(json.dumps(request))

    def start(self, backend: str, **environment: str) -> subprocess.Popen[bytes]:
        with self.streams.open("wb") as streams:
            process = subprocess.Popen(
                [sys.executable, "-m", "runners", backend, "--request", str(self.folder / "request.json")],
                stdout=streams,
                stderr=streams,
                env={**os.environ, **environment},
            )
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kills what is still running, as after a test that failed."""
        for process in self.started:
            process.kill()
            process.wait()

    def run(self, backend: str, **environment: str) -> int:
        return self.start(backend, **environment).wait(90)

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def failure(self) -> RunFailure:
        return RunFailure.model_validate_json((self.folder / "failure.json").read_text())

    def events(self) -> list[dict[str, Any]]:
        file = self.folder / "events.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def log(self) -> str:
        return (self.folder / "runner.log").read_text()


@pytest.fixture
def make_runner(tmp_path: Path) -> Iterator[Callable[[str], Runner]]:
    made: list[Runner] = []

    def make(name: str = "attempt") -> Runner:
        folder = tmp_path / name
        folder.mkdir()
        made.append(Runner(folder))
        return made[-1]

    yield make
    for runner in made:
        runner.end()


@pytest.fixture
def runner(make_runner: Callable[[str], Runner]) -> Runner:
    return make_runner("attempt")
