from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.pareto import TRADED, front

ENERGY, RATE = "energy_per_output_token_j", "output_tokens_per_s"


def points(*rows: tuple[float | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[ENERGY, RATE])


def test_what_is_beaten_is_not_on_the_front() -> None:
    """Less energy and more tokens a second are better."""
    assert front(points((1.0, 10.0), (2.0, 20.0), (2.0, 10.0), (3.0, 19.0)), [ENERGY, RATE]) == [
        True,
        True,
        False,
        False,
    ]


def test_equal_points_are_on_it_together() -> None:
    assert front(points((1.0, 10.0), (1.0, 10.0), (1.0, 9.0)), [ENERGY, RATE]) == [True, True, False]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_nothing_is_claimed_of_a_point_that_lacks_a_figure(missing: float | None) -> None:
    assert front(points((1.0, missing), (2.0, 20.0)), [ENERGY, RATE]) == [False, True]
    assert front(points((1.0, missing), (2.0, 20.0)), [ENERGY]) == [True, False]


def test_without_points_or_metrics_there_is_no_front() -> None:
    assert front(pd.DataFrame(columns=list(TRADED)), TRADED) == []
    assert front(points((1.0, 2.0)), []) == [False]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_it_is_what_every_pair_held_against_each_other_says(rows: list[tuple[int, int]]) -> None:
    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[0] <= other[0] and one[1] >= other[1] and one != other

    found = front(points(*((float(energy), float(rate)) for energy, rate in rows)), [ENERGY, RATE])
    assert found == [not any(beats(other, one) for other in rows) for one in rows]
