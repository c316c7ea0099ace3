from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InputError, MachineError
from orchestrator.system.project import find_project


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project" / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def begin_campaign(folder: Path) -> None:
    (folder / ".state" / "base").mkdir(parents=True)
    (folder / ".state" / "base" / "manifest.db").touch()


def test_the_current_folder_where_nothing_says_otherwise(deep: Path) -> None:
    assert find_project().folder == deep


def test_found_upwards_by_its_config_or_by_an_earlier_campaign(deep: Path) -> None:
    begin_campaign(deep.parents[1])
    assert find_project().folder == deep.parents[1]
    (deep.parent / ".orchestrate.yaml").touch()
    assert find_project().folder == deep.parent


@pytest.mark.parametrize(
    "text",
    [
        "name: orchestrate\n",
        "# ours\nservices: {}\nname: 'orchestrate'  # as Docker shows it\n",
        'name: "orchestrate"\r\nservices: {}\r\n',
    ],
)
def test_found_upwards_by_our_compose_file(text: str, deep: Path) -> None:
    (deep.parent / "compose.yaml").write_text(text, newline="")
    assert find_project().folder == deep.parent


@pytest.mark.parametrize(
    "text",
    [
        "services: {}\n",
        "name: other\n",
        "name: orchestrated\n",
        "services:\n  name: orchestrate\n",
        "# name: orchestrate\n",
        "name: orchestrate#2\n",
        "name: 'orchestrate\n",
    ],
)
def test_a_compose_file_of_something_else_is_no_project(text: str, deep: Path) -> None:
    (deep.parent / "compose.yaml").write_text(text)
    assert find_project().folder == deep


def test_a_folder_called_like_a_compose_file_is_no_project(deep: Path) -> None:
    (deep.parent / "compose.yaml").mkdir()
    assert find_project().folder == deep


def test_a_state_folder_of_something_else_is_no_project(deep: Path) -> None:
    (deep.parent / ".state").mkdir()
    assert find_project().folder == deep


def test_named_wins_over_the_variable_and_that_over_what_is_found(
    deep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_campaign(deep)
    for name in ("home", "named"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("ORCHESTRATE_HOME", str(tmp_path / "home"))
    assert find_project().folder == tmp_path / "home"
    assert find_project(tmp_path / "named").folder == tmp_path / "named"
    monkeypatch.setenv("ORCHESTRATE_HOME", "")
    assert find_project().folder == deep


@pytest.mark.parametrize("place", ["missing", "file", "loop", "~nobody-of-this-name/x", "x" * 300])
@pytest.mark.parametrize("how", ["--project-dir", "ORCHESTRATE_HOME"])
def test_a_named_folder_that_is_not_there(
    place: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    if how == "ORCHESTRATE_HOME":
        monkeypatch.setenv(how, place)
    with pytest.raises(InputError, match=f"^{how}: "):
        find_project(place if how == "--project-dir" else None)


@pytest.mark.parametrize(
    ("results_dir", "expected"), [("results", "{0}/results"), ("../out", "{1}/out"), ("/data/x", "/data/x")]
)
def test_where_results_lie(results_dir: str, expected: str, deep: Path) -> None:
    (deep / ".orchestrate.yaml").write_text(f"results_dir: {results_dir}\n")
    assert find_project().results == Path(expected.format(deep, deep.parent))


def test_what_is_made_is_ignored_by_git_and_what_is_there_is_left(deep: Path) -> None:
    project = find_project()
    (deep / ".state").mkdir()
    (deep / ".state" / ".gitignore").write_text("mine\n")
    project.prepare()
    project.prepare()
    assert (project.results / ".gitignore").read_text().endswith("*\n")
    assert (project.state / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["results", ".state"])
def test_a_file_in_the_way_is_named(name: str, deep: Path) -> None:
    (deep / name).touch()
    with pytest.raises(MachineError, match=f"{name} cannot be written"):
        find_project().prepare()
