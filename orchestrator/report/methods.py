"""How sure figures are, and by which methods, in sentences. Pure."""

from __future__ import annotations

from typing import Final

from orchestrator.analysis.interval import Method
from orchestrator.report.answers import Answers
from orchestrator.report.counting import percent
from orchestrator.report.standings import Standing

METHODS: Final[dict[Method, str]] = {
    "log-t": "Student's t on the logarithms of the cycles' values",
    "sequential log-t": "Student's t on the logarithms, wider since cycles were added until it was narrow enough",
    "t": "Student's t on the cycles' values, which are not all above 0, so that the typical value is their mean",
    "bca": "bootstrap over cycles, bias-corrected and accelerated (BCa)",
}


def methods(answers: Answers) -> list[str]:
    """What the ranking's words and intervals mean; nothing where it has none."""
    said = []
    if answers.winner and answers.best:
        said.append(
            f"What may be best, and what is told apart: {answers.best.method}. Intervals of the chart, and of the"
            " sentence on the best, hold all at once, so also for whichever turns out best; those of the table are"
            " each of one configuration, and so narrower."
        )
    used = {
        summary.interval.method
        for one in answers.standings
        if answers.metric and (summary := one.summaries[answers.metric.name]).interval
    }
    said += [f"{method}: {METHODS[method]}." for method in sorted(used)]
    bounds = [_meter_bound(one, answers) for one in answers.standings]
    if widest := max((bound for bound in bounds if bound is not None), default=None):
        said.append(
            f"Intervals tell of the spread between cycles. By the meters' own bounds, any figure may be off by up to"
            f" {percent(widest)} besides, which no repetition makes less."
        )
    return said


def _meter_bound(one: Standing, answers: Answers) -> float | None:
    if answers.metric is None:
        return None
    summary = one.summaries[answers.metric.name]
    if summary.meter_low is None or summary.meter_high is None:
        return None
    return max(1 - summary.meter_low, summary.meter_high - 1)
