from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator.report.tables import value_of
from runners.contract.quantities import QUANTITIES, Quantity
from runners.contract.result import Distribution, RunResult
from tests.builders import run_result

_UNITS = {"_s": ("s", "ms"), "_j": ("J",), "_w": ("W",), "_bytes": ("MiB",)}


_NOT_MEASURED = {"schema_version", "cycle", "attempt", "order_index", "concurrency_on_host"}
"""Numbers of a result that say which run it was, not what came of it."""


def _numbers(model: type[BaseModel]) -> Iterator[tuple[str, type]]:
    """Every number of a model by its dotted name, those of models within it included, with its type."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
        for arm in typing.get_args(annotation) if union else (annotation,):
            if arm in (int, float):
                yield name, arm
            elif arm is Distribution:
                yield from ((f"{name}.{inner}", kind) for inner, kind in _numbers(arm))


def test_the_table_holds_every_figure_of_a_result_and_no_other() -> None:
    assert set(QUANTITIES) == {name for name, _ in _numbers(RunResult)} - _NOT_MEASURED


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.name)
def test_a_figure_has_the_type_that_the_table_says(quantity: Quantity) -> None:
    assert dict(_numbers(RunResult))[quantity.name] is quantity.type


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda quantity: quantity.name)
def test_a_definition_is_one_line_about_names_that_there_are(quantity: Quantity) -> None:
    assert quantity.meaning
    assert "\n" not in quantity.meaning
    assert "|" not in quantity.meaning
    assert set(re.findall(r"`(\w+)`", quantity.meaning)) <= set(RunResult.model_fields)


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
