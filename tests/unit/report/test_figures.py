"""Ratios as text: what is not 1 never reads 1."""

from __future__ import annotations

import pytest

from orchestrator.analysis.interval import Interval
from orchestrator.report.figures import ratio_range, ratio_text


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1.0, ".3g", "1"),
        (1.0, ".3f", "1.000"),
        (1.04, ".3g", "1.04"),
        (1.004, ".3g", "1.004"),
        (1.0004, ".3f", "1.0004"),
        (0.99984, ".3f", "0.9998"),
        (0.99996, ".3g", "0.99996"),
        (1 + 1e-9, ".3g", "above 1"),
        (1 - 1e-9, ".3f", "below 1"),
    ],
)
def test_a_ratio_that_is_not_1_never_reads_1(value: float, form: str, text: str) -> None:
    assert ratio_text(value, form) == text


def _between(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 0.95, "log-t", 5)


def test_a_bound_of_1_is_not_reached_by_what_is_told_apart() -> None:
    assert ratio_range(_between(1.0, 1.03)) == "1 to 1.03"
    assert ratio_range(_between(1.0, 1.03), apart=True) == "above 1 to 1.03"
    assert ratio_range(_between(0.97, 1.0), apart=True) == "0.97 to below 1"
    assert ratio_range(_between(1.02, 1.03), apart=True) == "1.02 to 1.03"
    assert ratio_range(_between(1.0, 1.004)) == "1 to 1.004"
    assert ratio_range(_between(1.0, 1.0)) == "1"
    assert ratio_range(None) == "—"
