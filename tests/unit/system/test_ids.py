from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.system.docker import Docker, Ids
from orchestrator.system.ids import fitting_ids, ids_for, may_write

ME = Ids(1000, 1000)
LAB = 2000


def docker(*, rootless: bool = False) -> Docker:
    return Docker("28", rootless, frozenset(), Path("/var/lib/docker"), "5")


def status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((0o40000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "group", "gid"),
    [
        (0o2775, 0, LAB, LAB),
        (0o770, 1001, LAB, LAB),
        (0o755, 0, LAB, 1000),
        (0o2765, 0, LAB, 1000),
        (0o775, 0, 3000, 1000),
        (0o777, 0, LAB, 1000),
        (0o775, 0, 1000, 1000),
        (0o775, 1000, LAB, 1000),
        (0o575, 1000, LAB, 1000),
    ],
    ids=["shared", "closed", "unwritable", "unsearchable", "foreign", "open", "primary", "own", "own, read-only"],
)
def test_the_folders_group_is_taken_where_only_that_may_write(mode: int, owner: int, group: int, gid: int) -> None:
    assert fitting_ids(ME, [1000, LAB], status(mode, owner, group)) == Ids(1000, gid)


@pytest.mark.parametrize("mode", [0o700, 0o070, 0o007, 0o300, 0o050, 0o770, 0o005])
def test_the_rule_is_the_kernels(mode: int, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    folder = tmp_path / "folder"
    folder.mkdir()
    for owner, group in ((1000, LAB), (0, 1000), (0, LAB)):
        os.chown(folder, owner, group)
        folder.chmod(mode)
        become = ["setpriv", f"--reuid={ME.uid}", f"--regid={ME.gid}", "--clear-groups"]
        made = subprocess.run([*become, "touch", "file"], cwd=folder, capture_output=True, check=False).returncode == 0
        assert may_write(ME, folder.stat()) is made
        (folder / "file").unlink(missing_ok=True)


def test_ids_for_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    monkeypatch.setattr(os, "getgid", lambda: tmp_path.stat().st_gid + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [tmp_path.stat().st_gid])
    own = Ids(os.getuid(), os.getgid())
    tmp_path.chmod(0o755)
    assert ids_for(tmp_path, docker()) == own
    tmp_path.chmod(0o775)
    assert ids_for(tmp_path, docker()) == own._replace(gid=tmp_path.stat().st_gid)
    assert ids_for(tmp_path, docker(rootless=True)) == Ids(0, 0)
    assert ids_for(tmp_path / "not there", docker()) == own
