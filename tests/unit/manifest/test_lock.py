from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from orchestrator.errors import InUseError
from orchestrator.manifest import lock
from orchestrator.manifest.lock import campaign_lock, is_held
from tests.builders import cli

_HOLD = """
import pathlib, sys, time
from orchestrator.manifest.lock import campaign_lock
with campaign_lock(pathlib.Path(sys.argv[1]), "base"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_by_another(state_dir: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", _HOLD, str(state_dir)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_second_process_is_refused_and_told_by_whom_until_that_is_killed(tmp_path: Path) -> None:
    state_dir = tmp_path / "base"
    with held_by_another(state_dir) as holder:
        assert is_held(state_dir)
        with (
            pytest.raises(InUseError, match=f"process {holder.pid} on {socket.gethostname()}"),
            campaign_lock(state_dir, "base"),
        ):
            pytest.fail("two hold the lock")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert not is_held(state_dir)
    with campaign_lock(state_dir, "base"):
        assert json.loads((state_dir / ".owner.json").read_text())["pid"] == os.getpid()


def test_the_command_line_exits_with_4() -> None:
    Path("c.yaml").write_text("name: base\nmodel: m\nbackends: {simulated: {}}\n")
    with held_by_another(Path("results/base")) as holder:
        done = cli("campaign", "c.yaml")
    assert done.returncode == 4
    assert f"process {holder.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("results/base/campaign.json").exists()


def test_it_is_free_after_the_context_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), campaign_lock(tmp_path, "base"):
        _ = 1 / 0
    assert not is_held(tmp_path)


def test_a_campaign_that_nobody_ever_held_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("owner", ["", "{", "[]", "{}", "3"])
def test_an_owner_that_cannot_be_read_does_not_matter(
    tmp_path: Path, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_PATIENCE_S", 0)
    (tmp_path / ".owner.json").write_text(owner)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(InUseError, match="another orchestrator"),
        campaign_lock(tmp_path, "base"),
    ):
        pytest.fail("two hold the lock")


def test_one_that_only_looks_keeps_nobody_out(tmp_path: Path) -> None:
    looking = FileLock(tmp_path / ".lock", thread_local=False)
    looking.acquire()
    threading.Timer(0.05, looking.release).start()
    with campaign_lock(tmp_path, "base"):
        assert is_held(tmp_path)
