"""How often ``compare`` tells apart what does not differ, and how often its difference in joules holds the truth.

The two groups of a pair have one truth; b is twice as noisy as a. What is told apart is the share of p-values of 5 %
and less, which is the verdict of a pair that is compared by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from orchestrator.analysis.compare import ALPHA, Comparison, compare_groups
from orchestrator.analysis.contrast import Contrast, Sample, contrast
from orchestrator.analysis.difference import Difference, difference_of
from orchestrator.analysis.groups import Group
from orchestrator.analysis.inference import Tested, tests_of
from orchestrator.analysis.interval import LEVEL, interval_of
from orchestrator.analysis.stopping import sure_enough
from tests.bench.stats.harness import CAMPAIGNS, METRIC, NOISES, SIGMA, Claim, Logs, Noise, made_group, seeded, share_of

CYCLES: Final = (3, 4, 5, 7, 10, 15, 20)
UNLIKE: Final = ((3, 3), (5, 5), (3, 12), (12, 3), (10, 10), (20, 20))
MOST_FALSE: Final = 0.055
MOST_FALSE_OF_HEAVY: Final = 0.10
COVERED: Final = {"normal": 0.93, "mildly skewed": 0.93, "heavy-tailed": 0.90}
GPUS: Final = 4
GPU_SPREAD: Final = 0.05
EXPERIMENTS: Final = 6
PAIRS: Final = 5 * CAMPAIGNS
"""More than 2,000: of those, 15 in 100 would see a share of 5 % as more than 5.5 % by chance; of these, 1 in 100."""


def claims() -> Iterator[Claim]:
    for name, noise in NOISES.items():
        for cycles in CYCLES:
            chance = seeded("paired", name, cycles)
            shared, own = noise(chance, (PAIRS, cycles)), noise(chance, (2, PAIRS, cycles))
            yield _false(f"{name}, {cycles} cycles", name, _contrasts(shared + own[0], shared + 2 * own[1]))
    for name, noise in NOISES.items():
        for of_a, of_b in UNLIKE:
            chance = seeded("unpaired", name, of_a, of_b)
            a, b = noise(chance, (PAIRS, of_a)), 2 * noise(chance, (PAIRS, of_b))
            yield _false(f"{name}, {of_a} and {of_b} cycles", name, _contrasts(a, b, "another"))
    for name, noise in NOISES.items():
        for cycles in (3, 4, 5, 8):
            chance = seeded("gpus", name, cycles)
            found = [_on_gpus(chance, noise, cycles) for _ in range(CAMPAIGNS)]
            told = share_of(one.p_value is not None and one.p_value <= ALPHA for one in found)
            yield _claim(
                f"{name}, {cycles} cycles, {GPUS} GPUs that differ by {GPU_SPREAD:.0%}", name, told, found[0].design
            )
    for name, noise in NOISES.items():
        for of_a, of_b in ((0.02, 0.02), (0.03, 0.03), (0.02, 0.04), (0.01, 0.05)):
            found = _until_known(seeded("until", name, of_a, of_b), noise, of_a, of_b)
            what = f"{name}, noise of {of_a:.0%} and {of_b:.0%}, each repeated until known to 2 %"
            yield _false(what, name, found)
    for cycles in (3, 5):
        chance = seeded("family", cycles)
        false = share_of(_any_told(chance, cycles) for _ in range(CAMPAIGNS))
        yield Claim(f"any of 10 pairs told apart, normal, {cycles} cycles", false, at_most=MOST_FALSE, note="Holm")
    yield from _differences()
    yield from _power()


def _differences() -> Iterator[Claim]:
    """Of intervals of the difference, which never contradict the ratio's; much of the noise is the cycle's own."""
    for name, noise in NOISES.items():
        for cycles in (3, 5, 10):
            for ratio in (1.05, 2.0):
                chance = seeded("difference", name, cycles, ratio)
                shared, own = 3 * noise(chance, (CAMPAIGNS, cycles)), noise(chance, (2, CAMPAIGNS, cycles))
                found = _contrasts(shared + own[0], shared + 2 * own[1] + np.log(ratio) / SIGMA, "simulated")
                told = [(_difference(one, test), test) for one, test in zip(found, tests_of(found, LEVEL), strict=True)]
                what = f"{name}, {cycles} cycles, true ratio {ratio:g}"
                holds = share_of(each.low <= ratio - 1 <= each.high for each, _ in told)
                yield Claim(f"difference holds the truth: {what}", holds, at_least=COVERED[name])
                agree = share_of((each.low * each.high > 0) == (test.low * test.high > 0) for each, test in told)
                yield Claim(f"difference is on the side of the ratio: {what}", agree, at_least=1.0)


def _difference(found: Contrast, test: Tested) -> Difference:
    a, b = (interval_of(np.exp(logs).tolist(), LEVEL) for logs in (found.a, found.b))
    assert a
    assert b
    return difference_of(a, b, found, test)


def _power() -> Iterator[Claim]:
    """How often a true difference is told, without a bound: what to expect, and what pairing is worth."""
    for cycles in (3, 5, 10):
        chance = seeded("power", cycles)
        shared, own = chance.standard_normal((PAIRS, cycles)), chance.standard_normal((2, PAIRS, cycles))
        for campaign in ("simulated", "another"):
            found = _contrasts(shared + own[0], shared + own[1] + np.log(1.1) / SIGMA, campaign)
            yield Claim(f"a true 10 % told apart, normal, {cycles} cycles", _told(found), note=found[0].design)


def _contrasts(a: Logs, b: Logs, campaign: str = "simulated") -> list[Contrast]:
    """A pair for each row."""
    pairs = zip(_samples("a", a), _samples("b", b, campaign), strict=True)
    return [found for pair in pairs if (found := contrast(*pair, None))]


def _until_known(chance: np.random.Generator, noise: Noise, of_a: float, of_b: float) -> list[Contrast]:
    """Pairs of one campaign, either of which was repeated until it was known."""
    found = []
    for a, b in zip(*(of * noise(chance, (CAMPAIGNS, 60)) / SIGMA for of in (of_a, of_b)), strict=True):
        of_pair = [next(_samples(name, _known(logs)[None])) for name, logs in (("a", a), ("b", b))]
        found.append(contrast(*(replace(sample, looked_at=True) for sample in of_pair), None))
    return [one for one in found if one]


def _known(logs: Logs) -> Logs:
    values = np.exp(SIGMA * logs).tolist()
    return logs[: next((count for count in range(3, 60) if sure_enough(values[:count], 0.02)), 60)]


def _samples(experiment: str, noise: Logs, campaign: str = "simulated") -> Iterator[Sample]:
    count = noise.shape[1]
    names, gpus = np.full(count, experiment, dtype=object), np.full(count, "", dtype=object)
    for row in noise:
        yield Sample(campaign, True, names, np.arange(1, count + 1), gpus, SIGMA * row)


def _told(found: Sequence[Contrast]) -> float:
    return share_of(test.p_value <= ALPHA for test in tests_of(found, LEVEL))


def _false(what: str, noise: str, found: Sequence[Contrast]) -> Claim:
    return _claim(what, noise, _told(found), f"{found[0].design}; {tests_of(found[:1], LEVEL)[0].method}")


def _claim(what: str, noise: str, told: float, note: str) -> Claim:
    most = MOST_FALSE_OF_HEAVY if noise == "heavy-tailed" else MOST_FALSE
    return Claim(f"told apart falsely: {what}", told, None, most, note)


def _on_gpus(chance: np.random.Generator, noise: Noise, cycles: int) -> Comparison:
    """Two of the experiments of a campaign that take turns on GPUs; they are 1, 2 and 3 times as noisy."""
    gpus = GPU_SPREAD / SIGMA * chance.standard_normal(GPUS)
    on = (np.arange(EXPERIMENTS)[:, None] + np.arange(cycles)) % GPUS
    scale = 1 + np.arange(EXPERIMENTS)[:, None] % 3
    logs = gpus[on] + noise(chance, (cycles,)) + scale * noise(chance, (EXPERIMENTS, cycles))
    names = np.array([f"GPU-{unit}" for unit in range(GPUS)])[on].ravel()
    experiment = np.repeat([f"e{place}" for place in range(EXPERIMENTS)], cycles)
    campaign = _groups("e", logs, gpus=names, experiment_id=experiment)
    a, b = chance.choice(EXPERIMENTS, 2, replace=False)
    return compare_groups([(campaign[a], campaign[b])], [METRIC], among=campaign)[0]


def _any_told(chance: np.random.Generator, cycles: int) -> bool:
    first, *others = _groups("e", chance.standard_normal(cycles) + chance.standard_normal((11, cycles)))
    found = compare_groups([(first, other) for other in others], [METRIC])
    return any(one.verdict != "cannot tell" for one in found)


def _groups(label: str, noise: Logs, **columns: object) -> list[Group]:
    """A group for each row: slices of one frame, since frames are slow to make."""
    experiments, cycles = noise.shape
    frame = made_group(label, np.exp(SIGMA * noise.ravel())).frame
    frame = frame.assign(cycle=np.tile(np.arange(1, cycles + 1), experiments), **columns)
    return [Group(label, {}, frame.iloc[place : place + cycles]) for place in range(0, len(frame), cycles)]
