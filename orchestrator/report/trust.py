"""What a reader must know before relying on a report, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.analysis.groups import SUSPECT
from orchestrator.report.answers import Answers
from orchestrator.report.counting import counted
from orchestrator.report.drifting import drift_note
from orchestrator.report.in_words import all_of
from orchestrator.report.notes import circumstances, columns_of_frame, notes_on
from orchestrator.report.sentences import Name, Sentence

_FEW: Final = 5


def trust(answers: Answers) -> list[Sentence]:
    """What a reader must know before relying on it."""
    why = answers.metric.why if answers.metric else None
    said = [f"ranked by {answers.metric.quantity.title}: {why}"] if answers.metric and why else []
    columns = columns_of_frame(answers.frame) if len(answers.frame) else None
    said += notes_on(columns, pooled=answers.asked.choice.pooled) if columns else []
    return [
        *([[f"Only runs that meet {all_of(answers.narrowed_by)} are looked at."]] if answers.narrowed_by else []),
        *([_sentence(note)] for note in said),
        *_sample(answers),
        *_missing(answers),
        *([_sentence(note)] for note in (circumstances(columns) if columns else ())),
    ]


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}."


def _sample(answers: Answers) -> Iterator[Sentence]:
    for drift in answers.drifts:
        if drift.found and answers.metric:
            yield [_sentence(drift_note(answers.campaign, answers.metric.name, drift))]
    if answers.best and answers.best.unlike_gpus:
        yield ["Configurations ran on unlike GPUs, and nothing tells what these add."]
    if answers.metric:
        cycles = [one.summaries[answers.metric.name].cycles for one in answers.standings]
        if alone := cycles.count(1):
            yield [f"{counted(alone, 'configuration')} counted in one cycle only, of which no interval can be claimed."]
        few = min((count for count in cycles if count > 1), default=_FEW)
        if few < _FEW:
            yield [f"Some figures rest on {few} cycles: intervals are wide where cycles are few."]


def _missing(answers: Answers) -> Iterator[Sentence]:
    for left in answers.left_out:
        if left.reason != SUSPECT:  # a remark on the runs tells of these
            yield [f"Left out: {counted(left.runs, 'run')}, ", Name(left.reason), "."]
    incomplete = answers.incomplete
    if incomplete.failed:
        kinds = ", ".join(f"{len(kind.runs):,} {kind.kind}" for kind in incomplete.failed)
        yield [f"{counted(incomplete.failed_runs, 'run')} failed and gave no result: {kinds}."]
    planned = incomplete.planned or 0
    missing = planned - incomplete.complete - incomplete.failed_runs
    if incomplete.until:
        runs = f"{counted(incomplete.complete, 'run')}, of {planned:,} at most"
        yield [f"Each configuration is repeated until {incomplete.until}: {runs}."]
    elif missing > 0:
        yield [f"{counted(missing, 'run')} of {planned:,} planned {'is' if missing == 1 else 'are'} not there."]
    if unknown := sum(one.issue is None and one.level == "error" for one in answers.messages):
        yield [f"Engines complained of {counted(unknown, 'error')} that no known issue explains."]
    if answers.table.faults:
        yield [f"{counted(len(answers.table.faults), 'result')} could not be read."]
