"""The sampler as a real process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runners.contract import paths
from runners.errors import MeterError
from runners.harness.sampling import Sampler
from runners.meters.choose import Spec


def spec(folder: Path, sample_hz: float = 50.0) -> Spec:
    return Spec(str(folder / paths.SAMPLES), sample_hz, os.getpid(), [], None, None)


def eventually(condition, seconds: float = 10.0) -> bool:
    limit_s = time.monotonic() + seconds
    while time.monotonic() < limit_s:
        if condition():
            return True
        time.sleep(0.02)
    return False


def gone(pid: int) -> bool:
    """Dead, or a zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_samples_until_it_is_stopped(tmp_path: Path) -> None:
    with Sampler(spec(tmp_path)) as sampler:
        assert sampler.recording().ticks, "settled: the first sample is there once it is ready"
        assert eventually(lambda: len(sampler.recording().ticks) > 20)
        sampler.check()
        pid = sampler._process.pid
    ticks = sampler.recording().ticks
    assert gone(pid)
    assert sorted(tick.t_s for tick in ticks) == [tick.t_s for tick in ticks]
    assert ticks[-1].cpu_s > ticks[0].cpu_s > 0
    assert ticks[-1].rss_bytes > 2**20


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, runners.meters.__main__;"
        "print([m for m in ('torch','pandas','pyarrow','pydantic','numpy','psutil','pynvml') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_what_lies_in_the_working_folder_is_not_taken_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random.py", "json.py", "runners/__init__.py", "runners/meters/__init__.py"):
        file = tmp_path / "cwd" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("raise RuntimeError(__file__)")
    (tmp_path / "attempt").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    with Sampler(spec(Path("../attempt"))) as sampler:
        assert sampler.recording().ticks
    assert (tmp_path / "attempt" / paths.SAMPLES).exists()


def test_the_sampler_searches_no_working_folder_and_stands_among_no_modules(tmp_path: Path) -> None:
    with Sampler(spec(tmp_path)) as sampler:
        process = Path(f"/proc/{sampler._process.pid}")
        assert b"PYTHONSAFEPATH=1" in (process / "environ").read_bytes().split(b"\0"), "from Python 3.11 on"
        assert (process / "cwd").readlink() == tmp_path, "for Python 3.10"


def test_a_sampler_that_was_killed_is_a_meter_failure(tmp_path: Path) -> None:
    with Sampler(spec(tmp_path)) as sampler:
        sampler._process.kill()
        sampler._process.wait()
        with pytest.raises(MeterError, match="died"):
            sampler.check()


def test_a_meter_that_vanishes_is_reported_with_its_reason(tmp_path: Path) -> None:
    """RAPL's files go away under the sampler, as a GPU's handle would."""
    zone = tmp_path / "cap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "100")):
        (zone / name).write_text(text)
    process = subprocess.Popen([sys.executable, "-m", "runners.meters"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    told = spec(tmp_path)._replace(powercap=str(tmp_path / "cap"))
    process.stdin.write(json.dumps(told._asdict()).encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == {"ready": True}
    header = json.loads((tmp_path / paths.SAMPLES).read_bytes().splitlines()[0])
    assert [source["method"] for source in header["sources"]] == ["rapl"]
    (zone / "energy_uj").unlink()
    failed = json.loads(process.stdout.readline())["failed"]
    process.stdin.close()
    assert process.wait(10) == 1
    assert failed["kind"] == "meter_failed"
    assert "energy_uj" in failed["message"]
    process.stdout.close()


def test_it_dies_with_its_parent_even_if_a_child_of_that_holds_its_input_open(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "from runners.harness.sampling import Sampler\n"
        "from runners.meters.choose import Spec\n"
        f"with Sampler(Spec({str(tmp_path / 's')!r}, 50, os.getpid(), [], None, None)) as sampler:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        sys.stdout.close(); os.close(1)\n"
        "        time.sleep(60)\n"
        "    print(sampler._process.pid, child, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    sampler_pid, child_pid = map(int, parent.stdout.readline().split())
    try:
        assert not gone(sampler_pid)
        parent.kill()
        parent.wait()
        assert eventually(lambda: gone(sampler_pid))
        assert not gone(child_pid)
    finally:
        os.kill(child_pid, 9)
        parent.stdout.close()
