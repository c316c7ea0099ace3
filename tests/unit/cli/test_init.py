from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders import Ended, call
from tests.unit.system.docker_states import info, no_client, stand_in


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in client of an engine without GPUs."""
    stand_in(monkeypatch, tmp_path, {"info": (info(), "", 0)})


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(*arguments: str) -> Ended:
    done = call("init", *arguments)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.usefixtures("engine")
def test_a_folder_becomes_a_project_once() -> None:
    done = call("init", "deep/project")
    assert done.returncode == 0, done.stderr
    folder = Path("deep/project")
    made = content(folder)
    assert made.keys() >= {"compose.yaml", "compose.gpu.yaml", ".dockerignore", "campaigns/quickstart.yaml", ".env"}
    assert "images/runners/contract/paths.py" in made
    assert (folder / "results").is_dir()
    assert f"PUID={os.getuid()}\nPGID={os.getgid()}\nCOMPOSE_FILE=compose.yaml\n" in made[".env"].decode()
    for said in ("wrote compose.yaml\n", "wrote images/runners/ (", "added to .env: PUID, PGID, COMPOSE_FILE\n"):
        assert said in done.stdout
    assert f"  cd {folder.resolve()}\n  docker compose build pytorch" in done.stdout
    assert "orchestrate campaign campaigns/quickstart.yaml" in done.stdout

    again = call("init", "deep/project")
    assert again.returncode == 0
    assert again.stdout.startswith("nothing to write\n")
    assert content(folder) == made


@pytest.mark.usefixtures("engine")
def test_the_first_campaign_is_a_right_one() -> None:
    assert call("init").returncode == 0
    done = call("campaign", "campaigns/quickstart.yaml", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("engine")
def test_what_differs_is_named_and_left_until_force() -> None:
    Path("campaigns").mkdir()
    Path("campaigns/quickstart.yaml").write_text("mine\n")
    Path(".env").write_text("PUID=7\n")
    done = refused()
    assert "campaigns/quickstart.yaml differs from what orchestrate brings; it was left as it is" in done.stderr
    assert "hint: `orchestrate init --force` replaces them, and keeps the old ones as NAME.orig" in done.stderr
    assert Path("campaigns/quickstart.yaml").read_text() == "mine\n"
    assert Path("compose.yaml").is_file()
    assert Path(".env").read_text().startswith("PUID=7\n# added by orchestrate\nPGID=")

    forced = call("init", "--force")
    assert forced.returncode == 0, forced.stderr
    assert "kept campaigns/quickstart.yaml.orig\n" in forced.stdout
    assert Path("campaigns/quickstart.yaml.orig").read_text() == "mine\n"
    assert Path(".env").read_text().startswith("PUID=7\n")
    assert call("init").stdout.startswith("nothing to write\n")


def test_without_an_engine_env_waits_since_nobody_knows_whose_ids_are_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_client(monkeypatch, tmp_path)
    done = call("init")
    assert done.returncode == 0, done.stderr
    assert "there is no docker client here, so .env was not written" in done.stdout
    assert Path("compose.yaml").is_file()
    assert not Path(".env").exists()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("place", ["file", "file/project", "loop", "x" * 300])
def test_a_folder_that_cannot_be_made(place: str) -> None:
    Path("file").touch()
    Path("loop").symlink_to("loop")
    assert "cannot be made a project" in refused(place).stderr


@pytest.mark.usefixtures("engine")
def test_what_is_in_the_way_is_named() -> None:
    Path("runners").mkdir()
    assert "runners is in the way" in refused().stderr
    assert not Path("compose.yaml").exists()


@pytest.mark.usefixtures("engine")
def test_a_wrong_user_config_is_told_before_anything_is_written() -> None:
    Path(".orchestrate.yaml").write_text("result_dir: x\n")
    assert ".orchestrate.yaml:1: result_dir: unknown key" in refused().stderr
    assert not Path("compose.yaml").exists()
