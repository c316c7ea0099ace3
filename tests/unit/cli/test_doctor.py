from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runners.contract.options import OPTIONS
from runners.contract.paths import CONTRACT_VERSION
from tests.builders import call
from tests.unit.system.docker_states import DENIED, info, no_client, stand_in

NAMES = ["orchestrate", "Python", "project", "GPU", "backend pytorch", "backend simulated", "CUDA", "RAPL", "Docker"]


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in OPTIONS.values():
        if options.MODULES:
            monkeypatch.setattr(options, "MODULES", ("an_engine_that_is_not_installed",))


@pytest.fixture
def an_engine(no_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one, and imported in no time."""
    monkeypatch.setattr(OPTIONS["pytorch"], "MODULES", ("click",))


def rows(expected_code: int) -> dict[str, dict[str, str]]:
    done = call("doctor", "--json")
    assert done.returncode == expected_code, done.stdout + done.stderr
    assert done.stderr == ""
    listed = json.loads(done.stdout)
    assert all(row.keys() == {"name", "status", "seen", "advice", "section"} for row in listed)
    assert [row["name"] for row in listed if row["name"] in NAMES] == NAMES
    return {row["name"]: row for row in listed}


@pytest.mark.usefixtures("an_engine")
def test_an_engine_here_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_client(monkeypatch, tmp_path)
    found = rows(0)
    assert found["can run"]["seen"] == "pytorch as a process"
    assert found["Docker"]["status"] == "missing"
    assert found["compose"]["status"] == found["images"]["status"] == "unknown"
    text = call("doctor")
    assert text.returncode == 0
    for name, row in found.items():
        assert name in text.stdout
        assert row["advice"] in text.stdout
        if not name.startswith("disk"):  # others use the disk at the same time
            assert row["seen"] in text.stdout


@pytest.mark.usefixtures("no_engine")
def test_an_image_is_enough_with_a_stand_in_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("compose.yaml").write_text("name: orchestrate\n")
    Path(".env").write_text(f"PUID={os.getuid()}\nPGID={os.getgid()}\n")
    labels = {"orchestrate.contract_version": str(CONTRACT_VERSION)}
    image = json.dumps({"Id": "sha256:0123456789abcdef", "Config": {"Labels": labels}})
    services = '{"services": {"pytorch": {"image": "orchestrate/pytorch:1"}}}'
    answers = {
        "info": (info(), "", 0),
        "compose --project-directory": (services, "", 0),
        "image inspect": (image, "", 0),
    }
    stand_in(monkeypatch, tmp_path, answers)
    found = rows(0)
    assert found["can run"]["seen"] == "pytorch in a container"
    assert found["PUID, PGID"]["status"] == "ok"
    assert found["backend pytorch"]["status"] == "not needed"
    assert found["backend pytorch"]["seen"].endswith("not installed here; it runs in its container")
    assert found["backend vllm"]["status"] == "missing"
    assert found["backend vllm"]["seen"].endswith("; only campaigns over vllm need it")

    Path(".orchestrate.yaml").write_text("dispatch: local\n")
    assert rows(3)["can run"]["seen"] == "no engine can run here (dispatch: local in .orchestrate.yaml)"


@pytest.mark.usefixtures("no_engine")
def test_nothing_can_run_with_a_stand_in_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, tmp_path, {"info": ("{}", DENIED, 1)})
    found = rows(3)
    assert found["can run"]["status"] == "missing"
    assert "usermod -aG docker" in found["Docker"]["advice"]


@pytest.mark.usefixtures("an_engine")
@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        (".orchestrate.yaml", ".orchestrate.yaml", "result_dir: unknown key (did you mean 'results_dir'?)"),
        (".env", ".env", "is a folder"),
        ("results", "disk: results", "results"),
    ],
)
def test_what_is_broken_is_a_row_and_exit_code_3(
    name: str, row: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_client(monkeypatch, tmp_path)
    if name == ".orchestrate.yaml":
        Path(name).write_text("result_dir: x\n")
    elif name == ".env":
        Path(name).mkdir()
    else:
        Path(name).touch()
    found = rows(3)
    assert found[row]["status"] == "broken"
    assert told in found[row]["seen"]
    assert found["can run"]["status"] == "ok"


@pytest.mark.usefixtures("an_engine")
def test_it_only_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_client(monkeypatch, tmp_path)
    rows(0)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bin"]


def test_a_project_that_is_not_there() -> None:
    done = call("doctor", "--project-dir", "nowhere")
    assert done.returncode == 2
    assert "--project-dir: there is no folder" in done.stderr
