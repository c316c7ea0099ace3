"""GPUs as blocks: what they add is told from all runs, and taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from orchestrator.analysis.blocks import blocks_of
from orchestrator.analysis.compare import compare_groups
from orchestrator.analysis.groups import Group
from tests.bench.stats.harness import METRIC, made_group

GPUS = ("GPU-0", "GPU-1", "GPU-2", "GPU-3")
ADDS = np.log([1.0, 1.1, 0.9, 1.3])


def square(truths: Sequence[float], cycles: int, sigma: float = 0.002, seed: int = 0) -> list[Group]:
    """A campaign whose experiments take turns on four GPUs, as a Latin square does."""
    chance = np.random.default_rng(seed)
    groups = []
    for place, truth in enumerate(truths):
        on = [(place + cycle) % 4 for cycle in range(cycles)]
        logs = math.log(truth) + ADDS[on] + sigma * chance.standard_normal(cycles)
        groups.append(made_group(f"e{place}", np.exp(logs), gpus=[GPUS[unit] for unit in on]))
    return groups


def test_effects_of_gpus_are_those_that_were_put_in() -> None:
    chance = np.random.default_rng(0)
    gpus = np.array([GPUS[n % 4] for n in range(60)])
    experiment, cycle = np.arange(60) % 5, np.arange(60) // 5
    logs = experiment * 0.5 + cycle * 0.1 + ADDS[np.arange(60) % 4] + 1e-3 * chance.standard_normal(60)
    blocks = blocks_of(experiment, cycle, gpus, logs)
    assert blocks is not None
    assert blocks.effects == pytest.approx(ADDS - ADDS.mean(), abs=2e-3)
    assert math.sqrt(blocks.variance) == pytest.approx(1e-3, rel=0.3)


def test_one_gpu_is_no_block() -> None:
    assert blocks_of(np.zeros(4), np.arange(4), np.array(["a"] * 4), np.arange(4.0)) is None


def test_experiments_that_stay_on_their_gpu_tell_nothing_of_gpus() -> None:
    experiment = np.array([0, 1] * 4)
    blocks = blocks_of(experiment, np.arange(8) // 2, np.array(["a", "b"] * 4), np.arange(8.0) ** 2)
    assert blocks is None


def test_what_gpus_add_is_no_spread() -> None:
    groups = square([1.0, 1.02, 1.4, 0.8, 2.0, 0.5], 4)
    (blocked,) = compare_groups([(groups[0], groups[1])], [METRIC], among=groups)
    assert blocked.design == "paired by cycle, blocked by GPU"
    assert blocked.verdict == "higher"
    assert blocked.ratio is not None
    assert blocked.ratio.low < 1.02 < blocked.ratio.high
    assert blocked.ratio.relative_half_width < 0.01
    (alone,) = compare_groups([(groups[0], groups[1])], [METRIC])
    assert alone.design == "paired by cycle"
    assert alone.verdict == "cannot tell"


def test_other_pairs_of_the_same_call_help_to_tell_gpus_apart() -> None:
    groups = square([1.0, 1.02, 1.4, 0.8, 2.0, 0.5], 4)
    found = compare_groups([(groups[0], group) for group in groups[1:]], [METRIC])
    assert {one.design for one in found} == {"paired by cycle, blocked by GPU", "paired by cycle"}
    assert found[3].design == "paired by cycle"  # both always on the same GPU
    assert not found[3].unlike_gpus


def test_a_difference_that_may_be_the_gpus_says_so() -> None:
    chance = np.random.default_rng(0)
    a, b = (
        made_group(name, np.exp(0.01 * chance.standard_normal(5)), gpus=[gpu] * 5)
        for name, gpu in (("a", GPUS[0]), ("b", GPUS[1]))
    )
    (found,) = compare_groups([(a, b)], [METRIC])
    assert found.unlike_gpus
    assert found.design == "paired by cycle"


def test_groups_of_unlike_campaigns_are_blocked_too() -> None:
    from dataclasses import replace

    groups = square([1.0, 1.4, 0.8, 2.0, 0.5, 3.0], 6)
    others = [
        replace(group, frame=group.frame.assign(campaign="later")) for group in square([1.05, 1.4, 0.8, 2.0], 6, seed=1)
    ]
    (found,) = compare_groups([(groups[0], others[0])], [METRIC], among=[*groups, *others])
    assert found.design == "unpaired, blocked by GPU"
    assert found.ratio is not None
    assert found.ratio.low < 1.05 < found.ratio.high
    assert found.ratio.relative_half_width < 0.02
