"""What of this host a container gets to see, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dispatch.scene import Scene, mount_input
from orchestrator.errors import InputError


def test_results_are_seen_below_results(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path / "elsewhere", "base")
    assert scene.in_container(scene.attempts / "x.c001.a1") == "/results/base/attempts/x.c001.a1"


def test_a_plain_folder_is_mounted_as_it_is(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").touch()
    mount = mount_input(model)
    assert mount.source == model
    assert mount.target == mount.seen_as
    assert mount.target.startswith("/inputs/")
    assert mount.target.endswith("/model")


def test_two_folders_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "model").mkdir(parents=True)
    assert mount_input(tmp_path / "a" / "model").target != mount_input(tmp_path / "b" / "model").target


def test_a_prompt_file_is_mounted_alone(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.touch()
    mount = mount_input(file)
    assert (mount.source, mount.seen_as) == (file, mount.target)


def test_what_a_hub_snapshot_links_to_is_mounted_with_it(tmp_path: Path) -> None:
    """A hub cache keeps files in blobs/ and links to them from snapshots/<revision>/."""
    repository = tmp_path / "models--org--name"
    snapshot = repository / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "blobs" / "abc").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/abc")
    mount = mount_input(snapshot)
    assert mount.source == repository
    assert mount.seen_as == f"{mount.target}/snapshots/0123"


def test_a_link_to_the_folder_itself_is_followed_before(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    assert mount_input(tmp_path / "alias").source == tmp_path / "real"


def test_an_absolute_link_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (tmp_path / "weights").touch()
    (model / "weights").symlink_to(tmp_path / "weights")
    with pytest.raises(InputError, match="absolute path"):
        mount_input(model)


def test_links_all_over_the_disk_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    up = "/".join([".."] * (len(model.parts) - 1))
    (model / "passwd").symlink_to(f"{up}/etc/passwd")
    with pytest.raises(InputError, match="all of / would have to be mounted"):
        mount_input(model)


def test_a_folder_that_is_kept_is_not_mounted_for_a_links_sake(tmp_path: Path) -> None:
    model = tmp_path / "project" / "model"
    model.mkdir(parents=True)
    (tmp_path / "weights").touch()
    (model / "weights").symlink_to("../../weights")
    assert mount_input(model).source == tmp_path
    with pytest.raises(InputError, match="would have to be mounted"):
        mount_input(model, [tmp_path / "project"])


@pytest.mark.parametrize("second", ["absolute", "circle", "folder"])
def test_every_step_of_a_link_counts(tmp_path: Path, second: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "weights").touch()
    (tmp_path / "alias").symlink_to("real")
    first, leads = model / "weights", tmp_path / "step"
    first.symlink_to("../step")
    leads.symlink_to(
        {"absolute": tmp_path / "real/weights", "circle": "model/weights", "folder": "alias/weights"}[second]
    )
    with pytest.raises(InputError, match=str(first)):
        mount_input(model)
