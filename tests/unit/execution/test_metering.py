"""A meter that was asked for and cannot be had is told before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import MachineError
from orchestrator.execution.metering import require_meter
from runners.contract.request import Gpu, Measurement

GPU = Gpu(index=0, uuid="GPU-1", name="NVIDIA H200")


def counters(root: Path) -> Path:
    zone = root / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "energy_uj").write_text("1")
    return zone / "energy_uj"


@pytest.mark.parametrize("meter", ["nvml", "zeus"])
def test_a_meter_of_gpus_needs_one(meter: str) -> None:
    measurement = Measurement.model_validate({"meter": meter})
    require_meter(measurement, [GPU], {})
    with pytest.raises(
        MachineError, match=f"measurement.meter is {meter}, and the campaign's runs get no GPU"
    ) as caught:
        require_meter(measurement, [], {})
    assert "orchestrate doctor" in (caught.value.hint or "")


def test_rapl_needs_counters_that_can_be_read(tmp_path: Path) -> None:
    measurement = Measurement(meter="rapl")
    environ = {"ORCHESTRATE_POWERCAP": str(tmp_path)}
    with pytest.raises(MachineError, match="there are no RAPL counters under"):
        require_meter(measurement, [], environ)
    file = counters(tmp_path)
    require_meter(measurement, [], environ)
    file.unlink()
    file.mkdir()  # not even root can read this
    with pytest.raises(MachineError, match="its counters cannot be read: Is a directory") as caught:
        require_meter(measurement, [], environ)
    assert "chmod a+r" in (caught.value.hint or "")


@pytest.mark.parametrize("meter", ["auto", "estimate", "codecarbon"])
def test_other_meters_are_left_to_the_runner(meter: str, tmp_path: Path) -> None:
    require_meter(Measurement.model_validate({"meter": meter}), [], {"ORCHESTRATE_POWERCAP": str(tmp_path)})
