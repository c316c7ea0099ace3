"""What a chart is: a Vega-Lite specification, in words too, and how many marks it must show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
"""A name; nothing is fetched from there."""
POINTS: Final = "points"
"""The name of the layer with a mark for each thing that the chart is about: Vega draws it as ``g.points_marks``."""

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, its colours named (``var(--chart-best)``) so that the page that shows it picks light or dark.

    ``width`` is that of the element it is drawn in; text in it is data, never markup.
    """

    id: str
    """Of the element that it is drawn in: letters, digits and hyphens."""
    title: str
    description: str
    """What it shows, in words, for whoever does not see it; it names what was left out of the picture."""
    spec: Spec
    marks: int
    """How many marks the layer ``points`` has; 0: there is nothing to draw, and the description says why."""


def spec_of(description: str, **rest: Any) -> Spec:
    """A specification that fits its width to where it stands."""
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        **rest,
    }
