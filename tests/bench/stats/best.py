"""How often the best is among the winner and what is not told from it, and how often all intervals cover at once.

The cycles share an effect, the candidates' noises differ by 5 times, and the best is ahead by next to nothing: where it
is ahead by more, it is found more often.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.best import best_of
from orchestrator.analysis.groups import Group
from orchestrator.analysis.selection import Selection, select, simultaneous
from orchestrator.analysis.stopping import sure_enough
from tests.bench.stats.harness import CAMPAIGNS, METRIC, NOISES, SIGMA, Claim, Logs, made_group, seeded, share_of

CYCLES = (3, 5, 10, 20)
CANDIDATES = 8
AHEAD = 1e-6
TRUTH = np.where(np.arange(CANDIDATES) > 0, AHEAD, 0.0)
HELD = {"normal": 0.93, "mildly skewed": 0.93, "heavy-tailed": 0.90}


def claims() -> Iterator[Claim]:
    for name in NOISES:
        for cycles in CYCLES:
            for order, best_is in ((1, "quiet"), (-1, "noisy")):
                found = [select(logs) for logs in campaigns(name, cycles, order)]
                what = f"{name}, the best {best_is}, {cycles} cycles"
                yield Claim(f"the best among those named: {what}", share_of(held(found)), at_least=0.95)
                covered = map(ratios_cover, found)
                yield Claim(f"ratios to the best, all at once: {what}", share_of(covered), at_least=0.95)
            covered = map(intervals_cover, campaigns(name, cycles, 1, "intervals"))
            what = f"{CANDIDATES} intervals at once: {name}, {cycles} cycles"
            yield Claim(what, share_of(covered), at_least=HELD[name])
    yield from repeated_until_known()
    yield from told_apart()
    yield from over_gpus()


def campaigns(name: str, cycles: int, order: int, purpose: str = "best") -> Logs:
    """Logs by campaign, candidate and cycle; the first candidate is the best, and the quietest or the noisiest."""
    chance, noise = seeded(purpose, name, cycles, order), NOISES[name]
    sigmas = SIGMA * np.geomspace(1, 5, CANDIDATES)[::order]
    shared = SIGMA * noise(chance, (CAMPAIGNS, 1, cycles))
    logs: Logs = TRUTH[:, None] + shared + sigmas[:, None] * noise(chance, (CAMPAIGNS, CANDIDATES, cycles))
    return logs


def repeated_until_known() -> Iterator[Claim]:
    """Each candidate repeated until it is known to 2 %, 60 times at most: the noisy ones oftener than the quiet."""
    for name in ("normal", "mildly skewed"):
        for order, best_is in ((1, "quiet"), (-1, "noisy")):
            stopped = [until_known(logs) for logs in campaigns(name, 60, order, "until known")]
            what = f"{name}, the best {best_is}, each until it is known"
            hits = held([select(logs) for logs in stopped])
            yield Claim(f"the best among those named: {what}", share_of(hits), at_least=0.95)
            looked_at = np.ones(CANDIDATES, dtype=bool)
            covered = (intervals_cover(logs, looked_at) for logs in stopped)
            yield Claim(f"{CANDIDATES} intervals at once: {what}", share_of(covered), at_least=HELD[name])


def until_known(logs: Logs) -> Logs:
    """A campaign without the cycles that each candidate did not need."""
    kept = np.full(logs.shape, np.nan)
    for row, values in enumerate(np.exp(logs)):
        needed = next((n for n in range(5, len(values)) if sure_enough(values[:n].tolist(), 0.02)), len(values))
        kept[row, :needed] = logs[row, :needed]
    return kept


def held(found: list[Selection]) -> Iterator[bool]:
    return (bool(each.possible[0]) for each in found)


def ratios_cover(found: Selection) -> bool:
    low, high = found.beside_best[:, 1], found.beside_best[:, 2]
    return bool(((low <= TRUTH) & (high >= TRUTH)).all())


def intervals_cover(logs: Logs, looked_at: NDArray[np.bool_] | None = None) -> bool:
    return all(
        one.low <= math.exp(value) <= one.high
        for one, value in zip(simultaneous(logs, looked_at=looked_at), TRUTH, strict=True)
    )


def told_apart() -> Iterator[Claim]:
    """What this is good for: candidates that are 5 % apart, with noise of 3 %."""
    truth = 0.05 * np.arange(CANDIDATES)
    for cycles in CYCLES:
        logs = truth[:, None] + SIGMA * seeded("told apart", cycles).standard_normal((CAMPAIGNS, CANDIDATES, cycles))
        left = np.mean([np.count_nonzero(select(campaign).possible) for campaign in logs])
        yield Claim(f"named of {CANDIDATES} that are 5 % apart, {cycles} cycles", float(left), share=False)


def over_gpus() -> Iterator[Claim]:
    """Two GPUs of which one spends a tenth more, candidates that move between them, all but equally good."""
    for cycles in (4, 10):
        chance = seeded("best over GPUs", cycles)
        found = [best_of(on_two_gpus(chance, cycles), METRIC) for _ in range(CAMPAIGNS)]
        hits = (any(one.group.label == "0" for one in best.may_be_best) for best in found)
        what = f"normal, 4 candidates on 2 GPUs, {cycles} cycles"
        yield Claim(f"the best among those named: {what}", share_of(hits), at_least=0.95, note=found[0].method)


def on_two_gpus(chance: np.random.Generator, cycles: int) -> list[Group]:
    groups = []
    for candidate in range(4):
        on = (candidate + np.arange(cycles)) % 2
        logs = AHEAD * (candidate > 0) + 0.1 * on + SIGMA * chance.standard_normal(cycles)
        groups.append(made_group(str(candidate), np.exp(logs), gpus=[f"GPU-{unit}" for unit in on]))
    return groups
