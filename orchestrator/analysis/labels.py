"""What groups are called: the parameters that set them apart, in few words. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.printable import on_one_line
from orchestrator.results.columns import texts_of
from orchestrator.results.parameters import shown
from orchestrator.results.table import RunTable
from orchestrator.results.varied import varied_parameters

SEPARATOR: Final = " · "
_SPEAKS = re.compile(r"[^\W\d_][\w./:+-]{0,39}")
"""A value that says of itself what it is of, such as ``bfloat16``; unlike ``8`` or a JSON text."""
_MUTE = frozenset({"auto", "default", "none", "null", "true", "false", "on", "off", "yes", "no"})


def group_labels(
    table: RunTable, by: Sequence[str], firsts: Sequence[int], keys: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A label for each group, no two alike, with control characters of names as escapes.

    Args:
        table: of the campaign.
        by: the columns that were grouped by; empty: by experiment.
        firsts: the place of one run of each group.
        keys: what its runs share.
    """
    frame = table.frame.iloc[list(firsts)]
    if by:
        named = [(name, name.rpartition(".")[2]) for name in by]
        titles = Counter(title for _, title in named)
        columns = [(name, title if titles[title] == 1 else name) for name, title in named]
    else:
        columns = [(one.name, one.title) for one in varied_parameters(table.frame, table.parameters)]
    texts = [texts_of(frame, name) for name, _ in columns]
    titles_of = [(title, alone) for (_, title), alone in zip(columns, _speaking(texts), strict=True)]
    labels = [
        SEPARATOR.join(
            _part(title, text, alone=alone) for (title, alone), text in zip(titles_of, row, strict=True) if text or by
        )
        for row in (zip(*texts, strict=True) if texts else [()] * len(frame))
    ]
    labels = [
        on_one_line(label or f"{backend}{SEPARATOR}{model}")
        for label, backend, model in zip(labels, frame["backend"], frame["model"], strict=True)
    ]
    labels = _told_apart(labels, [_environment(key) for key in keys])
    return _told_apart(labels, [_experiment(key) for key in keys])


def _speaking(columns: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns' values stand for themselves: they are words, and no other column has them."""
    words = [{text for text in texts if text} for texts in columns]
    uses = Counter(text for texts in words for text in texts)
    return [
        all(_SPEAKS.fullmatch(text) and text.lower() not in _MUTE and uses[text] == 1 for text in texts)
        for texts in words
    ]


def _part(title: str, text: str, *, alone: bool) -> str:
    return text if alone and text else f"{title} {text or shown(None)}"


def _environment(key: Mapping[str, Any]) -> str:
    return f"environment {str(key['environment_id'])[:8]}" if "environment_id" in key else "environments pooled"


def _experiment(key: Mapping[str, Any]) -> str:
    return str(key["experiment_id"]).rsplit("-", 1)[-1][:8] if "experiment_id" in key else ""


def _told_apart(labels: list[str], further: Sequence[str]) -> list[str]:
    """Labels that several groups have, with what else sets those apart."""
    by_label: dict[str, set[str]] = {}
    for label, more in zip(labels, further, strict=True):
        by_label.setdefault(label, set()).add(more)
    return [
        f"{label}{SEPARATOR}{more}" if len(by_label[label]) > 1 and more else label
        for label, more in zip(labels, further, strict=True)
    ]
