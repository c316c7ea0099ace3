from __future__ import annotations

import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator.report.tables import value_of
from runners.contract.quantities import QUANTITIES, Quantity
from runners.contract.result import RunResult
from tests.builders import run_result

_UNITS = {"_s": ("s", "ms"), "_j": ("J",), "_w": ("W",), "_bytes": ("MiB",)}


def _type_of(name: str) -> set[object]:
    """The types that a dotted name has in a result's model, null left out."""
    model: object = RunResult
    for part in name.split("."):
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        annotation = model.model_fields[part].annotation
        union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
        arms = set(typing.get_args(annotation)) - {type(None)} if union else {annotation}
        (model,) = arms if len(arms) == 1 else (arms,)
    return {model}


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_name_is_a_number_of_a_result(name: str) -> None:
    assert _type_of(name) <= {int, float}


def test_a_figure_of_a_result_stands_in_the_table() -> None:
    figures = {name for name in RunResult.model_fields if name.endswith(("_j", "_w", "_bytes", "_per_s"))}
    assert figures <= set(QUANTITIES)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.name)
def test_the_unit_is_the_one_in_the_name(quantity: Quantity) -> None:
    base = quantity.name.split(".")[0]
    units = next((units for ending, units in _UNITS.items() if base.endswith(ending)), None)
    if units and "_per_" not in base:
        assert quantity.unit in units


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("energy_j", None, "—"),
        ("energy_j", 0.0, "0"),
        ("energy_j", 1234.5, "1234"),
        ("energy_j", 9999.7, "10,000"),
        ("energy_j", 12345.6, "12,346"),
        ("energy_j", 0.0123449, "0.01234"),
        ("energy_adjusted_j", -12.3456, "-12.35"),
        ("power_mean_w", 999.7, "1,000"),
        ("power_mean_w", 999.4, "999"),
        ("power_mean_w", 99.97, "100"),
        ("ttft_s.p50", 0.0123456, "12.3"),
        ("memory_peak_bytes", 512 * 2**20, "512"),
        ("requests", 999_999, "999999"),
    ],
)
def test_show(name: str, value: float | None, shown: str) -> None:
    assert QUANTITIES[name].show(value) == shown


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(1e-2, 1e12))
def test_shown_figures_are_near_and_without_exponent(name: str, value: float) -> None:
    quantity = QUANTITIES[name]
    shown = quantity.show(value)
    assert "e+" not in shown
    assert float(shown.replace(",", "")) == pytest.approx(value * quantity.scale, rel=0.5 * 10 ** (1 - quantity.digits))


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_can_be_read_from_a_result(name: str) -> None:
    value = value_of(run_result(), name)
    assert value is None or value >= 0
