from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InputError, MachineError
from orchestrator.system.project_files import Placed, place, project_files

REPOSITORY = Path(__file__).parents[3]
FILES = {Path("compose.yaml"): b"name: orchestrate\n", Path("images/entrypoint"): b"#!/bin/sh\n"}


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


def test_a_project_holds_what_compose_needs_and_the_runners_source(tmp_path: Path) -> None:
    files = project_files(tmp_path)
    assert {str(path) for path in files} >= {
        "compose.yaml",
        "compose.gpu.yaml",
        ".dockerignore",
        "campaigns/quickstart.yaml",
        "images/entrypoint",
        "images/pytorch/Dockerfile",
        "images/simulated/Dockerfile",
        "images/tensorrt/Dockerfile",
        "images/tensorrt/requirements.txt",
        "images/runners/__main__.py",
        "images/runners/contract/paths.py",
    }
    assert not [path for path in files if "__pycache__" in path.parts or path.suffix == ".pyc"]
    source = {path.relative_to(REPOSITORY / "runners") for path in (REPOSITORY / "runners").rglob("*.py")}
    assert {path.relative_to("images/runners") for path in files if path.is_relative_to("images/runners")} == source


def test_in_the_repository_itself_everything_is_there_and_equal() -> None:
    files = project_files(REPOSITORY)
    assert not [path for path in files if path.is_relative_to("images/runners")]
    assert all((REPOSITORY / path).read_bytes() == content for path, content in files.items())


def test_another_folder_called_runners_would_end_up_in_the_images(tmp_path: Path) -> None:
    (tmp_path / "runners").mkdir()
    with pytest.raises(InputError, match="runners is in the way"):
        project_files(tmp_path)


def test_written_once_and_then_left(tmp_path: Path) -> None:
    assert place(tmp_path, FILES, replace=False) == Placed(written=list(FILES))
    assert tree(tmp_path) == {"compose.yaml": "name: orchestrate\n", "images/entrypoint": "#!/bin/sh\n"}
    assert (tmp_path / "images/entrypoint").stat().st_mode & 0o111 == 0o111
    assert (tmp_path / "compose.yaml").stat().st_mode & 0o111 == 0
    for replace in (False, True):
        assert place(tmp_path, FILES, replace=replace) == Placed()


def test_what_differs_is_left_and_the_rest_is_written(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("mine\n")
    placed = place(tmp_path, FILES, replace=False)
    assert placed == Placed(written=[Path("images/entrypoint")], differing=[Path("compose.yaml")])
    assert tree(tmp_path) == {"compose.yaml": "mine\n", "images/entrypoint": "#!/bin/sh\n"}


def test_what_differs_is_kept_beside_and_replaced_by_force(tmp_path: Path) -> None:
    for text, aside in [("mine\n", "compose.yaml.orig"), ("mine again\n", "compose.yaml.orig2")]:
        (tmp_path / "compose.yaml").write_text(text)
        placed = place(tmp_path, {Path("compose.yaml"): b"theirs\n"}, replace=True)
        assert placed == Placed(written=[Path("compose.yaml")], kept=[Path(aside)])
    assert tree(tmp_path) == {
        "compose.yaml": "theirs\n",
        "compose.yaml.orig": "mine\n",
        "compose.yaml.orig2": "mine again\n",
    }


@pytest.mark.parametrize("what", ["folder", "dangling link"])
def test_what_is_no_file_differs_too(what: str, tmp_path: Path) -> None:
    target = tmp_path / "compose.yaml"
    if what == "folder":
        target.mkdir()
    else:
        target.symlink_to("gone")
    assert place(tmp_path, FILES, replace=False).differing == [Path("compose.yaml")]
    assert place(tmp_path, FILES, replace=True).kept == [Path("compose.yaml.orig")]
    assert target.read_bytes() == FILES[Path("compose.yaml")]


def test_modules_of_an_earlier_version_are_named_and_taken_out_by_force(tmp_path: Path) -> None:
    old = tmp_path / "images/runners/meters/old.py"
    old.parent.mkdir(parents=True)
    old.write_text("x = 1\n")
    files = {**FILES, Path("images/runners/__init__.py"): b""}
    assert place(tmp_path, files, replace=False).differing == [Path("images/runners/meters/old.py")]
    assert place(tmp_path, files, replace=True).kept == [Path("images/runners/meters/old.py.orig")]
    assert not old.exists()


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("mine")
    with pytest.raises(MachineError, match="cannot be written") as caught:
        place(tmp_path, FILES, replace=False)
    assert "no file is where a folder should be" in str(caught.value.hint)
    assert (tmp_path / "images").read_text() == "mine"
