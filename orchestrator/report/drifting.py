"""What is said of drift, in the same words wherever it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.analysis.compare import ALPHA, holm
from orchestrator.analysis.drift import Drift, drift_of
from orchestrator.analysis.groups import Group
from orchestrator.report.counting import percent
from runners.contract.quantities import QUANTITIES


def drift_notes(groups: Mapping[str, Sequence[Group]], metrics: Sequence[str]) -> list[str]:
    """Which quantities drift over the cycles of which campaign; one time in 20 that is told where nothing drifts.

    Args:
        groups: those looked at, by campaign.
        metrics: the quantities.
    """
    looked_at = [(name, metric, drift_of(own, metric)) for name, own in groups.items() for metric in metrics]
    seen = [(name, metric, drift) for name, metric, drift in looked_at if drift]
    adjusted = holm([drift.p_value for _, _, drift in seen])
    return [
        drift_note(name, metric, replace(drift, p_value=p_value))
        for (name, metric, drift), p_value in zip(seen, adjusted, strict=True)
        if p_value <= ALPHA
    ]


def drift_note(campaign: str, metric: str, drift: Drift) -> str:
    """That a quantity drifts, by how much, how that is known, and what follows."""
    sign = "+" if drift.per_cycle > 0 else "−"
    return (
        f"{QUANTITIES[metric].title} of {campaign} drifts by {sign}{percent(abs(drift.per_cycle))} from one cycle to"
        f" the next ({drift.method}, p = {drift.p_value:.2g}): cycles are no mere repetitions, and intervals may"
        " not hold"
    )
