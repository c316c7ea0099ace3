from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.selection import select, simultaneous

CHANCE = np.random.default_rng(7)


def noise(candidates: int, cycles: int, sigma: float = 0.02) -> np.ndarray:
    return sigma * CHANCE.standard_normal((candidates, cycles))


def _banerjee(worse: np.ndarray, better: np.ndarray) -> float:
    """The upper end of the interval of the difference."""
    widths = [stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) for values in (worse, better)]
    return float(worse.mean() - better.mean() + np.hypot(*widths))


def test_between_two_it_says_what_a_paired_test_says() -> None:
    for gap in (0.0, 0.01, 0.02, 0.03, 0.04, 0.06):
        logs = np.array([[0.0], [gap]]) + noise(2, 5)
        test = stats.ttest_rel(logs[1], logs[0])
        found = select(logs)
        assert found.possible.all() == (test.pvalue > 0.05)
        worse = int(logs.mean(axis=1).argmax())
        low, high = stats.ttest_rel(logs[worse], logs[1 - worse]).confidence_interval(0.95)
        assert found.beside_best[worse, 2] == pytest.approx(high)
        assert found.beside_best[worse, 1] == pytest.approx(max(0.0, low))
        assert found.beside_best[1 - worse, 0] == 0.0
        assert found.paired == 1.0


def test_what_cycles_share_is_no_noise() -> None:
    shared = np.array([0.0, 0.5, -0.3, 0.2])
    logs = np.array([[0.0], [0.05], [0.3]]) + noise(3, 4, 0.002)
    alone, together = select(logs), select(logs + shared)
    assert alone.possible.tolist() == together.possible.tolist() == [True, False, False]
    assert together.beside_best == pytest.approx(alone.beside_best)


def test_one_that_is_noisy_does_not_make_the_others_inseparable() -> None:
    """The winner is noisy; the third is told from the second, and so is not the best."""
    logs = np.array([[-0.2, 0.2, 0.3, -0.4], [0.01, 0.0, 0.01, 0.0], [0.2, 0.21, 0.2, 0.2]])
    assert select(logs).possible.tolist() == [True, True, False]


def test_cycles_that_are_not_shared_are_not_paired() -> None:
    logs = np.full((2, 10), np.nan)
    logs[0, :5] = noise(1, 5)[0]
    logs[1, 5:] = 0.05 + noise(1, 5)[0]
    found, high = select(logs), _banerjee(logs[1, 5:], logs[0, :5])
    assert found.paired == 0.0
    assert found.beside_best[1, 2] == pytest.approx(high)
    assert found.possible.tolist() == [True, bool(2 * (logs[1, 5:].mean() - logs[0, :5].mean()) < high)]


def test_two_of_unlike_many_cycles_are_told_apart_falsely_no_more_often_than_said() -> None:
    """Welch's test does that in 8 of 100: where 3 noisy cycles lie close together, they pass for well known."""
    chance = np.random.default_rng(5)
    told = 0
    for _ in range(1000):
        logs = np.full((2, 15), np.nan)
        logs[0, :3], logs[1, 3:] = 0.06 * chance.standard_normal(3), 0.03 * chance.standard_normal(12)
        told += not select(logs).possible.all()
    assert told <= 60


def test_few_shared_cycles_do_not_throw_the_others_away() -> None:
    """One was stopped after 4 cycles, the other went on to 20: by pairs, 16 would count for nothing."""
    logs = np.full((2, 20), np.nan)
    logs[0, :4], logs[1] = noise(1, 4)[0], noise(1, 20)[0]
    high = _banerjee(logs[1], logs[0, :4])
    assert select(logs).paired == 0.0
    assert select(logs).beside_best[1, 2] == pytest.approx(max(0.0, high))
    logs[0, :16] = noise(1, 16)[0]
    assert select(logs).paired == 1.0


def test_figures_without_noise_are_told_apart_if_they_differ_at_all() -> None:
    logs = np.log(np.array([[3.0] * 3, [3.0] * 3, [3.001] * 3]))
    found = select(logs)
    assert found.possible.tolist() == [True, True, False]
    assert found.beside_best[2] == pytest.approx([np.log(3.001 / 3)] * 3)


def test_degrees_of_freedom_that_are_gone_make_it_less_sure() -> None:
    logs = np.array([[0.0], [0.05]]) + noise(2, 6)
    assert select(logs, lost=0.3).beside_best[1, 2] > select(logs).beside_best[1, 2]


def test_a_sole_one_is_the_best_of_nothing() -> None:
    found = select(noise(1, 4))
    assert found.possible.tolist() == [True]
    assert np.isnan(found.beside_best).all()
    assert len(select(np.empty((0, 3))).possible) == 0


def test_blocks_of_rows_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = np.linspace(0, 0.2, 17)[:, None] + noise(17, 4)
    whole = select(logs)
    monkeypatch.setattr("orchestrator.analysis.selection._CELLS", 40)
    parts = select(logs)
    assert parts.possible.tolist() == whole.possible.tolist()
    assert parts.beside_best == pytest.approx(whole.beside_best)
    assert parts.paired == whole.paired


def test_intervals_at_once_are_those_of_t_at_sidaks_level() -> None:
    logs = np.array([[0.0], [1.0], [2.0]]) + noise(3, 5)
    for row, found in zip(logs, simultaneous(logs), strict=True):
        low, high = stats.t.interval(0.95 ** (1 / 3), 4, row.mean(), stats.sem(row))
        assert (np.log(found.low), np.log(found.high)) == (pytest.approx(low), pytest.approx(high))
        assert (found.method, found.count, found.level) == ("log-t", 5, 0.95)
    assert simultaneous(np.empty((0, 4))) == []


def test_what_was_repeated_until_it_was_known_has_a_wider_interval() -> None:
    logs = noise(2, 10)
    fixed, (stopped, other) = simultaneous(logs), simultaneous(logs, looked_at=np.array([True, False]))
    assert other == fixed[1]
    assert stopped.method == "sequential log-t"
    assert np.log(stopped.high / stopped.low) == pytest.approx(1.25 * np.log(fixed[0].high / fixed[0].low))


def test_a_thousand_candidates_of_two_cycles_have_intervals_without_end() -> None:
    """Of all at once, and of one degree of freedom: they reach beyond what a double holds."""
    found = simultaneous(noise(1000, 2, 0.1))
    assert all(0 < one.low < one.high < float("inf") for one in found)
