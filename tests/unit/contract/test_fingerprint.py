from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from orchestrator.campaign.inputs import file_sha256, model_fingerprint
from orchestrator.errors import InputError
from runners.contract import fingerprint

PINNED = "f10a02ae3bca97873b5e4c3d656821bde7ad94f090abf791e64c3a21b339b83c"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "mine" / "inner").mkdir(parents=True)
    (tmp_path / "mine" / "config.json").write_text("{}")
    (tmp_path / "mine" / "inner" / "weights").write_bytes(bytes(range(256)) * 1024)
    return tmp_path / "mine"


def test_a_model_is_known_by_the_same_on_both_sides_and_for_ever(model: Path) -> None:
    assert fingerprint.of_model(model) == model_fingerprint(model) == PINNED


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "f"
    content = b"x" * (2**20 + 3)
    file.write_bytes(content)
    assert fingerprint.of_file(file) == file_sha256(file) == hashlib.sha256(content).hexdigest()


def test_what_cannot_be_read_is_an_os_error_here_and_the_users_on_the_host(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint.of_file(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        file_sha256(tmp_path / "none")
