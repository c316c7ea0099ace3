"""Ranges: what they stand for, and what is none."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.campaign.axes import resolve_grids
from orchestrator.campaign.ranges import MAX_VALUES, RangeError, range_values
from orchestrator.errors import FileError
from tests.builders import campaign


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ({"min": 1, "max": 5}, (1, 2, 3, 4, 5)),
        ({"min": 1, "max": 64, "step": 21}, (1, 22, 43, 64)),
        ({"min": 1, "max": 64, "step": 30}, (1, 31, 61)),
        ({"min": -3, "max": 3, "step": 3}, (-3, 0, 3)),
        ({"min": 7, "max": 7}, (7,)),
        ({"min": 0, "max": 0.5, "step": 0.1}, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        ({"min": 0.7, "max": 1, "step": 0.1}, (0.7, 0.8, 0.9, 1.0)),
        ({"min": 1, "max": 2, "step": 0.5}, (1.0, 1.5, 2.0)),
        ({"min": 1e-7, "max": 3e-7, "step": 1e-7}, (1e-7, 2e-7, 3e-7)),
        ({"log2": [1, 64]}, (1, 2, 4, 8, 16, 32, 64)),
        ({"log2": [8, 8]}, (8,)),
        ({"log2": [0.25, 2]}, (0.25, 0.5, 1.0, 2.0)),
    ],
)
def test_values(declared: dict[str, Any], values: tuple[float, ...]) -> None:
    found = range_values(declared)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("declared", "place", "message"),
    [
        ({}, (), "is no range"),
        ({"min": 1}, (), "is no range"),
        ({"from": 1, "to": 3}, (), "is no range"),
        ({"min": 1, "max": 3, "log2": [1, 2]}, (), "is no range"),
        ({"min": 3, "max": 1}, (), "min 3 is greater than max 1"),
        ({"min": 1, "max": 3, "step": 0}, ("step",), "greater than 0"),
        ({"min": 1, "max": 3, "step": -1}, ("step",), "greater than 0, not -1"),
        ({"min": 1, "max": 3, "step": None}, ("step",), "must be a number, not None"),
        ({"min": "1", "max": 3}, ("min",), "must be a number, not '1'"),
        ({"min": True, "max": 3}, ("min",), "must be a number, not True"),
        ({"min": 0.1, "max": 0.3}, (), "needs a step"),
        ({"min": 0, "max": float("inf"), "step": 1}, ("max",), "finite"),
        ({"min": float("nan"), "max": 1, "step": 1}, ("min",), "finite"),
        ({"min": 0, "max": 10**12}, (), f"more than {MAX_VALUES:,} values"),
        ({"min": 0.0, "max": 1.0, "step": 1e-300}, (), f"more than {MAX_VALUES:,} values"),
        ({"min": -(10**4000), "max": 10**4000}, ("min",), "finite"),
        ({"min": 1.0, "max": 1.0000000000000002, "step": 1e-18}, ("step",), "too small"),
        ({"log2": 64}, ("log2",), "a list of two numbers"),
        ({"log2": [1, 2, 4]}, ("log2",), "a list of two numbers"),
        ({"log2": [64, 1]}, ("log2",), "64 is greater than 1"),
        ({"log2": [1, 48]}, ("log2", 1), "48 is no power of two"),
        ({"log2": [0, 4]}, ("log2", 0), "0 is no power of two"),
        ({"log2": [-2, 4]}, ("log2", 0), "-2 is no power of two"),
        ({"log2": [1, 3.5]}, ("log2", 1), "3.5 is no power of two"),
        ({"log2": [1, "64"]}, ("log2", 1), "must be a number"),
    ],
)
def test_what_is_no_range(declared: dict[str, Any], place: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(RangeError) as caught:
        range_values(declared)
    assert caught.value.place == place
    assert message in caught.value.message
    assert len(caught.value.message) < 200


def test_a_number_that_is_no_power_of_two_names_the_ones_beside_it() -> None:
    with pytest.raises(RangeError) as caught:
        range_values({"log2": [1, 48]})
    assert caught.value.hint == "write 32 or 64"


_decimals = st.decimals(-1000, 1000, places=3).map(float)


@given(_decimals, st.integers(1, 300), st.decimals("0.001", 10, places=3).map(float))
def test_each_value_is_the_float_nearest_to_the_decimal_that_is_meant(low: float, count: int, step: float) -> None:
    high = float(Fraction(repr(low)) + count * Fraction(repr(step)))
    values = range_values({"min": low, "max": high, "step": step})
    assert [f"{value:.3f}" for value in values] == [
        f"{float(Fraction(repr(low)) + n * Fraction(repr(step))):.3f}" for n in range(len(values))
    ]
    assert all(float(f"{value:.3f}") == value for value in values)
    assert values[-1] <= high


@given(st.integers(-(2**70), 2**70), st.integers(0, 5000), st.integers(1, 2**40))
def test_integers_are_as_python_counts_them(low: int, count: int, step: int) -> None:
    high = low + count * step + step // 2
    assert range_values({"min": low, "max": high, "step": step}) == tuple(range(low, high + 1, step))


def test_ranges_stand_wherever_an_axis_may() -> None:
    declared = campaign(
        workload={"input_tokens": {"log2": [128, 1024]}},
        shared={"batch_size": {"min": 1, "max": 3}},
        backends={"simulated": {"power_w": {"min": 1, "max": 2, "step": 0.5}}},
    )
    (grid,) = resolve_grids(declared.file)[0]
    assert dict(grid.workload) == {"input_tokens": (128, 256, 512, 1024)}
    assert dict(grid.options) == {"batch_size": (1, 2, 3), "power_w": (1.0, 1.5, 2.0)}
    assert grid.points == 4 * 3 * 3


def refused(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(FileError) as caught:
        campaign(**changes)
    return [(issue.field, issue.message) for issue in caught.value.issues]


def test_a_value_that_the_parameter_refuses_is_told_once() -> None:
    assert refused(backends={"simulated": {"batch_size": {"min": 0, "max": 64}}}) == [
        (
            "backends.simulated.batch_size",
            "0, one of the range's values: input should be greater than or equal to 1, not 0",
        )
    ]


def test_floats_are_no_integers() -> None:
    ((field, message),) = refused(backends={"simulated": {"batch_size": {"min": 1.0, "max": 4.0, "step": 1.0}}})
    assert field == "backends.simulated.batch_size"
    assert "valid integer" in message


def test_a_fault_in_a_range_is_named_by_its_key() -> None:
    assert refused(shared={"power_w": {"min": 1, "max": "9", "step": 0.5}}) == [
        ("shared.power_w.max", "must be a number, not '9'")
    ]


def test_an_experiment_takes_no_range() -> None:
    found = refused(experiments=[{"backend": "simulated", "batch_size": {"min": 1, "max": 2}}])
    assert found == [("experiments[0].batch_size", "an experiment is one point, and this is an axis")]
