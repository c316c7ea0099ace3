from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runners.contract.baseline import baseline_machine, newest_fitting
from runners.contract.request import Baseline

CPU = {"package-0": None, "package-1": None}
ONE = {"gpu:GPU-a": 700.0, "package-0": None}
TWO = {"gpu:GPU-b": 450.0, "gpu:GPU-a": 700.0}


def measured(machine: str, minute: int = 0) -> Baseline:
    return Baseline(
        machine=machine, power_w={"x": 1.0}, measured_at=datetime(2026, 1, 2, 3, minute, tzinfo=UTC), duration_s=10.0
    )


def test_it_is_the_same_for_the_same_meters_in_any_order_and_another_for_any_other() -> None:
    made = baseline_machine("box", "boot", TWO)
    assert made == baseline_machine("box", "boot", dict(reversed(TWO.items())))
    assert made == "box boot gpu:GPU-a@700W gpu:GPU-b@450W"
    others = [("other", "boot", TWO), ("box", "later", TWO), ("box", "boot", ONE), ("box", "boot", TWO | CPU)]
    others.append(("box", "boot", {**TWO, "gpu:GPU-a": 500.0}))
    assert made not in [baseline_machine(*other) for other in others]


@pytest.mark.parametrize(
    ("limits_w", "gpus", "fits"),
    [
        (CPU, [], True),
        (CPU, ["GPU-a"], False),
        (ONE, [], False),
        (ONE, ["GPU-a"], True),
        (ONE, ["GPU-b"], False),
        (ONE, ["GPU-a", "GPU-b"], False),
        (TWO, ["GPU-b", "GPU-a"], True),
        (TWO, ["GPU-a"], False),
        ({}, [], True),
    ],
)
def test_one_may_fit_by_host_boot_and_gpus(limits_w: dict[str, float | None], gpus: list[str], fits: bool) -> None:
    one = measured(baseline_machine("box", "boot", limits_w))
    assert newest_fitting([one], "box", "boot", gpus) == (one if fits else None)
    assert newest_fitting([one], "box", "later", gpus) is None
    assert newest_fitting([one], "other", "boot", gpus) is None


def test_of_several_that_may_fit_it_is_the_newest() -> None:
    several = [measured(baseline_machine("box", "boot", CPU | {f"dram-{n}": None}), n) for n in (1, 3, 2)]
    assert newest_fitting(several, "box", "boot", []) == several[1]


@pytest.mark.parametrize("machine", ["", " ", "box", "box boot  gpu:", "gpu:GPU-a"])
def test_a_name_that_means_nothing_fits_nothing_with_a_gpu(machine: str) -> None:
    assert newest_fitting([measured(machine)], "box", "boot", ["GPU-a"]) is None
