"""Whether two groups of runs gave the same texts."""

from __future__ import annotations

from orchestrator.analysis.groups import Group


def same_output(a: Group, b: Group) -> bool | None:
    """Whether all runs of two groups that were asked the same gave the same; None where none were, or it is not known.

    Args:
        a: one group.
        b: the other.
    """
    of_a, of_b = _outputs(a), _outputs(b)
    both = [of_a[asked] | of_b[asked] for asked in of_a.keys() & of_b.keys()]
    return all(len(texts) == 1 for texts in both) if both else None


def _outputs(group: Group) -> dict[str, set[str]]:
    """The hashes of the texts, by what was asked."""
    found: dict[str, set[str]] = {}
    for asked, output in zip(group.frame["asked"].tolist(), group.frame["output_sha256"].tolist(), strict=True):
        if isinstance(output, str):
            found.setdefault(asked, set()).add(output)
    return found
