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
    assert list(per_cycle(frame, "power_mean_w")) == pytest.approx([10.0, 10.0, 10.0])


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
