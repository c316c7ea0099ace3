"""Whether two groups of runs gave the same texts."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.analysis.groups import Group


def outputs_of(group: Group) -> Mapping[str, set[str]]:
    """The hashes of the texts that a group's runs gave, by what they were asked."""
    found: dict[str, set[str]] = {}
    for asked, output in zip(group.frame["asked"].tolist(), group.frame["output_sha256"].tolist(), strict=True):
        if isinstance(output, str):
            found.setdefault(asked, set()).add(output)
    return found


def same_output(a: Mapping[str, set[str]], b: Mapping[str, set[str]]) -> bool | None:
    """Whether all runs of two groups that were asked the same gave the same; None where none were, or it is not known.

    Args:
        a: the outputs of one group.
        b: those of the other.
    """
    both = [a[asked] | b[asked] for asked in a.keys() & b.keys()]
    return all(len(texts) == 1 for texts in both) if both else None
