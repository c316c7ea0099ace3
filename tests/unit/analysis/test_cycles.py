import math

import numpy as np
import pandas as pd
import pytest

from orchestrator.analysis.cycles import per_cycle
from orchestrator.analysis.interval import interval_of


def runs(*of: tuple[str, int, float]) -> pd.DataFrame:
    return pd.DataFrame(of, columns=["experiment_id", "cycle", "power_mean_w"])


def test_experiments_are_averaged_on_the_log_scale_within_a_cycle() -> None:
    frame = runs(("a", 1, 1.0), ("b", 1, 4.0), ("a", 2, 2.0), ("b", 2, 8.0))
    assert list(per_cycle(frame, "power_mean_w")) == pytest.approx([2.0, 4.0])


def test_a_costly_experiment_that_is_missing_makes_no_cycle_cheap() -> None:
    frame = runs(("a", 1, 1.0), ("b", 1, 100.0), ("a", 2, 1.0), ("a", 3, 1.0), ("b", 3, 100.0))
    assert list(per_cycle(frame, "power_mean_w")) == pytest.approx([10.0, 10.0])


@pytest.mark.parametrize(
    "frame",
    [
        runs(("a", 1, 1.0), ("b", 2, 5.0), ("c", 2, 6.0)),
        runs(("a", 1, 1.0), ("b", 1, 1.1), ("c", 2, 5.0), ("d", 2, 6.0)),
        runs(("a", 1, 1.0), ("a", 2, 1.0), ("b", 3, 5.0), ("c", 3, 6.0), ("b", 4, 5.0), ("c", 4, 6.0)),
    ],
)
def test_cycles_that_share_no_experiment_are_not_called_equal(frame: pd.DataFrame) -> None:
    """What is beside them, experiments or cycles, cannot be told, so nothing is known exactly."""
    values = per_cycle(frame, "power_mean_w")
    interval = interval_of(values.tolist())
    assert interval is not None
    assert interval.relative_half_width > 1
    logs = np.log(frame["power_mean_w"]).groupby(frame["cycle"]).mean()
    assert list(values) == pytest.approx([math.exp(log) for log in logs])


def test_cycles_of_the_experiment_that_was_repeated_most_are_no_repetitions_of_all() -> None:
    """What is known of the others would seem to be known from as many cycles."""
    frame = runs(
        *(("noisy", cycle, 1.0 + cycle / 100) for cycle in range(1, 20)),
        *((name, cycle, 2.0) for name in ("a", "b", "c") for cycle in (1, 2, 3)),
    )
    assert list(per_cycle(frame, "power_mean_w").index) == [1, 2, 3]


def test_a_run_that_is_missing_here_and_there_takes_no_cycle_away() -> None:
    frame = runs(*((name, cycle, 2.0) for name in "abcd" for cycle in range(1, 6) if "_abcd".find(name) != cycle))
    assert list(per_cycle(frame, "power_mean_w")) == pytest.approx([2.0] * 5)


def test_intervals_of_experiments_that_were_repeated_unlike_often_hold_what_they_say() -> None:
    chance = np.random.default_rng(3)
    truth = np.array([0.0, -0.5, 0.7, 0.2])
    held = 0
    for _ in range(300):
        frame = runs(
            *(
                (str(place), cycle, math.exp(truth[place] + 0.03 * chance.standard_normal()))
                for place, cycles in enumerate((19, 4, 4, 4))
                for cycle in range(cycles)
            )
        )
        interval = interval_of(per_cycle(frame, "power_mean_w").tolist())
        assert interval is not None
        held += interval.low <= math.exp(truth.mean()) <= interval.high
    assert held >= 0.92 * 300
