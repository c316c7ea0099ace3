"""Room on a disk, found out by writing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.files import has_room


def test_room_is_what_can_be_written(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=True)
    try:
        assert has_room(tmp_path, 2**19)
        assert not has_room(tmp_path, 2**21)
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "ballast").write_bytes(bytes(2**20))
        assert not has_room(tmp_path, 1)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
    assert not has_room(tmp_path / "absent", 1)
