"""The figures that a run by hand ends with."""

import pytest

from runners.summary import headlines
from tests.builders import run_result


def test_a_figure_has_its_unit_and_an_energy_its_method() -> None:
    lines = headlines(run_result(energy_method="nvml"))
    assert lines[0] == "energy per output token: 0.5 J/token  (measured by nvml)"
    assert "output rate:             205 tokens/s" in lines
    assert "TTFT p50:                18 ms" in lines
    assert lines[-1] == "verdict:                 good"


@pytest.mark.parametrize(
    ("method", "label"), [("estimated", "estimated, not measured"), ("simulated", "simulated: no engine ran")]
)
def test_an_energy_that_was_not_measured_says_so_in_every_line(method: str, label: str) -> None:
    lines = headlines(run_result(energy_method=method))
    energies = [line for line in lines if " J" in line or " W" in line]
    assert len(energies) == 3
    assert all(line.endswith(f"({label})") for line in energies)


def test_what_was_not_measured_is_left_out_but_for_the_energy() -> None:
    unknown = dict.fromkeys(("energy_j", "energy_method", "energy_per_output_token_j", "power_mean_w", "ttft_s"))
    lines = headlines(run_result(**unknown))
    assert lines[0] == "energy:                  not measured"
    assert not any("TTFT" in line or " J" in line for line in lines)


def test_a_failed_check_is_told_after_the_verdict() -> None:
    check = {"name": "counter_moved", "passed": False, "severity": "critical", "observed": "no energy"}
    lines = headlines(run_result(verdict="suspect", checks=[check]))
    assert lines[-2:] == ["verdict:                 suspect", "check counter_moved failed (critical): no energy"]
