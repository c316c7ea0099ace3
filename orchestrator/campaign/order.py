"""Cycles and their order: which experiment runs when. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

Order = Literal["grouped", "interleaved", "shuffled"]


def order_runs(experiments: int, cycles: int, order: Order, seed: int) -> Iterator[tuple[int, int]]:
    """Yield every run as ``(index of the experiment, cycle counted from 1)``, in the order to run them.

    ``grouped`` repeats an experiment before the next begins. ``interleaved`` runs all experiments once,
    then all again, so that drift over time meets each alike. ``shuffled`` does too, each cycle in a
    random order of its own that the seed decides.
    """
    if order == "grouped":
        for experiment in range(experiments):
            for cycle in range(1, cycles + 1):
                yield experiment, cycle
        return
    sequence = list(range(experiments))
    for cycle in range(1, cycles + 1):
        if order == "shuffled":
            sequence.sort()
            random.Random(f"{seed}:{cycle}").shuffle(sequence)
        for experiment in sequence:
            yield experiment, cycle
