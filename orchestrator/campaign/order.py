"""Cycles and their order: which experiment runs when. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator

from runners.contract.request import Order


def order_runs(experiments: int, cycles: int, order: Order, seed: int) -> Iterator[tuple[int, int]]:
    """Yield every run as ``(index of the experiment, cycle counted from 1)``, in the order to run them.

    ``grouped`` repeats an experiment before the next begins. ``interleaved`` runs all experiments once,
    then all again, so that drift over time meets each alike. ``reversed`` does too, every second cycle
    backwards, so that a drift within cycles meets each alike as well. ``shuffled`` does too, each cycle in
    a random order of its own that the seed decides.
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
        backwards = order == "reversed" and cycle % 2 == 0
        for experiment in reversed(sequence) if backwards else sequence:
            yield experiment, cycle
