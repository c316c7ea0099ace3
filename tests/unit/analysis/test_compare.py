"""Comparisons held against arithmetic that others have done, and against what they must not mistake."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from orchestrator.analysis.compare import compare_groups, holm
from orchestrator.analysis.groups import Choice, Group
from tests.bench.stats.harness import METRIC, made_group

RNG = np.random.default_rng(7)
A = np.exp(RNG.normal(0, 0.02, 5))
B = 0.9 * A * np.exp(RNG.normal(0, 0.01, 5))


def changed(group: Group, **columns: object) -> Group:
    return replace(group, frame=group.frame.assign(**columns))


def test_groups_of_one_campaign_are_paired_by_cycle() -> None:
    (found,) = compare_groups([(made_group("a", A), made_group("b", B))], [METRIC])
    known = stats.ttest_rel(np.log(B), np.log(A))
    interval = known.confidence_interval(0.95)
    assert found.design == "paired by cycle"
    assert found.ratio is not None
    assert found.p_value == pytest.approx(known.pvalue)
    assert found.ratio.estimate == pytest.approx(math.exp(np.log(B / A).mean()))
    assert (found.ratio.low, found.ratio.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert (found.ratio.method, found.ratio.count) == ("log-t", 5)
    assert found.verdict == "lower"
    assert found.cycles_more is None


def test_groups_of_unlike_campaigns_are_not_paired() -> None:
    b = changed(made_group("b", B[:4]), campaign="another")
    (found,) = compare_groups([(made_group("a", A), b)], [METRIC])
    logs = np.log(A), np.log(B[:4])
    halves = [stats.t.ppf(0.975, len(one) - 1) * one.std(ddof=1) / math.sqrt(len(one)) for one in logs]
    half, mean = math.hypot(*halves), logs[1].mean() - logs[0].mean()
    assert found.design == "unpaired"
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.high) == pytest.approx((math.exp(mean - half), math.exp(mean + half)))
    assert found.p_value is not None
    at_p = [stats.t.isf(found.p_value / 2, len(one) - 1) * one.std(ddof=1) / math.sqrt(len(one)) for one in logs]
    assert math.hypot(*at_p) == pytest.approx(abs(mean))


def test_a_few_noisy_cycles_beside_many_quiet_ones_are_not_told_apart_too_often() -> None:
    """Welch's test does that in 7 of 100."""
    chance = np.random.default_rng(0)
    pairs = [
        (made_group("a", np.exp(0.01 * quiet)), changed(made_group("b", np.exp(0.02 * noisy)), campaign="x"))
        for quiet, noisy in zip(chance.standard_normal((400, 12)), chance.standard_normal((400, 3)), strict=True)
    ]
    found = compare_groups(pairs, [METRIC])
    assert sum(one.p_value is not None and one.p_value <= 0.05 for one in found) <= 22


@pytest.mark.parametrize("change", [{"order": "grouped"}, {"campaign": "adhoc"}])
def test_cycles_that_were_not_run_together_are_no_pairs(change: dict[str, str]) -> None:
    a, b = (changed(made_group(name, values), **change) for name, values in (("a", A), ("b", B)))
    assert compare_groups([(a, b)], [METRIC])[0].design == "unpaired"


def test_where_few_cycles_are_shared_all_count_and_none_is_paired() -> None:
    (found,) = compare_groups([(made_group("a", A), made_group("b", B, first_cycle=4))], [METRIC])
    assert found.design == "unpaired"
    (found,) = compare_groups([(made_group("a", A), made_group("b", B, first_cycle=3))], [METRIC])
    assert found.design == "paired by cycle"
    assert found.ratio is not None
    assert found.ratio.count == 3


def test_the_same_twice_cannot_be_told_apart() -> None:
    (found,) = compare_groups([(made_group("a", A), made_group("b", A))], [METRIC])
    assert found.verdict == "cannot tell"
    assert found.ratio is not None
    assert (found.ratio.estimate, found.p_value, found.cycles_more) == (1.0, 1.0, None)


def test_figures_without_any_spread_are_told_apart() -> None:
    (found,) = compare_groups([(made_group("a", A * 0 + 3.0), made_group("b", A * 0 + 4.5))], [METRIC])
    assert found.ratio is not None
    assert (found.verdict, found.p_value) == ("higher", 0.0)
    assert (found.ratio.low, found.ratio.high) == pytest.approx((1.5, 1.5))


def test_one_cycle_and_none_say_nothing() -> None:
    (found,) = compare_groups([(made_group("a", A[:1]), made_group("b", B[:1]))], [METRIC])
    assert (found.ratio, found.verdict, found.why_not) == (None, "cannot tell", "fewer than 2 cycles")
    (found,) = compare_groups([(made_group("a", A), made_group("b", B[:0]))], [METRIC])
    assert found.why_not == "B: no usable run"
    (found,) = compare_groups([(made_group("a", A * math.nan), made_group("b", B * math.nan))], [METRIC])
    assert found.why_not == "energy per output token was not measured"
    assert found.typical_a is None
    (found,) = compare_groups([(made_group("a", A), made_group("b", B - B))], [METRIC])
    assert found.why_not == "B: energy per output token is not above 0 in every run"


def test_no_pair_is_no_comparison() -> None:
    assert compare_groups([], [METRIC]) == []


def test_cycles_that_failed_drop_out_with_their_pair() -> None:
    b = B.copy()
    b[2] = math.nan
    (found,) = compare_groups([(made_group("a", A), made_group("b", b))], [METRIC])
    kept = [0, 1, 3, 4]
    assert found.p_value == pytest.approx(stats.ttest_rel(np.log(B[kept]), np.log(A[kept])).pvalue)


def test_experiments_taken_together_are_averaged_within_a_cycle() -> None:
    first, second = made_group("one", A), made_group("two", 7 * B)
    b = replace(first, frame=pd.concat([first.frame, second.frame], ignore_index=True))
    (found,) = compare_groups([(made_group("a", A), b)], [METRIC])
    assert found.p_value == pytest.approx(stats.ttest_rel((np.log(A) + np.log(7 * B)) / 2, np.log(A)).pvalue)
    assert found.ratio is not None
    assert found.ratio.count == 5


def test_estimated_joules_are_compared_when_asked_for_only() -> None:
    a, b = (changed(made_group(name, values), energy_method="estimated") for name, values in (("a", A), ("b", B)))
    (found,) = compare_groups([(a, b)], [METRIC])
    assert found.why_not == "energy is estimated, not measured"
    assert found.ratio is None
    (found,) = compare_groups([(a, b)], [METRIC], Choice(estimated=True))
    assert found.verdict == "lower"


def test_what_was_metered_unlike_is_not_compared() -> None:
    a, b = made_group("a", A), changed(made_group("b", B), energy_method="rapl", energy_scope="package")
    (found,) = compare_groups([(a, b)], [METRIC])
    assert found.why_not == "metered unlike: A by measured (gpu), B by rapl (package)"


def test_a_figure_that_no_energy_is_in_is_compared_whatever_metered() -> None:
    a = made_group("a", A, metric="output_tokens_per_s")
    b = changed(made_group("b", B, metric="output_tokens_per_s"), energy_method="rapl")
    (found,) = compare_groups([(a, b)], ["output_tokens_per_s"])
    assert found.verdict == "lower"


def test_holm_is_as_published() -> None:
    """Against R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_verdicts_hold_together_and_intervals_by_themselves() -> None:
    b = B / 0.9 * 1.021
    alone = compare_groups([(made_group("a", A), made_group("b", b))], [METRIC])[0]
    assert alone.verdict == "higher"
    assert alone.ratio is not None
    others = [(made_group(f"x{n}", A), made_group(f"y{n}", A[::-1])) for n in range(30)]
    found = compare_groups([(made_group("a", A), made_group("b", b)), *others], [METRIC])
    assert len(found) == 31
    assert found[0].ratio == alone.ratio
    assert found[0].verdict == "cannot tell"
    assert found[0].p_adjusted == pytest.approx(31 * alone.p_value)


def test_metrics_come_pair_by_pair() -> None:
    a, b = (changed(made_group(name, values), output_tokens_per_s=1 / values) for name, values in (("a", A), ("b", B)))
    found = compare_groups([(a, b), (b, a)], [METRIC, "output_tokens_per_s"])
    assert [(one.a.label, one.metric) for one in found] == [
        ("a", METRIC), ("a", "output_tokens_per_s"), ("b", METRIC), ("b", "output_tokens_per_s"),
    ]  # fmt: skip
    assert [one.verdict for one in found] == ["lower", "higher", "higher", "lower"]


def test_many_cycles_are_bootstrapped_and_what_both_say_is_told() -> None:
    chance = np.random.default_rng(3)
    a = np.exp(0.05 * chance.standard_normal(25))
    b = a * np.exp(0.03 * (chance.standard_gamma(2.0, 25) - 2.0))
    at_end = {}
    for end in ("low", "high"):  # moved until the interval ends at 1
        (found,) = compare_groups([(made_group("a", a), made_group("b", b))], [METRIC])
        moved = b / getattr(found.ratio, end)
        (at_end[end],) = compare_groups([(made_group("a", a), made_group("b", moved))], [METRIC])
        assert found.ratio is not None
        assert found.ratio.method == "bca"
    by_bootstrap, by_t = at_end["high"], at_end["low"]
    assert by_bootstrap.ratio is not None
    assert by_bootstrap.ratio.high == pytest.approx(1.0)
    assert by_bootstrap.p_value == pytest.approx(0.05, abs=1e-3)  # skewed upwards: it reaches farther than t there
    assert by_t.p_value == pytest.approx(stats.ttest_rel(np.log(by_t.b.frame[METRIC]), np.log(a)).pvalue)
    assert by_t.p_value is not None
    assert by_t.p_value > 0.05


def test_a_bootstrap_of_two_groups_resamples_each_by_itself() -> None:
    chance = np.random.default_rng(4)
    a, b = np.exp(0.05 * chance.standard_normal((2, 30)))
    (found,) = compare_groups([(made_group("a", a), changed(made_group("b", b), campaign="other"))], [METRIC])
    by_t = stats.ttest_ind(np.log(b), np.log(a), equal_var=False)
    interval = by_t.confidence_interval(0.95)
    assert found.ratio is not None
    assert found.ratio.method == "bca"
    assert (found.ratio.low, found.ratio.high) == pytest.approx(
        (math.exp(interval.low), math.exp(interval.high)), abs=0.003
    )
    assert found.p_value == pytest.approx(by_t.pvalue, abs=0.02)


def test_the_difference_is_in_the_metrics_unit_and_goes_with_the_ratio() -> None:
    (found,) = compare_groups([(made_group("a", A), made_group("b", B))], [METRIC])
    assert found.difference is not None
    assert found.typical_a is not None
    assert found.typical_b is not None
    assert found.difference.estimate == pytest.approx(found.typical_b.estimate - found.typical_a.estimate)
    assert found.difference.low < found.difference.estimate < found.difference.high < 0
    unpaired = compare_groups([(made_group("a", A), changed(made_group("b", B), campaign="x"))], [METRIC])[0]
    assert unpaired.difference is not None
    assert unpaired.difference.high - unpaired.difference.low > found.difference.high - found.difference.low


def test_bounds_of_meters_go_with_the_ratio() -> None:
    a = changed(made_group("a", A), energy_j=100.0, energy_low_j=98.0, energy_high_j=103.0)
    b = changed(made_group("b", B), energy_j=90.0, energy_low_j=81.0, energy_high_j=99.0)
    (found,) = compare_groups([(a, b)], [METRIC])
    assert (found.meter_low, found.meter_high) == pytest.approx((0.9 / 1.03, 1.1 / 0.98))


@pytest.mark.parametrize(
    ("texts", "same"),
    [(("b" * 64, "b" * 64), True), (("b" * 64, "c" * 64), False), ((None, "b" * 64), None), ((None, None), None)],
)
def test_outputs_are_the_same_or_not_or_it_is_not_known(texts: Sequence[str | None], same: bool | None) -> None:
    a, b = made_group("a", A), made_group("b", B)
    pair = changed(a, output_sha256=texts[0]), changed(b, output_sha256=texts[1])
    assert compare_groups([pair], [METRIC])[0].same_output is same


def test_outputs_of_what_was_asked_otherwise_are_not_compared() -> None:
    a, b = made_group("a", A), changed(made_group("b", B), asked="another")
    assert compare_groups([(a, b)], [METRIC])[0].same_output is None


def test_as_many_more_cycles_as_are_named_would_tell() -> None:
    """At the power promised, by simulation from what was seen."""
    a = np.exp([0.0, 0.03, -0.02, 0.01])
    b = a * np.exp([0.02, -0.01, 0.015, 0.0])
    (found,) = compare_groups([(made_group("a", a), made_group("b", b))], [METRIC])
    assert found.verdict == "cannot tell"
    assert found.cycles_more is not None
    differences = np.log(b / a)
    chance = np.random.default_rng(1)

    def power(count: int) -> float:
        drawn = differences.mean() + differences.std(ddof=1) * chance.standard_normal((20_000, count))
        return float((stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean())

    assert power(4 + found.cycles_more) >= 0.79
    assert power(4 + found.cycles_more - 1) < 0.81


def test_what_a_thousand_cycles_would_not_tell_has_no_number() -> None:
    b = A * np.exp([0.05, -0.05, 0.05, -0.05, 0.0001])
    (found,) = compare_groups([(made_group("a", A), made_group("b", b))], [METRIC])
    assert (found.verdict, found.cycles_more) == ("cannot tell", None)


@pytest.mark.parametrize(("count", "campaign"), [(2, "simulated"), (3, "simulated"), (3, "another"), (20, "simulated")])
def test_the_difference_and_the_ratio_never_contradict_each_other(count: int, campaign: str) -> None:
    """Where cycles share much noise, each typical value is known worse than the ratio, and far worse of few cycles."""
    chance = np.random.default_rng(count)
    shared, own = 0.1 * chance.standard_normal((40, count)), 0.02 * chance.standard_normal((2, 40, count))
    apart = np.linspace(-0.2, 0.2, 40)[:, None]
    pairs = [
        (made_group("a", np.exp(a)), changed(made_group("b", np.exp(b)), campaign=campaign))
        for a, b in zip(shared + own[0], shared + own[1] + apart, strict=True)
    ]
    told = [found for pair in pairs for found in compare_groups([pair], [METRIC])]
    assert {found.verdict for found in told} >= {"cannot tell"}
    for found in told:
        assert found.difference is not None
        assert found.difference.low <= found.difference.estimate <= found.difference.high
        side = {"lower": found.difference.high < 0, "higher": found.difference.low > 0}
        assert side.get(found.verdict, found.difference.low <= 0 <= found.difference.high)


def test_the_difference_is_known_no_better_than_what_it_is_of() -> None:
    """Of a ratio that is known exactly, it is as wide as the typical values are."""
    (found,) = compare_groups([(made_group("a", A), made_group("b", 2 * A))], [METRIC])
    assert found.difference is not None
    assert found.typical_a is not None
    assert (found.difference.low, found.difference.high) == pytest.approx((found.typical_a.low, found.typical_a.high))


def test_a_difference_is_told_if_and_only_if_its_own_interval_leaves_out_1() -> None:
    """Of many cycles t and the bootstrap are not the same: alone, the latter leaves it out of heavy tails too often."""
    chance = np.random.default_rng(11)
    for _ in range(150):
        pair = np.exp(0.03 * chance.standard_t(3, (2, 20)))
        (found,) = compare_groups([(made_group("a", pair[0]), made_group("b", pair[1]))], [METRIC])
        assert found.ratio is not None
        assert (found.verdict == "cannot tell") == (found.ratio.low <= 1 <= found.ratio.high)


def test_what_was_repeated_until_known_is_told_apart_less_easily() -> None:
    plain = made_group("a", A), made_group("b", B)
    until = [changed(group, until="energy_per_output_token_j to 2 %") for group in plain]
    before, after = (compare_groups([(a, b)], [METRIC])[0] for a, b in (plain, until))
    assert before.ratio is not None
    assert after.ratio is not None
    assert after.ratio.method == "sequential log-t"
    assert math.log(after.ratio.high / after.ratio.low) == pytest.approx(
        (1 + 1.5 / 5) * math.log(before.ratio.high / before.ratio.low)
    )


def test_figures_that_are_apart_beyond_what_a_double_holds_are_compared() -> None:
    a, b = np.array([1.0, 1e200]), np.array([1e-200, 1e-100])
    (found,) = compare_groups([(made_group("a", a), made_group("b", b))], [METRIC])
    assert found.verdict == "cannot tell"
