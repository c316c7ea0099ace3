"""quantities.md: the figures of a result."""

from __future__ import annotations

from collections.abc import Iterator

from pages.markdown import type_of
from runners.contract.quantities import QUANTITIES


def quantities() -> Iterator[str]:
    """The page."""
    yield "# Quantities\n"
    yield "The figures of a result, by their names in `result.json`. What was not measured is null, never 0. The file"
    yield "holds each in the unit that its name ends with; the unit here is the one that it is shown in."
    yield "Method, error and limits: [energy](../explanation/energy.md). Procedure:"
    yield "[measurement](../explanation/measurement.md).\n"
    yield "| name | shown as | type | unit | better | definition |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for quantity in QUANTITIES.values():
        yield (
            f"| `{quantity.name}` | {quantity.title} | {type_of(quantity.type)} | {quantity.unit or '–'} |"
            f" {quantity.better or '–'} | {quantity.meaning} |"
        )
