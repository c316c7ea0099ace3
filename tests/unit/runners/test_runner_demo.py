"""The demo model's folder is whole or not there, whatever dies in between."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runners.backends import demo

MODEL = "smollm2-135m"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "_gguf", lambda: tmp_path / "model.gguf")
    return tmp_path / "cache" / "orchestrate" / "models" / "smollm2-135m-bfloat16-1"


def convert(source: Path, target: Path) -> None:
    target.mkdir()
    (target / "config.json").write_text("{}")
    (target / "more").mkdir()
    (target / "more" / "model.safetensors").write_bytes(b"whole")
    (target / "more" / "model.safetensors").chmod(0o600)


def test_a_conversion_that_was_killed_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from runners.backends import demo\n"
        "def die(source, target):\n"
        "    target.mkdir()\n"
        "    (target / 'stale.safetensors').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "demo._gguf, demo._convert = (lambda: Path('model.gguf')), die\n"
        f"demo.demo_folder({MODEL!r})\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert not folder.exists()
    assert any(path.name == "stale.safetensors" for path in folder.parent.rglob("*")), "it died while converting"

    monkeypatch.setattr(demo, "_convert", convert)
    assert demo.demo_folder(MODEL) == folder
    assert {path.name for path in folder.rglob("*")} == {"config.json", "more", "model.safetensors"}
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_every_user_can_read_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_convert", convert)
    demo.demo_folder(MODEL)
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.*")} == {0o644}


def test_all_of_it_is_on_the_disk_before_it_bears_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        done.append("rename")
        return rename(path, target)

    monkeypatch.setattr(demo, "_convert", convert)
    monkeypatch.setattr("runners.files.os.fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    demo.demo_folder(MODEL)
    renamed = done.index("rename")
    assert {"config.json", "more", "model.safetensors", f".{folder.name}.tmp"} == set(done[:renamed])
    assert done[renamed + 1 :] == ["models"]


def test_a_conversion_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path) -> None:
        convert(source, target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo, "_convert", fail)
    with pytest.raises(OSError, match="No space"):
        demo.demo_folder(MODEL)
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == []
