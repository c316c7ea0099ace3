"""The CPU's energy of a run in a container, sampled on the host: a made powercap tree, the rest is real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.results.reading import load_result
from runners.contract.paths import HOST_SAMPLES
from tests.docker.projects import ContainerProject

pytestmark = pytest.mark.docker

POWER_W = 40.0
CAMPAIGN = """
name: cpu
model: any/model
workload: {prompts: 4, output_tokens: 100}
measurement: {meter: rapl, warmup: {iterations: 0}, baseline_s: 0, loaded_idle_s: 0, sample_hz: 50}
backends:
  simulated: {tokens_per_s: 100}
"""


@pytest.fixture
def powercap(tmp_path: Path) -> Iterator[Path]:
    """A CPU that draws 40 W: its counter is written every millisecond, as the hardware does."""
    zone = tmp_path / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    stop, begun_s = threading.Event(), time.monotonic()

    def draw() -> None:
        while not stop.wait(0.001):
            energy_uj = round((time.monotonic() - begun_s) * POWER_W * 1e6)
            (zone / "energy_uj.new").write_text(f"{energy_uj}\n")
            (zone / "energy_uj.new").replace(zone / "energy_uj")

    (zone / "energy_uj").write_text("0\n")
    thread = threading.Thread(target=draw)
    thread.start()
    yield zone.parent
    stop.set()
    thread.join()


@pytest.mark.parametrize("strategy", ["ephemeral", "persistent"])
def test_a_container_s_run_is_metered_by_what_the_host_reads(
    strategy: str, container_project: ContainerProject, powercap: Path
) -> None:
    container_project.write("c.yaml", CAMPAIGN)
    done = container_project.run(
        "campaign",
        "c.yaml",
        "--dispatch=compose",
        f"--container-strategy={strategy}",
        "--yes",
        environment={"ORCHESTRATE_POWERCAP": str(powercap)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = container_project.result_files("cpu")
    result = load_result(file)
    assert (result.energy_method, result.energy_scope) == ("rapl", "package")
    assert result.energy_j is not None
    assert result.energy_j == pytest.approx(POWER_W * result.duration_s, rel=0.05)
    assert not (file.parent / HOST_SAMPLES).exists()
    assert [process for process in psutil.process_iter() if _samples_for(process, container_project.folder)] == []


def _samples_for(process: psutil.Process, folder: Path) -> bool:
    try:
        return "runners.meters" in process.cmdline() and Path(process.cwd()).is_relative_to(folder)
    except psutil.Error:
        return False
