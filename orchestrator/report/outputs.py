"""Whether runs that were asked the same gave the same text. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runners.contract.result import RunResult

_SHOWN = 12


def output_of(result: RunResult) -> str:
    """The output of a run in short: how many tokens, and what they hash to."""
    known = f", sha256 {result.output_sha256[:_SHOWN]}" if result.output_sha256 else ""
    return f"{result.output_tokens} tokens{known}"


def output_notes(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """What to know where the same prompts to the same model gave different outputs.

    Runs that asked a different number of requests, as a window by time does, are not compared.

    Args:
        columns: ``asked``, ``model`` and ``output_sha256`` of runs.
    """
    asked: dict[tuple[str, str], Counter[str]] = {}
    for model, same, output in zip(columns["model"], columns["asked"], columns["output_sha256"], strict=True):
        if output:
            asked.setdefault((model, same), Counter())[output[:_SHOWN]] += 1
    return [
        f"outputs differ: the same prompts to {model} gave {len(outputs)} different texts in {outputs.total()} runs ("
        + ", ".join(f"{output} in {count}" for output, count in outputs.most_common(4))
        + (", …)" if len(outputs) > 4 else ")")
        for (model, _), outputs in asked.items()
        if len(outputs) > 1
    ]
