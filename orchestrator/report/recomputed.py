"""A recomputed run as tables of text. Pure."""

from __future__ import annotations

from typing import Any

from orchestrator.report.tables import Column, Table
from orchestrator.results.recompute import Recomputed


def recomputed_tables(found: Recomputed) -> list[Table]:
    """The figures side by side, and the energy of each phase."""
    label = f" ({found.result.energy_method})" if found.result.energy_method in ("estimated", "simulated") else ""
    rows = [
        [figure.name, _shown(figure.said), _shown(figure.recomputed), _agrees(figure.agrees)]
        for figure in found.figures
        if figure.said is not None or figure.recomputed is not None
    ]
    phases = [
        [
            stretch.phase,
            f"{stretch.duration_s:.3f}",
            *(
                _joules(value)
                for value in (
                    (stretch.energy.joules, stretch.energy.low, stretch.energy.high) if stretch.energy else (None,) * 3
                )
            ),
            _joules(stretch.energy.joules / stretch.duration_s if stretch.energy and stretch.duration_s else None),
        ]
        for stretch in found.phases
    ]
    return [
        Table(
            f"Recomputed from counters, time series and marks{label}",
            [Column("figure"), Column("result says", True), Column("files give", True), Column("")],
            rows,
            [f"{name} is missing, or not the file that the result was computed from" for name in found.changed_files],
        ),
        Table(
            f"Energy of each phase{label}",
            [Column("phase"), *(Column(title, True) for title in ("s", "J", "low", "high", "mean W"))],
            phases,
        ),
    ]


def _agrees(agrees: bool) -> str:
    return "agrees" if agrees else "DIFFERS"


def _joules(value: float | None) -> str:
    return "—" if value is None else f"{value:,.2f}"


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    return f"{value:.7g}" if isinstance(value, float) else str(value)
