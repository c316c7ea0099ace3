from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.system.doctor.engines import Engine
from runners.contract.options import OPTIONS
from tests.builders import Ended, call
from tests.unit.system.docker_states import info, no_client, stand_in


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in client of an engine without GPUs."""
    stand_in(monkeypatch, tmp_path, {"info": (info(), "", 0)})


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the doctor would find by importing every engine that is installed here."""
    monkeypatch.setattr(
        "orchestrator.system.doctor.examine.find_engine",
        lambda backend: Engine(versions=dict.fromkeys(OPTIONS[backend].MODULES, "1.0")),
    )


def only_installed(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let nothing else be installed here."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name in modules else None)


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
    assert made.keys() >= {"campaigns/first.yaml", ".orchestrate.yaml", "schemas/campaign.schema.json"}
    assert f"  cd {folder.resolve()}\n  docker compose build pytorch" in done.stdout
    assert "This machine" in done.stdout
    assert done.stdout.endswith("  orchestrate campaign campaigns/first.yaml\n")
    assert "there is no terminal to ask at" in done.stderr

    again = call("init", "deep/project")
    assert again.returncode == 0
    assert again.stdout.startswith("nothing to write\n")
    assert content(folder) == made


@pytest.mark.usefixtures("engine")
def test_the_first_campaign_is_a_right_one() -> None:
    assert call("init").returncode == 0
    for file in ("quickstart", "first"):
        done = call("campaign", f"campaigns/{file}.yaml", "--dry-run", "--json")
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


@pytest.mark.usefixtures("engine")
def test_what_is_the_users_is_not_even_replaced_by_force() -> None:
    Path("campaigns").mkdir()
    mine = {"campaigns/first.yaml": "mine\n", ".orchestrate.yaml": "# mine\ncpu_tdp_w: 5\n"}
    for path, text in mine.items():
        Path(path).write_text(text)
    done = call("init", "--non-interactive", "--force")
    assert done.returncode == 0, done.stderr
    assert {path: Path(path).read_text() for path in mine} == mine
    assert not list(Path().rglob("*.orig"))
    assert done.stderr == ""


@pytest.mark.usefixtures("engine")
def test_schemas_of_an_earlier_version_are_made_anew() -> None:
    assert call("init").returncode == 0
    schema = Path("schemas/campaign.schema.json")
    right = schema.read_text()
    schema.write_text("{}")
    again = call("init")
    assert again.returncode == 0
    assert again.stdout.startswith("wrote schemas/campaign.schema.json\n")
    assert schema.read_text() == right
    assert not list(Path().rglob("*.orig"))


def test_where_no_engine_can_run_the_first_campaign_is_simulated_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_client(monkeypatch, tmp_path)
    only_installed(monkeypatch)
    done = call("init")
    assert done.returncode == 0, done.stderr
    assert "campaigns/first.yaml uses the backend simulated: it measures nothing" in done.stdout
    assert "no energy is measured" in Path("campaigns/first.yaml").read_text()


@pytest.mark.usefixtures("engine")
def test_without_an_engine_of_its_own_it_begins_in_a_container_whose_image_is_to_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only_installed(monkeypatch)
    done = call("init")
    assert done.returncode == 0, done.stderr
    assert "  pytorch:\n" in Path("campaigns/first.yaml").read_text()
    assert "  docker compose build pytorch" in done.stdout


@pytest.mark.usefixtures("engine")
def test_a_broken_engine_and_a_model_that_is_not_here_are_told_of_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only_installed(monkeypatch, "xllamacpp")
    monkeypatch.setattr("orchestrator.system.doctor.examine.find_engine", lambda backend: Engine(error="no libc"))
    done = call("init")
    assert done.returncode == 3
    assert "missing for the first campaign: backend llamacpp: installed, but cannot be imported: no libc" in done.stderr
    assert "missing for the first campaign: model: demo:smollm2-135m is not installed here" in done.stderr
    assert Path("compose.yaml").is_file()
