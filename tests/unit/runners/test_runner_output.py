"""A runner's output in the files of its attempt, whoever writes it, and what is said where there can be none."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.errors import BadRequestError, DiskFullError
from runners.writable import require_writable, unwritable

SPEAKER = """
import os, signal, subprocess, sys
from pathlib import Path
from runners.output import claim

streams = claim(Path(sys.argv[1]))
print("printed")
print("printed in error", file=sys.stderr)
os.write(1, b"written by an engine\\n")
subprocess.run(["sh", "-c", "echo from a child; echo and its error >&2"])
os.write(streams.events, b"{}\\n")
os.write(streams.stdout, b"to who started it\\n")
os.write(streams.stderr, b"and its error\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_all_that_is_said_is_in_the_log_even_if_the_runner_is_killed(tmp_path: Path) -> None:
    (tmp_path / "runner.log").write_text("from before\n")
    (tmp_path / "events.jsonl").write_text("[]\n")
    done = subprocess.run([sys.executable, "-c", SPEAKER, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert (tmp_path / "runner.log").read_text().splitlines() == [
        "from before",
        "printed",
        "printed in error",
        "written by an engine",
        "from a child",
        "and its error",
    ]
    assert (tmp_path / "events.jsonl").read_text() == "[]\n{}\n"
    assert (done.stdout, done.stderr) == ("to who started it\n", "and its error\n")


def test_nothing_slow_is_imported_before_the_log_is_open() -> None:
    code = "import sys, runners.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "torch", "pyarrow", "numpy"} & set(done.stdout.split())


def test_what_keeps_a_runner_from_starting_is_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "pydantic.py").write_text("raise ImportError('pydantic is broken')")
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "runners", "simulated", "--request", tmp_path / "request.json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'broken'}:{root}"},
        check=False,
    )
    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("", "")
    assert "pydantic is broken" in (tmp_path / "runner.log").read_text()


def without_privileges() -> list[str]:
    """What begins a command line that permissions hold for, even where the tests run as root."""
    return [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override"]


@pytest.mark.parametrize("mode", ["--request", "by hand"])
def test_a_folder_that_is_not_ours_is_told_with_its_owner_and_what_to_do(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    folder.chmod(0o555)
    flags = ["--request", folder / "request.json"] if mode == "--request" else ["--model", "m"]
    done = subprocess.run(
        [*without_privileges(), sys.executable, "-m", "runners", "simulated", *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "ORCHESTRATE_RESULTS_DIR": str(folder)},
        check=False,
    )
    assert done.returncode == 2, done.stderr
    ids = f"{os.getuid()}:{os.getgid()}"
    assert f"error: {folder} cannot be written: Permission denied; {folder} belongs to {ids}" in done.stderr
    assert f"and this runs as {ids}\nhint: chmod u+rwx it\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("mode", "owner", "group", "hint"),
    [
        (0o755, 12345, 5678, "PUID=12345 and PGID=5678 in .env"),
        (0o775, 12345, 5678, "`newgrp` to group 5678 before orchestrate, or for containers by hand PGID=5678 in .env"),
        (0o2775, 0, 5678, "`newgrp` to group 5678"),
        (0o755, 0, 5678, "root made it"),
        (0o775, 0, 0, "root made it"),
    ],
)
def test_the_hint_depends_on_who_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, group: int, hint: str
) -> None:
    status = os.stat_result((0o40000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda self: status)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 1001)
    refused = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "none" / "file"))
    reason = unwritable(tmp_path / "none", refused)
    assert f"{tmp_path} belongs to {owner}:{group}, and this runs as 1000:1001" in str(reason)
    assert hint in reason.hint
    assert "chown 1000:1001 it on the host" in reason.hint


def test_a_full_disk_is_no_bad_request(tmp_path: Path) -> None:
    assert isinstance(unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device")), DiskFullError)
    assert isinstance(unwritable(tmp_path, OSError(errno.EROFS, "Read-only file system")), BadRequestError)


def test_trying_leaves_nothing_behind(tmp_path: Path) -> None:
    require_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadRequestError, match=f"{tmp_path / 'none'} cannot be written: No such file"):
        require_writable(tmp_path / "none")
