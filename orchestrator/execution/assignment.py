"""Which GPUs a run gets where several go on at once: a Latin square over experiments and cycles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


def assigned(gpus: Sequence[_T], wanted: int, position: int, cycle: int) -> tuple[_T, ...]:
    """The GPUs of a run: a block of neighbours in the list, the next one in each cycle.

    Experiments take the blocks in turn, shifted by one after each round: else those whose places recur as the blocks
    do, as where sizes alternate, would all meet the same in a cycle.

    So over as many cycles as there are blocks each experiment meets each block once, and unit spread is no effect of
    an experiment. What is left over where the number wanted does not divide that of the GPUs is in no block. Only these
    arguments count, so a resumed campaign assigns as it began.

    Args:
        gpus: those that the campaign names, at least as many as wanted.
        wanted: how many the experiment works on.
        position: the experiment's place in the campaign, from 0.
        cycle: from 1.
    """
    blocks = len(gpus) // wanted
    block = (position + position // blocks + cycle - 1) % blocks
    return tuple(gpus[block * wanted : (block + 1) * wanted])
