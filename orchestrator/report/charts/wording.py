"""What charts say of figures: how they came about, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.groups import Group
from runners.contract.quantities import Quantity


def axis_title(quantity: Quantity, caveat: str = "") -> str:
    """The quantity with its unit, and what must be known of its figures."""
    behind = ", ".join(filter(None, (quantity.unit, caveat)))
    return f"{quantity.title} ({behind})" if behind else quantity.title


def sentence(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def told(quantity: Quantity, value: float | None) -> str:
    """A figure with its unit."""
    return f"{quantity.show(value)} {quantity.unit}".strip()


def made_how(group: Group, quantities: Sequence[Quantity]) -> str:
    """``simulated`` or ``estimated``, where that is so of any run of the group in these quantities; else nothing."""
    if "simulated" in set(group.frame["backend"]):
        return "simulated"
    if any(quantity.of_energy for quantity in quantities):
        methods = set(group.frame["energy_method"])
        return next((f"energy {method}" for method in ("simulated", "estimated") if method in methods), "")
    return ""


def caveats(groups: Sequence[Group], quantities: Sequence[Quantity]) -> tuple[str, list[str]]:
    """What holds of all groups alike, for a title; and what is to stand beside each where they differ."""
    each = [made_how(group, quantities) for group in groups]
    if len(set(each)) == 1:
        return each[0], [""] * len(each)
    return "", each


def labelled(text: str, caveat: str) -> str:
    """A text with what must be known of its figures behind it."""
    return f"{text} ({caveat})" if caveat else text
